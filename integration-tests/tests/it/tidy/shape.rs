//! The shape of files and folders: short files that open with what they are for, nothing unfinished, every package named
//! in one line.

use super::{File, assert_clean, root, tree};

const LONGEST_FILE: usize = 600;

fn misshapen(files: &[File]) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        let mut complain = |what: String| complaints.push(format!("{}: {what}", file.path));
        let lines = file.text.lines().count();
        if lines > LONGEST_FILE {
            complain(format!("{lines} lines, the cap is {LONGEST_FILE}"));
        }
        if !file.text.starts_with("//! ") {
            complain("does not open with what it is for (`//! ..`)".to_owned());
        }
        if file.path.ends_with("/mod.rs") {
            complain("`foo.rs` beside `foo/` instead of `mod.rs`".to_owned());
        }
    }
    complaints
}

/// Tests are looked at too: an unfinished test says that something is tested.
fn unfinished(files: &[File]) -> Vec<String> {
    let words = [
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("//! place", "holder"),
        concat!("#[", "ignore"),
    ];
    let mut complaints = Vec::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        for (number, line) in file.text.lines().enumerate() {
            if let Some(word) = words.into_iter().find(|word| line.contains(word)) {
                complaints.push(format!("{}:{}: `{word}`", file.path, number + 1));
            }
        }
    }
    complaints
}

/// Every member has a comment above it in `Cargo.toml`, a row in the README, and our lints.
fn nameless(files: &[File]) -> Vec<String> {
    let text = |path: &str| {
        files.iter().find(|file| file.path == path).map_or("", |file| file.text.as_str())
    };
    let members = members(text("Cargo.toml"));
    let mut complaints = Vec::new();
    for (member, caption) in &members {
        if !caption {
            complaints
                .push(format!("Cargo.toml: member `{member}` has no caption in the line above it"));
        }
        if !text("README.md").lines().any(|line| line.starts_with(&format!("| `{member}`"))) {
            complaints.push(format!("README.md: no row for `{member}`"));
        }
        if !text(&format!("{member}/Cargo.toml")).contains("[lints]\nworkspace = true") {
            complaints.push(format!("{member}/Cargo.toml: without the workspace's lints"));
        }
    }
    if members.is_empty() {
        complaints.push("Cargo.toml: no members".to_owned());
    }
    complaints
}

/// The members of the workspace, and whether a comment stands above each.
fn members(manifest: &str) -> Vec<(String, bool)> {
    let list = manifest
        .split_once("members = [")
        .and_then(|(_, rest)| rest.split_once("\n]"))
        .map_or("", |(list, _)| list);
    let lines: Vec<&str> = list.lines().map(str::trim).collect();
    let caption = |n: usize| n.checked_sub(1).is_some_and(|above| lines[above].starts_with('#'));
    let member = |(n, line): (usize, &&str)| {
        Some((line.strip_prefix('"')?.split('"').next()?.to_owned(), caption(n)))
    };
    lines.iter().enumerate().filter_map(member).collect()
}

#[test]
fn files_are_short_and_say_what_they_are_for() {
    let long = "//! Long.\n".to_owned() + &"\n".repeat(LONGEST_FILE);
    let planted = [
        File::new("node/src/long.rs", &long),
        File::new("node/src/mute.rs", "use std::fmt;\n"),
        File::new("node/src/engine/mod.rs", "//! A module.\n"),
        File::new("node/src/good.rs", "//! Good.\n"),
        File::new("README.md", "no Rust"),
    ];
    assert_eq!(misshapen(&planted).len(), 3);
    assert_clean(&misshapen(&tree()));
}

#[test]
fn nothing_is_unfinished() {
    let planted = ["todo", "unimplemented"]
        .map(|word| File::new("node/src/a.rs", &format!("//! A.\nfn a() {{ {word}!() }}\n")));
    assert_eq!(unfinished(&planted).len(), 2);
    assert_eq!(
        unfinished(&[File::new("a/tests/it/main.rs", concat!("#[", "ignore]\nfn a() {}\n"))]).len(),
        1
    );
    assert_clean(&unfinished(&tree()));
}

#[test]
fn every_package_has_a_caption_a_row_and_our_lints() {
    let manifest =
        "[workspace]\nmembers = [\n    # the words\n    \"protocol\",\n    \"node\",\n]\n";
    let planted = [
        File::new("Cargo.toml", manifest),
        File::new("README.md", "| `protocol` | the words |\n"),
        File::new("protocol/Cargo.toml", "[lints]\nworkspace = true\n"),
    ];
    assert_eq!(
        nameless(&planted),
        [
            "Cargo.toml: member `node` has no caption in the line above it",
            "README.md: no row for `node`",
            "node/Cargo.toml: without the workspace's lints",
        ]
    );
    assert_eq!(nameless(&[]).len(), 1);
    assert_clean(&nameless(&tree()));
}

#[test]
fn ci_runs_the_commands_of_the_readme() {
    let read = |path: &str| std::fs::read_to_string(root().join(path)).unwrap();
    for command in ["cargo xtask test", "cargo run --release -- demo"] {
        assert!(read("README.md").contains(&format!("$ {command}\n")), "README.md: no `{command}`");
        assert!(
            read(".ci/run").lines().any(|line| line.starts_with("step ") && line.contains(command)),
            ".ci/run: no `{command}`"
        );
    }
}
