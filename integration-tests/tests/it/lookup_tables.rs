//! The tables that a node publishes for lookups: what a killed node leaves behind, what its logs know, and what is seen of a
//! table's rows anywhere (nothing).

use mayag_audit::entry::{Entry, Type};
use mayag_audit::keys::{Ed25519, sha256};
use mayag_audit::party::Book;
use mayag_integration_tests::raw;
use mayag_integration_tests::sealed::{self, analyst_key, key, question, seal};
use mayag_integration_tests::world::World;
use mayag_integration_tests::world::lookups::{TABLE, searchable};
use mayag_matching::batch::{Batch, BatchSeed};
use mayag_matching::normalise::{Kind, rules};
use mayag_protocol::answer::{Answer, Bundle, Decision};
use mayag_protocol::envelope::{Envelope, PayloadType};
use mayag_protocol::lookup::{
    Directory, LONGEST_DIRECTORY, LOOKUPS, PUBLISHED, Published, Search, Target, Wanted,
};
use mayag_protocol::purpose::Purpose;
use mayag_protocol::question::{Ask, QUESTIONS, Question};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::time::Duration;

async fn post(world: &World, path: &str, body: Vec<u8>) -> (u16, Vec<u8>) {
    let gateway = world.pki.pki.join("gateway-1");
    let shown = Some((gateway.as_path(), "client"));
    let (status, bytes) = raw::post(&world.address("kr"), shown, path, body).await.unwrap();
    (status.as_u16(), bytes.to_vec())
}

fn asking(world: &World, ask: Ask) -> Vec<u8> {
    let question = Question { ask, purpose: Purpose::Investigate, ..question(&["kr"], "") };
    seal(&question, &analyst_key(world))
}

/// The signed directory, in its envelope and opened.
async fn directory(world: &World) -> (Vec<u8>, Directory) {
    let (status, bytes) = post(world, QUESTIONS, asking(world, Ask::Tables {})).await;
    assert_eq!(status, 200);
    let [envelope] = <[Vec<u8>; 1]>::try_from(Bundle::parse(&bytes).unwrap().parts).unwrap();
    let keys = [key(&world.pki.pki.join("node-kr"), "answer.key").public().clone()];
    let opened = Envelope::parse(&envelope, LONGEST_DIRECTORY).unwrap();
    let opened = opened.open(PayloadType::Directory, &keys, 1, &Ed25519).unwrap();
    (envelope, opened.parse().unwrap())
}

async fn directory_when(world: &World, awaited: impl Fn(&Directory) -> bool) -> Directory {
    for _ in 0..600 {
        let (_, directory) = directory(world).await;
        if awaited(&directory) {
            return directory;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("not within half a minute:\n{}", world.stderr("kr"));
}

/// What the directory names can be had, to the byte.
async fn is_whole(world: &World, published: &Published) {
    let (country, offset) = ("kr".parse().unwrap(), 0);
    let wanted = Wanted { country, digest: published.digest.clone(), offset };
    let (status, bytes) = post(world, PUBLISHED, serde_json::to_vec(&wanted).unwrap()).await;
    assert_eq!((status, bytes.len() as u64), (200, published.bytes));
    assert_eq!(sha256(&bytes), published.digest);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_killed_while_it_publishes_has_the_old_tables_or_the_new_ones() {
    let mut world = World::prepare(&[searchable("kr", 64, "")]);
    let documents = |round: u64| -> Vec<[String; 6]> {
        let document = |n: u64| {
            let number = format!("M{:08}", n * 100 + round);
            ["passport", &number, "PHL", "stolen document", "H1", "CANARY-ROW"].map(str::to_owned)
        };
        (0..200).map(document).collect()
    };
    let write = |world: &World, round| {
        let documents = documents(round);
        let documents: Vec<[&str; 6]> =
            documents.iter().map(|document| document.each_ref().map(String::as_str)).collect();
        world.write_documents("kr", &documents);
    };
    write(&world, 0);
    let path = world.dir().join("kr/node.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    let often = config.replace("refresh = \"1s\"", "refresh = \"100ms\"");
    assert_ne!(often, config);
    std::io::Write::write_all(&mut std::fs::File::create(&path).unwrap(), often.as_bytes())
        .unwrap();
    world.start_node("kr");
    let mut last = directory_when(&world, |directory| !directory.tables.is_empty()).await;
    let key = last.tables[0].key.clone();
    for round in 1..=8 {
        write(&world, round);
        // The data are looked at ten times a second, and a build takes about as long.
        tokio::time::sleep(Duration::from_millis(80 + round * 30)).await;
        world.kill_node("kr");
        world.start_node("kr");
        let (_, now) = directory(&world).await;
        let [entry] = now.tables.as_slice() else { panic!("round {round}: {now:#?}") };
        assert_eq!(entry.key, key);
        assert!(now == last || now.serial > last.serial, "round {round}");
        is_whole(&world, &entry.index.filter).await;
        is_whole(&world, &entry.index.boxes).await;
        last = now;
    }
    write(&world, 9);
    let last = directory_when(&world, |directory| directory.serial > last.serial).await;
    let (envelope, _) = directory(&world).await;
    let said = format!("lookups {} {}", last.serial, sha256(&envelope));
    let published = |entry: &&Entry| {
        entry.kind == Type::Configuration && entry.decision.as_deref() == Some("published")
    };
    let entries = world.logged_in("kr", Book::Administration, |entries| {
        entries.iter().filter(published).any(|entry| entry.about.as_deref() == Some(&said))
    });
    let serials: Vec<u64> = entries
        .iter()
        .filter(published)
        .map(|entry| entry.about.as_ref().unwrap().split(' ').nth(1).unwrap().parse().unwrap())
        .collect();
    assert!(serials.is_sorted_by(|one, next| one < next), "{serials:?}");

    let mut files = Vec::new();
    walk(&world.dir().join("kr"), &mut files);
    let holding = |path: &&PathBuf| {
        let bytes = std::fs::read(path).unwrap_or_default();
        String::from_utf8_lossy(&bytes).contains("CANARY-ROW")
    };
    let holding: Vec<&PathBuf> = files.iter().filter(holding).collect();
    assert_eq!(holding, [&world.dir().join("kr/data/documents.csv")], "rows are in the data alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_searches_very_many_identifiers_is_noticed_once() {
    let mut world = World::prepare(&[searchable("kr", 512, "")]);
    let documents = [
        ["passport", "M99000001", "PHL", "stolen document", "H9", "SYNTH-1"],
        ["passport", "!", "PHL", "stolen document", "H1", ""],
    ];
    world.write_documents("kr", &documents);
    world.start_node("kr");
    let directory = directory_when(&world, |directory| !directory.tables.is_empty()).await;
    let rules = rules(Kind::TravelDocument);
    for _ in 0..3 {
        let searched: Vec<String> = (0..500).map(|n| format!("PHL:P:M{n:08}")).collect();
        let seed = BatchSeed::generate().unwrap();
        let batch = Batch::new(&seed, &rules, &searched, NonZero::<usize>::MIN).unwrap();
        let vector = batch.blinded().to_bytes();
        let target = Target {
            country: "kr".parse().unwrap(),
            table: TABLE.parse().unwrap(),
            epoch: directory.tables[0].epoch,
        };
        let search = Search {
            identifiers: rules.kind.clone(),
            rules: rules.version,
            elements: 513,
            blinded: sha256(&vector),
            opening: sha256(b"sealed"),
            targets: vec![target],
        };
        let envelope = asking(&world, Ask::Lookup { search });
        let body = Bundle { envelope, parts: vec![vector] }.to_bytes().unwrap();
        let (_, bytes) = post(&world, LOOKUPS, body).await;
        let answer: Answer = sealed::open(&world, "kr", &bytes);
        assert!(matches!(answer.decision, Decision::Evaluated { .. }), "{answer:?}");
    }
    let admitted = |entry: &&Entry| {
        entry.kind == Type::Admitted && entry.datasets.iter().any(|name| name.as_str() == TABLE)
    };
    let entries = world.logged("kr", |entries| entries.iter().filter(admitted).count() == 3);
    let about: Vec<_> =
        entries.iter().filter(admitted).map(|entry| entry.about.as_deref()).collect();
    assert_eq!(about, [None, Some("many_identifiers"), None], "at 1,024 of them, and once");
    let said = world.stderr("kr");
    assert_eq!(said.matches("searches many identifiers").count(), 1, "{said}");
    assert!(said.contains("\"problems\":\"empty 1, unknown_handling 1\""), "{said}");
    assert!(!said.contains("M99000001") && !said.contains("/analyst/ana"), "{said}");
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { walk(&path, files) } else { files.push(path) }
    }
}
