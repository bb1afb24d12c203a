//! `mayag demo`: its answers are the expected ones, the United States' are the published ones to the last digit, and
//! nothing of it is left behind, however it ends.

use mayag_integration_tests::world::binary;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// The published groups, read here once more, independently of the product.
const PUBLISHED: &str =
    include_str!("../../../cli/demo/data/us_cbp_nationwide-drugs-fy20-fy23.csv");

/// Stands in a hidden column of every incident of the demonstration.
const CANARY: &str = "CANARY-7f3a-HIDDEN";

/// From the start to the first answer, data included.
const FIRST_ANSWER_SECONDS: f64 = 10.0;

/// How long processes may take to notice that the demonstration is gone.
const GONE: Duration = Duration::from_secs(20);

#[test]
fn the_demonstration_answers_as_expected_and_leaves_nothing() {
    let folder = TempDir::new().expect("a folder");
    let demo =
        Command::new(binary()).args(["demo", "--check"]).env("TMPDIR", folder.path()).output();
    let Output { status, stdout, stderr } = demo.expect("the demonstration");
    let (said, talk) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{said}\n{talk}");
    assert!(said.contains("check: every answer and every outcome is the expected one"), "{said}");
    for shown in [
        "answered, some cells :c",
        "refused [MAYAG-2104]",
        "refused [MAYAG-2105]",
        ":p",
        "complete: 5 of 5",
    ] {
        assert!(said.contains(shown), "{shown}: {said}");
    }
    assert!(!said.contains("CANARY-") && !talk.contains("CANARY-"), "{said}\n{talk}");
    assert_eq!(
        fs::read_dir(folder.path()).expect("the folder").count(),
        0,
        "a temporary folder is left"
    );
    assert_eq!(processes_of(folder.path()), Vec::<u32>::new());
    let first = talk
        .lines()
        .find(|line| line.contains("first answer"))
        .expect("the time of the first answer");
    let seconds: f64 =
        first.split_whitespace().next().and_then(|text| text.parse().ok()).expect("seconds");
    // A debug build on a busy machine proves nothing about time.
    assert!(cfg!(debug_assertions) || seconds < FIRST_ANSWER_SECONDS, "{first}");
}

/// The auditor's guide.
const GUIDE: &str = include_str!("../../../docs/logs.md");

#[test]
fn the_auditors_guide_works_as_it_is_written() {
    let folder = TempDir::new().expect("a folder");
    let run = |words: &[&str]| {
        let output = Command::new(binary()).args(words).current_dir(folder.path()).output();
        let Output { status, stdout, stderr } = output.expect("mayag");
        let (said, talk) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        assert!(status.success(), "{words:?}: {said}\n{talk}");
        said.into_owned()
    };
    run(&["demo", "--check", "--dir", "./federation"]);
    let json = ["audit", "search", "--list", "./federation/verify.txt", "--country", "us"];
    let found = run(&[&json[..], &["--format", "json"]].concat());
    let entry: serde_json::Value =
        serde_json::from_str(found.lines().next().expect("an entry")).expect("JSON");
    let question = question_in(&entry).expect("a question");
    let commands = GUIDE.lines().filter_map(|line| line.strip_prefix("mayag audit "));
    let commands: Vec<&str> = commands.filter(|line| line.contains("--list")).collect();
    assert!(5 <= commands.len(), "{commands:?}");
    for command in commands {
        let command = command.split('#').next().unwrap_or_default().replace("QUESTION", &question);
        let words: Vec<&str> = std::iter::once("audit").chain(command.split_whitespace()).collect();
        assert!(!run(&words).is_empty(), "{words:?}");
    }
}

/// The id of a question, wherever an entry has it.
fn question_in(value: &serde_json::Value) -> Option<String> {
    let object = value.as_object()?;
    let own = object.get("question").and_then(|id| id.as_str()).map(str::to_owned);
    own.or_else(|| object.values().find_map(question_in))
}

#[test]
fn the_united_states_answer_with_the_published_totals() {
    let demo = Kept::start();
    for (columns, keys) in [
        (["drug"].as_slice(), &[6_usize] as &[usize]),
        (&["drug", "fiscal_year"], &[6, 0]),
        (&["area"], &[5]),
        (&["area", "drug", "fiscal_year"], &[5, 6, 0]),
    ] {
        let mut answer = demo.totals(columns);
        let published = published(keys);
        // Combinations of public values of which nothing was published are listed too, withheld.
        answer.retain(|key, (count, sum)| {
            published.contains_key(key) || count.is_some() || sum.is_some()
        });
        let (mut counts, mut sums) = (0, 0);
        for (key, (count, sum)) in &answer {
            let (events, quantity) =
                published.get(key).unwrap_or_else(|| panic!("{key:?} is not published"));
            assert!(
                count.is_none_or(|count| count == *events),
                "{key:?}: {count:?}, published {events}"
            );
            assert!(
                sum.is_none_or(|sum| sum == *quantity),
                "{key:?}: {sum:?}, published {quantity}"
            );
            assert!(
                *events >= 10 || (count.is_none() && sum.is_none()),
                "{key:?}: {events} events are shown"
            );
            counts += usize::from(count.is_some());
            sums += usize::from(sum.is_some());
        }
        if columns.len() < 3 {
            assert_eq!(counts, published.len(), "{columns:?}: all groups are large");
            assert!(sums * 10 >= published.len() * 9, "{columns:?}: {sums} sums");
        } else {
            assert!(
                counts < published.len() && counts * 2 > published.len(),
                "{columns:?}: {counts} counts"
            );
            assert!(0 < sums && sums < counts, "{columns:?}: {sums} sums: some are dominated");
        }
    }
}

#[test]
fn a_demonstration_that_is_killed_takes_its_processes_with_it() {
    let mut demo = Kept::start();
    let mut processes = processes_of(demo.folder.path());
    assert_eq!(processes.len(), 6, "five nodes and a gateway");
    let workers: Vec<u32> =
        running().filter(|pid| parent(*pid).is_some_and(|id| processes.contains(&id))).collect();
    assert!(workers.len() >= 5, "every node has a worker: {workers:?}");
    processes.extend(workers);
    demo.child.kill().expect("killing the demonstration");
    demo.child.wait().expect("the end of the demonstration");
    let mut waited = Duration::ZERO;
    while processes.iter().any(|pid| !arguments(*pid).is_empty()) {
        assert!(waited < GONE, "{processes:?}");
        std::thread::sleep(Duration::from_millis(50));
        waited += Duration::from_millis(50);
    }
    let holding = files_with_canary(demo.folder.path());
    assert_eq!(holding.len(), 5, "{holding:?}");
    assert!(
        holding.iter().all(|path| path.parent().is_some_and(|folder| folder.ends_with("data"))),
        "{holding:?}"
    );
}

#[test]
fn a_folder_with_something_else_in_it_is_refused() {
    let folder = TempDir::new().expect("a folder");
    fs::File::create(folder.path().join("thesis.txt")).expect("a file");
    let output = Command::new(binary())
        .args(["demo", "--dir"])
        .arg(folder.path())
        .output()
        .expect("the demonstration");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("was not made by `mayag demo`"));
    assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 1);
}

/// Number and mass of one group; nothing where they are withheld.
type Total = (Option<u64>, Option<i128>);

/// A demonstration that stays up until it is dropped.
struct Kept {
    child: Child,
    folder: TempDir,
}

impl Kept {
    fn start() -> Self {
        let folder = TempDir::new().expect("a folder");
        let dir = folder.path().join("federation");
        let mut child = Command::new(binary())
            .args(["demo", "--keep", "--dir"])
            .arg(dir)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the demonstration");
        let lines = BufReader::new(child.stdout.take().expect("its stdout")).lines();
        let up = lines.map_while(Result::ok).any(|line| line.contains("Ctrl-C ends everything"));
        assert!(up, "the demonstration ended: {:?}", child.wait());
        Self { child, folder }
    }

    /// Number and mass by these columns; nothing where they are withheld.
    fn totals(&self, columns: &[&str]) -> BTreeMap<Vec<String>, Total> {
        let columns_sql = columns.join(", ");
        let sql = format!(
            "SELECT {columns_sql}, count(*), sum(quantity) FROM seizures GROUP BY {columns_sql}"
        );
        let output = Command::new(binary())
            .args([
                "ask",
                "--countries",
                "us",
                "--purpose",
                "TREND",
                "--format",
                "csv",
                "-c",
                &sql,
                "--profile",
            ])
            .arg(self.folder.path().join("federation/desk/kr-analyst-hana.toml"))
            .output()
            .expect("an answer");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(!text.contains(CANARY));
        let mut totals = BTreeMap::new();
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split(',').collect();
            let (key, [count, count_status, sum, sum_status]) = fields.split_at(columns.len())
            else {
                panic!("{line}")
            };
            let known = |status: &str| match status {
                "known" => true,
                "suppressed" => false,
                other => panic!("{other}: {line}"),
            };
            let count = known(count_status).then(|| count.parse().expect("a count"));
            let sum = known(sum_status).then(|| sixteenths(sum));
            let before =
                totals.insert(key.iter().map(|text| (*text).to_owned()).collect(), (count, sum));
            assert_eq!(before, None, "{line}");
        }
        totals
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // It may be dead already.
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Published events and quantities by these columns of the file.
fn published(keys: &[usize]) -> BTreeMap<Vec<String>, (u64, i128)> {
    let mut totals: BTreeMap<Vec<String>, (u64, i128)> = BTreeMap::new();
    for line in PUBLISHED.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let key = keys.iter().map(|i| match fields[*i] {
            "Khat (Catha Edulis)" => "Khat".to_owned(),
            "Lsd" => "LSD".to_owned(),
            "Other Drugs**" => "Other".to_owned(),
            same => same.to_owned(),
        });
        let total = totals.entry(key.collect()).or_default();
        total.0 += fields[7].parse::<u64>().expect("a count");
        total.1 += sixteenths(fields[8]);
    }
    totals
}

/// A decimal number, with or without a negative exponent, in 10⁻¹⁶.
fn sixteenths(text: &str) -> i128 {
    let (digits, exponent) = text.split_once("e-").unwrap_or((text, "0"));
    let exponent: usize = exponent.parse().expect("an exponent");
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let zeros = 16 - exponent - fraction.len();
    format!("{whole}{fraction}{}", "0".repeat(zeros)).parse().expect("a number")
}

/// Processes with something below this folder among their arguments.
fn processes_of(folder: &Path) -> Vec<u32> {
    let folder = folder.display().to_string();
    // The demonstration itself names the folder too; it is not among those it started.
    let started = |pid: &u32| {
        let arguments = arguments(*pid);
        arguments.contains(&folder) && arguments.contains("--until-stdin-closes")
    };
    running().filter(started).collect()
}

fn running() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").expect("the list of processes");
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// The arguments of a process; nothing if it has ended.
fn arguments(pid: u32) -> String {
    String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default())
        .into_owned()
}

fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // After the name in brackets: the state, then the parent.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

fn files_with_canary(folder: &Path) -> Vec<PathBuf> {
    let mut holding = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            holding.extend(files_with_canary(&path));
        } else if fs::read(&path)
            .expect("a file")
            .windows(CANARY.len())
            .any(|window| window == CANARY.as_bytes())
        {
            holding.push(path);
        }
    }
    holding
}
