//! The peer: the Python package `openmined-psi`, where it is installed. `python3 -m venv v && v/bin/pip install openmined-psi`
//! installs it, `--python v/bin/python` names it.

use crate::table::{Measured, identifier, real, searched};
use std::error::Error;
use std::io::Write as _;
use std::process::{Command, Stdio};

const SCRIPT: &str = include_str!("openmined.py");

/// What the peer took, in CPU seconds, and how many it found.
pub(crate) struct Peer {
    setup: f64,
    online: f64,
    hits: usize,
    bytes: usize,
}

/// Runs the peer on the same identifiers. `None` where it is not installed.
pub(crate) fn measure(
    python: &str,
    rows: usize,
    count: usize,
) -> Result<Option<Peer>, Box<dyn Error>> {
    let probe = Command::new(python)
        .args(["-c", "import private_set_intersection.python"])
        .stderr(Stdio::null())
        .status();
    if !probe.is_ok_and(|status| status.success()) {
        return Ok(None);
    }
    let mut child = Command::new(python)
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut input = child.stdin.take().ok_or("no pipe")?;
    writeln!(input, "{rows} {count}")?;
    for n in 0..rows {
        writeln!(input, "{}", identifier(n))?;
    }
    for n in 0..count {
        writeln!(input, "{}", searched(n))?;
    }
    drop(input);
    let output = child.wait_with_output()?;
    let text = String::from_utf8(output.stdout)?;
    let mut words = text.split_whitespace();
    let mut next = || words.next().ok_or("the peer said too little");
    Ok(Some(Peer {
        setup: next()?.parse()?,
        online: next()?.parse()?,
        hits: next()?.parse()?,
        bytes: next()?.parse()?,
    }))
}

/// The line of the comparison.
pub(crate) fn line(ours: &Measured, peer: Option<Peer>) -> String {
    let Some(peer) = peer else {
        return "openmined: not measured, the Python package `openmined-psi` is not installed \
                (see --python)"
            .to_owned();
    };
    let agreed = if peer.hits == ours.hits { "same hits" } else { "OTHER HITS" };
    format!(
        "openmined: setup ratio {:.2} (goal >= 2), online ratio {:.2}, {:.2} with additive blinding (goal >= 2); {} in {}, {agreed}; it takes {:.1} s and {:.3} s, \
         without proof, labels or padding, and {:.2} bytes a row",
        peer.setup / ours.setup,
        peer.online / ours.online,
        peer.online / ours.additive,
        ours.searched,
        ours.rows,
        peer.setup,
        peer.online,
        real(peer.bytes) / real(ours.rows),
    )
}
