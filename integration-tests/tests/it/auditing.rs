//! What an auditor does with the logs of a federation, and what a gateway that shows an old log gains by it.

use mayag_audit::entry::{Entry, Type};
use mayag_audit::party::Book;
use mayag_integration_tests::logs::{self, published};
use mayag_integration_tests::world::{
    CountrySpec, FEDERATION, World, node_identity, open_policy, plain_incidents,
};
use mayag_protocol::identity::Identity;
use std::path::Path;
use std::process::Command;

const SQL: &str = "SELECT drug, count(*) AS n FROM seizures GROUP BY drug";

fn gateway() -> Identity {
    format!("spiffe://{FEDERATION}/gateway/1").parse().expect("an identity")
}

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
    let log = (world.dir(), folder.as_path(), &gateway(), Book::Questions);
    let entries = logs::entries_when(log, ended(Type::Released));
    let last = entries.iter().rfind(|entry| entry.kind == Type::Released).expect("a release");
    last.question.as_ref().expect("a question").to_string()
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").args([from, to]).status().expect("cp").success());
}

#[test]
fn an_auditor_reconciles_follows_a_question_and_finds_what_a_gateway_left_out() {
    let spec = |country, policy| CountrySpec {
        country,
        incidents: plain_incidents(&["Cocaine", "Heroin"], 20),
        policy,
    };
    let closed = open_policy("us", 10).replace("\"drug\": { \"dimension\": {} },", "");
    let world = World::start(&[spec("kr", open_policy("kr", 10)), spec("us", closed)]);
    let first = ask(&world, 0);
    let parties =
        [("kr", node_identity("kr")), ("us", node_identity("us")), ("gateway", gateway())];
    logs::list(world.dir(), &parties);
    let reconcile = ["reconcile", "--list", "verify.txt", "--grace", "0"];

    let (code, said, error) = run(&world, &reconcile);
    assert_eq!(code, 0, "{said}{error}");
    assert!(said.ends_with("the logs agree\n"), "{said}");
    assert!(said.contains("1 questions received  1 released  3 entries of nodes"), "{said}");

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
    mayag_transport::files::replace(
        &world.dir().join("old.txt"),
        list.as_bytes(),
        mayag_transport::files::Mode::Public,
    )
    .expect("a list");
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
