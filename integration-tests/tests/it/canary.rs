//! One unmistakable string stands in the hidden columns of every node. After everything that can go right and wrong, it
//! must be nowhere but in the nodes' own data.

use mayag_integration_tests::world::{CANARY, CountrySpec, World, open_policy, plain_incidents};
use std::path::{Path, PathBuf};

#[test]
fn what_is_hidden_is_seen_nowhere() {
    let mut incidents = plain_incidents(&["Cocaine", "Heroin"], 20);
    incidents.extend(plain_incidents(&["Fentanyl"], 2));
    let spec = |country| CountrySpec {
        country,
        incidents: incidents.clone(),
        policy: open_policy(country, 10),
    };
    let mut world = World::start(&[spec("kr"), spec("us"), spec("th")]);
    let mut said = String::new();
    for sql in [
        "SELECT drug, count(*) AS n, sum(quantity) FROM seizures GROUP BY drug",
        "SELECT officer_note, count(*) FROM seizures GROUP BY officer_note",
        "SELECT informant_ref FROM seizures",
        "SELECT * FROM seizures",
        "SELECT max(informant_ref) FROM seizures",
        "SELECT string_agg(informant_ref, ',') FROM seizures",
        "SELECT count(*) FROM seizures WHERE informant_ref LIKE 'CANARY%'",
        "SELECT sum(CAST(informant_ref AS BIGINT)) FROM seizures",
        "SELECT count(*) FROM seizures WHERE CAST(officer_note AS INT) = 1",
        "SELECT drug, count(*) FROM seizures WHERE 1 / 0 = 1 GROUP BY drug",
        "SELECT drug, sum(quantity) / 0 FROM seizures GROUP BY drug",
        "SELECT CAST(drug AS BIGINT) FROM (SELECT drug, count(*) FROM seizures GROUP BY drug)",
        "SELECT count(DISTINCT seizure_id) AS n FROM seizures",
        "EXPLAIN ANALYZE SELECT count(*) FROM seizures",
        "SHOW TABLES",
        "not SQL at all",
    ] {
        for format in ["csv", "json", "ndjson", "table"] {
            let output = world.ask("kr", sql, &["--format", format]);
            said.push_str(&String::from_utf8_lossy(&output.stdout));
            said.push_str(&String::from_utf8_lossy(&output.stderr));
        }
    }
    world.kill_node("th");
    world.start_node("th");
    assert!(!said.contains("CANARY-"), "{said}");
    assert!(said.contains("Cocaine") && said.contains("MAYAG-2104"), "the flows ran: {said}");

    let mut files = Vec::new();
    walk(world.dir(), &mut files);
    let holding: Vec<&PathBuf> = files
        .iter()
        .filter(|path| {
            // Partial tiles of the logs go as full ones come.
            let bytes = std::fs::read(path).unwrap_or_default();
            String::from_utf8_lossy(&bytes).contains("CANARY-")
        })
        .collect();
    // The test itself is able to fail: the data hold it.
    assert_eq!(holding.len(), 3, "{holding:?}");
    assert!(
        holding.iter().all(|path| path.parent().is_some_and(|folder| folder.ends_with("data"))),
        "{holding:?}"
    );
    assert!(String::from_utf8_lossy(&std::fs::read(holding[0]).unwrap()).contains(CANARY));
    assert!(files.iter().any(|path| path.ends_with("checkpoint")), "the logs were looked at");
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            walk(&path, files);
        } else {
            files.push(path);
        }
    }
}
