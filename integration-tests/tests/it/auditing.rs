//! What an auditor does with the logs of a federation, and what a gateway that shows an old log gains by it.

use mayag_audit::entry::{Entry, Type};
use mayag_audit::party::Book;
use mayag_audit::quorum::Policy;
use mayag_audit::receipt::Receipt;
use mayag_integration_tests::logs::{self, published};
use mayag_integration_tests::world::{
    World, binary, gateway_identity, node_identity, now, one_answers_and_one_refuses,
};
use mayag_transport::files::{self, Mode};
use std::path::Path;
use std::process::Command;

const SQL: &str = "SELECT drug, count(*) AS n FROM seizures GROUP BY drug";

fn run(world: &World, arguments: &[&str]) -> (i32, String, String) {
    let output = world.mayag(&[&["audit"], arguments].concat());
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

/// Asks, and waits until all three logs hold how it ended; the question's id.
fn ask(world: &World, before: usize) -> String {
    let code = world.ask("kr", SQL, &[]).status.code();
    assert_eq!(code, Some(3), "one country answers, one refuses");
    let ended = |kind| {
        move |entries: &[Entry]| entries.iter().filter(|entry| entry.kind == kind).count() > before
    };
    world.logged("kr", ended(Type::Answered));
    world.logged("us", ended(Type::Refused));
    let folder = world.dir().join("gateway");
    let log = (world.dir(), folder.as_path(), &gateway_identity(), Book::Questions);
    let entries = logs::entries_when(log, ended(Type::Released));
    let last = entries.iter().rfind(|entry| entry.kind == Type::Released).expect("a release");
    last.question.as_ref().expect("a question").to_string()
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").args([from, to]).status().expect("cp").success());
}

/// By an index the same is found, also once it is there, and once it is damaged.
fn searches_alike_by_an_index(world: &World, search: &[&str], found: &str) {
    let indexed = [search, &["--index", "index"]].concat();
    for again in 0..3 {
        let (code, by_index, error) = run(world, &indexed);
        assert_eq!((code, by_index.as_str()), (0, found), "{error}");
        assert_eq!(error.contains("damaged"), again == 2, "{error}");
        if again == 1 {
            damage(&world.dir().join("index"));
        }
    }
}

/// Changes a byte of every file of an index.
fn damage(folder: &Path) {
    let mut changed = 0;
    for log in std::fs::read_dir(folder).expect("indexes") {
        for file in std::fs::read_dir(log.expect("an index").path()).expect("segments") {
            let path = file.expect("a segment").path();
            let mut bytes = std::fs::read(&path).expect("a segment");
            bytes[60] ^= 1;
            write(&path, &bytes);
            changed += 1;
        }
    }
    assert_eq!(changed, 6, "one for each log");
}

fn write(path: &Path, bytes: &[u8]) {
    files::replace(path, bytes, Mode::Public).expect("written");
}

/// How many entries of a bundle have a proof under the checkpoint of their log, which their bytes fit.
fn proven(bundle: &Path) -> usize {
    let text = |name: &str| std::fs::read_to_string(bundle.join(name)).expect("text");
    let mut proofs = 0;
    for line in text("verify.txt").lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let policy = Policy::of_keys(&text(words[1]), 0).expect("keys");
        let entries = bundle.join(words[0]).with_file_name("entries");
        for file in std::fs::read_dir(entries).into_iter().flatten() {
            let path = file.expect("a file").path();
            if path.extension().is_some_and(|extension| extension == "entry") {
                let entry = std::fs::read(&path).expect("an entry");
                let proof = std::fs::read(path.with_extension("tlog-proof")).expect("a proof");
                let receipt = Receipt::parse(&proof).expect("a proof");
                receipt.verify(&entry, &policy, now()).expect("proven");
                proofs += 1;
            }
        }
    }
    proofs
}

/// Whether every file of a bundle has its digest, as coreutils say.
fn sums(bundle: &Path) -> bool {
    let mut command = Command::new("sha256sum");
    command.args(["--quiet", "-c", "SHA256SUMS"]).current_dir(bundle);
    command.output().expect("sha256sum").status.success()
}

/// A program of ours in the folder of a bundle, with nothing but the bundle.
fn in_bundle(bundle: &Path, words: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(binary()).args(words).current_dir(bundle).output().expect("mayag");
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn a_bundle_of_evidence_verifies_by_itself() {
    let world = one_answers_and_one_refuses();
    let question = ask(&world, 0);
    ask(&world, 1);
    list(&world);
    let export = ["export", "--list", "verify.txt", "--format", "bundle", "--out", "evidence"];
    let export = [&export[..], &["--question", &question]].concat();
    let (code, said, error) = run(&world, &export);
    assert_eq!(code, 0, "{said}{error}");
    assert!(said.contains("5 entries of 6 logs"), "{said}");
    assert_eq!(run(&world, &export).0, 2, "a bundle is a new folder");

    let elsewhere = tempfile::tempdir().expect("a folder");
    let bundle = elsewhere.path().join("evidence");
    copy(&world.dir().join("evidence"), &bundle);
    drop(world);
    let verify = ["audit", "verify", "--list", "verify.txt"];
    let (code, verified) = in_bundle(&bundle, &verify);
    assert_eq!((code, verified.lines().count()), (Some(0), 6), "{verified}");
    let reconciled = in_bundle(&bundle, &["audit", "reconcile", "--list", "verify.txt"]);
    assert_eq!(reconciled.0, Some(0), "{}", reconciled.1);
    assert!(sums(&bundle));
    assert_eq!(proven(&bundle), 5);
    let text = |name: &str| std::fs::read_to_string(bundle.join(name)).expect("text");
    let entries = text("entries.jsonl");
    assert_eq!(entries.lines().filter(|line| line.contains(&question)).count(), 5);
    assert_eq!(entries.lines().count(), 5);
    let cover = text("COVER.txt");
    for words in [
        question.as_str(),
        "WHAT IS NOT PROVEN",
        "node-kr.test/query-log/",
        "received; asked by kr",
    ] {
        assert!(cover.contains(words), "{words}: {cover}");
    }

    // One byte of one entry.
    let log = text("verify.txt")
        .lines()
        .find(|line| line.contains("node-kr.test_query"))
        .map(|line| bundle.join(line.split(' ').next().expect("a log")).join("tile/entries/000.p"));
    let file = std::fs::read_dir(log.expect("listed")).expect("a folder").next();
    let path = file.expect("a bundle").expect("a bundle").path();
    let mut bytes = std::fs::read(&path).expect("a bundle");
    bytes[100] ^= 1;
    write(&path, &bytes);
    assert!(!sums(&bundle));
    assert_eq!(in_bundle(&bundle, &verify).0, Some(6));
}

/// Lists all logs with their keys.
fn list(world: &World) {
    let parties =
        [("kr", node_identity("kr")), ("us", node_identity("us")), ("gateway", gateway_identity())];
    logs::list(world.dir(), &parties);
}

#[test]
fn an_auditor_reconciles_follows_a_question_and_finds_what_a_gateway_left_out() {
    let world = one_answers_and_one_refuses();
    let first = ask(&world, 0);
    list(&world);
    let reconcile = ["reconcile", "--list", "verify.txt", "--grace", "0"];

    let (code, said, error) = run(&world, &reconcile);
    assert_eq!(code, 0, "{said}{error}");
    assert!(said.ends_with("the logs agree\n"), "{said}");
    assert!(
        said.contains("1 questions received  1 released  0 abandoned  3 entries of nodes"),
        "{said}"
    );

    let (code, story, error) = run(&world, &["story", &first, "--list", "verify.txt"]);
    assert_eq!(code, 0, "{error}");
    assert_eq!(story.lines().count(), 5, "{story}");
    let told = |line: usize, words: &str| {
        assert!(story.lines().nth(line).is_some_and(|line| line.contains(words)), "{story}");
    };
    told(0, "gateway-1.test/query-log/");
    told(0, "  received; asked by kr; purpose TREND");
    told(4, "  released; asked by kr; purpose TREND; answered 1 of 2");
    told(4, "us refused (node-us.test/query-log/");
    let unknown = ["story", "00000000000000000000000000000000", "--list", "verify.txt"];
    assert_eq!(run(&world, &unknown).0, 1);

    let refused = ["--country", "us", "--type", "refused", "--purpose", "TREND"];
    let search = [&["search", "--list", "verify.txt", "--format", "json"], &refused[..]].concat();
    let (code, found, error) = run(&world, &search);
    assert_eq!((code, found.lines().count()), (0, 1), "{found}{error}");
    assert!(found.contains(&first) && found.contains("\"decision\":\"MAYAG-"), "{found}");

    searches_alike_by_an_index(&world, &search, &found);

    // The roster has the keys of what parties signed for each other.
    let roster = ["--roster", "pki/roster.json", "--roster-keys", "pki/roster.keys"];
    let (code, said, error) = run(&world, &[&reconcile[..], &roster].concat());
    assert_eq!(code, 0, "{said}{error}");
    assert!(said.contains("3 signatures inside of entries verify"), "{said}");

    let (code, exported, error) = run(&world, &["export", "--list", "verify.txt"]);
    assert_eq!(code, 0, "{error}");
    assert!(exported.lines().filter(|line| line.contains(&first)).count() == 5, "{exported}");
    let (code, exported, error) =
        run(&world, &["export", "--list", "verify.txt", "--format", "cef"]);
    assert_eq!(code, 0, "{error}");
    assert!(exported.lines().all(|line| line.starts_with("CEF:0|mayag|mayag|")), "{exported}");
    assert!(!exported.contains(&first), "{exported}");

    // Refused twice as often as anybody would mind, for the sake of the test.
    let odd = ["anomalies", "--list", "verify.txt", "--refusals", "1"];
    let (code, odd, error) = run(&world, &odd);
    assert_eq!(code, 0, "{error}");
    assert!(
        odd.contains("was refused 1 times") && odd.contains("node-us.test/query-log/"),
        "{odd}"
    );

    // The gateway shows the log that it had before the second question: signed, cosigned, and too short.
    let log = published(&world.dir().join("gateway"), Book::Questions);
    let old = world.dir().join("gateway/old");
    copy(&log, &old);
    let second = ask(&world, 1);
    assert_eq!(run(&world, &reconcile).0, 0);
    let list = std::fs::read_to_string(world.dir().join("verify.txt")).expect("the list");
    let year = log.strip_prefix(world.dir()).expect("inside").display().to_string();
    let list = list.replace(&year, "gateway/old");
    write(&world.dir().join("old.txt"), list.as_bytes());
    let (code, said, error) = run(&world, &["reconcile", "--list", "old.txt", "--grace", "0"]);
    assert_eq!(code, 6, "{said}{error}");
    let omitted = said.lines().filter(|line| line.contains("the gateway's log ends before it"));
    assert_eq!(omitted.count(), 3, "{said}");
    assert!(said.contains("finding: node-kr.test/query-log/"), "{said}");
    // The window is for what is on its way: with it, nothing is said yet, and both are counted.
    let (code, said, _) = run(&world, &["reconcile", "--list", "old.txt", "--grace", "3600"]);
    assert!(code == 0 && said.contains("3 in flight"), "{said}");
    let (_, story, _) = run(&world, &["story", &second, "--list", "old.txt"]);
    assert_eq!(story.lines().count(), 3, "the nodes still tell it: {story}");
}
