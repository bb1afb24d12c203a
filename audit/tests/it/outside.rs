//! When everybody in a federation lies together: only who stands outside of it can tell.

use crate::sample::{Folder, Keys, ORIGIN, entries, now};
use mayag_audit::quorum::{Policy, QuorumError};
use mayag_audit::tree::Head;
use mayag_audit::verify::{Against, Wrong, verify};
use mayag_audit::witness::{Declined, Request, consider};

/// The log of 40 entries, and the one that its owner and its witnesses wrote in its place: an entry is gone.
fn histories(keys: &Keys) -> (Folder, Folder) {
    let (all, mut fewer) = (entries(40), entries(41));
    fewer.remove(20);
    (Folder::log(keys, &all), Folder::log(keys, &fewer))
}

fn checked(folder: &Folder, policy: &Policy, older: Option<&[u8]>) -> Result<(), Wrong> {
    let against = Against { policy, now: now(), older };
    verify(folder, &against, &mut ()).map(drop).map_err(|fault| fault.wrong)
}

#[test]
fn a_history_that_all_parties_made_up_is_refused_with_a_witness_outside_and_only_then() {
    // The second witness is a supervisory authority that is no party of the federation.
    let keys = Keys::new(2);
    let lines: Vec<String> = keys.file().lines().map(str::to_owned).collect();
    let federation = Policy::of_keys(&format!("{}\n{}\n", lines[0], lines[1]), 1).unwrap();
    let outside = keys.policy();
    let (honest, made_up) = histories(&keys);
    checked(&honest, &outside, None).unwrap();

    // The authority cosigned the honest log. It does not cosign the other one, whatever proof comes with it.
    let kept = honest.0["checkpoint"].clone();
    let other = made_up.checkpoint();
    let Head { size, .. } = other.checkpoint().head;
    assert_eq!(size, 40);
    let request = Request::new(40, Vec::new(), keys.sign(other.checkpoint().head));
    let known = [keys.signer().verifier().clone()];
    let declined = consider(&request, &known, Some(&kept)).unwrap_err();
    let Declined::Inconsistent { evidence, .. } = declined else { panic!("{declined:?}") };
    assert_eq!(evidence.kept.as_deref(), Some(kept.as_slice()), "both are kept as evidence");

    // So what the federation shows has the federation's cosignatures alone.
    let mut shown = made_up;
    let lines = other
        .note()
        .signatures()
        .iter()
        .filter(|line| !line.name().to_string().starts_with("witness-1"));
    let note = other.clone().only(lines.cloned());
    shown.0.insert("checkpoint".to_owned(), note.to_bytes());
    checked(&shown, &federation, None).unwrap();
    let refused = checked(&shown, &outside, None).unwrap_err();
    assert!(matches!(refused, Wrong::Checkpoint(QuorumError::TooFew { .. })), "{refused}");
    // And whoever kept an old checkpoint, such as the one in a receipt, sees it with the federation's keys too.
    let refused = checked(&shown, &federation, Some(&kept)).unwrap_err();
    assert!(matches!(refused, Wrong::Fork { size: 40 }), "{refused}");
    assert!(String::from_utf8_lossy(&kept).starts_with(ORIGIN));
}
