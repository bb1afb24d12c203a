//! A memory of released cells whose process is killed again and again forgets no cell that may have left.

use mayag_disclosure::{DataVersion, Descriptor, Earlier as _, Remembered, UnitSet};
use mayag_node::released::Released;
use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The numbers of the cells that are remembered.
fn remembered(folder: &Path) -> BTreeSet<u32> {
    let name = "a".parse().unwrap();
    let released = Released::open(folder, &[&name], &DataVersion([1; 32])).unwrap();
    let any = Remembered {
        dataset: "a".to_owned(),
        version: DataVersion([1; 32]),
        kind: 0,
        descriptor: Descriptor([0; 16]),
        set: UnitSet::empty(),
    };
    let mut numbers = BTreeSet::new();
    released.memory().near(&any, 0..=u64::MAX, &mut |descriptor, set| {
        assert_eq!(set.units(), 20, "whole, or not there");
        numbers.insert(u32::from_le_bytes(*descriptor.0.first_chunk().unwrap()));
    });
    numbers
}

#[test]
fn killed_again_and_again_it_forgets_no_cell_that_may_have_left() {
    let folder = tempfile::tempdir().unwrap();
    let deps = std::env::current_exe().unwrap();
    let program = deps.ancestors().nth(2).unwrap().join("examples/released");
    let mut may_have_left = BTreeSet::new();
    for round in 0..20_u64 {
        let mut child =
            Command::new(&program).arg(folder.path()).stdout(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(20 + round * 7 % 40));
        assert!(child.try_wait().unwrap().is_none(), "it works until it is killed");
        child.kill().unwrap();
        let mut said = String::new();
        child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        child.wait().unwrap();
        may_have_left.extend(said.lines().map(|line| line.parse::<u32>().unwrap()));
        let known = remembered(folder.path());
        assert!(may_have_left.is_subset(&known), "round {round}");
        // Each kill can leave one that was durable before anybody heard of it.
        let most = may_have_left.len() as u64 + round + 1;
        assert!(known.len() as u64 <= most, "round {round}: {} of {most}", known.len());
    }
    assert!(may_have_left.len() > 20, "only {} cells", may_have_left.len());
}
