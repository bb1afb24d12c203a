//! Only the right key at the right place opens a detail, and nothing prints a secret.

use super::{
    Content, DetailError, LONGEST_DETAIL, MonthKey, Opened, Place, RecipientSecret, Sealed,
    committed, open, seal,
};
use crate::checkpoint::Origin;
use crate::entry::Type;
use crate::keys::{SigningKey, sha256};
use mayag_protocol::envelope::{Envelope, PayloadType};
use mayag_protocol::names::QuestionId;
use mayag_protocol::purpose::Purpose;
use mayag_protocol::question::{Ask, Question};
use mayag_protocol::timestamp::Timestamp;

const TEXT: &[u8] = b"{\"sql\":\"select 1\",\"officer\":\"4711\"}";

fn secret() -> RecipientSecret {
    RecipientSecret::from_pem(&RecipientSecret::generate().unwrap()).unwrap()
}

struct World {
    origin: Origin,
    question: QuestionId,
    auditors: [RecipientSecret; 2],
}

impl World {
    fn new() -> Self {
        Self {
            origin: "node-be.sample/query-log/2026".parse().unwrap(),
            question: QuestionId::from_bytes([1; 16]),
            auditors: [secret(), secret()],
        }
    }

    fn place(&self) -> Place<'_> {
        Place { origin: &self.origin, question: Some(&self.question), kind: Type::Answered }
    }

    fn seal(&self, month: Option<&MonthKey>) -> Sealed {
        let recipients: Vec<_> =
            self.auditors.iter().map(|secret| secret.public().clone()).collect();
        seal(TEXT, &self.place(), &recipients, month).unwrap()
    }

    fn open(
        &self,
        sealed: &Sealed,
        place: &Place<'_>,
        month: Option<&MonthKey>,
    ) -> Result<Opened, DetailError> {
        open(&sealed.file, &sealed.reference, place, &self.auditors[1], month)
    }
}

#[test]
fn every_recipient_opens_it_and_can_show_what_it_said() {
    let world = World::new();
    let sealed = world.seal(None);
    for auditor in &world.auditors {
        let opened = open(&sealed.file, &sealed.reference, &world.place(), auditor, None).unwrap();
        assert_eq!(opened.plaintext(), TEXT);
        assert!(committed(opened.salt(), opened.plaintext(), &sealed.reference.commit));
        assert!(!committed(opened.salt(), b"something else", &sealed.reference.commit));
    }
    // The same text twice: nothing that is kept is the same.
    let again = world.seal(None);
    assert_ne!(again.reference, sealed.reference);
    assert!(!sealed.file.windows(6).any(|w| w == b"select"));
    let stranger = secret();
    let refused = open(&sealed.file, &sealed.reference, &world.place(), &stranger, None);
    assert_eq!(refused.unwrap_err(), DetailError::OtherRecipient);
}

#[test]
fn a_detail_moved_to_another_entry_does_not_open() {
    let world = World::new();
    let sealed = world.seal(None);
    let (origin, question) =
        ("node-kr.sample/query-log/2026".parse().unwrap(), QuestionId::from_bytes([2; 16]));
    for place in [
        Place { origin: &origin, ..world.place() },
        Place { question: Some(&question), ..world.place() },
        Place { question: None, ..world.place() },
        Place { kind: Type::Refused, ..world.place() },
    ] {
        assert_eq!(world.open(&sealed, &place, None).unwrap_err(), DetailError::NotOpened);
    }
}

#[test]
fn no_byte_of_a_detail_can_be_changed() {
    let world = World::new();
    let sealed = world.seal(None);
    for place in 0..sealed.file.len() {
        let mut file = sealed.file.clone();
        file[place] ^= 1;
        let changed = Sealed { file, reference: sealed.reference.clone() };
        assert_eq!(world.open(&changed, &world.place(), None).unwrap_err(), DetailError::Digest);
        // Even where the entry named the changed file.
        let mut reference = sealed.reference.clone();
        reference.ct_sha256 = sha256(&changed.file);
        let changed = Sealed { reference, ..changed };
        let other = String::from_utf8_lossy(&changed.file);
        let told = world.open(&changed, &world.place(), None);
        // The first auditor's wrapped key is not the second's to check.
        let first = other.find("\"keys\"").unwrap_or(0)..other.rfind("\"to\"").unwrap_or(0);
        assert!(told.is_err() || first.contains(&place), "byte {place}");
    }
    let mut reference = sealed.reference.clone();
    reference.commit = sha256(b"another");
    let other = Sealed { reference, ..sealed };
    assert_eq!(world.open(&other, &world.place(), None).unwrap_err(), DetailError::Commitment);
}

#[test]
fn destroying_the_key_of_a_month_erases_its_details() {
    let world = World::new();
    let (month, next) = (MonthKey::generate().unwrap(), MonthKey::generate().unwrap());
    let sealed = world.seal(Some(&month));
    let kept = MonthKey::from_bytes(month.to_bytes());
    assert_eq!(world.open(&sealed, &world.place(), Some(&kept)).unwrap().plaintext(), TEXT);
    for without in [None, Some(&next)] {
        assert_eq!(world.open(&sealed, &world.place(), without).unwrap_err(), DetailError::Month);
    }
}

#[test]
fn what_cannot_be_sealed_is_refused() {
    let world = World::new();
    let to = [world.auditors[0].public().clone()];
    let long = vec![0; LONGEST_DETAIL + 1];
    assert_eq!(seal(&long, &world.place(), &to, None).unwrap_err(), DetailError::Long);
    assert_eq!(seal(TEXT, &world.place(), &[], None).unwrap_err(), DetailError::NoRecipient);
    let longest = seal(&vec![0; LONGEST_DETAIL], &world.place(), &to, None).unwrap();
    open(&longest.file, &longest.reference, &world.place(), &world.auditors[0], None).unwrap();
}

#[test]
fn a_detail_says_what_the_analyst_signed() {
    let question = Question {
        v: 1,
        id: QuestionId::from_bytes([1; 16]),
        analyst: "spiffe://demo/country/kr/analyst/hana".parse().unwrap(),
        gateway: "spiffe://demo/gateway/1".parse().unwrap(),
        countries: vec!["kr".parse().unwrap()],
        issued_at: Timestamp::from_millis(0),
        expires_at: Timestamp::from_millis(1),
        nonce: "00112233445566778899aabbccddeeff".parse().unwrap(),
        ask: Ask::Sql { sql: "SELECT 1".to_owned() },
        purpose: Purpose::Trend,
        case: Some("2026-0412".to_owned()),
        legal_basis: None,
    };
    let payload = serde_json::to_vec(&question).unwrap();
    let key = SigningKey::from_pem(&SigningKey::generate().unwrap()).unwrap();
    let envelope = Envelope::seal(PayloadType::Question, payload.clone(), &key).to_bytes();
    let content = Content::question("hana".to_owned(), Some(envelope));
    let read = Content::parse(&content.to_bytes().unwrap()).unwrap();
    assert_eq!(read, content);
    assert_eq!(read.asked(), Some((question, sha256(&payload))));
    assert_eq!(format!("{read:?}"), "Content([redacted])");
    let other = Content::question("hana".to_owned(), Some(b"{}".to_vec()));
    assert_eq!(other.asked(), None);
    let stranger = SigningKey::from_pem(&SigningKey::generate().unwrap()).unwrap();
    assert!(read.is_signed_by(&[stranger.public().clone(), key.public().clone()]));
    assert!(!read.is_signed_by(&[stranger.public().clone()]) && !read.is_signed_by(&[]));
    assert!(!other.is_signed_by(&[key.public().clone()]));
    Content::parse(b"{\"v\":2,\"person\":\"hana\"}").unwrap_err();
}

#[test]
fn nothing_prints_a_secret() {
    let world = World::new();
    let sealed = world.seal(None);
    let opened = world.open(&sealed, &world.place(), None).unwrap();
    assert_eq!(format!("{opened:?}"), "Opened([redacted])");
    assert_eq!(format!("{:?}", MonthKey::generate().unwrap()), "MonthKey([redacted])");
    let auditor = &world.auditors[0];
    let public = auditor.public().to_string();
    assert_eq!(format!("{auditor:?}"), format!("RecipientSecret([redacted], public {public})"));
    assert_eq!(public.parse::<super::RecipientKey>().unwrap(), *auditor.public());
    let short = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    RecipientSecret::from_pem(short).unwrap_err();
}
