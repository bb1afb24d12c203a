//! Declared lookups through a whole federation: the country is told, who searches is told what it may be, and nobody on the way
//! learns anything; owners are told of silent hits also where the answer never left.

use crate::lookups::{code, contains, in_memory, lookup, walk};
use mayag_audit::entry::{Entry, ResultClass, Type};
use mayag_audit::keys::{random_question_id, sha256};
use mayag_audit::sealed as message;
use mayag_certs_dev::pki::Pki;
use mayag_integration_tests::declared::Declared;
use mayag_integration_tests::sealed::{self, analyst_key, question, refused, seal};
use mayag_integration_tests::world::lookups::{OBSERVED, TABLE, declaring, searchable};
use mayag_integration_tests::world::{
    CountrySpec, World, binary, gateway_identity, node_identity, open_policy, plain_incidents,
};
use mayag_integration_tests::{logs, raw};
use mayag_matching::declared::{Answered, answered};
use mayag_protocol::answer::{Bundle, Decision};
use mayag_protocol::identity::Identity;
use mayag_protocol::lookup::LOOKUPS;
use mayag_protocol::purpose::Purpose;
use mayag_protocol::question::{Ask, Question};
use mayag_protocol::refusal::Code;
use serde_json::Value;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// In the table of Thailand, shown.
const SHOWN: &str = "passport:M88000001@PHL";
/// In the table of Thailand, silent.
const SILENT: &str = "passport:M88000002@PHL";
/// In no table.
const UNKNOWN: &str = "passport:M88000777@PHL";

const NORMALISED: [&str; 3] = ["PHL:P:M88000001", "PHL:P:M88000002", "PHL:P:M88000777"];

/// Thailand may be silent, the United States may not, and Korea, which asks, keeps nothing.
fn world() -> World {
    let without = CountrySpec {
        country: "kr",
        incidents: plain_incidents(&["Cocaine"], 20),
        policy: open_policy("kr", 10),
    };
    let mut world =
        World::prepare(&[without, declaring("th", "allowed"), declaring("us", "forbidden")]);
    world.write_observed(
        "th",
        &[
            ["m-88000001", "PHL", "observed document", "SYNTH-TH-1", "no"],
            ["m-88000002", "PHL", "covert measure", "SYNTH-TH-2", "yes"],
        ],
    );
    world.write_observed("us", &[["x 88 000 042", "MEX", "lost document", "SYNTH-US-1", "no"]]);
    for country in ["kr", "th", "us"] {
        world.start_node(country);
    }
    world.start_gateway();
    wait_for_tables(&world, 2);
    world
}

fn search(world: &World, identifiers: &[&str], more: &[&str]) -> Output {
    File::create(world.dir().join("ids.txt"))
        .and_then(|mut file| {
            std::io::Write::write_all(&mut file, identifiers.join("\n").as_bytes())
        })
        .unwrap();
    let format: &[&str] = if more.contains(&"--format") { &[] } else { &["--format", "csv"] };
    let fixed = ["@ids.txt", "--purpose", "INVESTIGATE", "--case", "K-77"];
    lookup(world, &[&fixed, format, more].concat())
}

fn wait_for_tables(world: &World, count: usize) {
    for _ in 0..300 {
        let output = lookup(world, &["tables", "--purpose", "INVESTIGATE", "--format", "json"]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if count <= said.matches("\"legal_basis\":").count() {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("the tables are not published: {}", world.stderr("th"));
}

fn told(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

/// `country,verdict,category,reason` of every line.
fn lines(output: &Output) -> Vec<String> {
    let (text, _) = told(output);
    let mut rows = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = rows.next().unwrap_or_default();
    let at = |name: &str| header.iter().position(|column| *column == name).unwrap();
    let columns = ["row", "country", "verdict", "category", "reason"].map(at);
    rows.map(|row| columns.map(|column| row[column]).join(",")).collect()
}

/// What the owner was told: table, identifier and silence of every hit, and who searched for which case.
fn notices(world: &World, country: &str) -> Vec<(String, bool)> {
    let config = format!("{country}/node.toml");
    let output = world.mayag(&["lookup", "notices", "--config", &config, "--format", "json"]);
    let (text, said) = told(&output);
    assert_eq!(code(&output), 0, "{said}");
    let whole: Value = serde_json::from_str(&text).unwrap();
    let mut all = Vec::new();
    for notice in whole["notices"].as_array().unwrap() {
        assert_eq!(notice["table"], OBSERVED);
        assert_eq!(notice["person"], "spiffe://test/country/kr/analyst/ana");
        for met in notice["met"].as_array().unwrap() {
            let identifier = met["identifier"].as_str().unwrap().to_owned();
            let contacts = met["contacts"].as_array().unwrap();
            all.extend(
                contacts
                    .iter()
                    .map(|contact| (identifier.clone(), contact["silent"].as_bool().unwrap())),
            );
        }
    }
    all
}

#[test]
fn hits_are_told_and_silent_hits_to_the_owner_alone() {
    let world = world();
    let three = [SHOWN, SILENT, UNKNOWN];
    // Not without being asked for, and nothing is sent then.
    let output = search(&world, &three, &["--countries", "th,us"]);
    assert_eq!(code(&output), 1);
    assert!(lines(&output).iter().all(|line| line.ends_with(",not_evaluated,,declared")));
    assert_eq!(notices(&world, "th"), []);
    let (text, _) = told(&lookup(&world, &["tables", "--purpose", "INVESTIGATE"]));
    assert!(
        text.contains("declared: the country learns what you search and who you are"),
        "{text}"
    );
    assert!(text.contains("it may keep a hit to itself") && text.contains("article 7"), "{text}");

    // A word that only silent rows have is not among those that everybody sees.
    assert!(text.contains("observed document") && !text.contains("covert"), "{text}");
    let output = search(&world, &three, &["--countries", "th,us", "--declared"]);
    let expected = [
        "1,th,hit,observed document,",
        "1,us,no_hit,,",
        "2,th,no_hit,,",
        "2,us,no_hit,,",
        "3,th,no_hit,,",
        "3,us,no_hit,,",
    ];
    let (_, said) = told(&output);
    assert_eq!(lines(&output), expected, "{said}");
    assert_eq!(code(&output), 0);
    let before = "-- declared: th is told what you search in observed_documents, who you are";
    assert!(said.contains(before) && said.contains("Treaty of tests, article 7"), "{said}");
    assert!(said.contains("-- th observed_documents: it may keep a hit to itself"), "{said}");
    assert!(!said.contains("us observed_documents: it may keep"), "{said}");
    assert!(!said.contains("hidden among") && !said.contains("M8800"), "{said}");
    let owner = [(NORMALISED[0].to_owned(), false), (NORMALISED[1].to_owned(), true)];
    assert_eq!(notices(&world, "th"), owner);
    assert_eq!(notices(&world, "us"), [], "it had no hit");
    let output = world.mayag(&["lookup", "notices", "--config", "th/node.toml"]);
    let (text, _) = told(&output);
    assert!(
        text.contains("case K-77") && text.contains("SILENT: told that there is no hit"),
        "{text}"
    );

    // Who may keep a hit to itself proves no absence; who may not does.
    let output =
        search(&world, &[UNKNOWN], &["--countries", "th,us", "--declared", "--format", "table"]);
    let (text, said) = told(&output);
    assert!(!text.contains("no hit anywhere") && text.contains("no_hit         th us"), "{text}");
    assert!(said.contains("0 with no hit anywhere"), "{said}");
    let output =
        search(&world, &[UNKNOWN], &["--countries", "us", "--declared", "--format", "table"]);
    assert!(told(&output).0.contains("no hit anywhere: us"), "{:?}", told(&output));

    // Both logs say that there was a lookup, and not what came of it.
    let ended =
        |entries: &[Entry]| entries.iter().any(|it| it.result == Some(ResultClass::Evaluated));
    let entries = world.logged("th", ended);
    let about: Vec<&str> = entries
        .iter()
        .filter(|entry| {
            entry.kind == Type::Answered && entry.result == Some(ResultClass::Evaluated)
        })
        .map(|entry| entry.about.as_deref().unwrap_or_default())
        .collect();
    assert!(
        about.iter().all(|about| about.starts_with("notice ") && about.len() == 71),
        "{about:?}"
    );
    auditors_open_what_was_declared(&world);
}

/// The auditors of the person's country prove it, and those of the country that was told read it in its log.
fn auditors_open_what_was_declared(world: &World) {
    let output = search(world, &[SILENT], &["--countries", "th", "--declared"]);
    let (_, footer) = told(&output);
    let (_, rest) = footer.split_once("-- question ").expect("the question");
    let (question, rest) = rest.split_once(" | sealed for your auditors: ").expect("the file");
    let sealed = rest.lines().next().expect("the file");
    logs::list(world.dir(), &[("gateway", gateway_identity()), ("th", node_identity("th"))]);
    let pki = Pki::open(world.dir()).unwrap();
    let key = |party: &Identity| pki.auditor_key(party).to_str().unwrap().to_owned();
    let [gateway, kr, th] =
        [gateway_identity(), node_identity("kr"), node_identity("th")].map(|party| key(&party));
    let awaited = |entries: &[Entry]| {
        let of =
            |entry: &&Entry| entry.question.as_ref().is_some_and(|id| id.to_string() == question);
        entries.iter().filter(of).count() == 2
    };
    world.logged("th", awaited);
    world.carried(awaited);
    let open = |more: &[&str]| {
        let fixed = ["--list", "verify.txt", "--purpose", "lawfulness", "--reader", "ada"];
        world.mayag(&[&["audit", "open", question], &fixed[..], more].concat())
    };
    let output = open(&["--key", &gateway, "--lookup", sealed, "--lookup-key", &kr]);
    let (text, said) = told(&output);
    assert_eq!(code(&output), 0, "{text}{said}");
    assert!(text.contains("proved") && text.contains(NORMALISED[1]), "{text}");
    let output = open(&["--key", &th]);
    let (text, said) = told(&output);
    assert_eq!(code(&output), 0, "{text}{said}");
    assert!(text.contains(&format!("told         {}", NORMALISED[1])), "{text}");
}

#[test]
fn nobody_on_the_way_has_seen_what_was_declared() {
    let world = world();
    for _ in 0..2 {
        let output =
            search(&world, &[SHOWN, SILENT, UNKNOWN], &["--countries", "th,us", "--declared"]);
        assert_eq!(code(&output), 0, "{:?}", told(&output));
    }
    let typed = [SHOWN, SILENT, UNKNOWN].map(|typed| typed.split_once('@').unwrap().0);
    let needles: Vec<&[u8]> =
        typed.iter().chain(&NORMALISED).map(|needle| needle.as_bytes()).collect();
    let gateway = world.gateway_process();
    assert!(in_memory(gateway, b"gateway-1.test/query-log/"), "its memory can be read");
    for (i, needle) in needles.iter().enumerate() {
        assert!(!in_memory(gateway, needle), "needle {i} is in the gateway's memory");
    }
    let mut holding = Vec::new();
    walk(world.dir(), &mut |path| {
        let bytes = std::fs::read(path).unwrap_or_default();
        if needles.iter().any(|needle| contains(&bytes, needle)) {
            holding.push(path.strip_prefix(world.dir()).unwrap().display().to_string());
        }
    });
    holding.sort();
    assert_eq!(holding, ["ids.txt", "th/state/lookups/notices"], "the data have another spelling");
    // Of what it does not have, the owner keeps nothing.
    let kept = std::fs::read(world.dir().join("th/state/lookups/notices")).unwrap();
    assert!(!contains(&kept, NORMALISED[2].as_bytes()));
}

/// What a node says to a declared lookup of the Korean analyst that the gateway carries.
async fn post(world: &World, question: &Question, beside: Vec<u8>) -> Vec<u8> {
    let envelope = seal(question, &analyst_key(world));
    let body = Bundle { envelope, parts: vec![beside] }.to_bytes().unwrap();
    let gateway = world.pki.pki.join("gateway-1");
    let shown = Some((gateway.as_path(), "client"));
    let (status, bytes) = raw::post(&world.address("th"), shown, LOOKUPS, body).await.unwrap();
    assert_eq!(status.as_u16(), 200);
    bytes.to_vec()
}

fn asking(declared: &Declared, id: &mayag_protocol::names::QuestionId) -> Question {
    let countries: Vec<&str> =
        declared.search.targets.iter().map(|target| target.country.as_str()).collect();
    Question {
        id: id.clone(),
        ask: Ask::Declared { search: declared.search.clone() },
        purpose: Purpose::Investigate,
        ..question(&countries, "")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_have_one_length_and_what_belongs_elsewhere_is_refused() {
    let world = world();
    let id = || random_question_id().unwrap();
    let analyst = question(&["th"], "").analyst;
    let mut sizes = Vec::new();
    for (identifier, references) in NORMALISED.into_iter().zip([1, 0, 0]) {
        let id = id();
        let declared = Declared::new(&world, (&id, &analyst), &["th"], OBSERVED, &[identifier]);
        let bytes = post(&world, &asking(&declared, &id), declared.beside.clone()).await;
        let part = Bundle::parse(&bytes).unwrap().parts.remove(0);
        let answer = sealed::open(&world, "th", &bytes);
        let Decision::Declared { table, answer: digest, .. } = &answer.decision else {
            panic!("{answer:?}")
        };
        assert_eq!(*digest, sha256(&part));
        let info = declared.search.answer_info(&id, &node_identity("th"), table);
        let opened = message::open(&declared.reply, &info, &part).unwrap();
        let Answered { rows, finds_control } = answered(1, &opened).unwrap();
        assert_eq!((rows[0].references.len(), finds_control), (references, true));
        sizes.push((bytes.len(), part.len()));
    }
    assert!(sizes.iter().all(|size| *size == sizes[0]), "{sizes:?}");

    let code_of = |bytes: &[u8]| refused(&sealed::open(&world, "th", bytes));
    // The same question twice.
    let once = id();
    let declared = Declared::new(&world, (&once, &analyst), &["th"], OBSERVED, &NORMALISED[..1]);
    let question = asking(&declared, &once);
    assert_eq!(code_of(&post(&world, &question, declared.beside.clone()).await), None);
    let again = post(&world, &question, declared.beside.clone()).await;
    assert_eq!(code_of(&again), Some(Code::Replayed));
    // What was sealed for one question under another, which its signer has not opened.
    let moved = asking(&declared, &id());
    assert_eq!(
        code_of(&post(&world, &moved, declared.beside.clone()).await),
        Some(Code::MalformedQuestion)
    );
    // What somebody else sealed, under the id of that question.
    let taken = id();
    let other_person: Identity = "spiffe://test/country/kr/analyst/bo".parse().unwrap();
    let other = Declared::new(&world, (&taken, &other_person), &["th"], OBSERVED, &NORMALISED[..1]);
    let bytes = post(&world, &asking(&other, &taken), other.beside.clone()).await;
    assert_eq!(code_of(&bytes), Some(Code::MalformedQuestion));
    // What is sealed to another node.
    let other = id();
    let us = Declared::new(&world, (&other, &analyst), &["us"], OBSERVED, &NORMALISED[..1]);
    let mut crossed =
        Declared::new(&world, (&other, &analyst), &["th"], OBSERVED, &NORMALISED[..1]);
    crossed.search.sealed = sha256(&us.beside);
    let bytes = post(&world, &asking(&crossed, &other), us.beside.clone()).await;
    assert_eq!(code_of(&bytes), Some(Code::MalformedQuestion));
    // Something else than what everybody is shown a commitment to.
    let lie = id();
    let mut declared = Declared::new(&world, (&lie, &analyst), &["th"], OBSERVED, &NORMALISED[..1]);
    declared.search.commitment = sha256(b"something else");
    let bytes = post(&world, &asking(&declared, &lie), declared.beside.clone()).await;
    assert_eq!(code_of(&bytes), Some(Code::MalformedQuestion));
    // A table that is not there.
    let nowhere = id();
    let declared = Declared::new(&world, (&nowhere, &analyst), &["th"], TABLE, &NORMALISED[..1]);
    let bytes = post(&world, &asking(&declared, &nowhere), declared.beside.clone()).await;
    assert_eq!(code_of(&bytes), Some(Code::TableNotShared));
    assert_eq!(notices(&world, "th").len(), 3, "one shown, one silent, and the one sent twice");
}

#[test]
fn an_owner_is_told_although_the_node_was_killed_before_the_answer_left() {
    let mut world = world();
    let path = world.dir().join("th/state/lookups/notices");
    File::create(world.dir().join("ids.txt"))
        .and_then(|mut file| std::io::Write::write_all(&mut file, SILENT.as_bytes()))
        .unwrap();
    let profile = world.profile("kr");
    for round in 1..=6 {
        let before = records(&path);
        let asking = Command::new(binary())
            .args(["lookup", "@ids.txt", "--purpose", "INVESTIGATE", "--countries", "th"])
            .args(["--declared", "--format", "csv", "--profile"])
            .arg(&profile)
            .current_dir(world.dir())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let written = (0..200_000).any(|_| {
            std::thread::sleep(Duration::from_micros(50));
            records(&path) > before
        });
        assert!(written, "{}", world.stderr("th"));
        world.kill_node("th");
        let output = asking.wait_with_output().unwrap();
        let told_no_hit = lines(&output).iter().any(|line| line.contains(",no_hit,"));
        world.start_node("th");
        wait_for_tables(&world, 2);
        assert_eq!(notices(&world, "th").len(), round, "each is told, once");
        if !told_no_hit {
            return;
        }
    }
    panic!("the node was never killed between the notice and the answer");
}

/// How many records stand at the beginning of a file of notices: their lengths are multiples of 1,024 bytes.
fn records(path: &Path) -> usize {
    let mut bytes = vec![0; 128 * 1024];
    let read = File::open(path).and_then(|file| file.read_at(&mut bytes, 0)).unwrap_or(0);
    bytes[..read].chunks(1024).filter(|chunk| chunk.starts_with(b"MAYAGNO1")).count()
}

#[test]
fn silent_rows_that_the_policy_does_not_allow_keep_a_table_closed() {
    let mut world = World::prepare(&[declaring("kr", "forbidden"), searchable("us", 64, "")]);
    world.write_observed("kr", &[["M1", "PHL", "observed document", "SYNTH-1", "yes"]]);
    world.write_documents("us", &[["passport", "M2", "PHL", "lost document", "H0", "SYNTH-2"]]);
    for country in ["kr", "us"] {
        world.start_node(country);
    }
    world.start_gateway();
    let closed = (0..300).any(|_| {
        std::thread::sleep(Duration::from_millis(100));
        world.stderr("kr").contains("1 rows are silent, which only a declared table can have")
    });
    assert!(closed, "{}", world.stderr("kr"));
    let output = search(&world, &["passport:M1@PHL"], &["--countries", "kr", "--declared"]);
    assert_eq!(lines(&output), ["1,kr,not_evaluated,,not_ready"], "{:?}", told(&output));
}
