//! A policy's life at a running node: hot reload, what is refused, what a restart remembers.

use mayag_audit::entry::Type;
use mayag_audit::keys::sha256;
use mayag_audit::party::Book;
use mayag_certs_dev::pki::Pki;
use mayag_integration_tests::world::{CountrySpec, World, open_policy, plain_incidents};
use mayag_node::archive;
use mayag_protocol::names::Digest;
use mayag_transport::files::{self, Mode};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

const BY_DRUG: &str = "SELECT drug, count(*) AS n FROM seizures GROUP BY drug ORDER BY drug";
const BY_REGION: &str =
    "SELECT region, count(*) AS n FROM seizures GROUP BY region ORDER BY region";

fn world() -> World {
    let incidents = plain_incidents(&["Heroin", "Cocaine"], 40);
    World::start(&[CountrySpec { country: "kr", incidents, policy: open_policy("kr", 10) }])
}

/// The open policy at a serial, without sharing `region`.
fn narrower(serial: u64) -> String {
    let text = with_serial(serial);
    let narrow = text.replace("\"region\": { \"dimension\": {} },", "");
    assert_ne!(text, narrow);
    narrow
}

fn with_serial(serial: u64) -> String {
    open_policy("kr", 10).replace("\"serial\": 1,", &format!("\"serial\": {serial},"))
}

fn answered(world: &World, sql: &str) -> bool {
    let output = world.ask("kr", sql, &[]);
    match output.status.code() {
        Some(0) => true,
        Some(4) => false,
        _ => panic!("{}", String::from_utf8_lossy(&output.stderr)),
    }
}

/// Sends SIGHUP and waits until the node says what came of it.
fn reload(world: &World) -> String {
    let before = world.stderr("kr").len();
    world.signal_node("kr", "-HUP");
    for _ in 0..500 {
        let said = world.stderr("kr").split_off(before);
        if said.contains("reloaded") {
            return said;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("no word of a reload within 10 s");
}

fn replace(world: &World, bytes: impl AsRef<[u8]>) {
    let active = world.dir().join("kr/policy/active.json");
    files::replace(&active, bytes.as_ref(), Mode::Public).unwrap();
}

/// The policy entries of the node's log: the decision, and which rule kept the old policy, or what the new one does.
fn policy_entries(world: &World) -> Vec<(String, Option<String>)> {
    // What was logged last comes under a checkpoint within milliseconds.
    std::thread::sleep(Duration::from_millis(500));
    let policies = world.logged_in("kr", Book::Administration, |_| true).into_iter();
    let policies = policies.filter(|entry| entry.kind == Type::Policy);
    policies.map(|entry| (entry.decision.unwrap(), entry.rule.or(entry.about))).collect()
}

#[test]
fn the_operator_is_told_when_the_policy_ends() {
    let world = world();
    assert!(!world.stderr("kr").contains("ends soon"));
    let until = mayag_integration_tests::world::now().plus(Duration::from_hours(10 * 24 + 1));
    let text = with_serial(2).replace("2100-01-01T00:00:00Z", &until.to_string());
    world.write_policy("kr", &text);
    let said = reload(&world);
    assert!(said.contains("ends soon") && said.contains(&until.to_string()), "{said}");
    assert!(said.contains("10"), "{said}");
}

#[test]
fn a_reload_takes_a_good_policy_and_keeps_the_old_one_otherwise() {
    let mut world = world();
    assert!(answered(&world, BY_REGION));

    world.write_policy("kr", &narrower(2));
    assert!(reload(&world).contains("policy in force"));
    assert!(!answered(&world, BY_REGION));
    assert!(answered(&world, BY_DRUG));

    // Back to the first serial: never, whoever signs it.
    world.write_policy("kr", &with_serial(1));
    let said = reload(&world);
    assert!(said.contains("serial 1 is lower than 2"), "{said}");
    assert!(!answered(&world, BY_REGION));

    // A changed text under the same serial.
    world.write_policy("kr", &with_serial(2));
    assert!(reload(&world).contains("a changed policy needs a higher serial"));

    // A misspelt one: the operator learns line and column, the query log too.
    world.write_policy("kr", &with_serial(3).replace("\"min_units\"", "\"min_unit\""));
    let said = reload(&world);
    assert!(said.contains("line 14, column 7") && said.contains("did you mean"), "{said}");
    assert!(answered(&world, BY_DRUG));

    // A bare document.
    replace(&world, with_serial(3));
    let said = reload(&world);
    assert!(said.contains("without signatures") && said.contains("policy propose"), "{said}");
    assert!(!answered(&world, BY_REGION));

    let rules: Vec<_> = policy_entries(&world);
    let kept = |rule: &str| ("kept_old".to_owned(), Some(rule.to_owned()));
    assert_eq!(
        rules,
        [
            ("in_force".to_owned(), Some("narrows".to_owned())),
            kept("serial"),
            kept("serial"),
            kept("document: line 14, column 7"),
            kept("signatures"),
        ]
    );

    // A restart remembers: the first policy is still older than the second.
    world.kill_node("kr");
    world.write_policy("kr", &with_serial(1));
    assert!(world.try_start_node("kr").unwrap_err().contains("serial 1 is lower than 2"));
    world.write_policy("kr", &with_serial(3));
    world.start_node("kr");
    assert!(answered(&world, BY_REGION));
}

#[test]
fn one_administrator_may_narrow_and_may_not_widen() {
    let mut world = world();
    let pki = Pki::open(world.dir()).unwrap();
    let one = |text: &str| {
        let identity = "spiffe://test/country/kr/administrator/bo".parse().unwrap();
        let key = pki.signing_key(&identity).unwrap();
        let bytes = text.as_bytes().to_vec();
        mayag_protocol::envelope::Envelope::seal(
            mayag_protocol::envelope::PayloadType::Policy,
            bytes,
            &key,
        )
        .to_bytes()
    };
    replace(&world, one(&narrower(2)));
    let said = reload(&world);
    assert!(said.contains("policy in force") && said.contains("narrows"), "{said}");

    replace(&world, one(&with_serial(3)));
    let said = reload(&world);
    assert!(said.contains("needs the signatures of 2 different administrators"), "{said}");
    assert!(!answered(&world, BY_REGION));

    // What the policy widens is known also after a restart.
    world.kill_node("kr");
    assert!(world.try_start_node("kr").unwrap_err().contains("2 different administrators"));
    world.write_policy("kr", &with_serial(3));
    world.start_node("kr");
    assert!(answered(&world, BY_REGION));
}

/// The open policy at a serial, with a grant that is named after it.
fn named(serial: u64) -> String {
    with_serial(serial).replace("\"id\": \"all\"", &format!("\"id\": \"all-{serial}\""))
}

#[test]
fn an_answer_is_decided_wholly_under_one_policy() {
    let world = world();
    let last = 12;
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| (0..20).filter(|_| answered(&world, BY_REGION)).count());
        for serial in 2..=last {
            world.write_policy("kr", &named(serial));
            reload(&world);
        }
        assert_eq!(asking.join().unwrap(), 20);
    });

    // Every answer names the grant of the policy whose digest stands beside it, and of the one it was admitted under.
    let digests: BTreeMap<Digest, String> = (2..=last)
        .map(|serial| (sha256(named(serial).as_bytes()), format!("all-{serial}")))
        .chain([(sha256(with_serial(1).as_bytes()), "all".to_owned())])
        .collect();
    let mut admitted = BTreeMap::new();
    let mut answers = 0;
    for entry in world.logged("kr", |entries| entries.len() == 40) {
        if entry.kind == Type::Admitted {
            admitted.insert(entry.question.clone(), entry.policy.clone());
        } else {
            assert_eq!(entry.kind, Type::Answered);
            answers += 1;
            assert_eq!(entry.rule.as_ref(), digests.get(entry.policy.as_ref().unwrap()));
            assert_eq!(admitted.get(&entry.question), Some(&entry.policy));
        }
    }
    assert_eq!(answers, 20);
}

#[test]
fn questions_are_kept_for_replays_and_never_in_the_log() {
    let world = world();
    assert!(answered(&world, BY_REGION));
    assert!(!answered(&world, "SELECT agency, count(*) AS n FROM seizures GROUP BY agency"));
    let path = world.dir().join("kr/state/questions.jsonl");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let (asked, unread) = archive::parse(&std::fs::read(&path).unwrap());
    let sql: Vec<&str> = asked.iter().map(|asked| asked.sql.as_str()).collect();
    assert_eq!((sql[0], sql.len(), unread), (BY_REGION, 2, 0));
    let log = world.logged("kr", |entries| entries.iter().any(|entry| entry.kind == Type::Refused));
    assert!(log.iter().all(|entry| !format!("{entry:?}").contains("SELECT")));

    let draft = world.dir().join("kr/draft.json");
    files::replace(&draft, narrower(2).as_bytes(), Mode::Public).unwrap();
    let replay = ["policy", "replay", "--draft", "kr/draft.json", "--config", "kr/node.toml"];
    let output = world.mayag(&replay);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.starts_with("2 logged questions · 1 same · 0 newly answered · 1 newly refused"));
}
