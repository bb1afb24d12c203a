//! How many there are of each, and who may still come.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

/// Counts how many places are taken under each key.
pub(super) struct Slots<K> {
    taken: Arc<Mutex<HashMap<K, usize>>>,
    most: usize,
}

/// A place that is taken until this is dropped.
pub(super) struct Slot<K: Eq + Hash> {
    taken: Arc<Mutex<HashMap<K, usize>>>,
    key: K,
}

impl<K: Eq + Hash + Clone> Slots<K> {
    pub(super) fn new(most: usize) -> Self {
        Self { taken: Arc::new(Mutex::new(HashMap::new())), most }
    }

    /// Takes a place, if there is one left under this key.
    pub(super) fn take(&self, key: K) -> Option<Slot<K>> {
        let mut taken = self.taken.lock();
        let count = taken.get(&key).copied().unwrap_or(0);
        if self.most <= count {
            return None;
        }
        taken.insert(key.clone(), count + 1);
        Some(Slot { taken: Arc::clone(&self.taken), key })
    }
}

impl<K: Eq + Hash> Drop for Slot<K> {
    fn drop(&mut self) {
        let mut taken = self.taken.lock();
        match taken.get_mut(&self.key) {
            Some(count) if 1 < *count => *count -= 1,
            Some(_) | None => drop(taken.remove(&self.key)),
        }
    }
}

impl<K> fmt::Debug for Slots<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slots({} each)", self.most)
    }
}

impl<K: Eq + Hash> fmt::Debug for Slot<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Slot")
    }
}

/// What one subscriber has: an IPv4 address, or the first half of an IPv6 address.
pub(super) fn origin(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Slots, origin};

    #[test]
    fn places_are_given_back() {
        let slots = Slots::new(2);
        let first = slots.take("a").unwrap();
        let second = slots.take("a").unwrap();
        assert!(slots.take("a").is_none());
        assert!(slots.take("b").is_some());
        drop(first);
        let third = slots.take("a").unwrap();
        assert!(slots.take("a").is_none());
        drop((second, third));
        assert!(slots.taken.lock().is_empty(), "nothing is remembered of those who left");
    }

    #[test]
    fn a_subscriber_s_addresses_count_as_one() {
        let of = |text: &str| origin(text.parse().unwrap()).to_string();
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(of("192.0.2.1"), "192.0.2.1");
        assert_eq!(of("::ffff:192.0.2.1"), "192.0.2.1");
    }
}
