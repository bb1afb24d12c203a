//! The logs of a whole federation: witnessed while it runs, found out when they are changed, and verified by code that is not
//! ours.

use mayag_audit::entry::{Entry, Type};
use mayag_audit::party::{self, Book};
use mayag_certs_dev::pki::Pki;
use mayag_integration_tests::logs;
use mayag_integration_tests::world::{self, CountrySpec, World, open_policy, plain_incidents};
use mayag_protocol::roster::Roster;
use mayag_transport::files::{self, Mode};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const SQL: &str = "SELECT drug, count(*) AS n FROM seizures GROUP BY drug";

/// Witnesses that must have cosigned: of three parties, both others.
const WITNESSES: usize = 2;

/// A federation in which everybody witnesses everybody, and a question was answered.
fn witnessed() -> World {
    let spec = |country| CountrySpec {
        country,
        incidents: plain_incidents(&["Cocaine", "Heroin"], 20),
        policy: open_policy(country, 10),
    };
    let mut world = World::prepare(&[spec("kr"), spec("us")]);
    for config in ["kr/node.toml", "us/node.toml", "gateway/gateway.toml"] {
        let path = world.dir().join(config);
        let text = std::fs::read_to_string(&path).unwrap();
        let changed =
            text.replace("witnesses = 0", &format!("witnesses = {WITNESSES}\nwitness_ms = 100"));
        assert_ne!(text, changed);
        write(&path, changed.as_bytes());
    }
    for country in ["kr", "us"] {
        world.start_node(country);
    }
    world.start_gateway();
    let answer = world.ask("kr", SQL, &[]);
    assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
    world
}

fn write(path: &Path, bytes: &[u8]) {
    files::replace(path, bytes, Mode::Public).unwrap();
}

/// `verify.txt` of a world: the logs of questions with their keys.
fn list(world: &World) -> PathBuf {
    let roster: Roster = Pki::open(world.dir()).unwrap().roster().unwrap();
    let year = party::year(world::now());
    let mut lines = String::new();
    for (folder, member) in
        [("gateway", &roster.gateways[0]), ("kr", &roster.nodes[0]), ("us", &roster.nodes[1])]
    {
        let origin = party::origin(&member.identity, Book::Questions, &year).unwrap();
        let keys = format!("{folder}.keys");
        let text = party::key_file(&roster, member, &origin).unwrap();
        write(&world.dir().join(&keys), text.as_bytes());
        let log = format!("{folder}/state/query-log/{year}/published");
        writeln!(lines, "{log} {keys} {WITNESSES}").unwrap();
    }
    let path = world.dir().join("verify.txt");
    write(&path, lines.as_bytes());
    path
}

fn verify(world: &World) -> (i32, String, String) {
    let output = world.mayag(&["audit", "verify", "--list", "verify.txt"]);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// Verifies once the last entries are cosigned.
fn verified(world: &World) {
    for _ in 0..100 {
        if verify(world).0 == 0 {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("{:?}", verify(world));
}

/// Waits for what happens within seconds.
fn eventually(happened: impl Fn() -> bool) {
    for _ in 0..100 {
        if happened() {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("not within ten seconds");
}

/// The verifier in Go, built once beside the tests.
fn go_verifier() -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("verifiers/tlog-verify");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let program = folder.join("tlog-verify");
    let built = Command::new("go")
        .args(["build", "-o", program.to_str().unwrap(), "verify.go"])
        .env("GO111MODULE", "off")
        .env("GOPATH", "/usr/share/gocode")
        .env("GOCACHE", folder.join("go-cache"))
        .current_dir(source)
        .output()
        .expect("go: apt-get install golang-go golang-golang-x-mod-dev");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    program
}

#[test]
fn logs_of_a_federation_are_verified_by_code_that_is_not_ours() {
    let world = witnessed();
    let list = list(&world);
    verified(&world);
    let go = go_verifier();
    let by_go = || {
        let text = std::fs::read_to_string(&list).unwrap();
        let logs = text.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        let accepts = |words: Vec<&str>| {
            let said = Command::new(&go).args(&words).current_dir(world.dir()).output().unwrap();
            said.status.success()
        };
        logs.map(accepts).collect::<Vec<bool>>()
    };
    assert_eq!(by_go(), [true; 3]);

    // One byte of one entry, without stopping anybody: both find it.
    let folder = logs::published(&world.dir().join("us"), Book::Questions).join("tile/entries");
    let bundle = std::fs::read_dir(folder.join("000.p"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .max_by_key(|path| path.file_name().unwrap().to_str().unwrap().parse::<u64>().unwrap())
        .unwrap();
    let mut bytes = std::fs::read(&bundle).unwrap();
    let at = bytes.windows(8).position(|window| window == b"answered").unwrap();
    bytes[at] ^= 1;
    write(&bundle, &bytes);
    assert_eq!(by_go(), [true, true, false]);
    let (code, stdout, stderr) = verify(&world);
    assert_eq!(code, 6, "{stdout}{stderr}");
    assert!(stderr.contains("tile/entries/000.p/") && stderr.contains("entry 1"), "{stderr}");
    assert!(stdout.contains("gateway-1.test/query-log"), "the others verify: {stdout}");
}

#[test]
fn every_party_binds_the_entries_of_the_others() {
    let world = witnessed();
    let node = world.logged("kr", |entries| entries.len() == 2);
    assert_eq!([node[0].kind, node[1].kind], [Type::Admitted, Type::Answered]);
    let gateway = Pki::open(world.dir()).unwrap().roster().unwrap();
    let party = gateway.gateways[0].identity.clone();
    let folder = world.dir().join("gateway");
    let at_gateway =
        logs::entries_when((world.dir(), &folder, &party, Book::Questions), |entries| {
            entries.len() == 2
        });
    assert_eq!([at_gateway[0].kind, at_gateway[1].kind], [Type::Received, Type::Released]);
    let peer = node[0].peer.as_ref().unwrap();
    assert_eq!((peer.origin.as_str(), peer.index), ("gateway-1.test/query-log/2026", 0));
    assert!(node[0].statement.is_some(), "what the gateway signed is kept");
    let country = &at_gateway[1].countries[&"kr".parse().unwrap()];
    let answered = country.log.as_ref().unwrap();
    assert_eq!((answered.origin.as_str(), answered.index), ("node-kr.test/query-log/2026", 1));
    assert_eq!(node[0].question_digest, at_gateway[0].question_digest);
    assert_ne!(node[0].actor, at_gateway[0].actor, "pseudonyms are a party's own");
    let digests = |entry: &Entry| [entry.shape.clone(), entry.text.clone()];
    let (at_node, there) = (digests(&node[0]), digests(&at_gateway[0]));
    assert!(at_node.iter().chain(&there).all(Option::is_some), "{at_node:?} {there:?}");
    assert!(at_node.iter().all(|own| !there.contains(own)), "and so is what a question looks like");
}

#[test]
fn a_question_under_way_when_the_gateway_is_killed_has_an_end_after_its_restart() {
    let mut world = world::one_answers_and_one_refuses();
    let folder = world.dir().join("gateway");
    let kinds = |world: &World, number: usize| {
        let log = (world.dir(), folder.as_path(), &world::gateway_identity(), Book::Questions);
        let entries = logs::entries_when(log, |entries| entries.len() == number);
        entries.into_iter().map(|entry| (entry.kind, entry.decision)).collect::<Vec<_>>()
    };
    world.signal_node("us", "-STOP");
    let profile = world.profile("kr");
    let mut asked = Command::new(world::binary())
        .args(["ask", "--profile", profile.to_str().unwrap(), "--purpose", "TREND", "-c", SQL])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let received = (Type::Received, None);
    assert_eq!(kinds(&world, 1), std::slice::from_ref(&received));
    world.kill_gateway();
    assert!(!asked.wait().unwrap().success());
    world.signal_node("us", "-CONT");
    // Once, however often it starts.
    for _ in 0..2 {
        world.start_gateway();
        let stopped = (Type::Abandoned, Some("stopped".to_owned()));
        assert_eq!(kinds(&world, 2), [received.clone(), stopped]);
        world.kill_gateway();
    }
}

#[test]
fn logs_mention_what_their_owners_cosigned_of_others() {
    let world = witnessed();
    list(&world);
    verified(&world);
    // By now everybody has cosigned the entries of the first question.
    assert!(world.ask("kr", SQL, &[]).status.success());
    let node = world.logged("kr", |entries| entries.len() == 4);
    let mentioned = |entry: &Entry| entry.seen.iter().map(|seen| seen.origin.to_string()).collect();
    let origins: Vec<String> =
        node.iter().flat_map(|entry| -> Vec<String> { mentioned(entry) }).collect();
    for log in ["gateway-1.test/query-log/2026", "node-us.test/query-log/2026"] {
        assert!(origins.iter().any(|origin| origin == log), "{origins:?}");
    }
    let gateway =
        node[2].seen.iter().find(|seen| seen.origin.as_str().starts_with("gateway-1.test/query"));
    let gateway = gateway.expect("mentioned once the first question was cosigned");
    assert!(gateway.size == 2 && gateway.at.is_some(), "{gateway:?}");
    verified(&world);
    let roster = ["--roster", "pki/roster.json", "--roster-keys", "pki/roster.keys"];
    let words = [&["audit", "reconcile", "--list", "verify.txt"], &roster[..]].concat();
    let output = world.mayag(&words);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("8 signatures inside of entries verify"), "{said}");
    assert!(!said.contains(" 0 checkpoints that they mention"), "{said}");
}

#[test]
fn a_log_that_was_put_back_is_not_cosigned_any_more_and_a_missing_one_is_not_begun() {
    let mut world = witnessed();
    list(&world);
    verified(&world);
    let state = world.dir().join("us/state");
    let backup = world.dir().join("backup");
    let copy = |from: &Path, to: &Path| {
        let copied = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
        assert!(copied.success());
    };
    world.kill_node("us");
    copy(&state, &backup);
    world.start_node("us");
    // It answers once its witnesses have said that they know no more than it does.
    eventually(|| world.ask("kr", SQL, &[]).status.success());
    assert!(world.ask("kr", SQL, &[]).status.success());
    verified(&world);
    world.kill_node("us");
    std::fs::remove_dir_all(&state).unwrap();
    copy(&backup, &state);
    // The ledger is of the same backup, so the node begins; its witnesses know more than it does, and it answers nothing.
    world.start_node("us");
    let nothing_of_us = || {
        let output = world.ask("kr", SQL, &[]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains("us  refused"), "{said}");
    };
    nothing_of_us();
    eventually(|| world.stderr("us").contains("rolled back"));
    // Once it is as long as the one before, by what it refused, it is another history of the same length: its witness keeps
    // both.
    eventually(|| {
        nothing_of_us();
        world.stderr("kr").contains("not shown to continue")
    });
    let evidence = Command::new("find").arg(world.dir().join("kr/state/witness")).output().unwrap();
    let evidence = String::from_utf8_lossy(&evidence.stdout).into_owned();
    assert!(evidence.contains("-kept") && evidence.contains("-shown"), "{evidence}");
    assert_ne!(verify(&world).0, 0, "no quorum for a history that was put back");

    world.kill_node("us");
    std::fs::remove_dir_all(state.join("query-log")).unwrap();
    let ended = world.mayag(&["node", "--config", "us/node.toml"]);
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(!ended.status.success() && said.contains("mayag audit init"), "{said}");
}
