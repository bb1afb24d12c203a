//! The tables of `SECURITY.md`: every row names a test that is there, and every file that a row names exists.

use super::{File, assert_clean, tree};
use std::collections::BTreeSet;

/// The rows of all tables whose last column is `test`: the line's number, and the cells.
fn rows(text: &str) -> Vec<(usize, Vec<&str>)> {
    let mut rows = Vec::new();
    let mut with_tests = false;
    for (number, line) in (1..).zip(text.lines()) {
        let cells: Vec<&str> = line.trim().trim_matches('|').split('|').map(str::trim).collect();
        if !line.starts_with('|') {
            with_tests = false;
        } else if cells.last() == Some(&"test") {
            with_tests = true;
        } else if with_tests && !line.starts_with("| ---") {
            rows.push((number, cells));
        }
    }
    rows
}

/// What a cell has in backticks.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// What is wrong with a name `path` or `path::test`.
fn wrong(name: &str, files: &[File], folders: &BTreeSet<&str>) -> Option<String> {
    let (path, test) =
        name.split_once("::").map_or((name, None), |(path, test)| (path, Some(test)));
    if !path.contains('/') {
        return None;
    }
    if folders.contains(path.trim_end_matches('/')) && test.is_none() {
        return None;
    }
    let Some(file) = files.iter().find(|file| file.path == path) else {
        return Some(format!("`{path}` is not in the tree"));
    };
    let test = test?;
    let lines: Vec<&str> = file.text.lines().map(str::trim).collect();
    let is_test = |at: usize| {
        let before = at.checked_sub(1).and_then(|before| lines.get(before));
        before.is_some_and(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
    };
    let said = [format!("fn {test}("), format!("async fn {test}(")];
    let there =
        (0..lines.len()).any(|at| said.iter().any(|fun| lines[at].starts_with(fun)) && is_test(at));
    (!there).then(|| format!("`{path}` has no test `{test}`"))
}

fn complaints(text: &str, files: &[File]) -> Vec<String> {
    let folders: BTreeSet<&str> = files
        .iter()
        .flat_map(|file| file.path.match_indices('/').filter_map(|(at, _)| file.path.get(..at)))
        .collect();
    let mut complaints = Vec::new();
    for (number, cells) in rows(text) {
        for name in cells.iter().flat_map(|cell| quoted(cell)) {
            let wrong = wrong(name, files, &folders);
            complaints.extend(wrong.map(|wrong| format!("SECURITY.md:{number}: {wrong}")));
        }
        if !cells.last().is_some_and(|tests| quoted(tests).any(|name| name.contains("::"))) {
            complaints.push(format!("SECURITY.md:{number}: no test is named, as `file.rs::test`"));
        }
    }
    complaints
}

#[test]
fn every_threat_has_a_test_that_is_there() {
    let test = "#[test]\nfn it_holds() {}\nfn no_test() {}\n#[tokio::test(flavor = \"x\")]\nasync fn later() {}\n";
    let files = [File::new("node/src/a.rs", "//! A.\n"), File::new("node/tests/it/a.rs", test)];
    let table = |row: &str| format!("| threat | where | test |\n| --- | --- | --- |\n{row}\n");
    for (row, found) in [
        ("| a | `node/src/a.rs` | `node/tests/it/a.rs::it_holds`, `word` |", 0),
        ("| a | `node/src/` | `node/tests/it/a.rs::later` |", 0),
        ("| a | `node/src/b.rs` | `node/tests/it/a.rs::it_holds` |", 1),
        ("| a | `node/src/a.rs` | `node/tests/it/a.rs::it_held` |", 1),
        ("| a | `node/src/a.rs` | `node/tests/it/a.rs::no_test` |", 1),
        ("| a | `node/src/a.rs` | `node/tests/it/a.rs` |", 1),
        ("| a | `node/src/a.rs` | by hand |", 1),
    ] {
        assert_eq!(complaints(&table(row), &files).len(), found, "{row}");
    }
    assert_eq!(rows("| a | b |\n| --- | --- |\n| c | d |\n"), []);

    let files = tree();
    let page = &files.iter().find(|file| file.path == "SECURITY.md").unwrap().text;
    assert!(30 < rows(page).len(), "{} rows", rows(page).len());
    assert_clean(&complaints(page, &files));
}
