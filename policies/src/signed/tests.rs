//! Who must sign what, and what never comes into force.

use super::{Before, SignedError, SignedPolicy};
use crate::catalogue::Catalogue;
use crate::compare::Change;
use mayag_protocol::envelope::{Envelope, PayloadType, Sign, Verify};
use mayag_protocol::names::{Digest, KeyId, PublicKey};
use mayag_protocol::roster::{Person, Roster};
use mayag_protocol::timestamp::Timestamp;

/// Arithmetic that is easy to forge; what is tested here is who counts.
struct Toy(u8);

fn tag(key: u8, message: &[u8]) -> [u8; 64] {
    [message.iter().fold(key, |sum, byte| sum.wrapping_mul(31).wrapping_add(*byte)); 64]
}

impl Sign for Toy {
    fn key_id(&self) -> KeyId {
        KeyId::from_bytes([self.0; 8])
    }
    fn sign(&self, message: &[u8]) -> [u8; 64] {
        tag(self.0, message)
    }
}

impl Verify for Toy {
    fn key_id(&self, key: &PublicKey) -> KeyId {
        KeyId::from_bytes([key.to_bytes()[0]; 8])
    }
    fn verify(&self, key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
        signature == tag(key.to_bytes()[0], message)
    }
}

const MIN: u8 = 1;
const SEO: u8 = 2;
const SEO_TOO: u8 = 3;
const ANALYST: u8 = 4;
const FOREIGN: u8 = 5;

fn person(rest: &str, keys: &[u8]) -> Person {
    Person {
        identity: format!("spiffe://demo/country/{rest}").parse().unwrap(),
        roles: vec![],
        purposes: vec![],
        question_keys: keys.iter().map(|key| PublicKey::from_bytes([*key; 32])).collect(),
    }
}

fn roster() -> Roster {
    Roster {
        v: 1,
        federation: "demo".parse().unwrap(),
        version: 1,
        issued_at: Timestamp::from_millis(0),
        expires_at: "2100-01-01T00:00:00Z".parse().unwrap(),
        issuers: vec![],
        gateways: vec![],
        nodes: vec![],
        people: vec![
            person("kr/administrator/min", &[MIN]),
            person("kr/administrator/seo", &[SEO, SEO_TOO]),
            person("kr/analyst/hana", &[ANALYST]),
            person("us/administrator/dana", &[FOREIGN]),
        ],
    }
}

fn text(serial: u64, columns: &[&str]) -> String {
    let columns: Vec<String> =
        columns.iter().map(|name| format!("\"{name}\": {{\"dimension\": {{}}}}")).collect();
    let grants = if columns.is_empty() {
        String::new()
    } else {
        format!(
            r#"{{"id": "a", "why": "x", "to": {{"countries": "any", "roles": ["analyst"]}}, "purposes": ["TREND"],
               "dataset": "seizures", "columns": {{{}}}}}"#,
            columns.join(", ")
        )
    };
    format!(
        r#"{{"policy": "kr", "serial": {serial}, "valid_from": "2026-01-01T00:00:00Z",
            "valid_until": "2027-01-01T00:00:00Z", "why": "x", "grants": [{grants}]}}"#
    )
}

fn now() -> Timestamp {
    "2026-06-01T00:00:00Z".parse().unwrap()
}

fn digest(bytes: &[u8]) -> Digest {
    Digest::from_bytes([tag(0, bytes)[0]; 32])
}

fn sealed(text: &str, keys: &[u8]) -> Vec<u8> {
    let mut keys = keys.iter();
    let first = Toy(*keys.next().unwrap());
    let envelope = Envelope::seal(PayloadType::Policy, text.as_bytes().to_vec(), &first);
    keys.fold(envelope, |envelope, key| envelope.countersign(&Toy(*key))).to_bytes()
}

fn open(bytes: &[u8]) -> Result<SignedPolicy, SignedError> {
    let kr = "kr".parse().unwrap();
    SignedPolicy::open(bytes, &kr, &roster(), &Catalogue::builtin(), &Toy(0), digest)
}

/// What becomes of `new`, signed by `keys`, after `old`.
fn succeed(old: Option<&str>, new: &str, keys: &[u8]) -> Result<Change, SignedError> {
    let old = old.map(|old| open(&sealed(old, &[MIN])).unwrap());
    let policy = old.as_ref().map(SignedPolicy::policy);
    let before = Before { version: policy.map(crate::document::Policy::version), policy };
    open(&sealed(new, keys))?
        .succeed(before, &Catalogue::builtin(), now())
        .map(|accepted| accepted.change)
}

fn missing(result: &Result<Change, SignedError>) -> Option<(usize, usize)> {
    match result {
        Err(SignedError::Signatures { needed, found, .. }) => Some((*needed, *found)),
        _ => None,
    }
}

#[test]
fn widening_needs_two_different_people() {
    let first = text(1, &["drug"]);
    assert_eq!(missing(&succeed(None, &first, &[MIN])), Some((2, 1)));
    assert_eq!(succeed(None, &first, &[MIN, SEO]), Ok(Change::Widens));
    // One person with two keys is one person.
    assert_eq!(missing(&succeed(None, &first, &[SEO, SEO_TOO])), Some((2, 1)));
    // Nobody else counts: no analyst, no administrator of another country.
    assert_eq!(missing(&succeed(None, &first, &[MIN, ANALYST, FOREIGN])), Some((2, 1)));
    let wider = text(2, &["drug", "region"]);
    assert_eq!(missing(&succeed(Some(&first), &wider, &[SEO])), Some((2, 1)));
    assert_eq!(succeed(Some(&first), &wider, &[SEO, MIN]), Ok(Change::Widens));
}

/// A policy with one lookup table, open to these countries and up to this size.
fn searched(serial: u64, countries: &str, at_once: u32, person: u64) -> String {
    let lookup = format!(
        r#"{{"id": "l", "why": "x", "table": "stolen_documents", "kind": "travel_document",
            "to": {{"countries": {countries}, "roles": ["analyst"]}}, "purposes": ["BORDER"], "reveals": [],
            "limits": {{"at_once": {at_once}, "person": {person}}}}}"#
    );
    text(serial, &[]).replace("\"grants\": []", &format!("\"grants\": [], \"lookups\": [{lookup}]"))
}

#[test]
fn widening_lookups_needs_two_different_people_too() {
    let first = searched(1, r#"["kr"]"#, 64, 1000);
    assert_eq!(missing(&succeed(None, &first, &[MIN])), Some((2, 1)));
    assert_eq!(succeed(None, &first, &[MIN, SEO]), Ok(Change::Widens));
    for wider in [
        searched(2, r#"["kr", "us"]"#, 64, 1000),
        searched(2, r#""any""#, 64, 1000),
        searched(2, r#"["kr"]"#, 512, 1000),
        searched(2, r#"["kr"]"#, 64, 1001),
        searched(2, r#"["kr"]"#, 64, 1000).replace("\"reveals\": []", r#""reveals": ["contact"]"#),
        searched(2, r#"["kr"]"#, 64, 1000).replace("\"travel_document\"", "\"person\""),
        searched(2, r#"["kr"]"#, 64, 1000).replace("[\"BORDER\"]", r#"["BORDER", "WANTED"]"#),
        searched(2, r#"["us"]"#, 64, 1000),
    ] {
        assert_eq!(missing(&succeed(Some(&first), &wider, &[MIN])), Some((2, 1)), "{wider}");
        assert!(succeed(Some(&first), &wider, &[SEO, MIN]).is_ok_and(Change::widens), "{wider}");
    }
    let same = searched(2, r#"["kr"]"#, 64, 1000);
    assert_eq!(succeed(Some(&first), &same, &[MIN]), Ok(Change::Equal));
    let stricter = searched(2, r#"["kr"]"#, 8, 1000);
    assert_eq!(succeed(Some(&first), &stricter, &[MIN]), Ok(Change::Narrows));
    assert_eq!(succeed(Some(&first), &text(2, &[]), &[MIN]), Ok(Change::Narrows));
}

#[test]
fn narrowing_and_the_same_need_one_person() {
    let wide = text(1, &["drug", "region"]);
    assert_eq!(succeed(Some(&wide), &text(2, &["drug"]), &[SEO]), Ok(Change::Narrows));
    assert_eq!(succeed(Some(&wide), &text(2, &["drug", "region"]), &[SEO]), Ok(Change::Equal));
    assert_eq!(succeed(Some(&wide), &text(2, &[]), &[MIN]), Ok(Change::Narrows));
    // A policy that shows nothing takes nothing from a country that showed nothing.
    assert_eq!(succeed(None, &text(1, &[]), &[MIN]), Ok(Change::Equal));
}

#[test]
fn a_serial_only_grows() {
    let (second, third) = (text(2, &["drug"]), text(3, &["drug"]));
    assert_eq!(
        succeed(Some(&third), &second, &[MIN, SEO]),
        Err(SignedError::Older { found: 2, seen: 3 })
    );
    let other = text(2, &["region"]);
    assert!(matches!(
        succeed(Some(&second), &other, &[MIN, SEO]),
        Err(SignedError::OtherText { serial: 2, .. })
    ));
    // The same file again, such as at a restart.
    assert_eq!(succeed(Some(&second), &second, &[MIN]), Ok(Change::Equal));
}

#[test]
fn what_nobody_here_signed_is_not_opened() {
    let good = text(1, &["drug"]);
    let kr = "kr".parse().unwrap();
    assert_eq!(open(&sealed(&good, &[ANALYST])).unwrap_err(), SignedError::Unknown { country: kr });
    assert!(matches!(open(&sealed(&good, &[FOREIGN])).unwrap_err(), SignedError::Unknown { .. }));
    assert_eq!(open(good.as_bytes()).unwrap_err(), SignedError::Unsigned);
    assert!(matches!(open(b"{\"polcy\": 1}").unwrap_err(), SignedError::Envelope(_)));
    let other_kind = Envelope::seal(PayloadType::Roster, good.clone().into_bytes(), &Toy(MIN));
    assert!(matches!(open(&other_kind.to_bytes()).unwrap_err(), SignedError::Envelope(_)));
    let foreign = good.replace("\"kr\"", "\"us\"");
    assert!(matches!(
        open(&sealed(&foreign, &[MIN])).unwrap_err(),
        SignedError::OtherCountry { .. }
    ));
}

#[test]
fn problems_say_where_and_the_log_learns_only_that() {
    let error = open(&sealed(&text(1, &["drgu"]), &[MIN])).unwrap_err();
    assert!(error.to_string().contains("line 3, column "), "{error}");
    assert!(error.to_string().contains("did you mean `drug`?"), "{error}");
    assert!(error.rule().starts_with("document: line 3, column "), "{}", error.rule());
    assert!(!error.rule().contains("drgu"));
}
