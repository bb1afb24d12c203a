//! Every status of the specification, and that no cosignature leaves before the store has answered.

use super::{Declined, Replace, Request, consider, cosignatures, stale_size};
use crate::checkpoint::{Checkpoint, CheckpointNote};
use crate::cosignature::Cosigner;
use crate::keys::SigningKey;
use crate::note::{Signer, VerifierKey};
use crate::tree::{Frontier, Hash, Head, Node, Nodes, ProofError, leaf_hash, prove_consistency};
use mayag_protocol::timestamp::Timestamp;
use std::cell::Cell;
use std::collections::HashMap;
use std::convert::Infallible;

struct Log {
    key: SigningKey,
    frontier: Frontier,
    kept: HashMap<(u32, u64), Hash>,
}

impl Nodes for Log {
    type Error = Infallible;
    fn node(&mut self, height: u32, index: u64) -> Result<Hash, Infallible> {
        Ok(self.kept[&(height, index)])
    }
}

fn key() -> SigningKey {
    SigningKey::from_pem(&SigningKey::generate().unwrap()).unwrap()
}

impl Log {
    fn new(key: SigningKey, entries: &[u8]) -> Self {
        let mut log = Self { key, frontier: Frontier::default(), kept: HashMap::new() };
        for entry in entries {
            let kept = &mut log.kept;
            log.frontier.push(leaf_hash(&[*entry]), |Node { height, index, hash }| {
                kept.insert((height, index), hash);
            });
        }
        log
    }

    fn signer(&self) -> Signer<'_> {
        Signer::log("log.example/1".parse().unwrap(), &self.key)
    }

    fn at(&self, size: u64, root: Hash) -> CheckpointNote {
        let origin = "log.example/1".parse().unwrap();
        Checkpoint { origin, head: Head { size, root } }.sign(&self.signer()).unwrap()
    }

    fn request(&mut self, old: u64) -> Request {
        let size = self.frontier.size();
        let proof = prove_consistency(self, old, size).unwrap();
        Request::new(old, proof, self.at(size, self.frontier.root()))
    }

    fn keys(&self) -> Vec<VerifierKey> {
        vec![self.signer().verifier().clone()]
    }
}

fn now() -> Timestamp {
    Timestamp::from_millis(1_790_000_000_000)
}

fn stored(
    request: &Request,
    keys: &[VerifierKey],
    last: Option<&[u8]>,
) -> Result<Vec<u8>, Declined> {
    let (witness, kept) = (key(), Cell::new(Vec::new()));
    let cosigner = Cosigner::new("w.example".parse().unwrap(), &witness);
    let request = Request::parse(&request.to_bytes()).unwrap();
    let store = |replace: &Replace<'_>| {
        assert_eq!((replace.expected, replace.origin), (last, "log.example/1"));
        kept.set(replace.with.to_vec());
        Ok::<(), Infallible>(())
    };
    let body = consider(&request, keys, last)?.cosign(&cosigner, now(), store).unwrap();
    let kept = kept.into_inner();
    let lines = cosignatures(body.as_bytes(), request.checkpoint(), cosigner.verifier()).unwrap();
    assert_eq!(lines.len(), 1);
    assert!(String::from_utf8(kept.clone()).unwrap().ends_with(&body), "the cosigned note is kept");
    Ok(kept)
}

#[test]
fn a_log_that_grows_is_cosigned() {
    let mut log = Log::new(key(), b"abc");
    let keys = log.keys();
    let first = stored(&log.request(0), &keys, None).unwrap();
    let mut grown = Log::new(log.key, b"abcdefg");
    let second = stored(&grown.request(3), &keys, Some(&first)).unwrap();
    // The same again: a new time under the same tree.
    let third = stored(&grown.request(7), &keys, Some(&second)).unwrap();
    assert_eq!(CheckpointNote::parse(&third).unwrap().checkpoint().head.size, 7);
}

#[test]
fn every_other_request_gets_the_answer_of_the_specification() {
    let mut log = Log::new(key(), b"abc");
    let keys = log.keys();
    let last = stored(&log.request(0), &keys, None).unwrap();
    let declined = |request: &Request| consider(request, &keys, Some(&last)).unwrap_err();
    let mut grown = Log::new(log.key, b"abcdefg");

    let stale = declined(&grown.request(2));
    assert_eq!((stale.status(), stale.body().as_str()), (409, "3\n"));
    assert_eq!(stale_size(stale.body().as_bytes()), Some(3));
    let ahead = consider(&grown.request(3), &keys, None).unwrap_err();
    assert_eq!((ahead.status(), ahead.body().as_str()), (409, "0\n"));

    let smaller = Request::new(4, Vec::new(), grown.at(3, leaf_hash(b"x")));
    assert_eq!(declined(&smaller).status(), 400);
    let unknown = consider(&grown.request(3), &[], Some(&last)).unwrap_err();
    assert_eq!((unknown.status(), unknown), (404, Declined::UnknownOrigin));
    let mut stranger = Log::new(key(), b"abcdefg");
    assert_eq!(declined(&stranger.request(3)), Declined::NotSigned);
    assert_eq!(Declined::NotSigned.status(), 403);

    let wrong_proof = Request::new(3, vec![leaf_hash(b"x")], grown.at(7, grown.frontier.root()));
    assert_eq!(declined(&wrong_proof).status(), 422);
    let no_proof = Request::new(3, Vec::new(), grown.at(7, grown.frontier.root()));
    assert_eq!(declined(&no_proof).status(), 422);
    let mut none_needed = grown.request(3);
    none_needed.old = 0;
    assert_eq!(consider(&none_needed, &keys, None).unwrap_err().status(), 422);
    let empty = Request::new(0, Vec::new(), grown.at(0, leaf_hash(b"x")));
    assert_eq!(consider(&empty, &keys, None).unwrap_err().status(), 422);
    assert_eq!(consider(&grown.request(3), &keys, Some(b"torn")).unwrap_err().status(), 500);
}

/// Signed twice for the same size, or grown from something else: whoever sees it can prove it to others.
#[test]
fn a_fork_is_declined_and_both_whole_checkpoints_are_handed_out() {
    let mut log = Log::new(key(), b"abc");
    let keys = log.keys();
    let last = stored(&log.request(0), &keys, None).unwrap();
    let mut fork = Log::new(log.key, b"abx");
    let mut same_size = fork.request(3);
    same_size.old = 3;
    let mut longer = Log::new(fork.key, b"abxdefg");
    for request in [same_size, longer.request(3)] {
        let Declined::Inconsistent { reason, evidence } =
            consider(&request, &keys, Some(&last)).unwrap_err()
        else {
            panic!("a fork is no other answer");
        };
        assert_eq!(reason, ProofError::Root);
        let kept = evidence.kept.unwrap();
        assert_eq!(kept, last);
        for bytes in [kept, evidence.shown] {
            let note = CheckpointNote::parse(&bytes).unwrap();
            note.note().open(&keys).unwrap();
        }
    }
}

#[test]
fn nothing_is_cosigned_before_it_is_stored() {
    let mut log = Log::new(key(), b"abc");
    let (keys, witness) = (log.keys(), key());
    let cosigner = Cosigner::new("w.example".parse().unwrap(), &witness);
    let pending = consider(&log.request(0), &keys, None).unwrap();
    assert_eq!(
        pending.cosign(&cosigner, now(), |_| Err("the disk is full")),
        Err("the disk is full")
    );
}

#[test]
fn other_bodies_are_no_requests() {
    let mut log = Log::new(key(), b"abcdefg");
    let good = String::from_utf8(log.request(3).to_bytes()).unwrap();
    assert!(good.starts_with("old 3\n"));
    let proof_lines = good.lines().take_while(|line| !line.is_empty()).count() - 1;
    let more = |count| {
        let lines = format!("{}\n", leaf_hash(b"x")).repeat(count);
        good.replace("old 3\n", &format!("old 3\n{lines}"))
    };
    Request::parse(more(63 - proof_lines).as_bytes()).unwrap();
    for refused in [
        String::new(),
        good.replace("old 3", "old 03"),
        good.replace("old 3", "old  3"),
        good.replace("old 3", "new 3"),
        good.replace("old 3", "old -3"),
        good.replace("old 3\n", "old 3\n\n"),
        good.replace("old 3\n", "old 3\nx\n"),
        good.replace("old 3\n", "old 3\r\n"),
        more(64 - proof_lines),
        good.trim_end().to_owned(),
        good.replace('—', "-"),
    ] {
        Request::parse(refused.as_bytes()).unwrap_err();
    }
}
