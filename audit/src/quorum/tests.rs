//! Files that others read alike, windows, and who must have cosigned when.

use super::{Policy, QuorumError, Reached};
use crate::checkpoint::{Checkpoint, CheckpointNote};
use crate::cosignature::Cosigner;
use crate::keys::SigningKey;
use crate::note::{Signer, VerifierKey};
use crate::tree::{Head, leaf_hash};
use mayag_protocol::timestamp::Timestamp;

struct World {
    log: SigningKey,
    witnesses: Vec<SigningKey>,
}

fn key() -> SigningKey {
    SigningKey::from_pem(&SigningKey::generate().unwrap()).unwrap()
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

impl World {
    fn new() -> Self {
        Self { log: key(), witnesses: (0..4).map(|_| key()).collect() }
    }

    fn vkey(&self, n: usize) -> VerifierKey {
        self.cosigner(n).verifier().clone()
    }

    fn cosigner(&self, n: usize) -> Cosigner<'_> {
        Cosigner::new(format!("w{n}.example").parse().unwrap(), &self.witnesses[n])
    }

    fn signer(&self) -> Signer<'_> {
        Signer::log("log.example/1".parse().unwrap(), &self.log)
    }

    /// The file with `LOG`, `W0`, .. replaced by keys.
    fn policy(&self, text: &str) -> Result<Policy, super::PolicyError> {
        // Word by word: a key may well hold these letters.
        let words = text.split_inclusive([' ', '\t', '\n']).map(|word| {
            let end = word.len() - usize::from(word.ends_with([' ', '\t', '\n']));
            let (word, space) = word.split_at(end);
            let key = match word {
                "LOG" => self.signer().verifier().to_string(),
                "W0" | "W1" | "W2" | "W3" => {
                    self.vkey(word.strip_prefix('W').unwrap().parse().unwrap()).to_string()
                }
                other => other.to_owned(),
            };
            key + space
        });
        let text: String = words.collect();
        Policy::parse(text.as_bytes())
    }

    fn checkpoint(&self, cosigned: &[(usize, &str)]) -> CheckpointNote {
        let head = Head { size: 1, root: leaf_hash(b"x") };
        let checkpoint = Checkpoint { origin: "log.example/1".parse().unwrap(), head };
        let note = checkpoint.sign(&self.signer()).unwrap();
        let text = checkpoint.to_text();
        cosigned
            .iter()
            .fold(note, |note, (n, at)| note.with(self.cosigner(*n).sign(&text, time(at))))
    }
}

const NOW: &str = "2026-11-28T12:00:00Z";
const GROUPS: &str = "# ours\nlog LOG\n\n\twitness x1 W0 https://x1.example\n witness  x2\tW1\nwitness x3 W2\n\
    group X 2 x1 x2 x3\nwitness y1 W3\ngroup all all X y1\nquorum all\n";

#[test]
fn a_quorum_of_groups_counts_members() {
    let world = World::new();
    let policy = world.policy(GROUPS).unwrap();
    assert_eq!((policy.logs().len(), policy.witnesses().len()), (1, 4));
    assert_eq!(policy.witnesses()[0].url.as_deref(), Some("https://x1.example"));
    let check = |cosigned: &[usize]| {
        let times: Vec<(usize, &str)> = cosigned.iter().map(|n| (*n, NOW)).collect();
        policy.check(&world.checkpoint(&times).to_bytes(), time(NOW))
    };
    for enough in [&[0, 1, 3][..], &[1, 2, 3], &[0, 1, 2, 3]] {
        let accepted = check(enough).unwrap();
        assert_eq!(accepted.reached(), Reached::At(time(NOW)));
        assert_eq!(accepted.cosigned().len(), enough.len());
    }
    for few in [&[][..], &[3], &[0, 3], &[0, 1, 2], &[0, 0, 3]] {
        assert!(matches!(check(few), Err(QuorumError::TooFew { .. })), "{few:?}");
    }
    assert_eq!(
        check(&[0, 3]).unwrap_err().to_string(),
        "the quorum did not cosign; valid cosignatures are by: x1, y1"
    );
}

#[test]
fn the_quorum_was_reached_when_the_last_needed_witness_cosigned() {
    let world = World::new();
    let policy = world.policy(GROUPS).unwrap();
    let cosigned = [
        (3, "2026-11-28T10:00:00Z"),
        (1, "2026-11-28T11:00:00Z"),
        (0, "2026-11-28T11:30:00Z"),
        (2, NOW),
    ];
    let accepted = policy.check(&world.checkpoint(&cosigned).to_bytes(), time(NOW)).unwrap();
    assert_eq!(accepted.reached(), Reached::At(time("2026-11-28T11:30:00Z")));
}

#[test]
fn a_cosignature_from_the_future_counts_for_nothing() {
    let world = World::new();
    let policy = world.policy("log LOG\nwitness w W0\nquorum w\n").unwrap();
    let at = |cosigned| {
        policy.check(&world.checkpoint(&[(0, cosigned)]).to_bytes(), time(NOW)).map(|a| a.reached())
    };
    assert_eq!(at("2026-11-28T12:00:30Z"), Ok(Reached::At(time("2026-11-28T12:00:30Z"))));
    assert!(matches!(at("2026-11-28T12:00:31Z"), Err(QuorumError::TooFew { .. })));
}

/// What was accepted under last year's quorum stays accepted; a witness that left says nothing new.
#[test]
fn windows_keep_old_checkpoints_valid_and_old_witnesses_silent() {
    let world = World::new();
    let text = "log LOG\nwitness new W0\nquorum new\n\
        #@ until 2026-06-01T00:00:00Z witness old W1\n\
        #@ until 2026-06-01T00:00:00Z quorum old\n";
    let policy = world.policy(text).unwrap();
    let check = |cosigned: &[(usize, &str)]| {
        policy.check(&world.checkpoint(cosigned).to_bytes(), time(NOW)).is_ok()
    };
    assert!(check(&[(1, "2026-05-31T23:59:59Z")]));
    assert!(!check(&[(1, "2026-06-01T00:00:00Z")]));
    assert!(!check(&[(0, "2026-05-31T23:59:59Z")]), "the new witness was not asked then");
    assert!(check(&[(0, "2026-06-01T00:00:00Z")]));
    // Another reader sees the plain lines: it accepts nothing that we do not.
    let plain = world.policy("log LOG\nwitness new W0\nquorum new\n").unwrap();
    let old = world.checkpoint(&[(1, "2026-05-31T23:59:59Z")]).to_bytes();
    plain.check(&old, time(NOW)).unwrap_err();
}

#[test]
fn a_checkpoint_without_witnesses_needs_a_policy_that_says_so() {
    let world = World::new();
    let bytes = world.checkpoint(&[]).to_bytes();
    let policy = world.policy("log LOG\nquorum none\n").unwrap();
    assert_eq!(policy.check(&bytes, time(NOW)).unwrap().reached(), Reached::NotAsked);
    let windowed = world
        .policy("log LOG\nwitness w W0\nquorum w\n#@ until 2026-01-01T00:00:00Z quorum none\n")
        .unwrap();
    windowed.check(&bytes, time(NOW)).unwrap_err();
    let other = World::new();
    let stranger = other.policy("log LOG\nquorum none\n").unwrap();
    assert_eq!(stranger.check(&bytes, time(NOW)), Err(QuorumError::Log));
    let nobody = world.policy("quorum none\n").unwrap();
    assert_eq!(
        nobody.check(&bytes, time(NOW)),
        Err(QuorumError::Origin("log.example/1".to_owned()))
    );
}

#[test]
fn what_is_kept_of_a_checkpoint_is_what_was_checked() {
    let (world, stranger) = (World::new(), World::new());
    let policy = world.policy("log LOG\nwitness w W0\nquorum w\n").unwrap();
    let text = world.checkpoint(&[]).checkpoint().to_text();
    let note = world.checkpoint(&[(0, NOW)]).with(stranger.cosigner(1).sign(&text, time(NOW)));
    let accepted = policy.check(&note.to_bytes(), time(NOW)).unwrap();
    assert_eq!(accepted.note(), &world.checkpoint(&[(0, NOW)]));
}

#[test]
fn a_key_file_is_a_policy() {
    let world = World::new();
    let file = format!("{}\n{}\n{}\n", world.signer().verifier(), world.vkey(0), world.vkey(1));
    let policy = Policy::of_keys(&file, 2).unwrap();
    policy.check(&world.checkpoint(&[(0, NOW), (1, NOW)]).to_bytes(), time(NOW)).unwrap();
    policy.check(&world.checkpoint(&[(0, NOW)]).to_bytes(), time(NOW)).unwrap_err();
    Policy::of_keys(&file, 0).unwrap().check(&world.checkpoint(&[]).to_bytes(), time(NOW)).unwrap();
    Policy::of_keys(&file, 3).unwrap_err();
    Policy::of_keys("", 0).unwrap_err();
}

#[test]
fn other_files_are_refused_with_the_line() {
    let world = World::new();
    for (text, line) in [
        ("quorum none", 0),
        ("", 0),
        ("log LOG\n", 0),
        ("log LOG\nlog LOG\nquorum none\n", 2),
        ("log W0\nquorum none\n", 1),
        ("witness a LOG\nquorum none\n", 1),
        ("witness a W0\nwitness b W0\nquorum a\n", 2),
        ("witness a W0\nwitness a W1\nquorum a\n", 2),
        ("witness none W0\nquorum none\n", 1),
        ("quorum a\nwitness a W0\n", 1),
        ("quorum none\nquorum none\n", 2),
        ("witness a W0\ngroup g 2 a\nquorum g\n", 2),
        ("witness a W0\ngroup g 0 a\nquorum g\n", 2),
        ("witness a W0\ngroup g 01 a\nquorum g\n", 2),
        ("witness a W0\ngroup g any\nquorum g\n", 2),
        ("witness a W0\ngroup g any a a\nquorum g\n", 2),
        ("witness a W0\ngroup g any a\ngroup h any a\nquorum g\n", 3),
        ("witness a W0\ngroup g any none\nquorum g\n", 2),
        ("witness a W0\ngroup g any g\nquorum g\n", 2),
        ("log LOG url more\nquorum none\n", 1),
        ("policy\nquorum none\n", 1),
        ("quorum none\r\n", 0),
        ("#@ witness a W0\nquorum none\n", 1),
        ("#@ from 2026-01-01T00:00:00Z\nquorum none\n", 1),
        ("#@ until 2026-01-01T00:00:00Z from 2025-01-01T00:00:00Z quorum none\nquorum none\n", 1),
        ("#@ from 2026-01-01T00:00:00Z until 2026-01-01T00:00:00Z quorum none\nquorum none\n", 1),
        ("#@ until 2026-01-01T00:00:00Z witness a W0\nquorum a\n", 2),
        (
            "#@ until 2026-01-01T00:00:00Z quorum none\n#@ until 2025-01-01T00:00:00Z quorum none\nquorum none\n",
            2,
        ),
        ("#@ until 2026-01-01T00:00:00Z quorum none\n", 0),
    ] {
        let error = world.policy(text).unwrap_err();
        assert_eq!(error.line, line, "{text:?}: {error}");
    }
}
