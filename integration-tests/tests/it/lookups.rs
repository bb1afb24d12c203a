//! Lookups through a whole federation: who knows a document, who provably does not, and who cannot say; and that nobody on
//! the way has seen which document it was.

use curve25519_dalek::ristretto::RistrettoPoint;
use mayag_audit::entry::{Entry, ResultClass, Type};
use mayag_certs_dev::pki::Pki;
use mayag_integration_tests::logs;
use mayag_integration_tests::world::lookups::{TABLE, searchable};
use mayag_integration_tests::world::{
    CountrySpec, World, gateway_identity, node_identity, open_policy, plain_incidents,
};
use mayag_protocol::identity::Identity;
use ring::digest::{SHA512, digest};
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

/// In the table of the United States, in other spelling.
const KNOWN: &str = "passport:M99000001@PHL";
/// In no table.
const UNKNOWN: &str = "passport:M99000777@PHL";
/// In Thailand's table, read with a letter in place of a digit.
const MISREAD: &str = "passport:L99000017@DEU";

/// What [`KNOWN`] and [`UNKNOWN`] are compared as.
const NORMALISED: [&str; 2] = ["PHL:P:M99000001", "PHL:P:M99000777"];

fn world(limits: &str) -> World {
    let without = CountrySpec {
        country: "kr",
        incidents: plain_incidents(&["Cocaine"], 20),
        policy: open_policy("kr", 10),
    };
    let mut world =
        World::prepare(&[without, searchable("th", 64, limits), searchable("us", 64, limits)]);
    world.write_documents(
        "us",
        &[
            ["passport", "M 9900-0001", "PHL", "stolen document", "H1", "SYNTH-US-1"],
            ["passport", "X99000042", "MEX", "lost document", "H0", "SYNTH-US-2"],
            ["passport", "no number?", "MEX", "lost document", "H0", "SYNTH-US-3"],
        ],
    );
    world.write_documents(
        "th",
        &[["passport", "L99000O17", "DEU", "counterfeit document", "H2", "SYNTH-TH-1"]],
    );
    for country in ["kr", "th", "us"] {
        world.start_node(country);
    }
    world.start_gateway();
    wait_for_tables(&world, 2);
    world
}

/// Runs `mayag lookup` as the Korean analyst.
pub(crate) fn lookup(world: &World, arguments: &[&str]) -> Output {
    let profile = world.profile("kr");
    let profile = profile.to_str().unwrap();
    world.mayag(&[&["lookup"], arguments, &["--profile", profile, "--progress", "plain"]].concat())
}

fn search(world: &World, identifiers: &str, more: &[&str]) -> Output {
    File::create(world.dir().join("ids.txt"))
        .and_then(|mut file| std::io::Write::write_all(&mut file, identifiers.as_bytes()))
        .unwrap();
    let format: &[&str] = if more.contains(&"--format") { &[] } else { &["--format", "csv"] };
    let purpose: &[&str] =
        if more.contains(&"--purpose") { &[] } else { &["--purpose", "INVESTIGATE"] };
    lookup(world, &[&["@ids.txt"], purpose, format, more].concat())
}

fn wait_for_tables(world: &World, count: usize) {
    for _ in 0..300 {
        let output = lookup(world, &["tables", "--purpose", "INVESTIGATE", "--format", "json"]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        // Only what is ready has an epoch.
        if said.contains(TABLE) && count <= said.matches("\"epoch\":").count() {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("the tables are not published: {}", world.stderr("us"));
}

/// `row,country,verdict,band,category,handling,reason` of every line.
fn lines(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stdout);
    let mut rows = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = rows.next().unwrap_or_default();
    let at = |name: &str| header.iter().position(|column| *column == name).unwrap();
    let columns = ["row", "country", "verdict", "band", "category", "handling", "reason"].map(at);
    rows.map(|row| columns.map(|column| row[column]).join(",")).collect()
}

pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

#[test]
fn every_country_says_what_it_can_prove() {
    let mut world = world("");
    let all = [KNOWN, UNKNOWN, MISREAD].join("\n");
    let output = search(&world, &all, &["--countries", "th,us"]);
    let expected = [
        "1,th,no_hit,,,,",
        "1,us,hit,exact,stolen document,H1,",
        "2,th,no_hit,,,,",
        "2,us,no_hit,,,,",
        "3,th,hit,strong,counterfeit document,H2,",
        "3,us,no_hit,,,,",
    ];
    assert_eq!(lines(&output), expected, "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(code(&output), 0);

    // Who lets nothing be searched has not said no.
    let output = search(&world, UNKNOWN, &["--format", "table"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(!said.contains("no hit anywhere") && said.contains("no_hit         th us"), "{said}");
    assert!(
        said.contains("not_permitted  kr: it lets you search nothing for this purpose"),
        "{said}"
    );
    assert_eq!(code(&output), 3);
    let output = search(&world, UNKNOWN, &["--format", "table", "--countries", "th,us"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("no hit anywhere: th us") && !said.contains(UNKNOWN), "{said}");

    // For another purpose nothing is sent.
    let output = search(&world, KNOWN, &["--purpose", "TREND", "--countries", "th,us"]);
    assert_eq!(code(&output), 4, "{}", String::from_utf8_lossy(&output.stderr));
    assert!(lines(&output).iter().all(|line| line.contains(",not_permitted,")), "{output:?}");

    // What is entered is found after the next refresh, with the same key; what is deleted is not.
    world.write_documents(
        "us",
        &[["passport", "m99000777", "PH", "lost document", "H0", "SYNTH-US-4"]],
    );
    let changed = (0..300).any(|_| {
        std::thread::sleep(Duration::from_millis(100));
        let output = search(&world, &all, &["--countries", "us"]);
        assert_eq!(code(&output), 0, "{}", String::from_utf8_lossy(&output.stderr));
        let lines = lines(&output);
        lines[0] == "1,us,no_hit,,,," && lines[1] == "2,us,hit,exact,lost document,H0,"
    });
    assert!(changed, "{}", world.stderr("us"));

    // Who is away has not said no either.
    world.kill_node("th");
    let output = search(&world, MISREAD, &["--countries", "th,us"]);
    assert_eq!(code(&output), 3);
    assert_eq!(lines(&output), ["1,th,not_evaluated,,,,unreachable", "1,us,no_hit,,,,"]);
    world.start_node("th");
    wait_for_tables(&world, 2);
    let output = search(&world, MISREAD, &["--countries", "th"]);
    assert_eq!(lines(&output), ["1,th,hit,strong,counterfeit document,H2,"]);

    // Both logs say that there was a lookup; neither says what came of it.
    let ended = |entries: &[Entry]| {
        entries.iter().any(|entry| entry.result == Some(ResultClass::Evaluated))
    };
    for party in ["th", "us"] {
        let entries = world.logged(party, ended);
        let kinds: Vec<Type> = entries
            .iter()
            .filter(|entry| entry.result == Some(ResultClass::Evaluated))
            .map(|entry| entry.kind)
            .collect();
        assert!(kinds.iter().all(|kind| *kind == Type::Answered), "{kinds:?}");
    }
}

#[test]
fn a_budget_of_identifiers_is_used_up_and_padding_counts() {
    let world = world(" \"person\": 18,");
    // Two identifiers travel as eight, and with the control they cost nine.
    let two = [KNOWN, UNKNOWN].join("\n");
    for round in 0..2 {
        let output = search(&world, &two, &["--countries", "us"]);
        assert_eq!(code(&output), 0, "{round}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let output = search(&world, KNOWN, &["--countries", "us"]);
    assert_eq!(lines(&output), ["1,us,not_evaluated,,,,budget-exhausted"]);
    let output = search(&world, KNOWN, &["--countries", "th"]);
    assert_eq!(code(&output), 0, "another country has its own budget");
}

#[test]
fn nobody_on_the_way_has_seen_what_was_searched() {
    let world = world("");
    let both = [KNOWN, UNKNOWN].join("\n");
    for _ in 0..3 {
        let output = search(&world, &both, &["--countries", "th,us"]);
        assert_eq!(code(&output), 0, "{}", String::from_utf8_lossy(&output.stderr));
    }
    let mut needles: Vec<Vec<u8>> = Vec::new();
    for (typed, normalised) in [KNOWN, UNKNOWN].into_iter().zip(NORMALISED) {
        needles.push(typed.as_bytes().to_vec());
        needles.push(normalised.as_bytes().to_vec());
        needles.push(point("travel_document", normalised).to_vec());
    }

    // The gateway's memory, while it runs. That the search can find something is shown by what must be there.
    let gateway = world.gateway_process();
    assert!(in_memory(gateway, b"gateway-1.test/query-log/"), "its memory can be read");
    for (i, needle) in needles.iter().enumerate() {
        assert!(!in_memory(gateway, needle), "needle {i} is in the gateway's memory");
    }
    // Files of everybody: the data of the United States and the list that the analyst wrote, and no others.
    let mut holding = Vec::new();
    walk(world.dir(), &mut |path| {
        let bytes = std::fs::read(path).unwrap_or_default();
        if needles.iter().any(|needle| contains(&bytes, needle)) {
            holding.push(path.strip_prefix(world.dir()).unwrap().to_owned());
        }
    });
    assert_eq!(holding, [PathBuf::from("ids.txt")], "the tables have another spelling");
}

#[test]
fn an_auditor_proves_what_was_searched_and_a_lie_is_caught() {
    let world = world("");
    let output = search(&world, &[KNOWN, UNKNOWN].join("\n"), &["--countries", "th,us"]);
    assert_eq!(code(&output), 0, "{}", String::from_utf8_lossy(&output.stderr));
    let footer = String::from_utf8_lossy(&output.stderr).into_owned();
    let (_, rest) = footer.split_once("-- question ").expect("the question");
    let (question, rest) = rest.split_once(" | sealed for your auditors: ").expect("the file");
    let sealed = rest.lines().next().expect("the file");

    // The gateway's auditor opens who asked; the auditor of the searcher's country what was searched.
    let parties = [("gateway", gateway_identity()), ("us", node_identity("us"))];
    logs::list(world.dir(), &parties);
    let pki = Pki::open(world.dir()).unwrap();
    let key = |party: &Identity| pki.auditor_key(party).to_str().unwrap().to_owned();
    let (gateway, kr) = (key(&gateway_identity()), key(&node_identity("kr")));
    let open = |lookup: &str, key: &str| {
        let fixed = ["--list", "verify.txt", "--purpose", "lawfulness", "--reader", "ada"];
        let lookup = ["--key", &gateway, "--lookup", lookup, "--lookup-key", key];
        let words = ["audit", "open", question];
        world.mayag(&[&words[..], &fixed, &lookup].concat())
    };
    let awaited = |entries: &[Entry]| {
        entries
            .iter()
            .any(|entry| entry.question.as_ref().is_some_and(|id| id.to_string() == question))
    };
    world.logged("us", awaited);
    world.carried(awaited);
    let output = open(sealed, &kr);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(code(&output), 0, "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(NORMALISED.iter().all(|text| said.contains(text)), "{said}");
    assert_eq!(code(&open(sealed, &key(&node_identity("us")))), 2, "sealed for others");

    // Another file, however well it was made, is not the one that the signed question names.
    let other = world.dir().join("other.sealed");
    let mut bytes = std::fs::read(sealed).unwrap();
    let last = bytes.len() - 20;
    bytes[last] ^= 1;
    File::create(&other).and_then(|mut file| std::io::Write::write_all(&mut file, &bytes)).unwrap();
    let output = open(other.to_str().unwrap(), &kr);
    assert_eq!(code(&output), 2, "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!String::from_utf8_lossy(&output.stdout).contains(NORMALISED[0]));
}

/// `HashToGroup` of RFC 9497 for ristretto255-SHA512 in mode VOPRF, of the input that docs/lookups.md describes: worked out
/// here once more, with nothing of the product.
fn point(kind: &str, normalised: &str) -> [u8; 32] {
    let mut input = Vec::new();
    for part in ["mayag1", kind, "1", normalised] {
        input.extend(u16::try_from(part.len()).unwrap().to_be_bytes());
        input.extend(part.as_bytes());
    }
    let domain = b"HashToGroup-OPRFV1-\x01-ristretto255-SHA512";
    let domain = [domain.as_slice(), &[u8::try_from(domain.len()).unwrap()]].concat();
    let first = [&[0; 128], input.as_slice(), &[0, 64, 0], &domain].concat();
    let first = digest(&SHA512, &first);
    let uniform = digest(&SHA512, &[first.as_ref(), &[1], &domain].concat());
    let uniform: [u8; 64] = uniform.as_ref().try_into().unwrap();
    RistrettoPoint::from_uniform_bytes(&uniform).compress().to_bytes()
}

/// Whether the memory of a process that can be written holds these bytes.
pub(crate) fn in_memory(process: u32, needle: &[u8]) -> bool {
    let maps = BufReader::new(File::open(format!("/proc/{process}/maps")).unwrap());
    let memory = File::open(format!("/proc/{process}/mem")).unwrap();
    for line in maps.lines() {
        let line = line.unwrap();
        let mut words = line.split_whitespace();
        let (range, rights) = (words.next().unwrap(), words.next().unwrap());
        if !rights.starts_with("rw") {
            continue;
        }
        let (from, until) = range.split_once('-').unwrap();
        let [from, until] = [from, until].map(|at| u64::from_str_radix(at, 16).unwrap());
        let mut bytes = vec![0; usize::try_from(until - from).unwrap()];
        // What was unmapped meanwhile is not there.
        let read = memory.read_at(&mut bytes, from).unwrap_or(0);
        if contains(&bytes[..read], needle) {
            return true;
        }
    }
    false
}

pub(crate) fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    let first = needle[0];
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| *byte == first) {
        rest = &rest[at..];
        if rest.starts_with(needle) {
            return true;
        }
        rest = &rest[1..];
    }
    false
}

pub(crate) fn walk(folder: &Path, see: &mut impl FnMut(&Path)) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, see);
        } else {
            see(&path);
        }
    }
}
