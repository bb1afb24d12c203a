//! The README's transcript is what the demo prints, to the letter.

use mayag_integration_tests::world::binary;
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

#[test]
fn the_transcript_in_the_readme_is_what_the_demo_prints() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = std::fs::read_to_string(readme).expect("README.md");
    let (_, after) = readme.split_once("<!-- transcript -->").expect("a transcript in README.md");
    let (transcript, _) = after.split_once("<!-- end of transcript -->").expect("its end");
    let blocks: Vec<&str> = transcript.split("```").skip(1).step_by(2).collect();
    assert!(!blocks.is_empty(), "the transcript has blocks");

    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("output");
    let output = File::create(&path).expect("a file");
    let status = Command::new(binary())
        .arg("demo")
        .stdin(Stdio::null())
        .stdout(output.try_clone().expect("a file"))
        .stderr(output)
        .status()
        .expect("the demo runs");
    let said = std::fs::read_to_string(&path).expect("what it said");
    assert!(status.success(), "{said}");
    for block in blocks {
        let block = block.strip_prefix("text\n").expect("a block of plain text");
        assert!(said.contains(block), "not what the demo prints:\n{block}\nit prints:\n{said}");
    }
}
