//! Remembers released cells without end, for the test that kills it: one line for each that is durable.

use mayag_disclosure::{DataVersion, Descriptor, Remembered, UnitDigest, UnitSet};
use mayag_node::released::Released;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    match std::env::args_os().nth(1) {
        Some(folder) if remember(Path::new(&folder)).is_some() => ExitCode::SUCCESS,
        Some(_) | None => ExitCode::FAILURE,
    }
}

fn remember(folder: &Path) -> Option<()> {
    let name = "a".parse().ok()?;
    let mut released = Released::open(folder, &[&name], &DataVersion([1; 32])).ok()?;
    for number in released.memory().len().. {
        released.remember(&[cell(u32::try_from(number).ok()?)]).ok()?;
        writeln!(std::io::stdout(), "{number}").ok()?;
    }
    Some(())
}

/// The cell of this number: units that no other has.
fn cell(number: u32) -> Remembered {
    let mut set = UnitSet::empty();
    for unit in 0..20_u32 {
        let mut digest = [0; 16];
        let word = number.wrapping_mul(20).wrapping_add(unit);
        for (turn, bytes) in (0_u32..).zip(digest.chunks_mut(4)) {
            let mixed =
                (word ^ turn.rotate_left(28)).wrapping_mul(0x9e37_79b9).rotate_left(turn * 7);
            bytes.copy_from_slice(&mixed.to_le_bytes());
        }
        set.add(&UnitDigest(digest));
    }
    let mut descriptor = [0; 16];
    for (to, from) in descriptor.iter_mut().zip(number.to_le_bytes()) {
        *to = from;
    }
    Remembered {
        dataset: "a".to_owned(),
        version: DataVersion([1; 32]),
        kind: 0,
        descriptor: Descriptor(descriptor),
        set,
    }
}
