//! Rules about the tree itself: who may use what, how long a file may be, what is never committed.
//!
//! Each rule is a function from the tree to a list of complaints, and each is shown a tree that breaks it before it is
//! shown ours: a rule that cannot complain holds nothing.

mod committed;
mod imports;
mod security;
mod shape;

use std::path::{Path, PathBuf};
use std::process::Command;

/// A file of the tree: its path from the root, and its text if it is text.
struct File {
    path: String,
    text: String,
}

impl File {
    fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    fn is_rust(&self) -> bool {
        Path::new(&self.path).extension().is_some_and(|extension| extension == "rs")
    }

    /// The first folder: the package.
    fn package(&self) -> &str {
        self.path.split('/').next().unwrap()
    }

    /// The lines a build for users would see, numbered from 1, without comments: not those under `tests`, and nothing from
    /// `#[cfg(test)]` of an inline module on (by our style it is the last item of a file).
    fn product_lines(&self) -> Vec<(usize, &str)> {
        let product = self.path.contains("/src/")
            && !self.path.ends_with("/tests.rs")
            && !self.path.contains("/tests/");
        if !product || !self.is_rust() {
            return Vec::new();
        }
        let lines: Vec<&str> = self.text.lines().collect();
        let end = (0..lines.len())
            .find(|&n| {
                lines[n].trim() == "#[cfg(test)]"
                    && lines.get(n + 1).is_some_and(|next| next.trim().ends_with('{'))
            })
            .unwrap_or(lines.len());
        lines[..end].iter().enumerate().map(|(n, line)| (n + 1, without_comment(line))).collect()
    }
}

/// `line` up to a `//` that does not stand inside a URL.
fn without_comment(line: &str) -> &str {
    let before = line.match_indices("//").filter_map(|(at, _)| line.get(..at));
    before.into_iter().find(|before| !before.ends_with(':')).unwrap_or(line)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Everything that is committed or would be: tracked files, and new ones that are not ignored.
fn tree() -> Vec<File> {
    let listing = ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"];
    let output = Command::new("git").args(listing).current_dir(root()).output();
    let output = output.expect("this test needs the program `git` (Debian: apt-get install git)");
    assert!(output.status.success(), "not a clone: {}", String::from_utf8_lossy(&output.stderr));
    let paths = String::from_utf8(output.stdout).unwrap();
    let files: Vec<File> = paths
        .split_terminator('\0')
        .filter_map(|path| {
            Some(File::new(path, &String::from_utf8_lossy(&std::fs::read(root().join(path)).ok()?)))
        })
        .collect();
    assert!(files.len() > 50, "only {} files", files.len());
    files
}

fn assert_clean(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn comments_and_tests_are_no_product_code() {
    let text = "//! A doc.\nuse a; // why\nlet url = \"https://x\";\n#[cfg(test)]\nmod tests {\nuse b;\n}\n";
    let file = File::new("node/src/a.rs", text);
    assert_eq!(file.product_lines(), [(1, ""), (2, "use a; "), (3, "let url = \"https://x\";")]);
    for elsewhere in ["node/src/a/tests.rs", "node/tests/it/main.rs", "node/src/a.txt"] {
        assert_eq!(File::new(elsewhere, text).product_lines(), [], "{elsewhere}");
    }
    let outside = "#[cfg(test)]\nmod tests;\nuse b;\n";
    assert_eq!(File::new("node/src/a.rs", outside).product_lines().len(), 3);
}
