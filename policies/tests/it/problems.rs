//! A long policy with many faults: every one is found in one run, each on its own line, and told to programs alike.

use mayag_policies::catalogue::Catalogue;
use mayag_policies::document::report::{json, sarif};
use mayag_policies::document::{Policy, Rule, Severity, examine};
use mayag_protocol::names::Digest;
use serde_json::Value;
use std::fmt::Write as _;

/// Grants in a policy of two thousand lines.
const GRANTS: usize = 105;

/// A sound policy of 2,000 lines and more, one member a line.
fn long() -> Vec<String> {
    let mut text = String::from(
        "{\n  \"policy\": \"kr\",\n  \"serial\": 1,\n  \"valid_from\": \"2026-01-01T00:00:00Z\",\n  \
         \"valid_until\": \"2027-01-01T00:00:00Z\",\n  \"why\": \"x\",\n  \"grants\": [\n",
    );
    for i in 0..GRANTS {
        let last = if i + 1 == GRANTS { "" } else { "," };
        write!(
            text,
            "    {{\n      \"id\": \"g{i:03}\",\n      \"why\": \"reason {i}\",\n      \"to\": {{\n        \
             \"countries\": [\"au\"],\n        \"roles\": [\"role{i}\"]\n      }},\n      \"purposes\": [\n        \
             \"TREND\"\n      ],\n      \"dataset\": \"seizures\",\n      \"columns\": {{\n        \
             \"drug\": {{ \"dimension\": {{}} }},\n        \"region\": {{ \"dimension\": {{}} }},\n        \
             \"seized_on\": {{ \"dimension\": {{ \"finest\": \"month\" }} }},\n        \
             \"quantity\": {{ \"measure\": {{ \"aggregates\": [\"sum\"] }} }}\n      }},\n      \
             \"min_units\": 10,\n      \"p_percent\": 10\n    }}{last}\n"
        )
        .unwrap();
    }
    text.push_str("  ]\n}\n");
    text.lines().map(str::to_owned).collect()
}

/// What is replaced in the lines of a grant, by what, and which rule that breaks.
const FAULTS: [(&str, &str, Rule); 20] = [
    ("\"min_units\"", "\"min_unit\"", Rule::UnknownKey),
    ("\"min_units\": 10", "\"min_units\": 4", Rule::BelowFloor),
    ("\"TREND\"", "\"TRENDS\"", Rule::UnknownWord),
    ("\"drug\"", "\"drugs\"", Rule::UnknownColumn),
    ("\"seizures\"", "\"seizure\"", Rule::UnknownDataset),
    ("\"month\"", "\"months\"", Rule::UnknownWord),
    ("\"p_percent\": 10", "\"p_percent\": 0", Rule::BelowFloor),
    ("[\"au\"]", "[\"AU\"]", Rule::WrongForm),
    (
        "\"region\": { \"dimension\": {} }",
        "\"region\": { \"unit\": { \"count\": true } }",
        Rule::UseDoesNotFit,
    ),
    ("[\"sum\"]", "[\"median\"]", Rule::UnknownWord),
    ("\"reason 40\"", "\"\"", Rule::Empty),
    ("[\"role44\"]", "[]", Rule::Empty),
    ("\"quantity\"", "\"quantty\"", Rule::UnknownColumn),
    ("\"min_units\": 10", "\"min_units\": \"10\"", Rule::WrongType),
    ("[\"au\"]", "[\"au\", \"au\"]", Rule::NamedTwice),
    (
        "\"seized_on\": { \"dimension\": { \"finest\": \"month\" } }",
        "\"seized_on\": { \"dimension\": {} }",
        Rule::Grain,
    ),
    ("\"g064\"", "\"g063\"", Rule::IdUsedTwice),
    ("\"p_percent\": 10", "\"valid_until\": \"2026-02-30T00:00:00Z\"", Rule::WrongForm),
    ("\"drug\": { \"dimension\": {} }", "\"country\": { \"dimension\": {} }", Rule::ImpliedColumn),
    ("\"p_percent\": 10", "\"round_to\": 0", Rule::OutOfRange),
];

/// The faulty policy, and the line and rule of every fault.
fn faulty() -> (String, Vec<(usize, Rule)>) {
    let mut lines = long();
    let mut expected = Vec::new();
    for (i, (from, to, rule)) in FAULTS.iter().enumerate() {
        let id = format!("\"id\": \"g{:03}\"", i * 4);
        let grant = lines.iter().position(|line| line.contains(&id)).unwrap();
        let at = (grant..lines.len()).find(|at| lines[*at].contains(from)).unwrap();
        assert!(at < grant + 20, "{from}");
        lines[at] = lines[at].replace(from, to);
        expected.push((at + 1, *rule));
    }
    (lines.join("\n") + "\n", expected)
}

#[test]
fn twenty_faults_in_two_thousand_lines_are_twenty_problems_on_their_lines() {
    let catalogue = Catalogue::builtin();
    let now = "2026-03-01T00:00:00Z".parse().unwrap();
    let sound = long().join("\n");
    assert!(2_000 <= sound.lines().count(), "{}", sound.lines().count());
    assert_eq!(examine(sound.as_bytes(), &catalogue, now), []);

    let (text, expected) = faulty();
    let problems = examine(text.as_bytes(), &catalogue, now);
    let found: Vec<(usize, Rule)> =
        problems.iter().map(|problem| (problem.position.unwrap().line, problem.rule)).collect();
    assert_eq!(found, expected, "{problems:#?}");
    for (problem, (_, to, _)) in problems.iter().zip(FAULTS) {
        let span = problem.span.clone().unwrap();
        let shown = text.get(span.start as usize..span.end as usize).unwrap();
        let line = text.lines().nth(problem.position.unwrap().line - 1).unwrap();
        assert!(line.contains(shown) && !shown.is_empty(), "{shown} is not in {line}");
        assert!(
            shown == "[" || shown == "{" || to.contains(shown) || shown.contains("seized_on"),
            "{shown}: {to}"
        );
    }
    let suggested = problems.iter().filter(|problem| {
        problem.help.as_deref().is_some_and(|help| help.starts_with("did you mean"))
    });
    assert_eq!(suggested.count(), 6, "{problems:#?}");
}

#[test]
fn programs_are_told_the_same() {
    let catalogue = Catalogue::builtin();
    let now = "2026-03-01T00:00:00Z".parse().unwrap();
    let (text, expected) = faulty();
    let problems = examine(text.as_bytes(), &catalogue, now);

    let listed: Value = serde_json::from_str(&json("policy.json", &problems)).unwrap();
    assert_eq!(listed["errors"], 20);
    let lines: Vec<u64> = listed["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| problem["line"].as_u64().unwrap())
        .collect();
    assert_eq!(lines, expected.iter().map(|(line, _)| *line as u64).collect::<Vec<_>>());

    let log = sarif("mayag", "0.1.0", "a policy.json", text.as_bytes(), &problems);
    let log: Value = serde_json::from_str(&log).unwrap();
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    for (result, (line, rule)) in run["results"].as_array().unwrap().iter().zip(&expected) {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(run["tool"]["driver"]["rules"][index]["id"], rule.code());
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "a%20policy.json");
        assert_eq!(place["region"]["startLine"], *line);
    }
}

#[test]
fn columns_of_sarif_count_characters() {
    let text = "{\n  \"why\": \"감사\", \"x\": 1 }";
    let problems =
        examine(text.as_bytes(), &Catalogue::builtin(), "2026-03-01T00:00:00Z".parse().unwrap());
    let unknown: Vec<_> =
        problems.into_iter().filter(|problem| problem.rule == Rule::UnknownKey).collect();
    let log: Value =
        serde_json::from_str(&sarif("mayag", "0", "p", text.as_bytes(), &unknown)).unwrap();
    let region = &log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"];
    assert_eq!((&region["startColumn"], &region["endColumn"]), (&16.into(), &19.into()));
}

fn advice(change: impl Fn(&mut Value), at: &str) -> Vec<String> {
    let mut document: Value =
        serde_json::from_str(include_str!("../../examples/domain.json")).unwrap();
    change(&mut document);
    let text = document.to_string();
    let problems = examine(text.as_bytes(), &Catalogue::domain_pack(), at.parse().unwrap());
    assert!(problems.iter().all(|problem| problem.severity() == Severity::Warning), "{problems:?}");
    problems.iter().map(|problem| format!("{} {}", problem.rule.name(), problem.pointer)).collect()
}

#[test]
fn what_opens_too_much_or_nothing_is_pointed_out() {
    let march = "2026-03-01T00:00:00Z";
    // By place in the examples' grants: 5 is about journeys, 8 about persons, 9 about reports, 10 about seizures.
    assert!(advice(|_| {}, march).is_empty());
    let any = |d: &mut Value| d["grants"][9]["to"]["countries"] = "any".into();
    assert!(advice(any, march).is_empty());
    let day = |d: &mut Value| {
        any(d);
        d["grants"][9]["columns"]["reported_on"]["dimension"]["finest"] = "day".into();
    };
    assert_eq!(advice(day, march), ["fail-open /grants/9/to/countries"]);
    let traits = |d: &mut Value| {
        d["grants"][8]["columns"]["sex"] = serde_json::json!({ "dimension": {} });
        d["grants"][8]["columns"]["birth_place"] = serde_json::json!({ "dimension": {} });
    };
    assert_eq!(advice(traits, march), ["quasi-identifiers /grants/8/columns"]);
    let weak = |d: &mut Value| {
        d["grants"][5]["min_units"] = 5.into();
        d["grants"][5]["difference_guard"] = "off".into();
        d["grants"][5].as_object_mut().unwrap().remove("budget");
        d["grants"][9]["waiver"] = "x".into();
    };
    let mut found = advice(weak, march);
    found.sort();
    assert_eq!(
        found,
        [
            "at-the-floor /grants/5/min_units",
            "guard-off /grants/5/difference_guard",
            "no-budget /grants/5",
            "waiver-without-persons /grants/9/waiver"
        ]
    );
    let shadowed = |d: &mut Value| {
        let mut again = d["grants"][9].clone();
        again["id"] = "z".into();
        again["columns"].as_object_mut().unwrap().remove("topic");
        d["grants"].as_array_mut().unwrap().push(again);
    };
    assert_eq!(advice(shadowed, march), ["never-used /grants/13/id"]);
    let ending = |d: &mut Value| d["grants"][0]["valid_until"] = "2026-03-20T00:00:00Z".into();
    assert_eq!(advice(ending, march), ["ends-soon /grants/0/valid_until"]);
    assert_eq!(advice(|_| {}, "2027-06-10T00:00:00Z"), ["ends-soon /valid_until"]);
}

#[test]
fn lookups_without_limits_or_without_effect_are_pointed_out() {
    let march = "2026-03-01T00:00:00Z";
    let example: Value = serde_json::from_str(include_str!("../../examples/lookups.json")).unwrap();
    let lint = |change: &dyn Fn(&mut Value), at: &str| -> Vec<String> {
        let mut document = example.clone();
        change(&mut document);
        let text = document.to_string();
        let problems = examine(text.as_bytes(), &Catalogue::builtin(), at.parse().unwrap());
        assert!(problems.iter().all(|problem| problem.severity() == Severity::Warning));
        problems.iter().map(|found| format!("{} {}", found.rule.name(), found.pointer)).collect()
    };
    assert!(lint(&|_| {}, march).is_empty());
    let none = |d: &mut Value| {
        d["lookups"][0].as_object_mut().unwrap().remove("limits");
        d["lookups"][1]["limits"] = serde_json::json!({ "at_once": 4096 });
    };
    assert_eq!(lint(&none, march), ["no-limits /lookups/0", "no-limits /lookups/1/limits"]);
    let large = |d: &mut Value| d["lookups"][2]["limits"]["person"] = 7.into();
    assert_eq!(lint(&large, march), ["limit-not-reached /lookups/2/limits/at_once"]);
    // The second by id covers the first: an id decides only between grants that say the same.
    let shadowed = |d: &mut Value| {
        d["lookups"][1]["to"] = d["lookups"][0]["to"].clone();
        d["lookups"][1]["purposes"] = serde_json::json!(["BORDER", "INVESTIGATE"]);
        d["lookups"][1].as_object_mut().unwrap().remove("valid_until");
    };
    assert_eq!(lint(&shadowed, march), ["never-used /lookups/0/id"]);
    let same = |d: &mut Value| {
        d["lookups"][1] = d["lookups"][0].clone();
        d["lookups"][1]["id"] = "again".into();
        d["lookups"][1]["limits"]["person"] = 5000.into();
    };
    assert_eq!(lint(&same, march), ["never-used /lookups/0/id"]);
    assert_eq!(lint(&|_| {}, "2026-06-15T00:00:00Z"), ["ends-soon /lookups/1/valid_until"]);
}

#[test]
fn the_exact_end_is_stated_thirty_days_before() {
    let policy = include_bytes!("../../examples/several.json");
    let catalogue = Catalogue::builtin();
    let said = |now: &str| {
        let problems = examine(policy, &catalogue, now.parse().unwrap());
        let ends = problems.into_iter().find(|problem| problem.pointer == "/valid_until");
        ends.map(|problem| problem.message)
    };
    assert_eq!(said("2026-12-02T00:00:00Z"), None);
    let text = "the policy ends at 2027-01-01T00:00:00.000Z (UTC), in 29 days";
    assert_eq!(said("2026-12-02T00:00:00.001Z").as_deref(), Some(text));
    let text =
        "the policy ended at 2027-01-01T00:00:00.000Z (UTC): nothing is answered under it any more";
    assert_eq!(said("2027-01-01T00:00:00Z").as_deref(), Some(text));

    let policy = Policy::parse(policy, &catalogue, |_| Digest::from_bytes([0; 32])).unwrap();
    let left = |now: &str| policy.ends_soon(now.parse().unwrap()).map(|left| left.as_secs());
    assert_eq!(left("2026-12-02T00:00:00Z"), None);
    assert_eq!(left("2026-12-31T23:59:59Z"), Some(1));
    assert_eq!(left("2027-02-01T00:00:00Z"), Some(0));
}
