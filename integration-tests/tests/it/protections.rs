//! Noise, difference guard and budgets through a whole federation, over questions, people, restarts and new data.

use mayag_integration_tests::world::{CountrySpec, Incident, World, open_policy, plain_incidents};
use std::collections::BTreeMap;

const DRUGS: [&str; 8] =
    ["Amphetamine", "Captagon", "Cocaine", "Ecstasy", "Heroin", "Ketamine", "Khat", "LSD"];

/// A country whose grant asks for more than the open policy does.
fn spec(country: &'static str, incidents: Vec<Incident>, more: &str) -> CountrySpec {
    let policy = open_policy(country, 10);
    let policy = policy.replace(
        "        \"quantity\": { \"measure\": { \"aggregates\": [\"sum\", \"avg\", \"count\"] } },\n",
        "",
    );
    let policy = policy.replace("\"p_percent\": 10,", &format!("\"p_percent\": 10, {more},"));
    assert!(policy.contains(more) && !policy.contains("quantity"));
    CountrySpec { country, incidents, policy }
}

/// What `kr` answers to an analyst: exit code, CSV, and what is said beside it.
fn ask_kr(world: &World, analyst: &str, sql: &str) -> (Option<i32>, String, String) {
    let output = world.ask(analyst, sql, &["--countries", "kr"]);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// The count of each drug, with its status.
fn counts(world: &World, sql: &str) -> BTreeMap<String, (i64, String)> {
    let (code, csv, said) = ask_kr(world, "us", sql);
    assert_eq!(code, Some(0), "{said}");
    let row = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        (fields[0].to_owned(), (fields[1].parse().expect("a count"), fields[2].to_owned()))
    };
    csv.lines().skip(1).map(row).collect()
}

#[test]
fn noise_is_the_same_for_every_spelling_and_another_one_for_new_data() {
    let noisy = "\"noise\": { \"largest\": 5, \"variance\": 3 }";
    let world = World::start(&[
        spec("kr", plain_incidents(&DRUGS, 60), noisy),
        spec("us", plain_incidents(&DRUGS, 60), noisy),
    ]);
    let list = DRUGS.map(|drug| format!("'{drug}'")).join(", ");
    let either = DRUGS.map(|drug| format!("drug = '{drug}'")).join(" OR ");
    let spellings = [
        format!("SELECT drug, count(*) AS n FROM seizures WHERE drug IN ({list}) GROUP BY drug"),
        format!("SELECT drug, count(DISTINCT seizure_id) AS n FROM seizures WHERE {either} GROUP BY drug"),
        format!(
            "WITH all_of AS (SELECT drug AS d, count(*) AS n FROM seizures WHERE NOT (drug NOT IN ({list})) GROUP BY drug)
             SELECT d AS drug, n FROM all_of ORDER BY n"
        ),
    ];
    let first = counts(&world, &spellings[0]);
    assert_eq!(first.len(), DRUGS.len());
    for (drug, (n, status)) in &first {
        assert!((55..=65).contains(n) && status.starts_with("noisy"), "{drug}: {n} {status}");
    }
    assert!(first.values().any(|(n, _)| *n != 60), "there is noise: {first:?}");
    for sql in &spellings {
        assert_eq!(counts(&world, sql), first, "{sql}");
    }
    let alone = "SELECT 'LSD' AS drug, count(*) AS n FROM seizures WHERE drug = 'LSD'";
    assert_eq!(
        counts(&world, alone)["LSD"],
        first["LSD"],
        "a cell is a cell, whatever is beside it"
    );

    // The same rows as new data: what somebody could learn from both is not the difference of the noise.
    let data = world.dir().join("kr/data/incidents.csv");
    let rows = std::fs::read(&data).expect("the incidents");
    std::io::Write::write_all(&mut std::fs::File::create(&data).expect("a file"), &rows)
        .expect("written");
    let second = counts(&world, &spellings[0]);
    assert_ne!(second, first, "drawn anew");
    assert_eq!(counts(&world, &spellings[1]), second);
}

#[test]
fn no_two_analysts_learn_a_small_difference_not_even_over_a_kill() {
    let mut incidents = plain_incidents(&["Cocaine", "Heroin"], 60);
    incidents.extend(plain_incidents(&["Opium"], 3));
    let guarded = "\"difference_guard\": \"on\"";
    let mut world = World::start(&[
        spec("kr", incidents, guarded),
        spec("us", plain_incidents(&["Cocaine"], 60), guarded),
    ]);
    let without = "SELECT count(*) AS n FROM seizures WHERE drug IN ('Cocaine', 'Heroin')";
    let with = "SELECT count(*) AS n FROM seizures WHERE drug IN ('Cocaine', 'Heroin', 'Opium')";
    let withheld = |world: &World, analyst: &str, sql: &str| {
        let (code, csv, said) = ask_kr(world, analyst, sql);
        assert_eq!(code, Some(0), "{said}");
        csv.contains("suppressed")
    };
    assert!(!withheld(&world, "kr", without));
    assert!(withheld(&world, "us", with), "what another analyst was shown counts");
    assert!(withheld(&world, "kr", with));
    // Killed as hard as a process can be: what was shown is remembered all the same.
    world.kill_node("kr");
    world.start_node("kr");
    assert!(withheld(&world, "us", with), "and after a restart");
    assert!(!withheld(&world, "us", without), "the same cell again is no news");
    // It is the memory that withholds: without it the first to ask is answered.
    world.kill_node("kr");
    std::fs::remove_file(world.dir().join("kr/state/released-seizures.log")).expect("a memory");
    world.start_node("kr");
    assert!(!withheld(&world, "us", with));
    assert!(withheld(&world, "kr", without), "the other one of the two");
}

#[test]
fn a_budget_that_is_used_up_is_refused_before_any_data_are_touched() {
    let sql = "SELECT count(*) AS n FROM seizures WHERE drug IN ('Cocaine', 'Heroin')";
    // Whose budget it is, who uses it up, who has none left then, and who has one still.
    for (budget, users, refused, other, says) in [
        ("\"person\": 2", ["us", "us"], "us", Some("kr"), "the person"),
        ("\"country\": 2", ["us", "us"], "us", Some("kr"), "the country us"),
        ("\"dataset\": 2", ["us", "kr"], "kr", None, "the dataset seizures"),
    ] {
        let budget = format!("\"budget\": {{ {budget} }}");
        let mut world = World::start(&[
            spec("kr", plain_incidents(&["Cocaine", "Heroin"], 30), &budget),
            spec("us", plain_incidents(&["Cocaine"], 30), &budget),
        ]);
        for user in users {
            let (code, csv, said) = ask_kr(&world, user, sql);
            assert_eq!((code, csv.lines().nth(1)), (Some(0), Some("60,known")), "{budget}: {said}");
        }
        // Spent is spent: a node that was killed knows it.
        world.kill_node("kr");
        world.start_node("kr");
        std::fs::remove_file(world.dir().join("kr/data/incidents.csv")).expect("the incidents");
        let (code, csv, said) = ask_kr(&world, refused, sql);
        assert_eq!(code, Some(4), "{budget}: {csv}{said}");
        assert!(said.contains("MAYAG-3001") && said.contains(says), "{budget}: {said}");
        if let Some(other) = other {
            let (_, csv, said) = ask_kr(&world, other, sql);
            assert!(!said.contains("MAYAG-3001"), "{budget}: {said}");
            assert!(said.contains("failed"), "who has a budget finds no data: {csv}{said}");
        }
    }
}
