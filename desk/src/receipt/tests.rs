//! One log, one receipt, and every way in which it can be wrong.

use super::{Against, ReceiptFault, ReceiptFile};
use crate::fixture::{Federation, Sent, country, key};
use mayag_audit::checkpoint::{Checkpoint, CheckpointNote};
use mayag_audit::cosignature::Cosigner;
use mayag_audit::entry::{CountryEnd, Entry, Type};
use mayag_audit::keys::{SigningKey, sha256};
use mayag_audit::log::read::Promise;
use mayag_audit::note::{Note, Signer};
use mayag_audit::quorum::{Policy, QuorumError};
use mayag_audit::receipt::{Receipt, ReceiptError};
use mayag_audit::tree::{Hash, Head, leaf_hash, node_hash};
use mayag_audit::witness::{Replace, Request, consider, cosignatures};
use mayag_protocol::answer::{LogPosition, Release};
use mayag_protocol::envelope::{Base64, Envelope, PayloadType};
use mayag_protocol::names::Digest;
use mayag_protocol::outcome::Outcome;
use mayag_protocol::question::Ask;
use mayag_protocol::receipts::Standing;
use mayag_protocol::roster::Person;
use mayag_protocol::timestamp::Timestamp;

const ORIGIN: &str = "gateway-1.demo/query-log/2027";
const RESULT: &[u8] = b"the merged table";

fn now() -> Timestamp {
    Timestamp::from_millis(1_800_000_001_000)
}

/// A federation, what it answered, and the keys of its log.
struct Sample {
    federation: Federation,
    analyst: SigningKey,
    log: SigningKey,
    witness: SigningKey,
    sent: Vec<Sent>,
}

impl Sample {
    fn new() -> Self {
        let ask = Ask::Sql { sql: "SELECT count(*) FROM seizures".to_owned() };
        let (mut federation, analyst) = (Federation::asked(ask), key());
        federation.roster.people.push(Person {
            identity: federation.question.analyst.clone(),
            roles: Vec::new(),
            purposes: Vec::new(),
            question_keys: vec![analyst.public().clone()],
        });
        let sent = vec![
            federation.cells("kr", vec![(b"cells".to_vec(), 1)]),
            Federation::silent("us", Outcome::TimedOut),
        ];
        Self { federation, analyst, log: key(), witness: key(), sent }
    }

    fn signer(&self) -> Signer<'_> {
        Signer::log(ORIGIN.parse().unwrap(), &self.log)
    }

    fn cosigner(&self) -> Cosigner<'_> {
        Cosigner::new("node-kr.demo/witness".parse().unwrap(), &self.witness)
    }

    fn policy(&self, needed: usize) -> Policy {
        let keys = format!("{}\n{}\n", self.signer().verifier(), self.cosigner().verifier());
        Policy::of_keys(&keys, needed).unwrap()
    }

    /// What an honest gateway logs.
    fn entry(&self) -> Entry {
        let end = |sent: &Sent| CountryEnd {
            outcome: sent.outcome,
            answer: self.federation.envelope(sent).map(|(_, digest)| digest),
            log: None,
            signed: None,
        };
        Entry {
            question: Some(self.federation.question.id.clone()),
            question_digest: Some(self.federation.digest.clone()),
            result_digest: Some(sha256(RESULT)),
            countries: self.sent.iter().map(|sent| (sent.country.clone(), end(sent))).collect(),
            ..Entry::new(Type::Released, now()).unwrap()
        }
    }

    /// The receipt of a log whose second entry this is; the release names it.
    fn receipt(&self, entry: &Entry) -> ReceiptFile {
        let bytes = entry.to_bytes().unwrap();
        let release = Release {
            log: LogPosition {
                origin: ORIGIN.parse().unwrap(),
                index: 1,
                leaf: Digest::from_bytes(*leaf_hash(&bytes).as_bytes()),
            },
            ..self.federation.release(&self.sent, Some(RESULT))
        };
        let proof = Receipt::new(1, vec![first()], self.witnessed(&bytes)).to_bytes();
        let mut file = self.file(&release);
        file.log = Some(Standing::Proven {
            entry: Base64(bytes),
            proof: String::from_utf8(proof).unwrap(),
        });
        file
    }

    fn file(&self, release: &Release) -> ReceiptFile {
        let question = serde_json::to_vec(&self.federation.question).unwrap();
        let answers = self.sent.iter().filter_map(|sent| {
            let (bytes, _) = self.federation.envelope(sent)?;
            Some((sent.country.clone(), Envelope::parse(&bytes, 1 << 20).unwrap()))
        });
        ReceiptFile::new(
            Envelope::seal(PayloadType::Question, question, &self.analyst),
            Envelope::parse(&self.federation.seal(release).0, 1 << 20).unwrap(),
            answers.collect(),
        )
    }

    /// A checkpoint that nobody has cosigned.
    fn signed(&self, entry: &[u8]) -> CheckpointNote {
        let head = Head { size: 2, root: node_hash(&first(), &leaf_hash(entry)) };
        let origin = ORIGIN.parse().unwrap();
        Checkpoint { origin, head }.sign(&self.signer()).unwrap()
    }

    fn witnessed(&self, entry: &[u8]) -> CheckpointNote {
        let note = self.signed(entry);
        let request = Request::new(0, Vec::new(), note.clone());
        let pending = consider(&request, &[self.signer().verifier().clone()], None).unwrap();
        let witness = self.cosigner();
        let body = pending.cosign(&witness, now(), |_: &Replace<'_>| Ok::<(), ()>(())).unwrap();
        let lines = cosignatures(body.as_bytes(), &note, witness.verifier()).unwrap();
        lines.into_iter().fold(note, CheckpointNote::with)
    }

    fn verify(&self, file: &ReceiptFile) -> Result<super::Proof, ReceiptFault> {
        // As it is read back, so that the file is what is checked.
        let file = ReceiptFile::parse(&file.to_bytes())?;
        file.verify(&self.against(&self.policy(1)))
    }

    fn against<'a>(&'a self, policy: &'a Policy) -> Against<'a> {
        Against { policy, roster: Some(&self.federation.roster), now: now() }
    }
}

/// The log's first entry.
fn first() -> Hash {
    leaf_hash(b"opened")
}

fn with_proof(file: &ReceiptFile, change: impl Fn(&mut Vec<u8>, &mut String)) -> ReceiptFile {
    let mut file = file.clone();
    let Some(Standing::Proven { entry, proof }) = &mut file.log else { panic!("no proof") };
    change(&mut entry.0, proof);
    file
}

#[test]
fn an_honest_receipt_says_what_it_proves() {
    let sample = Sample::new();
    let proof = sample.verify(&sample.receipt(&sample.entry())).unwrap();
    assert_eq!((proof.position.index, proof.size, proof.cosignatures), (1, 2, 1));
    assert_eq!((proof.answers, proof.signatures), (1, true));
    assert_eq!(proof.result, Some(sha256(RESULT)));
    assert_eq!(proof.question, sample.federation.question.id);
    // Without a roster nothing is said about signatures.
    let policy = sample.policy(0);
    let against = Against { roster: None, ..sample.against(&policy) };
    let proof = sample.receipt(&sample.entry()).verify(&against).unwrap();
    assert!(!proof.signatures);
}

#[test]
fn a_changed_entry_proof_or_index_is_refused() {
    let sample = Sample::new();
    let honest = sample.receipt(&sample.entry());
    let Some(Standing::Proven { entry, .. }) = &honest.log else { panic!("no proof") };
    for place in 0..entry.0.len() {
        let changed = with_proof(&honest, |entry, _| entry[place] ^= 1);
        let refused = sample.verify(&changed);
        assert!(
            matches!(refused, Err(ReceiptFault::Receipt(ReceiptError::Proof { .. }))),
            "byte {place}: {refused:?}"
        );
    }
    let other = first().to_string();
    let changed = with_proof(&honest, |_, proof| {
        *proof = proof.replace(&other, &leaf_hash(b"other").to_string());
    });
    assert!(matches!(
        sample.verify(&changed),
        Err(ReceiptFault::Receipt(ReceiptError::Proof { .. }))
    ));
    for index in ["index 0", "index 2"] {
        let changed = with_proof(&honest, |_, proof| *proof = proof.replace("index 1", index));
        assert!(matches!(
            sample.verify(&changed),
            Err(ReceiptFault::Receipt(ReceiptError::Proof { .. }))
        ));
    }
}

#[test]
fn a_sound_proof_of_another_entry_is_refused() {
    let sample = Sample::new();
    let honest = sample.receipt(&sample.entry());
    // The same log proves another entry about the same question: the release names this one.
    let twin = sample.receipt(&sample.entry());
    let swapped = ReceiptFile { log: twin.log, ..honest.clone() };
    assert_eq!(sample.verify(&swapped), Err(ReceiptFault::Position("leaf hash")));
    // Another place of the same log.
    let moved = with_proof(&honest, |entry, proof| {
        let bytes = entry.clone();
        *entry = b"opened".to_vec();
        let path = vec![leaf_hash(&bytes)];
        let receipt = Receipt::new(0, path, sample.witnessed(&bytes));
        *proof = String::from_utf8(receipt.to_bytes()).unwrap();
    });
    assert_eq!(sample.verify(&moved), Err(ReceiptFault::Position("index")));
}

#[test]
fn an_entry_about_something_else_is_refused() {
    let sample = Sample::new();
    let entry = || sample.entry();
    let mut dropped = entry();
    dropped.countries.remove(&country("us"));
    let mut swapped = entry();
    for end in swapped.countries.values_mut() {
        end.outcome = Outcome::Refused;
    }
    for (entry, what) in [
        (Entry { kind: Type::Received, ..entry() }, "type"),
        (Entry { question: Some("00".repeat(16).parse().unwrap()), ..entry() }, "question"),
        (Entry { question_digest: Some(sha256(b"other")), ..entry() }, "question"),
        (Entry { result_digest: Some(sha256(b"other")), ..entry() }, "result"),
        (Entry { result_digest: None, ..entry() }, "result"),
        (dropped, "list of countries"),
        (swapped, "outcome of a country"),
    ] {
        let refused = sample.verify(&sample.receipt(&entry));
        assert_eq!(refused, Err(ReceiptFault::OtherEntry(what)));
    }
}

#[test]
fn another_question_release_or_answer_is_refused() {
    let sample = Sample::new();
    let honest = sample.receipt(&sample.entry());
    let mut asked = sample.federation.question.clone();
    asked.case = Some("another case".to_owned());
    let payload = serde_json::to_vec(&asked).unwrap();
    let question = Envelope::seal(PayloadType::Question, payload, &sample.analyst);
    let other = ReceiptFile { question, ..honest.clone() };
    assert_eq!(sample.verify(&other), Err(ReceiptFault::Question));
    // Answers that are missing, exchanged, or of countries that were not asked.
    let kr = || country("kr");
    let mut missing = honest.clone();
    missing.answers.clear();
    assert_eq!(sample.verify(&missing), Err(ReceiptFault::Answer(kr())));
    let cells = sample.federation.cells("kr", vec![(b"other cells".to_vec(), 1)]);
    let (bytes, _) = sample.federation.envelope(&cells).unwrap();
    let mut exchanged = honest.clone();
    exchanged.answers.insert(kr(), Envelope::parse(&bytes, 1 << 20).unwrap());
    assert_eq!(sample.verify(&exchanged), Err(ReceiptFault::Answer(kr())));
    let mut added = honest.clone();
    added.answers.insert(country("us"), honest.answers[&kr()].clone());
    assert_eq!(sample.verify(&added), Err(ReceiptFault::Signature("answer of a node")));
    let policy = sample.policy(1);
    let unsigned = Against { roster: None, ..sample.against(&policy) };
    assert_eq!(added.verify(&unsigned), Err(ReceiptFault::Answer(country("us"))));
    // A log that is not the gateway's.
    let mut release = sample.federation.release(&sample.sent, Some(RESULT));
    release.log.origin = "gateway-2.demo/query-log/2027".parse().unwrap();
    let elsewhere = ReceiptFile { log: honest.log, ..sample.file(&release) };
    assert!(matches!(sample.verify(&elsewhere), Err(ReceiptFault::Log(_))));
}

#[test]
fn signatures_of_strangers_are_refused() {
    let sample = Sample::new();
    let honest = sample.receipt(&sample.entry());
    let forged = |kind, envelope: &Envelope| {
        Envelope::seal(kind, envelope.unverified_payload().to_vec(), &key())
    };
    let question = forged(PayloadType::Question, &honest.question);
    let release = forged(PayloadType::Release, &honest.release);
    let answer = forged(PayloadType::Answer, &honest.answers[&country("kr")]);
    let answers = [(country("kr"), answer)].into();
    for (file, what) in [
        (ReceiptFile { question, ..honest.clone() }, "question"),
        (ReceiptFile { release, ..honest.clone() }, "release"),
        (ReceiptFile { answers, ..honest }, "answer of a node"),
    ] {
        assert_eq!(sample.verify(&file), Err(ReceiptFault::Signature(what)));
    }
}

#[test]
fn other_keys_and_missing_cosignatures_are_refused() {
    let sample = Sample::new();
    let honest = sample.receipt(&sample.entry());
    let other = Sample::new();
    let policy = other.policy(0);
    let against = Against { policy: &policy, ..sample.against(&policy) };
    assert_eq!(
        honest.verify(&against),
        Err(ReceiptFault::Receipt(ReceiptError::Quorum(QuorumError::Log)))
    );
    let bare = with_proof(&honest, |entry, proof| {
        let receipt = Receipt::new(1, vec![first()], sample.signed(entry));
        *proof = String::from_utf8(receipt.to_bytes()).unwrap();
    });
    assert!(matches!(sample.verify(&bare), Err(ReceiptFault::Receipt(ReceiptError::Quorum(_)))));
    assert_eq!(bare.verify(&sample.against(&sample.policy(0))).unwrap().cosignatures, 0);
}

#[test]
fn a_promise_is_no_proof_and_a_false_one_no_promise() {
    let sample = Sample::new();
    let honest = sample.receipt(&sample.entry());
    let unproven = ReceiptFile { log: None, ..honest.clone() };
    assert_eq!(sample.verify(&unproven), Err(ReceiptFault::Missing));
    let Some(Standing::Proven { entry, .. }) = &honest.log else { panic!("no proof") };
    let text = |index: u64| {
        format!("mayag/log-promise/v1\n{ORIGIN}\n{index}\n{}\n{}\n", leaf_hash(&entry.0), now())
    };
    let promise = |index, signer: &Signer<'_>| {
        let note = Note::sign(text(index), signer).unwrap();
        let promise = String::from_utf8(note.to_bytes()).unwrap();
        ReceiptFile { log: Some(Standing::Promised { promise }), ..honest.clone() }
    };
    let own = sample.signer();
    let note = Note::sign(text(1), &own).unwrap();
    assert_eq!(Promise::open(&note, own.verifier()).unwrap().deadline, now());
    assert_eq!(sample.verify(&promise(1, &own)), Err(ReceiptFault::Promised(now())));
    assert_eq!(sample.verify(&promise(0, &own)), Err(ReceiptFault::Promise));
    let stranger = key();
    let strange = Signer::log(ORIGIN.parse().unwrap(), &stranger);
    assert_eq!(sample.verify(&promise(1, &strange)), Err(ReceiptFault::Promise));
}

#[test]
fn other_files_are_no_receipts() {
    let sample = Sample::new();
    let honest = sample.receipt(&sample.entry()).to_bytes();
    let text = String::from_utf8(honest.clone()).unwrap();
    for other in [
        String::new(),
        text.replacen("\"question\"", "\"query\"", 1),
        text.replacen('{', "{\"v\": 1,", 1),
        text.replacen('{', "{\"keys\": [],", 1),
    ] {
        assert!(matches!(ReceiptFile::parse(other.as_bytes()), Err(ReceiptFault::File(_))));
    }
    let newer = text.replacen("\"v\": 1", "\"v\": 2", 1);
    assert_eq!(ReceiptFile::parse(newer.as_bytes()), Err(ReceiptFault::Version("receipt")));
    ReceiptFile::parse(&honest).unwrap();
}
