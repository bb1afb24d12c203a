//! The logs of a federation by name: which ones a party has, who signs them, and who witnesses them.
//!
//! Every node and every gateway has two logs a year: one of questions, and one of what administrators and auditors did.
//! All other nodes and gateways witness them. Names and keys follow from the signed roster alone, so that whoever has the
//! roster can verify every log.

use crate::log::witness::Witnessing;
use crate::note::{KeyName, NoteError, VerifierKey};
use crate::quorum::{Policy, PolicyError};
use mayag_protocol::identity::{Identity, Party};
use mayag_protocol::names::LogOrigin;
use mayag_protocol::roster::{Member, Roster};
use mayag_protocol::timestamp::Timestamp;
use serde::Deserialize;
use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

/// Which of a party's logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Book {
    /// Policies, rosters, keys, configuration, and every read of a log.
    Administration,
    /// Questions, and what became of them.
    Questions,
}

impl Book {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Administration, Self::Questions];

    /// The log of this name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|book| book.as_str() == name)
    }

    /// The part of a log's name, and the name of its folder.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Administration => "admin-log",
            Self::Questions => "query-log",
        }
    }
}

/// A name or a key that no log can have. Identities and rosters that were read have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` has no logs: only nodes and gateways do")]
pub struct NoLog(&'static str);

/// The year of a log that is written now (UTC).
pub fn year(now: Timestamp) -> String {
    now.to_string().chars().take_while(char::is_ascii_digit).collect()
}

/// The name of a log, such as `node-kr.demo/query-log/2026`.
pub fn origin(party: &Identity, book: Book, year: &str) -> Result<LogOrigin, NoLog> {
    let name = format!("{}/{}/{year}", host(party)?, book.as_str());
    name.parse().map_err(|_| NoLog("a party with so long a name"))
}

/// Whether this is a log of this kind of this party: whoever signs a position in the log of another has signed nothing that
/// could be held against anybody.
pub fn owns(party: &Identity, book: Book, log: &LogOrigin) -> bool {
    let year = log.as_str().rsplit('/').next().unwrap_or_default();
    let is_year = year.len() == 4 && year.bytes().all(|byte| byte.is_ascii_digit());
    is_year && origin(party, book, year).is_ok_and(|own| own == *log)
}

/// The public key of a log.
pub fn log_key(member: &Member, origin: &LogOrigin) -> Result<VerifierKey, NoteError> {
    Ok(VerifierKey::log(origin.as_str().parse()?, &member.log_key))
}

/// The name under which a party cosigns, such as `node-kr.demo/witness`.
pub fn witness_name(party: &Identity) -> Result<KeyName, NoLog> {
    let name = format!("{}/witness", host(party)?);
    name.parse().map_err(|_| NoLog("a party with so long a name"))
}

/// The public key that a party cosigns with.
pub fn witness_key(member: &Member) -> Result<VerifierKey, NoLog> {
    Ok(VerifierKey::witness(witness_name(&member.identity)?, &member.cosign_key))
}

/// The key of the log of this name, if it is a log of a member.
pub fn key_of_origin(roster: &Roster, name: &str) -> Option<VerifierKey> {
    let (rest, year) = name.rsplit_once('/')?;
    let (owner, book) = rest.rsplit_once('/')?;
    Book::of(book)?;
    let is_year = year.len() == 4 && year.bytes().all(|byte| byte.is_ascii_digit());
    let owns = |member: &&Member| host(&member.identity).is_ok_and(|host| host == owner);
    let member = members(roster).filter(|_| is_year).find(owns)?;
    log_key(member, &name.parse().ok()?).ok()
}

/// The lines of a key file: the log's own verifier key, then those of its witnesses. Others call these `vkey`s.
pub fn key_file(roster: &Roster, owner: &Member, origin: &LogOrigin) -> Result<String, NoLog> {
    let own = log_key(owner, origin).map_err(|_| NoLog("a party with so long a name"))?;
    let others = members(roster).filter(|member| member.identity != owner.identity);
    let others = others.map(witness_key).collect::<Result<Vec<_>, _>>()?;
    Ok(lines(&own, &others))
}

fn lines(log: &VerifierKey, witnesses: &[VerifierKey]) -> String {
    let keys = std::iter::once(log).chain(witnesses);
    keys.map(|key| format!("{key}\n")).collect::<Vec<_>>().concat()
}

/// All parties that have logs, and witness those of others.
pub fn members(roster: &Roster) -> impl Iterator<Item = &Member> {
    roster.gateways.iter().chain(&roster.nodes)
}

pub(crate) fn host(party: &Identity) -> Result<String, NoLog> {
    let federation = &party.federation;
    match &party.party {
        Party::Gateway(number) => Ok(format!("gateway-{number}.{federation}")),
        Party::Node(country) => Ok(format!("node-{country}.{federation}")),
        Party::Administrator(..) => Err(NoLog("an administrator")),
        Party::Analyst(..) => Err(NoLog("an analyst")),
        Party::Auditor(_) => Err(NoLog("an auditor")),
    }
}

/// Who must have cosigned the logs of a party, and how lately.
#[derive(Debug, Clone)]
pub struct Witnesses {
    keys: Vec<VerifierKey>,
    needed: usize,
    longest_age: Duration,
}

impl Witnesses {
    /// What is asked of the checkpoints of one of the party's logs.
    pub fn of_log(&self, log: &VerifierKey) -> Result<Witnessing, PolicyError> {
        let policy = Policy::of_keys(&lines(log, &self.keys), self.needed)?;
        Ok(Witnessing { policy, longest_age: self.longest_age })
    }
}

/// How a party keeps its logs: the table `[log]` of a configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogConfig {
    /// How many days details are kept, one at least. National law says so, so there is no default.
    pub retention_days: NonZero<u32>,
    /// How many other nodes and gateways must have cosigned; 0 asks nobody, and then an operator can rewrite the log.
    pub witnesses: usize,
    /// Questions are refused when the witnesses have not cosigned for so many minutes.
    #[serde(default = "ten")]
    pub unwitnessed_minutes: u16,
    /// How many milliseconds lie between checkpoints; 1000 unless said otherwise, which is the most.
    #[serde(default = "second")]
    pub checkpoint_ms: u16,
    /// How many milliseconds a gateway waits between rounds to the witnesses; 2000 unless said otherwise.
    #[serde(default = "two_seconds")]
    pub witness_ms: u16,
    /// Where `last-signed` is kept, if not beside the log: another volume, and in no backup.
    #[serde(default)]
    pub guard: Option<PathBuf>,
}

fn second() -> u16 {
    1000
}

fn two_seconds() -> u16 {
    2000
}

fn ten() -> u16 {
    10
}

impl LogConfig {
    /// How long lies between checkpoints: 10 ms to one second.
    pub fn every(&self) -> Duration {
        Duration::from_millis(self.checkpoint_ms.clamp(10, second()).into())
    }

    /// Who witnesses the logs of a party of this roster.
    pub fn witnessing(
        &self,
        roster: &Roster,
        owner: &Identity,
    ) -> Result<Option<Witnesses>, NoLog> {
        if self.witnesses == 0 {
            return Ok(None);
        }
        let others = members(roster).filter(|member| member.identity != *owner);
        let keys = others.map(witness_key).collect::<Result<_, _>>()?;
        let longest_age = Duration::from_mins(self.unwitnessed_minutes.into());
        Ok(Some(Witnesses { keys, needed: self.witnesses, longest_age }))
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Book, LogConfig, NonZero, key_file, key_of_origin, log_key, origin, witness_name, year,
    };
    use mayag_protocol::names::PublicKey;
    use mayag_protocol::roster::{Member, Roster};
    use mayag_protocol::timestamp::Timestamp;

    fn now() -> Timestamp {
        Timestamp::from_millis(1_793_534_400_000)
    }

    fn member(identity: &str, key: u8) -> Member {
        Member {
            identity: identity.parse().unwrap(),
            answer_key: PublicKey::from_bytes([0; 32]),
            log_key: PublicKey::from_bytes([1; 32]),
            cosign_key: PublicKey::from_bytes([key; 32]),
            auditor_keys: Vec::new(),
            sealing_key: None,
        }
    }

    fn roster() -> Roster {
        Roster {
            v: 1,
            federation: "demo".parse().unwrap(),
            version: 1,
            issued_at: now(),
            expires_at: now(),
            issuers: Vec::new(),
            gateways: vec![member("spiffe://demo/gateway/1", 10)],
            nodes: vec![
                member("spiffe://demo/country/kr/node", 11),
                member("spiffe://demo/country/us/node", 12),
            ],
            people: Vec::new(),
        }
    }

    #[test]
    fn names_say_who_what_and_which_year() {
        let node = "spiffe://demo/country/kr/node".parse().unwrap();
        assert_eq!(year(now()), "2026");
        let name = origin(&node, Book::Questions, "2026").unwrap();
        assert_eq!(name.as_str(), "node-kr.demo/query-log/2026");
        assert_eq!(witness_name(&node).unwrap().as_str(), "node-kr.demo/witness");
        let analyst = "spiffe://demo/country/kr/analyst/ana".parse().unwrap();
        origin(&analyst, Book::Questions, "2026").unwrap_err();
    }

    #[test]
    fn only_logs_of_members_have_keys() {
        let roster = roster();
        let key = |name: &str| key_of_origin(&roster, name);
        assert!(key("node-kr.demo/query-log/2026").is_some());
        assert!(key("gateway-1.demo/admin-log/2031").is_some());
        for other in [
            "node-jp.demo/query-log/2026",
            "node-kr.demo/query-log",
            "node-kr.demo/query-log/26",
            "node-kr.demo/other-log/2026",
            "node-kr.other/query-log/2026",
            "",
        ] {
            assert!(key(other).is_none(), "{other}");
        }
    }

    #[test]
    fn nobody_witnesses_his_own_log() {
        let roster = roster();
        let node = &roster.nodes[0];
        let origin = origin(&node.identity, Book::Questions, "2026").unwrap();
        let keys = key_file(&roster, node, &origin).unwrap();
        let lines: Vec<&str> = keys.lines().collect();
        let names: Vec<&str> = lines.iter().map(|line| line.split_once('+').unwrap().0).collect();
        assert_eq!(
            names,
            ["node-kr.demo/query-log/2026", "gateway-1.demo/witness", "node-us.demo/witness"]
        );
        let config = |witnesses| LogConfig {
            retention_days: NonZero::<u32>::MIN,
            witnesses,
            unwitnessed_minutes: 10,
            checkpoint_ms: 1000,
            witness_ms: 2000,
            guard: None,
        };
        let log = log_key(node, &origin).unwrap();
        let asked = |witnesses| config(witnesses).witnessing(&roster, &node.identity).unwrap();
        assert!(asked(0).is_none());
        assert_eq!(asked(2).unwrap().of_log(&log).unwrap().policy.witnesses().len(), 2);
        asked(3).unwrap().of_log(&log).unwrap_err();
    }
}
