//! Who was turned away at the door, counted: an attacker must not be able to fill the log.
//!
//! What is told is a reason of a closed list, a pseudonym of the network it came from, and a pseudonym of the party if it was proved. So
//! many of them are told apart at a time; the rest are counted together.

use mayag_audit::keys::Mac;
use mayag_protocol::identity::Identity;
use mayag_protocol::names::Digest;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

/// Kinds that are told apart between two rounds of entries.
pub const MOST_KINDS: usize = 16;

/// Why somebody was turned away, in a word.
pub const NOT_ADMITTED: &str = "not_admitted";

/// For those that are counted together.
const SEVERAL: &str = "several";

/// Somebody who was turned away, told by whoever serves connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnedAway {
    /// From where; proves nothing.
    pub address: IpAddr,
    /// Who it is, if that was proved.
    pub identity: Option<Identity>,
    /// Why.
    pub why: &'static str,
}

/// One kind, and how often.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Kind {
    pub(crate) why: &'static str,
    /// A pseudonym of the network.
    pub(crate) network: String,
    pub(crate) actor: Option<Digest>,
    /// For the detail of the entry, and nothing else.
    pub(crate) identity: Option<Identity>,
}

/// The counters.
#[derive(Debug)]
pub(crate) struct Counted {
    pseudonyms: Mac,
    kinds: Mutex<BTreeMap<Kind, u64>>,
}

impl Counted {
    pub(crate) fn new(pseudonyms: Mac) -> Self {
        Self { pseudonyms, kinds: Mutex::new(BTreeMap::new()) }
    }

    /// Counts one.
    pub(crate) fn note(&self, away: &TurnedAway) {
        let code = |text: &str| Digest::from_bytes(self.pseudonyms.code(text.as_bytes()));
        let network: String =
            code(&format!("network {}", network(away.address))).as_str().chars().take(16).collect();
        let kind = Kind {
            why: away.why,
            network,
            actor: away.identity.as_ref().map(|identity| code(&identity.to_string())),
            identity: away.identity.clone(),
        };
        let mut kinds = self.kinds.lock();
        let known = kinds.contains_key(&kind) || kinds.len() < MOST_KINDS;
        let several =
            || Kind { why: SEVERAL, network: SEVERAL.to_owned(), actor: None, identity: None };
        let count = kinds.entry(if known { kind } else { several() }).or_default();
        *count = count.saturating_add(1);
    }

    /// Takes what was counted.
    pub(crate) fn take(&self) -> BTreeMap<Kind, u64> {
        std::mem::take(&mut self.kinds.lock())
    }

    /// Puts back what no entry says yet. At most as many kinds as one round has are beside what came meanwhile.
    pub(crate) fn put_back(&self, untold: BTreeMap<Kind, u64>) {
        let mut kinds = self.kinds.lock();
        for (kind, count) in untold {
            let all = kinds.entry(kind).or_default();
            *all = all.saturating_add(count);
        }
    }
}

/// The network of an address: its first 24 bits, or 48 of an IPv6 address.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            IpAddr::V4([a, b, c, 0].into())
        }
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 80 << 80)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Counted, MOST_KINDS, NOT_ADMITTED, TurnedAway};
    use mayag_audit::keys::Mac;

    #[test]
    fn however_many_come_only_so_many_kinds_are_told_apart() {
        let counted = Counted::new(Mac::new(&[7; 32]));
        let away = |address: [u8; 4]| TurnedAway {
            address: address.into(),
            identity: None,
            why: NOT_ADMITTED,
        };
        for last in 0..100 {
            counted.note(&away([10, 0, 0, last]));
        }
        for network in 0..200 {
            counted.note(&away([10, 1, network, 1]));
        }
        let kinds = counted.take();
        assert_eq!(kinds.len(), MOST_KINDS + 1, "{kinds:?}");
        assert_eq!(kinds.values().sum::<u64>(), 300, "nobody is forgotten");
        assert!(kinds.values().any(|count| *count == 100), "one network is one kind: {kinds:?}");
        assert!(!format!("{kinds:?}").contains("10."), "no address is readable");
        assert!(counted.take().is_empty());
    }
}
