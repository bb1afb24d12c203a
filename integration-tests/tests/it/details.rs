//! Details of log entries: every entry about a person has one, only that country's auditor opens it, what was changed is
//! found, and what was erased leaves every proof.

use mayag_audit::checkpoint::Origin;
use mayag_audit::detail::{Content, DetailError, Place, RecipientSecret, open};
use mayag_audit::entry::{Entry, ReadFor, Type};
use mayag_audit::party::{self, Book};
use mayag_certs_dev::pki::Pki;
use mayag_integration_tests::logs;
use mayag_integration_tests::raw;
use mayag_integration_tests::world::{
    World, analyst_identity, gateway_identity, node_identity, now, one_answers_and_one_refuses,
};
use mayag_protocol::identity::Identity;
use mayag_protocol::question::Ask;
use mayag_transport::details::{self, DETAILS, Kept, MONTHS};
use mayag_transport::files::{self, Mode};
use mayag_transport::requests::REQUESTS;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const SQL: &str = "SELECT drug, count(*) AS n FROM seizures GROUP BY drug";
const CASE: &str = "2026-0412";

fn parties() -> [(&'static str, Identity); 3] {
    [("kr", node_identity("kr")), ("us", node_identity("us")), ("gateway", gateway_identity())]
}

fn key_file(world: &World, party: &Identity) -> PathBuf {
    Pki::open(world.dir()).expect("the PKI").auditor_key(party)
}

fn auditor(world: &World, party: &Identity) -> RecipientSecret {
    let pem = fs::read_to_string(key_file(world, party)).expect("a key file");
    RecipientSecret::from_pem(&pem).expect("an auditor's key")
}

/// Asks in a case, and waits until all logs hold how it ended; the question's id.
fn ask(world: &World) -> String {
    let code = world.ask("kr", SQL, &["--case", CASE, "--legal-basis", "Art. 5"]).status.code();
    assert_eq!(code, Some(3), "one country answers, one refuses");
    let ended = |kind| move |entries: &[Entry]| entries.iter().any(|entry| entry.kind == kind);
    world.logged("kr", ended(Type::Answered));
    world.logged("us", ended(Type::Refused));
    let entries = of(world, "gateway", &gateway_identity(), Book::Questions, ended(Type::Released));
    let last = entries.iter().rfind(|entry| entry.kind == Type::Released).expect("a release");
    last.question.as_ref().expect("a question").to_string()
}

fn of(
    world: &World,
    folder: &str,
    party: &Identity,
    book: Book,
    awaited: impl Fn(&[Entry]) -> bool,
) -> Vec<Entry> {
    logs::entries_when((world.dir(), &world.dir().join(folder), party, book), awaited)
}

/// The entries of administration of this type, once there are any.
fn administration(world: &World, folder: &str, party: &Identity, kind: Type) -> Vec<Entry> {
    let awaited = |entries: &[Entry]| entries.iter().any(|entry| entry.kind == kind);
    let mut entries = of(world, folder, party, Book::Administration, awaited);
    entries.retain(|entry| entry.kind == kind);
    entries
}

/// Opens the detail of an entry of a party's log of questions.
fn opened(
    state: &Path,
    party: &Identity,
    entry: &Entry,
    secret: &RecipientSecret,
) -> Result<Content, DetailError> {
    let detail = entry.detail.as_ref().expect("a detail");
    let Kept { file, month } =
        details::find(state, &detail.ct_sha256).expect("a file").expect("the detail is there");
    let origin = party::origin(party, Book::Questions, &party::year(now())).expect("a name");
    let origin: Origin = origin.as_str().parse().expect("a log's name");
    let place = Place { origin: &origin, question: entry.question.as_ref(), kind: entry.kind };
    let opened = open(&file, detail, &place, secret, month.as_ref())?;
    Ok(Content::parse(opened.plaintext()).expect("a detail"))
}

fn run(world: &World, arguments: &[&str]) -> (i32, String, String) {
    let output = world.mayag(&[&["audit"], arguments].concat());
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

/// `mayag audit open` with the key of this party's auditor.
fn open_with(world: &World, list: &str, party: &Identity, more: &[&str]) -> (i32, String, String) {
    let key = key_file(world, party);
    let key = key.to_str().expect("UTF-8");
    let fixed = ["--list", list, "--key", key, "--purpose", "lawfulness", "--reader", "ada"];
    run(world, &[&["open"], more, &fixed].concat())
}

fn replace(path: &Path, bytes: &[u8]) {
    files::replace(path, bytes, Mode::Secret).expect("a file");
}

#[test]
fn every_entry_about_a_person_has_a_detail_that_its_own_auditor_opens() {
    let world = one_answers_and_one_refuses();
    ask(&world);
    let mut details = 0;
    for (folder, party) in parties() {
        let state = world.dir().join(folder).join("state");
        let entries = of(&world, folder, &party, Book::Questions, |_| true);
        let detailed: Vec<&Entry> =
            entries.iter().filter(|entry| entry.needs_detail() || entry.detail.is_some()).collect();
        assert!(!detailed.is_empty(), "{folder}");
        for entry in detailed {
            details += 1;
            let content = opened(&state, &party, entry, &auditor(&world, &party)).expect("opens");
            assert_eq!(content.person, analyst_identity("kr").to_string());
            let (question, digest) = content.asked().expect("a question");
            assert_eq!(Some(&digest), entry.question_digest.as_ref());
            assert_eq!(question.case.as_deref(), Some(CASE));
            assert_eq!(question.legal_basis.as_deref(), Some("Art. 5"));
            assert_eq!(question.ask, Ask::Sql { sql: SQL.to_owned() });
            for (_, other) in parties().iter().filter(|(_, other)| *other != party) {
                let refused = opened(&state, &party, entry, &auditor(&world, other));
                assert_eq!(refused.err(), Some(DetailError::OtherRecipient), "{folder}");
            }
        }
        // Nothing of it can be read without a key.
        let names = fs::read_dir(state.join(DETAILS)).expect("details");
        for month in names.map(|month| month.expect("a month").path()) {
            for file in fs::read_dir(month).expect("a month") {
                let text = fs::read_to_string(file.expect("a file").path()).expect("JSON");
                assert!(
                    !text.contains("SELECT") && !text.contains(CASE) && !text.contains("analyst/")
                );
            }
        }
    }
    assert_eq!(details, 3, "received, admitted, refused");
}

#[test]
fn an_auditor_opens_a_question_finds_what_was_changed_and_what_was_erased() {
    let world = one_answers_and_one_refuses();
    let question = ask(&world);
    logs::list(world.dir(), &parties());
    let kr = node_identity("kr");

    let (code, said, error) = open_with(&world, "verify.txt", &kr, &[&question]);
    assert_eq!(code, 0, "{said}{error}");
    for line in ["person       spiffe://test/country/kr/analyst/ana", SQL, CASE, "Art. 5"] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert_eq!(said.matches("to other auditors").count(), 2, "{said}");
    assert!(said.contains("signature    not checked"), "{said}");
    // All three parties have in their log that their details are read, and by nobody who can be read there.
    for (folder, party) in parties() {
        let reads = administration(&world, folder, &party, Type::LogRead);
        assert_eq!(reads.len(), 1, "{folder}");
        assert_eq!(reads[0].read_for, Some(ReadFor::Lawfulness));
        assert_eq!(reads[0].question.as_ref().map(ToString::to_string), Some(question.clone()));
        assert!(reads[0].detail.is_some());
    }
    // Who asked is proved by the signature and the roster, and not by what a party says.
    let with = [&question, "--roster", "pki/roster.json", "--roster-keys", "pki/roster.keys"];
    let (code, said, error) = open_with(&world, "verify.txt", &kr, &with);
    assert!(code == 0 && said.contains("signature    verified"), "{said}{error}");
    run(&world, &["search", "--list", "verify.txt", "--read-for", "self-monitoring"]);
    let awaited =
        |entries: &[Entry]| entries.iter().any(|entry| entry.about.as_deref() == Some("search"));
    of(&world, "kr", &kr, Book::Administration, awaited);

    a_copy_is_read_with_a_notice(&world, &question);

    // One byte of the detail is another one.
    let entries = world.logged("kr", |_| true);
    let entry = entries.iter().find(|entry| entry.detail.is_some()).expect("a detail");
    let detail = entry.detail.as_ref().expect("a detail");
    let month: String = entry.at.to_string().chars().take(7).collect();
    let state = world.dir().join("kr/state");
    let path = state.join(DETAILS).join(&month).join(detail.ct_sha256.as_str());
    let whole = fs::read(&path).expect("a detail");
    let mut changed = whole.clone();
    changed[100] ^= 1;
    replace(&path, &changed);
    let (code, said, _) = open_with(&world, "verify.txt", &kr, &[&question]);
    assert!(code == 6 && said.contains("not the one the entry names"), "{said}");
    assert!(said.contains(detail.ct_sha256.as_str()), "{said}");
    // It is gone, and nobody said so.
    fs::remove_file(&path).expect("removed");
    let (code, said, _) = open_with(&world, "verify.txt", &kr, &[&question]);
    assert!(code == 6 && said.contains("missing, and no entry says"), "{said}");
    replace(&path, &whole);

    let order = ["--reason", "court order", "--authority", "Seoul 12/26"];
    let erase = [&["erase", &question, "--list", "verify.txt"], &order[..]].concat();
    let (code, said, error) = run(&world, &erase);
    assert_eq!((code, said.matches("erased and logged").count()), (0, 3), "{said}{error}");
    assert!(!path.exists());
    let redactions = administration(&world, "kr", &kr, Type::Redaction);
    let erased = redactions[0].erased.as_ref().expect("what was erased");
    assert_eq!(erased.details, std::slice::from_ref(&detail.ct_sha256));
    assert_eq!(erased.reason, "court order");
    let by = erased.authority.strip_prefix("Seoul 12/26 (user ").unwrap();
    assert!(by.ends_with(" of the machine)"), "{by}");
    let (code, said, _) = open_with(&world, "verify.txt", &kr, &[&question]);
    assert!(
        code == 0
            && said.contains("by order of Seoul 12/26 (user ")
            && said.contains(": court order"),
        "{said}"
    );
    let (code, said, error) = run(&world, &["verify", "--list", "verify.txt"]);
    assert_eq!((code, said.matches("verified").count()), (0, 6), "{said}{error}");
    let (code, said, error) = run(&world, &["reconcile", "--list", "verify.txt", "--grace", "0"]);
    assert_eq!(code, 0, "{said}{error}");
}

/// A copy has nobody who could log that it is read: its reader must take a notice along.
fn a_copy_is_read_with_a_notice(world: &World, question: &str) {
    let (kr, year) = (node_identity("kr"), party::year(now()));
    let copy = world.dir().join("copy");
    for part in [format!("query-log/{year}/published"), DETAILS.to_owned(), MONTHS.to_owned()] {
        let to = copy.join(&part);
        fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
        let from = world.dir().join("kr/state").join(&part);
        assert!(Command::new("cp").arg("-a").args([from, to]).status().expect("cp").success());
    }
    let list = format!("copy/query-log/{year}/published kr/query-log.keys 0\n");
    replace(&world.dir().join("copy.txt"), list.as_bytes());
    let (code, said, error) = open_with(world, "copy.txt", &kr, &[question]);
    assert!(code == 2 && said.is_empty() && error.contains("--notice"), "{said}{error}");
    let with = ["--notice", "notice.json", "--format", "json", question];
    let (code, said, error) = open_with(world, "copy.txt", &kr, &with);
    assert!(code == 0 && said.contains(CASE) && said.contains("\"opened\""), "{said}{error}");
    // Without the key of its month a detail is as good as gone, and nobody said that it was to go.
    fs::remove_dir_all(copy.join(MONTHS)).expect("removed");
    let (code, said, error) = open_with(world, "copy.txt", &kr, &with);
    assert!(code == 6 && said.contains("the key of its month is missing"), "{said}{error}");
    // The party takes it up like any other request.
    let before = administration(world, "kr", &kr, Type::LogRead).len();
    let notice = fs::read(world.dir().join("notice.json")).expect("a notice");
    replace(&world.dir().join("kr/state").join(REQUESTS).join("from-ada.json"), &notice);
    let awaited = |entries: &[Entry]| {
        before < entries.iter().filter(|entry| entry.kind == Type::LogRead).count()
    };
    of(world, "kr", &kr, Book::Administration, awaited);
}

#[test]
fn without_a_detail_nothing_is_answered_and_killed_nodes_leave_no_entry_without_one() {
    let mut world = one_answers_and_one_refuses();
    let kr = node_identity("kr");
    let state = world.dir().join("kr/state");
    for round in 0..3 {
        let before = world.logged("kr", |_| true).len();
        let asking: Vec<_> = (0..4)
            .map(|_| {
                Command::new(mayag_integration_tests::world::binary())
                    .args(["ask", "--purpose", "TREND", "--profile"])
                    .arg(world.profile("kr"))
                    .args(["-c", SQL])
                    .stdout(std::process::Stdio::null())
                    .stderr(std::process::Stdio::null())
                    .spawn()
                    .expect("mayag runs")
            })
            .collect();
        // Once the first is logged, the others are on their way.
        world.logged("kr", |entries| before < entries.len());
        std::thread::sleep(Duration::from_millis(7 * round));
        world.kill_node("kr");
        for mut asked in asking {
            asked.wait().expect("it ends");
        }
        world.start_node("kr");
        let entries = world.logged("kr", |_| true);
        for entry in entries.iter().filter(|entry| entry.needs_detail()) {
            opened(&state, &kr, entry, &auditor(&world, &kr)).expect("opens");
        }
    }
    // A file lies where the folder of details was: no detail, no entry, no answer.
    let before = world.logged("kr", |_| true).len();
    let (folder, away) = (state.join(DETAILS), state.join("away"));
    fs::rename(&folder, &away).expect("renamed");
    replace(&folder, b"in the way");
    let answer = world.ask("kr", SQL, &["--countries", "kr"]);
    assert_ne!(answer.status.code(), Some(0));
    assert!(!String::from_utf8_lossy(&answer.stdout).contains("Cocaine"));
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(world.logged("kr", |_| true).len(), before);
    fs::remove_file(&folder).expect("removed");
    fs::rename(&away, &folder).expect("renamed");
    assert_eq!(world.ask("kr", SQL, &["--countries", "kr"]).status.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn rosters_keys_configurations_and_strangers_are_entries() {
    let mut world = one_answers_and_one_refuses();
    let kr = node_identity("kr");
    let keys = administration(&world, "kr", &kr, Type::Key);
    let names: Vec<&str> =
        keys.iter().filter_map(|entry| entry.about.as_deref()?.split(' ').next()).collect();
    assert_eq!(names, ["answer", "log", "cosign", "auditors", "sealing"]);
    assert!(keys.iter().all(|entry| entry.decision.as_deref() == Some("first_seen")));
    let decision = |entry: &Entry| entry.decision.clone().unwrap_or_default();
    let words = |world: &World, kind, count: usize| {
        let awaited =
            |all: &[Entry]| all.iter().filter(|entry| entry.kind == kind).count() == count;
        let mut entries = of(world, "kr", &kr, Book::Administration, awaited);
        entries.retain(|entry| entry.kind == kind);
        entries.iter().map(decision).collect::<Vec<_>>()
    };
    assert_eq!(words(&world, Type::Configuration, 1), ["first_seen"]);

    // A new roster, then an old one.
    let pki = Pki::open(world.dir()).expect("the PKI");
    let (old, signers) = (pki.roster().expect("a roster"), pki.roster_signers().expect("keys"));
    let mut new = old.clone();
    new.version += 1;
    pki.write_roster(&new, &signers).expect("a roster");
    world.signal_node("kr", "-HUP");
    assert_eq!(words(&world, Type::Roster, 2), ["first_seen", "changed"]);
    pki.write_roster(&old, &signers).expect("a roster");
    world.signal_node("kr", "-HUP");
    assert_eq!(words(&world, Type::Roster, 3), ["first_seen", "changed", "kept_old"]);
    pki.write_roster(&new, &signers).expect("a roster");

    // Strangers: many of one kind are one entry, and nothing in it is an address.
    let address = world.address("kr");
    let bad = world.pki.pki.join("bad");
    for certificate in ["unknown-ca", "not-in-roster", "expired"] {
        let folder = bad.join(certificate);
        for _ in 0..3 {
            let shown = Some((folder.as_path(), "tls"));
            raw::post(&address, shown, "/v1/questions", Vec::new()).await.expect_err("refused");
        }
    }
    // Restarted under another configuration: what was counted last is told at its end.
    world.signal_node("kr", "-TERM");
    std::thread::sleep(Duration::from_secs(2));
    world.kill_node("kr");
    let path = world.dir().join("kr/node.toml");
    let text = fs::read_to_string(&path).expect("a configuration");
    replace(&path, format!("{text}\n# another\n").as_bytes());
    world.start_node("kr");
    assert_eq!(words(&world, Type::Configuration, 2), ["first_seen", "changed"]);
    let strangers = administration(&world, "kr", &kr, Type::FailedAuthentication);
    let told: Vec<String> = strangers.iter().map(decision).collect();
    assert!(told.iter().any(|why| why == "expired"), "{told:?}");
    assert!(strangers.len() <= 4 && !format!("{strangers:?}").contains("127.0.0"), "{told:?}");
    assert!(strangers.iter().all(|entry| entry.count.is_some()));

    // A roster without a key of an auditor: the node says what is missing.
    let mut none = new;
    none.version += 1;
    none.nodes.iter_mut().for_each(|member| member.auditor_keys.clear());
    pki.write_roster(&none, &signers).expect("a roster");
    world.kill_node("kr");
    let said = world.try_start_node("kr").expect_err("it does not start");
    assert!(said.contains("lists no key of an auditor") && said.contains("auditor_keys"), "{said}");
}
