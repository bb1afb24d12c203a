//! Nodes that die, hang or lie: the others' answers arrive within the deadline, the outcome names the country, nothing
//! crashes.

use mayag_integration_tests::hostile::{Hostile, Lie};
use mayag_integration_tests::world::{CountrySpec, World, open_policy, plain_incidents};
use std::time::Duration;
use tokio::time::Instant;

/// The gateway of a test waits for 6 s; starting `mayag` takes its time in a debug build.
const LONGEST: Duration = Duration::from_secs(12);

const SQL: &str = "SELECT drug, count(*) AS n FROM seizures WHERE drug IN ('Cocaine', 'Heroin') GROUP BY drug ORDER BY drug";

fn specs() -> Vec<CountrySpec> {
    let spec = |country| CountrySpec {
        country,
        incidents: plain_incidents(&["Cocaine", "Heroin"], 20),
        policy: open_policy(country, 10),
    };
    vec![spec("kr"), spec("th"), spec("us")]
}

/// Asks all three; two must have answered, in time, and the third must have this outcome.
fn check(world: &World, outcome: &str) {
    let before = Instant::now();
    let output = world.ask("kr", SQL, &["--format", "json"]);
    let (stdout, stderr) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(before.elapsed() < LONGEST, "{:?}", before.elapsed());
    assert_eq!(output.status.code(), Some(3), "{outcome}: {stderr}");
    let answer: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
    let countries = answer["countries"].as_array().expect("a list");
    let found = |country: &str| {
        let of = countries
            .iter()
            .find(|entry| entry["country"] == country)
            .expect("every country is named");
        of["outcome"].as_str().expect("a word").to_owned()
    };
    assert_eq!(
        (found("kr").as_str(), found("us").as_str(), found("th").as_str()),
        ("answered", "answered", outcome)
    );
    assert_eq!(answer["answered"], 2);
    assert!(stdout.contains("40"), "the others' cells are there: {stdout}");
}

#[test]
fn a_node_that_is_gone_before_during_and_after() {
    let mut world = World::start(&specs());
    let whole = world.ask("kr", SQL, &[]);
    assert_eq!(whole.status.code(), Some(0), "{}", String::from_utf8_lossy(&whole.stderr));
    // After its answer, so before the next one.
    world.kill_node("th");
    check(&world, "unreachable");
    // It comes back and is asked again.
    world.start_node("th");
    assert_eq!(world.ask("kr", SQL, &[]).status.code(), Some(0));
    // It hangs: the kernel takes the connection, nobody answers.
    world.signal_node("th", "-STOP");
    check(&world, "timed_out");
    world.signal_node("th", "-CONT");
    assert_eq!(world.ask("kr", SQL, &[]).status.code(), Some(0));
    // It dies while it is being asked.
    world.signal_node("th", "-STOP");
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| world.ask("kr", SQL, &[]));
        std::thread::sleep(Duration::from_secs(2));
        world.signal_node("th", "-KILL");
        let output = asked.join().expect("the question ends");
        assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_lies() {
    let specs = specs();
    let mut world = World::prepare(&specs);
    world.start_node("kr");
    world.start_node("us");
    let hostile = Hostile::start(&world, "th").await;
    world.start_gateway();
    for (lie, outcome) in [
        (Lie::Garbage, "failed"),
        (Lie::Hang, "timed_out"),
        (Lie::Nothing, "failed"),
        (Lie::TenGigabytes, "failed"),
        (Lie::WrongSignature, "failed"),
    ] {
        hostile.tell(lie);
        let world = &world;
        tokio::task::block_in_place(|| check(world, outcome));
    }
    assert!(5 <= hostile.asked(), "every lie was told: {}", hostile.asked());
}
