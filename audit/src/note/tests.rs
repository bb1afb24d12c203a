//! The example of `golang.org/x/mod/sumdb/note`, which others verify too, and everything that is refused.

use super::{
    Algorithm, KeyName, LONGEST_NOTE, Note, NoteError, Signature, Signer, Stamp, VerifierKey,
};
use crate::cosignature::Cosigner;
use crate::keys::SigningKey;
use mayag_protocol::timestamp::Timestamp;

const VKEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const NOTE: &str = "If you think cryptography is the answer to your problem,\n\
    then you don't know what your problem is.\n\
    \n\
    — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

fn key() -> SigningKey {
    SigningKey::from_pem(&SigningKey::generate().unwrap()).unwrap()
}

fn name(text: &str) -> KeyName {
    text.parse().unwrap()
}

#[test]
fn the_known_note_opens() {
    let key: VerifierKey = VKEY.parse().unwrap();
    assert_eq!(key.to_string(), VKEY);
    assert_eq!(key.algorithm(), Algorithm::Ed25519);
    let note = Note::parse(NOTE.as_bytes()).unwrap();
    assert_eq!(note.to_bytes(), NOTE.as_bytes());
    let signed = note.open(std::slice::from_ref(&key)).unwrap();
    assert_eq!((signed.len(), &signed[0].key, signed[0].stamp), (1, &key, Stamp::None));
}

/// Every bit of a note whose signatures are all known is signed, or is the one way to write it.
#[test]
fn no_byte_of_a_note_can_be_changed() {
    let (log, witness) = (key(), key());
    let signer = Signer::log(name("log.example/1"), &log);
    let cosigner = Cosigner::new(name("witness.example"), &witness);
    let text = "log.example/1\n1\nroot\n".to_owned();
    let cosignature = cosigner.sign(&text, Timestamp::from_millis(1_679_315_147_999));
    let note = Note::sign(text, &signer).unwrap().with(cosignature);
    let keys = [signer.verifier().clone(), cosigner.verifier().clone()];
    let opened = note.open(&keys).unwrap();
    assert_eq!(opened[1].stamp, Stamp::At(Timestamp::from_millis(1_679_315_147_000)));
    let bytes = note.to_bytes();
    let first_signature = bytes.windows(3).position(|w| w == "—".as_bytes()).unwrap();
    for place in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[place] ^= 1 << bit;
            let opened = Note::parse(&changed).and_then(|note| note.open(&keys));
            // A line that no longer names a known key is ignored, as the specification wants; it then counts for nothing.
            let ignored =
                place >= first_signature && opened.as_ref().is_ok_and(|found| found.len() < 2);
            assert!(opened.is_err() || ignored, "byte {place} bit {bit}: {opened:?}");
        }
    }
}

#[test]
fn signatures_of_unknown_keys_are_ignored_and_wrong_ones_of_known_keys_refused() {
    let (known, other) = (key(), key());
    let signer = Signer::log(name("log"), &known);
    let stranger = Signer::log(name("log"), &other);
    let note = Note::sign("text\n".to_owned(), &signer).unwrap();
    let both = note.clone().with(stranger.sign("text\n"));
    let keys = [signer.verifier().clone()];
    assert_eq!(both.open(&keys).unwrap().len(), 1);
    assert_eq!(both.open(&[]), Err(NoteError::NoKnownSignature));
    assert_eq!(both.open(&[VKEY.parse().unwrap()]), Err(NoteError::NoKnownSignature));
    let wrong = note.clone().with(signer.sign("other text\n"));
    assert_eq!(wrong.open(&keys), Err(NoteError::Signature));
    // A log's key does not cosign and a witness's key signs no log: the type is part of the id.
    let as_witness = VerifierKey::witness(name("log"), known.public());
    assert_eq!(note.open(&[as_witness]), Err(NoteError::NoKnownSignature));
}

/// ML-DSA-44 keys (0x06) are carried, and count for nothing.
#[test]
fn a_key_of_a_type_to_come_is_read_and_proves_nothing() {
    let key = VerifierKey::new(name("w"), Algorithm::Other(0x06), vec![9; 1312]);
    let again: VerifierKey = key.to_string().parse().unwrap();
    assert_eq!((again.algorithm(), &again), (Algorithm::Other(0x06), &key));
    let log = super::tests::key();
    let signer = Signer::log(name("log"), &log);
    let note = Note::sign("text\n".to_owned(), &signer).unwrap();
    let note = note.with(Signature::new(&key, vec![1; 2428]));
    let note = Note::parse(&note.to_bytes()).unwrap();
    assert_eq!(note.open(&[key.clone(), signer.verifier().clone()]).unwrap().len(), 1);
    assert_eq!(note.open(&[key]), Err(NoteError::NoKnownSignature));
}

#[test]
fn keys_and_names_have_one_text() {
    for refused in [
        "",
        "a",
        "a+b",
        "PeterNeumann+c74f20a3+",
        "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW\n",
        "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10T",
    ] {
        refused.parse::<VerifierKey>().unwrap_err();
    }
    for refused in ["", "a b", "a+b", "a\u{a0}b", "a\nb", &"a".repeat(256)] {
        assert_eq!(refused.parse::<KeyName>(), Err(NoteError::Name), "{refused:?}");
    }
}

#[test]
fn what_is_not_a_note_is_refused() {
    let with = |change: fn(&str) -> String| Note::parse(change(NOTE).as_bytes()).unwrap_err();
    assert_eq!(with(|note| note.replace("\n\n", "\n")), NoteError::Shape);
    assert_eq!(with(|note| note.trim_end().to_owned()), NoteError::Shape);
    assert_eq!(with(|note| format!("{note}\n")), NoteError::Shape);
    assert_eq!(with(|note| note.replace("If you", "If\tyou")), NoteError::Characters);
    assert_eq!(with(|note| note.replace('\n', "\r\n")), NoteError::Characters);
    assert_eq!(with(|note| note.replace('—', "-")), NoteError::SignatureLine);
    assert_eq!(with(|note| note.replace("— Peter", "—  Peter")), NoteError::SignatureLine);
    assert_eq!(with(|note| note.replace("AM=", "AN=")), NoteError::SignatureLine);
    assert_eq!(Note::parse(&[0xff, b'\n', b'\n', b'\n']).unwrap_err(), NoteError::Characters);
    assert_eq!(Note::parse(&vec![b'a'; LONGEST_NOTE + 1]).unwrap_err(), NoteError::Long);
    let line = NOTE.lines().last().unwrap();
    let many = format!("{NOTE}{}", format!("{line}\n").repeat(64));
    assert_eq!(Note::parse(many.as_bytes()).unwrap_err(), NoteError::Long);
    let key = key();
    let signer = Signer::log(name("log"), &key);
    assert_eq!(Note::sign("no newline".to_owned(), &signer).unwrap_err(), NoteError::Shape);
    assert_eq!(Note::sign("a\tb\n".to_owned(), &signer).unwrap_err(), NoteError::Characters);
}

/// The last empty line separates: a text may hold empty lines itself.
#[test]
fn a_text_with_empty_lines_keeps_them() {
    let key = key();
    let signer = Signer::log(name("log"), &key);
    let note = Note::sign("a\n\n— x y\n".to_owned(), &signer).unwrap();
    let again = Note::parse(&note.to_bytes()).unwrap();
    assert_eq!(again.text(), "a\n\n— x y\n");
    assert_eq!(again.open(&[signer.verifier().clone()]).unwrap().len(), 1);
}
