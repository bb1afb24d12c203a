//! The administrator's guide, `docs/policies.md`: its files are written and its commands run, in order, and what they
//! print is compared.

use crate::federation::{in_folder, made, write};

const GUIDE: &str = include_str!("../../../docs/policies.md");

/// One step of the guide.
enum Step {
    /// A file with its text.
    File(String, String),
    /// A command and what it prints.
    Command(String, String),
}

fn steps() -> Vec<Step> {
    let mut steps = Vec::new();
    let mut lines = GUIDE.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix("```").filter(|info| !info.is_empty()) else { continue };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        if let Some(name) = info.strip_prefix("json ") {
            steps.push(Step::File(name.to_owned(), block.join("\n") + "\n"));
        } else if info == "console" {
            for line in block {
                match (line.strip_prefix("$ "), steps.last_mut()) {
                    (Some(line), _) => steps.push(Step::Command(line.to_owned(), String::new())),
                    (None, Some(Step::Command(_, prints))) => *prints += &(line.to_owned() + "\n"),
                    (None, Some(Step::File(..)) | None) => panic!("output of no command: {line}"),
                }
            }
        }
    }
    steps
}

/// Whether a text is the expected one, in which `[..]` stands for anything on its line.
fn matches(expected: &str, found: &str) -> bool {
    expected.lines().count() == found.lines().count()
        && expected
            .lines()
            .zip(found.lines())
            .all(|(expected, found)| line_matches(expected, found))
}

fn line_matches(expected: &str, found: &str) -> bool {
    let Some((before, after)) = expected.split_once("[..]") else { return expected == found };
    let Some(rest) = found.strip_prefix(before) else { return false };
    (0..=rest.len()).filter(|at| rest.is_char_boundary(*at)).any(|at| {
        let (_, rest) = rest.split_at(at);
        line_matches(after, rest)
    })
}

#[test]
fn every_command_of_the_guide_does_what_the_guide_says() {
    let folder = made();
    let mut commands = 0;
    let mut wrong = String::new();
    for step in steps() {
        match step {
            Step::File(name, text) => write(&folder.path().join(name), &text),
            Step::Command(line, prints) => {
                commands += 1;
                let found = in_folder(folder.path(), &line);
                if !matches(&prints, &found) {
                    wrong.extend(["$ ", &line, "\n--- the guide says\n", &prints]);
                    wrong.extend(["--- it prints\n", &found, "\n"]);
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(10 < commands, "{commands}");
}

#[test]
fn placeholders_stand_for_anything_on_their_line() {
    assert!(matches("a [..] c\nd", "a b c\nd"));
    assert!(matches("a [..]", "a b c"));
    assert!(matches("[..] c [..]", "b c d c e"));
    assert!(!matches("a [..] c", "a b d"));
    assert!(!matches("a", "a b"));
    assert!(!matches("a\nb", "a"));
}
