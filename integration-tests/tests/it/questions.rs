//! Questions through a whole federation, as an analyst asks them.

use mayag_audit::entry::Entry;
use mayag_integration_tests::world::{CountrySpec, World, open_policy, plain_incidents};
use std::process::Output;

fn spec(country: &'static str, count: usize) -> CountrySpec {
    CountrySpec {
        country,
        incidents: plain_incidents(&["Cocaine", "Heroin"], count),
        policy: open_policy(country, 10),
    }
}

fn out(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

#[test]
fn two_countries_add_up() {
    let world = World::start(&[spec("kr", 20), spec("us", 30)]);
    let sql = "SELECT drug, count(*) AS n, sum(quantity) AS lb FROM seizures WHERE drug IN ('Cocaine', 'Heroin') GROUP BY drug ORDER BY drug";
    let (code, stdout, stderr) = out(&world.ask("kr", sql, &[]));
    assert_eq!(code, 0, "{stdout}{stderr}");
    // 20 x 1.5 + 0.01 x (0 + .. + 19) = 31.9; 30 x 1.5 + 0.01 x (0 + .. + 29) = 49.35
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!(lines[0], "drug,n,n_status,lb,lb_status");
    for (line, drug) in lines[1..].iter().zip(["Cocaine", "Heroin"]) {
        let fields: Vec<&str> = line.split(',').collect();
        assert_eq!((fields[0], fields[1], fields[2], fields[4]), (drug, "50", "known", "known"));
        assert_eq!(fields[3].trim_end_matches('0'), "81.25", "{line}");
    }
    assert_eq!(lines.len(), 3);

    // One country only, one that refuses, one that has too few.
    let (code, stdout, _) = out(&world.ask("kr", sql, &["--countries", "us"]));
    assert_eq!((code, stdout.lines().count()), (0, 3));
    let hidden = "SELECT informant_ref, count(*) FROM seizures GROUP BY informant_ref";
    let unknown = "SELECT informant_rex, count(*) FROM seizures GROUP BY informant_rex";
    let (code, _, first) = out(&world.ask("kr", hidden, &[]));
    let (_, _, second) = out(&world.ask("kr", unknown, &[]));
    assert_eq!(code, 4, "{first}");
    assert!(first.contains("MAYAG-2104"), "{first}");
    let neutral = |text: &str, name| -> Vec<String> {
        text.lines()
            .filter(|line| line.contains("MAYAG"))
            .map(|line| line.replace(name, "?"))
            .collect()
    };
    assert_eq!(neutral(&first, "informant_ref"), neutral(&second, "informant_rex"));
}

#[test]
fn correlations_are_those_of_all_rows() {
    let spec = |country, count| {
        let spec = spec(country, count);
        let policy = spec.policy.replace(
            "\"aggregates\": [\"sum\", \"avg\", \"count\"]",
            "\"aggregates\": [\"covariance\", \"correlation\"]",
        );
        assert_ne!(policy, spec.policy);
        CountrySpec { policy, ..spec }
    };
    let world = World::start(&[spec("kr", 20), spec("us", 30)]);
    let sql = "SELECT drug, covar_pop(quantity, quantity) AS c, corr(quantity, quantity) AS r FROM seizures GROUP BY drug ORDER BY drug";
    let (code, stdout, stderr) = out(&world.ask("kr", sql, &[]));
    assert_eq!(code, 0, "{stdout}{stderr}");
    let pounds: Vec<f64> = (0..20).chain(0..30).map(|i| 1.5 + 0.01 * f64::from(i)).collect();
    let mean = pounds.iter().sum::<f64>() / 50.0;
    let variance = pounds.iter().map(|lb| (lb - mean).powi(2)).sum::<f64>() / 50.0;
    let mut found = 0;
    for line in
        stdout.lines().filter(|line| line.starts_with("Cocaine,") || line.starts_with("Heroin,"))
    {
        let fields: Vec<&str> = line.split(',').collect();
        assert_eq!((fields[2], fields[4]), ("known", "known"), "{line}");
        let number = |i: usize| fields[i].parse::<f64>().expect("a number");
        assert!((number(1) - variance).abs() < 1e-9, "{line}: {variance}");
        assert!((number(3) - 1.0).abs() < 1e-9, "{line}");
        found += 1;
    }
    assert_eq!(found, 2, "{stdout}");
    // The grant shares neither sums nor quantiles, and no bins are declared.
    let (code, _, said) = out(&world.ask("kr", "SELECT avg(quantity) AS a FROM seizures", &[]));
    assert!(code == 4 && said.contains("permitted in its place"), "{said}");
    let (code, _, said) = out(&world.ask("kr", "SELECT median(quantity) AS m FROM seizures", &[]));
    assert!(code == 4 && said.contains("declares no bins"), "{said}");
}

#[test]
fn a_small_group_is_withheld_and_labelled() {
    let mut incidents = plain_incidents(&["Cocaine", "Heroin", "Opium"], 15);
    incidents.extend(plain_incidents(&["Fentanyl"], 3));
    let small = CountrySpec { country: "th", incidents, policy: open_policy("th", 10) };
    let world = World::start(&[small, spec("us", 30)]);
    let sql = "SELECT drug, count(*) AS n, coalesce(sum(quantity), 0) AS lb FROM seizures WHERE drug IN ('Cocaine', 'Fentanyl', 'Heroin', 'Opium') GROUP BY drug ORDER BY drug";
    let (code, stdout, stderr) = out(&world.ask("us", sql, &["--countries", "th"]));
    assert_eq!(code, 0, "{stderr}");
    let fentanyl = stdout
        .lines()
        .find(|line| line.starts_with("Fentanyl"))
        .expect("the withheld group is shown");
    assert_eq!(fentanyl, "Fentanyl,,suppressed,,suppressed");
    assert!(stderr.contains("th"), "{stderr}");
    // One cell alone could be had by subtraction: a second one is withheld with it.
    assert_eq!(stdout.matches(",suppressed,").count(), 2, "{stdout}");

    // Merged with a country that has the group of neither: what is withheld stays withheld.
    let (code, stdout, _) = out(&world.ask("us", sql, &[]));
    assert_eq!(code, 0);
    let fentanyl = stdout
        .lines()
        .find(|line| line.starts_with("Fentanyl"))
        .expect("the withheld group is shown");
    assert!(fentanyl.contains("suppressed"), "{stdout}");
    let cocaine = stdout.lines().find(|line| line.starts_with("Cocaine")).expect("a group");
    assert!(cocaine.contains("known") || cocaine.contains("partial"), "{cocaine}");
}

#[test]
fn a_missing_country_is_labelled_and_the_exit_code_says_so() {
    let mut world = World::start(&[spec("kr", 20), spec("us", 30)]);
    world.kill_node("us");
    let (code, stdout, stderr) = out(&world.ask("kr", "SELECT count(*) AS n FROM seizures", &[]));
    assert_eq!(code, 3, "{stderr}");
    assert!(stdout.contains("40"), "{stdout}");
    assert!(stderr.contains("unreachable"), "{stderr}");
    world.kill_node("kr");
    let (code, stdout, _) = out(&world.ask("kr", "SELECT count(*) AS n FROM seizures", &[]));
    assert_ne!(code, 0);
    assert!(!stdout.contains('0'), "nobody answered, and nothing looks like a zero: {stdout}");
}

#[test]
fn a_dry_run_says_what_every_country_would_do_and_touches_nothing() {
    let closed = open_policy("us", 10).replace("\"drug\": { \"dimension\": {} },", "");
    let us = CountrySpec { policy: closed, ..spec("us", 30) };
    let world = World::start(&[spec("kr", 20), us]);
    let sql = "SELECT drug, count(*) AS n FROM seizures GROUP BY drug";
    let (code, stdout, stderr) = out(&world.ask("kr", sql, &["--dry-run"]));
    assert_eq!(code, 3, "{stdout}{stderr}");
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!(lines[0], "country,would,dataset,rule,protections,refusal,subject");
    assert!(lines[1].starts_with("kr,answer,seizures,"), "{stdout}");
    assert!(lines[2].starts_with("us,refuse,,") && lines[2].contains("MAYAG-"), "{stdout}");
    assert!(stderr.contains("kr  would answer"), "{stderr}");
    let previewed = |entry: &Entry| entry.decision.as_deref() == Some("previewed");
    world.logged("kr", |entries| entries.iter().any(previewed));

    let explain = format!("EXPLAIN {sql}");
    let (code, explained, _) = out(&world.ask("kr", &explain, &[]));
    assert_eq!((code, explained), (3, stdout), "EXPLAIN is the same in SQL");
    let json = out(&world.ask("kr", sql, &["--dry-run", "--format", "json"])).1;
    assert!(json.contains("\"would\":\"answer\"") && json.contains("\"code\":\"MAYAG-"), "{json}");
}

#[test]
fn tables_and_columns_are_shown_in_sql() {
    let world = World::start(&[spec("kr", 20)]);
    let (code, stdout, stderr) = out(&world.ask("kr", "SHOW TABLES", &[]));
    assert_eq!(code, 0, "{stderr}");
    assert!(
        stdout.starts_with("table_name,country,min_units,purposes,about\nseizures,kr,10,"),
        "{stdout}"
    );
    let (code, stdout, _) = out(&world.ask("kr", "DESCRIBE seizures", &[]));
    assert_eq!(code, 0);
    assert!(stdout.contains("\ndrug,kr,dimension,"), "{stdout}");
    assert!(!stdout.contains("informant"), "hidden columns are in no list: {stdout}");
    let (code, stdout, _) = out(&world.ask("kr", "DESCRIBE nothing_like_it", &[]));
    assert_eq!((code, stdout.lines().count()), (0, 1));
    let tables = "SELECT table_catalog, table_name, table_type FROM information_schema.tables";
    let (code, stdout, stderr) = out(&world.ask("kr", tables, &[]));
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(stdout, "table_catalog,table_name,table_type\nkr,seizures,BASE TABLE\n");
    let columns = "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'seizures'";
    let (code, stdout, _) = out(&world.ask("kr", columns, &[]));
    assert_eq!(code, 0);
    assert!(stdout.contains("\nseized_on,DATE\n"), "{stdout}");
    assert!(!stdout.contains("informant"), "hidden columns are in no list: {stdout}");
    let both = "SELECT * FROM information_schema.tables, seizures";
    let (code, stdout, stderr) = out(&world.ask("kr", both, &[]));
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert!(stderr.contains("MAYAG-2102") && stderr.contains("seizures"), "{stderr}");
    let (code, _, stderr) = out(&world.ask("kr", "EXPLAIN ANALYZE SELECT 1", &[]));
    assert_eq!(code, 4, "{stderr}");
}
