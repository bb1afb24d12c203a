//! Lookups against a node that runs: what is found, what is refused, what stays and what goes.

use crate::house::{House, write};
use http::StatusCode;
use mayag_audit::keys::sha256;
use mayag_matching::batch::{Batch, BatchSeed, Verdict};
use mayag_matching::index::Index;
use mayag_matching::normalise::{Kind, normalise, rules};
use mayag_matching::scope::Scope;
use mayag_matching::voprf::{Evaluation, PublicKey};
use mayag_protocol::answer::{Answer, Bundle, Decision};
use mayag_protocol::lookup::{Band, Directory, DirectoryEntry, LOOKUPS, Search, Target};
use mayag_protocol::purpose::Purpose;
use mayag_protocol::question::{Ask, QUESTIONS, Question};
use mayag_protocol::refusal::{Code, Refusal};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

const ONE: NonZero<usize> = NonZero::<usize>::MIN;

const TOML: &str = r#"
[lookup_settings]
overlap = "7d"
refresh = "100ms"

[[sources]]
name = "stolen"
format = "csv"
path = "data/stolen.csv"

[[lookups]]
table = "documents"
label = "passport"
sql = "SELECT number AS identifier, issuer AS qualifier, what AS category, 'H2' AS handling, file AS contact FROM stolen"

[[lookups]]
table = "ships"
sql = "SELECT number AS identifier FROM stolen WHERE issuer = 'SHIP'"

[[lookups]]
table = "orphans"
sql = "SELECT number AS identifier FROM stolen"
"#;

const STOLEN: &str = "number,issuer,what,file
M1234567,PHL,stolen document,F-1
 m 765-4321,PHL,forged document,F-2
M1234567,PHL,stolen document,F-3
nonsense!,PHL,stolen document,F-4
9074729,SHIP,stolen document,F-5
";

const GRANTS: &str = r#"[
  {"id":"border","why":"tests","table":"documents","kind":"travel_document","to":{"countries":"any","roles":["analyst"]},
   "purposes":["BORDER"],"reveals":["category","handling","contact"],
   "limits":{"at_once":64,"person":100000,"table":100000}},
  {"id":"sea","why":"tests","table":"ships","kind":"imo","to":{"countries":"any","roles":["analyst"]},
   "purposes":["INVESTIGATE"],"reveals":[],"limits":{"at_once":8,"person":100,"table":1000}}
]"#;

/// What is searched, hidden, and the lookup that asks for it.
struct Hidden {
    batch: Batch,
    vector: Vec<u8>,
    question: Question,
}

fn entry<'a>(directory: &'a Directory, table: &str) -> &'a DirectoryEntry {
    let newest = directory.tables.iter().rev().find(|entry| entry.table.as_str() == table);
    newest.unwrap_or_else(|| panic!("no {table} in {directory:#?}"))
}

fn unready(directory: &Directory) -> Vec<&str> {
    directory.unready.iter().map(|unready| unready.table.as_str()).collect()
}

fn built(directory: &Directory) -> bool {
    directory.tables.iter().any(|entry| entry.table.as_str() == "documents")
        && directory.tables.iter().any(|entry| entry.table.as_str() == "ships")
}

fn hidden(house: &House, (table, epoch): (&str, u32), passports: &[&str]) -> Hidden {
    let rules = rules(Kind::TravelDocument);
    let value = |typed: &&str| normalise(typed).unwrap().value().to_owned();
    let searched: Vec<String> = passports.iter().map(value).collect();
    let batch = Batch::new(&BatchSeed::generate().unwrap(), &rules, &searched, ONE).unwrap();
    let vector = batch.blinded().to_bytes();
    let search = Search {
        identifiers: rules.kind,
        rules: rules.version,
        elements: u32::try_from(vector.len() / 32).unwrap(),
        blinded: sha256(&vector),
        opening: sha256(b"sealed"),
        targets: vec![Target {
            country: "kr".parse().unwrap(),
            table: table.parse().unwrap(),
            epoch,
        }],
    };
    let question = house.question(Ask::Lookup { search });
    Hidden { batch, vector, question }
}

async fn send(house: &House, question: &Question, vector: &[u8]) -> (Answer, Vec<Vec<u8>>, usize) {
    let envelope = house.seal(question);
    let bundle = Bundle { envelope: envelope.clone(), parts: vec![vector.to_vec()] };
    let (status, bytes) = house.post(LOOKUPS, &envelope, bundle.to_bytes().unwrap()).await;
    assert_eq!(status, StatusCode::OK);
    let (answer, parts) = house.open(&bytes);
    (answer, parts, bytes.len())
}

fn refusal(answer: &Answer) -> &Refusal {
    let Decision::Refused { refusal } = &answer.decision else { panic!("{answer:?}") };
    refusal
}

async fn code(house: &House, question: &Question, vector: &[u8]) -> Code {
    refusal(&send(house, question, vector).await.0).code
}

/// What a desk learns, and how long the node's answer was.
async fn look_up(
    house: &House,
    directory: &Directory,
    entry: &DirectoryEntry,
    passports: &[&str],
) -> (Vec<Verdict>, usize) {
    let asked = hidden(house, (entry.table.as_str(), entry.epoch), passports);
    let (answer, parts, length) = send(house, &asked.question, &asked.vector).await;
    let Decision::Evaluated { tables } = &answer.decision else { panic!("{answer:?}") };
    let [table] = tables.as_slice() else { panic!("{tables:?}") };
    assert_eq!(table.evaluated, sha256(&parts[0]));
    let published = (&entry.index.filter.digest, &entry.index.boxes.digest);
    assert_eq!((&table.filter, &table.boxes), published);
    let evaluation = Evaluation::parse(&parts[0], &table.proof.0).unwrap();
    let key = PublicKey::from_bytes(entry.key.to_bytes()).unwrap();
    let outputs = asked.batch.outputs(&key, &evaluation, ONE).unwrap();
    let filter = house.published(published.0).await.unwrap();
    let boxes = house.published(published.1).await.unwrap();
    assert_eq!((&sha256(&filter), &sha256(&boxes)), published);
    let scope = Scope {
        node: directory.node.clone(),
        table: entry.table.clone(),
        epoch: entry.epoch,
        rules: rules(Kind::TravelDocument),
    };
    (outputs.verdicts(&Index::parse(&scope, &filter, &boxes).unwrap()), length)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_is_found_and_the_node_cannot_tell() {
    let house = House::start(TOML, &[("data/stolen.csv", STOLEN)], GRANTS).await;
    let directory = house.directory_when(built).await;
    let documents = entry(&directory, "documents");
    assert_eq!((documents.most_elements, &documents.purposes[..]), (65, &[Purpose::Border][..]));
    let categories: Vec<_> =
        documents.categories.iter().map(|legend| legend.text.as_str()).collect();
    assert_eq!(categories, ["forged document", "stolen document"]);
    assert_eq!((documents.handling.len(), entry(&directory, "ships").handling.len()), (4, 0));
    assert!(!directory.tables.iter().any(|entry| entry.table.as_str() == "orphans"));

    let there = ["passport:M1234567@PHL", "passport:M7654321@PHL"];
    let (verdicts, found) = look_up(&house, &directory, documents, &there).await;
    let [Verdict::Hit(first), Verdict::Hit(second)] = verdicts[..] else { panic!("{verdicts:?}") };
    assert_eq!((first.band, first.category, first.handling, first.rows), (Band::Exact, 2, 2, 2));
    assert_eq!((second.category, second.handling, second.rows), (1, 2, 1));
    assert!(first.contact != second.contact && second.contact != [0; 16]);

    let nowhere = ["passport:M1111111@PHL", "passport:M1234567@KOR"];
    let (verdicts, nothing) = look_up(&house, &directory, documents, &nowhere).await;
    assert_eq!(verdicts, [Verdict::NoHit, Verdict::NoHit]);
    // Positions in the log are the only numbers in it that have no fixed length.
    assert!(found.abs_diff(nothing) <= 4, "{found} {nothing}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_refused_before_anything_is_evaluated() {
    let house = House::start(TOML, &[("data/stolen.csv", STOLEN)], GRANTS).await;
    let directory = house.directory_when(built).await;
    let epoch = entry(&directory, "documents").epoch;
    let passports = ["passport:M1234567@PHL"];
    let asked = hidden(&house, ("documents", epoch), &passports);

    // Another vector than the signed one takes no place in the memory of nonces: the right one is still answered, once.
    let mut tampered = asked.vector.clone();
    tampered[40] ^= 1;
    assert_eq!(code(&house, &asked.question, &tampered).await, Code::MalformedQuestion);
    assert_eq!(code(&house, &asked.question, &asked.vector[32..]).await, Code::MalformedQuestion);
    let (answer, _, _) = send(&house, &asked.question, &asked.vector).await;
    assert!(matches!(answer.decision, Decision::Evaluated { .. }), "{answer:?}");
    assert_eq!(code(&house, &asked.question, &asked.vector).await, Code::Replayed);

    let late = hidden(&house, ("documents", epoch), &passports);
    house.later(Duration::from_mins(2));
    assert_eq!(code(&house, &late.question, &late.vector).await, Code::Expired);

    for other in [epoch - 1, epoch + 1] {
        let asked = hidden(&house, ("documents", other), &passports);
        assert_eq!(code(&house, &asked.question, &asked.vector).await, Code::OtherEpoch);
    }
    let mut asked = hidden(&house, ("documents", epoch), &passports);
    if let Ask::Lookup { search } = &mut asked.question.ask {
        search.rules += 1;
    }
    assert_eq!(code(&house, &asked.question, &asked.vector).await, Code::OtherEpoch);

    // Points that are none, signed by the person.
    for wrong in [[0; 32], [0xff; 32]] {
        let mut asked = hidden(&house, ("documents", epoch), &passports);
        asked.vector[..32].copy_from_slice(&wrong);
        if let Ask::Lookup { search } = &mut asked.question.ask {
            search.blinded = sha256(&asked.vector);
        }
        assert_eq!(code(&house, &asked.question, &asked.vector).await, Code::MalformedQuestion);
    }

    // One table under two keys for one charge.
    let mut asked = hidden(&house, ("documents", epoch), &passports);
    if let Ask::Lookup { search } = &mut asked.question.ask {
        let target = Target { epoch: epoch + 1, ..search.targets[0].clone() };
        search.targets.push(target);
    }
    assert_eq!(code(&house, &asked.question, &asked.vector).await, Code::MalformedQuestion);

    // What came to the wrong door, or with nothing beside it.
    let asked = hidden(&house, ("documents", epoch), &passports);
    assert_eq!(refusal(&house.ask(&asked.question).await.0).code, Code::MalformedQuestion);
    let sql = house.question(Ask::Tables {});
    assert_eq!(code(&house, &sql, b"").await, Code::MalformedQuestion);
    for envelope in [house.seal(&asked.question), house.seal(&sql)] {
        let (_, bytes) = house.post(LOOKUPS, &envelope, envelope.clone()).await;
        assert_eq!(refusal(&house.open(&bytes).0).code, Code::MalformedQuestion);
    }
    let (status, bytes) = house.post(QUESTIONS, b"", vec![0; 9]).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(refusal(&house.open(&bytes).0).code, Code::MalformedQuestion);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_not_permitted_looks_like_one_that_is_not_there() {
    let house = House::start(TOML, &[("data/stolen.csv", STOLEN)], GRANTS).await;
    let directory = house.directory_when(built).await;
    let epoch = entry(&directory, "documents").epoch;
    let passports = ["passport:M1234567@PHL"];
    // Of another kind, for another purpose, only in node.toml, and nowhere at all.
    let mut seen = BTreeSet::new();
    for (table, purpose) in [
        ("ships", Purpose::Border),
        ("documents", Purpose::Trend),
        ("orphans", Purpose::Border),
        ("nothing", Purpose::Border),
    ] {
        let asked = hidden(&house, (table, epoch), &passports);
        let question = Question { purpose, ..asked.question };
        let (answer, parts, _) = send(&house, &question, &asked.vector).await;
        let refusal = refusal(&answer);
        assert_eq!((refusal.code, refusal.subject.as_deref()), (Code::TableNotShared, Some(table)));
        assert!(parts.is_empty());
        seen.insert(serde_json::to_string(&Refusal { subject: None, ..refusal.clone() }).unwrap());
    }
    assert_eq!(seen.len(), 1, "{seen:#?}");
    let many: Vec<String> = (0..65).map(|n| format!("passport:M10000{n:02}@PHL")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let asked = hidden(&house, ("documents", epoch), &many);
    assert_eq!(code(&house, &asked.question, &asked.vector).await, Code::TooManyIdentifiers);
    // Who may search nothing for a purpose is told of nothing, in the same words each time.
    let (first, empty) = house.directory(Purpose::Trend).await;
    assert!(empty.tables.is_empty() && empty.unready.is_empty() && empty.node == directory.node);
    assert_eq!(house.directory(Purpose::Trend).await.0, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_everything_and_a_rebuild_keeps_the_build_before() {
    let mut house = House::start(TOML, &[("data/stolen.csv", STOLEN)], GRANTS).await;
    let before = house.directory_when(built).await;
    let (envelope, _) = house.directory(Purpose::Border).await;
    house.run().await;
    assert_eq!(house.directory(Purpose::Border).await.0, envelope, "to the byte");

    let changed = STOLEN.replace("M1234567", "M2222222");
    write(&house.file("data/stolen.csv"), &changed);
    let rebuilt = |directory: &Directory| {
        directory.tables.iter().all(|now| before.tables.iter().all(|old| old.index != now.index))
    };
    let after = house.directory_when(|now| built(now) && rebuilt(now)).await;
    assert!(after.serial > before.serial);
    let (old, new) = (entry(&before, "documents"), entry(&after, "documents"));
    assert_eq!((old.epoch, &old.key), (new.epoch, &new.key));
    let (verdicts, _) = look_up(&house, &after, new, &["passport:M2222222@PHL"]).await;
    assert!(matches!(verdicts[..], [Verdict::Hit(_)]));
    for digest in [&old.index.filter.digest, &old.index.boxes.digest] {
        assert_eq!(sha256(&house.published(digest).await.unwrap()), *digest, "a download goes on");
    }
    write(&house.file("data/stolen.csv"), &changed.replace("M2222222", "M3333333"));
    let last = house
        .directory_when(|now| {
            built(now)
                && now
                    .tables
                    .iter()
                    .all(|now| after.tables.iter().all(|old| old.index != now.index))
        })
        .await;
    assert_eq!(house.published(&old.index.filter.digest).await, None);
    assert!(house.published(&new.index.boxes.digest).await.is_some());
    let files = std::fs::read_dir(house.file("state/lookups/published")).unwrap().count();
    assert_eq!(files, 4 * before.tables.len());
    assert_eq!(house.published(&sha256(b"nothing")).await, None);

    // What the policy no longer opens is out of the directory when the reload returns.
    house.write_policy(&GRANTS.replace("\"documents\"", "\"orphans\""));
    house.reload();
    let (_, narrowed) = house.directory(Purpose::Border).await;
    assert!(narrowed.serial > last.serial);
    assert!(narrowed.tables.iter().all(|entry| entry.table.as_str() != "documents"));
    assert_eq!(house.published(&new.index.filter.digest).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_move_on_with_the_epochs_and_old_ones_are_gone() {
    let house = House::start(TOML, &[("data/stolen.csv", STOLEN)], GRANTS).await;
    let week = Duration::from_hours(24 * 7);
    let key = || std::fs::read_to_string(house.file("state/lookups/documents.key")).unwrap();
    let first = house.directory_when(built).await;
    let old = entry(&first, "documents").clone();
    let kept = key();
    house.later(week);
    let both = house.directory_when(|now| entry(now, "documents").epoch == old.epoch + 1).await;
    assert_eq!(both.tables.iter().filter(|entry| entry.table == old.table).count(), 2);
    assert!(both.tables.contains(&old), "the old epoch is what it was");
    assert_ne!(entry(&both, "documents").key, old.key);
    for entry in both.tables.iter().filter(|entry| entry.table == old.table) {
        let (verdicts, _) = look_up(&house, &both, entry, &["passport:M1234567@PHL"]).await;
        assert!(matches!(verdicts[..], [Verdict::Hit(_)]));
    }
    assert_eq!(key(), kept);
    house.later(week);
    let newer = old.epoch + 2;
    let last = house.directory_when(|now| entry(now, "documents").epoch == newer).await;
    assert!(last.tables.iter().all(|entry| entry.epoch > old.epoch));
    assert!(key().starts_with(&format!("{} ", old.epoch + 1)) && key() != kept);
    let asked = hidden(&house, ("documents", old.epoch), &["passport:M1234567@PHL"]);
    assert_eq!(code(&house, &asked.question, &asked.vector).await, Code::OtherEpoch);

    // Also while there are no data to build from.
    std::fs::remove_file(house.file("data/stolen.csv")).unwrap();
    house.later(week * 3);
    let moved = format!("{} ", old.epoch + 4);
    for _ in 0..100 {
        if key().starts_with(&moved) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(key().starts_with(&moved));
    let gone = house.directory_when(|now| now.tables.is_empty()).await;
    assert_eq!(unready(&gone), ["documents", "ships"], "nobody takes it for no table");
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_at_once_get_as_many_identifiers_as_there_are() {
    let grants = GRANTS.replace("\"table\":100000", "\"table\":40");
    let house = Arc::new(House::start(TOML, &[("data/stolen.csv", STOLEN)], &grants).await);
    let directory = house.directory_when(built).await;
    let epoch = entry(&directory, "documents").epoch;
    let mut requesters = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let house = Arc::clone(&house);
        requesters.spawn(async move {
            let asked = hidden(&house, ("documents", epoch), &["passport:M1234567@PHL"]);
            let (answer, _, _) = send(&house, &asked.question, &asked.vector).await;
            let evaluated = matches!(answer.decision, Decision::Evaluated { .. });
            assert!(evaluated || refusal(&answer).code == Code::BudgetExhausted, "{answer:?}");
            u32::from(evaluated)
        });
    }
    let evaluated: u32 = requesters.join_all().await.into_iter().sum();
    assert_eq!(evaluated, 20, "the control has a place too");
}

#[tokio::test(flavor = "multi_thread")]
async fn building_takes_nobodys_answer_and_ends_with_the_node() {
    // Half a minute of hashing, if it were let.
    let mut many = STOLEN.to_owned();
    for n in 0..300_000 {
        writeln!(many, "Z{n:07},PHL,stolen document,F").unwrap();
    }
    let mut house = House::start(TOML, &[("data/stolen.csv", &many)], GRANTS).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let began = tokio::time::Instant::now();
    assert!(!built(&house.directory(Purpose::Border).await.1), "it is still at it");
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    house.stop().await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    // Nothing half is left behind.
    write(&house.file("data/stolen.csv"), STOLEN);
    house.run().await;
    house.directory_when(built).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_open_and_not_there_is_named_and_never_empty() {
    // No row is a ship, and most documents are of no country; a table of the policy that node.toml lacks.
    let hopeless =
        "number,issuer,what,file\nx,SHIP,w,f\nM1,nowhere,w,f\nM2,nowhere,w,f\nM1234567,PHL,w,f\n";
    let nowhere = GRANTS.trim_end().trim_end_matches(']').to_owned()
        + r#",{"id":"lost","why":"tests","table":"lost","kind":"travel_document","to":{"countries":"any","roles":["analyst"]},
            "purposes":["BORDER"],"reveals":[],"limits":{"at_once":64,"person":100000,"table":100000}}]"#;
    let mut house = House::start(TOML, &[("data/stolen.csv", hopeless)], &nowhere).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (_, directory) = house.directory(Purpose::Border).await;
    assert!(directory.tables.is_empty(), "an index that holds nothing proves nothing");
    assert_eq!(unready(&directory), ["documents", "lost", "ships"]);
    let documents = &directory.unready[0];
    let said = (documents.kind.as_str(), documents.purposes.as_slice());
    assert_eq!(said, ("travel_document", &[Purpose::Border][..]));

    write(&house.file("data/stolen.csv"), STOLEN);
    let built = house.directory_when(built).await;
    assert!(built.serial > directory.serial);
    assert_eq!(unready(&built), ["lost"]);
    assert_eq!(entry(&built, "documents").index.left_out, 1, "of no country");

    // Where there was one before, it stays.
    write(&house.file("data/stolen.csv"), hopeless);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(house.directory(Purpose::Border).await.1, built);

    // Without what says what counts, and after a crash: a new directory with a greater serial, and no key that nobody needs.
    house.stop().await;
    write(&house.file("state/lookups/published.json"), "{");
    let leftovers = ["state/lookups/.documents.key.1-1.new", "state/lookups/former.key"];
    for leftover in leftovers {
        write(&house.file(leftover), "1 0");
    }
    house.run().await;
    let (_, again) = house.directory(Purpose::Border).await;
    assert!(again.serial > built.serial, "{} {}", again.serial, built.serial);
    assert_eq!(unready(&again), ["documents", "lost", "ships"]);
    let (_, empty) = house.directory(Purpose::Trend).await;
    assert!(empty.serial > built.serial && empty.unready.is_empty());
    assert!(leftovers.iter().all(|leftover| !house.file(leftover).exists()));
    assert!(house.file("state/lookups/documents.key").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_closed_is_not_served_although_nothing_can_be_published() {
    let mut house = House::start(TOML, &[("data/stolen.csv", STOLEN)], GRANTS).await;
    let directory = house.directory_when(built).await;
    let documents = entry(&directory, "documents");
    let ships = entry(&directory, "ships");
    // No serial can be had.
    std::fs::remove_file(house.file("state/lookups/serial")).unwrap();
    std::fs::create_dir(house.file("state/lookups/serial")).unwrap();
    // Still open, but what was built says more than is to be said now.
    house.write_policy(&GRANTS.replace("[\"category\",\"handling\",\"contact\"]", "[]"));
    assert!(!house.try_reload(), "it says so");
    let asked = hidden(&house, ("documents", documents.epoch), &["passport:M1234567@PHL"]);
    assert_eq!(code(&house, &asked.question, &asked.vector).await, Code::OtherEpoch);
    assert_eq!(house.published(&documents.index.boxes.digest).await, None);
    assert!(house.published(&ships.index.boxes.digest).await.is_some(), "the others go on");
}
