//! `mayag policy` where something speaks against it: what it says, and how it ends.

use crate::federation::{in_folder, made, write};
use std::path::Path;
use tempfile::TempDir;

const MIN: &str = "--key pki/kr-administrator-min/question.key --config kr/node.toml";
const SEO: &str = "--key pki/kr-administrator-seo/question.key --config kr/node.toml";

/// A policy that shares these columns as dimensions.
fn policy(serial: u64, columns: &[&str]) -> String {
    let columns: Vec<String> =
        columns.iter().map(|name| format!("\"{name}\": {{ \"dimension\": {{}} }}")).collect();
    format!(
        "{{\n  \"policy\": \"kr\", \"serial\": {serial},\n  \"valid_from\": \"2020-01-01T00:00:00Z\", \"valid_until\": \
         \"2100-01-01T00:00:00Z\",\n  \"why\": \"test\",\n  \"grants\": [{{\n    \"id\": \"a\", \"why\": \"test\", \"to\": \
         {{ \"countries\": \"any\", \"roles\": [\"analyst\"] }},\n    \"purposes\": [\"TREND\"], \"dataset\": \
         \"seizures\", \"columns\": {{ {} }}\n  }}]\n}}\n",
        columns.join(", ")
    )
}

fn put(folder: &TempDir, name: &str, text: &str) {
    write(&folder.path().join(name), text);
}

/// Runs `mayag policy` with these arguments.
fn run(folder: &TempDir, arguments: &str) -> String {
    in_folder(folder.path(), &format!("mayag policy {arguments}"))
}

/// Proposes a file and returns its digest.
fn proposed(folder: &TempDir, file: &str, who: &str) -> String {
    let said = run(folder, &format!("propose {file} {who} --reason because"));
    assert!(!said.contains("exit code"), "{said}");
    said.lines().last().expect("a digest").to_owned()
}

fn ends_with(said: &str, code: u8) -> bool {
    said.ends_with(&format!("(exit code {code})\n"))
}

#[test]
fn a_policy_comes_into_force_by_two_people_and_never_goes_back() {
    let folder = made();
    put(&folder, "one.json", &policy(1, &["drug"]));
    put(&folder, "two.json", &policy(2, &["drug", "region"]));
    let first = proposed(&folder, "one.json", MIN);

    // One person is not enough, and one person twice is one person.
    let said = run(&folder, &format!("activate {first} --config kr/node.toml"));
    assert!(said.contains("needs the signatures of 2 different administrators"), "{said}");
    assert!(ends_with(&said, 1), "{said}");
    let said = run(&folder, &format!("approve {first} {MIN} --yes"));
    assert!(said.contains("min has signed this draft already") && ends_with(&said, 1), "{said}");

    // Reading is not signing.
    let said = run(&folder, &format!("approve {first} {SEO}"));
    assert!(said.contains("may now") && said.contains("nothing was signed"), "{said}");
    assert!(ends_with(&said, 1), "{said}");
    assert!(ends_with(&run(&folder, &format!("activate {first} --config kr/node.toml")), 1));
    assert!(!run(&folder, &format!("approve {first} {SEO} --yes")).contains("exit code"));
    let said = run(&folder, &format!("activate {first} --config kr/node.toml"));
    assert!(said.starts_with("active: serial 1, signed by min and seo; widens."), "{said}");
    assert!(!folder.path().join("kr/policy/drafts").read_dir().unwrap().any(|_| true));

    // The same serial again, in other words.
    put(&folder, "again.json", &policy(1, &["region"]));
    let said = run(&folder, &format!("propose again.json {MIN} --reason because"));
    assert!(said.contains("set `serial` to 2") && ends_with(&said, 1), "{said}");

    let second = proposed(&folder, "two.json", SEO);
    assert!(!run(&folder, &format!("approve {second} {MIN} --yes")).contains("exit code"));
    assert!(!run(&folder, &format!("activate {second} --config kr/node.toml")).contains("exit"));

    // Back to the first text is a third serial, and one person may narrow.
    let said = run(&folder, &format!("rollback 1 {MIN} --reason undo"));
    assert!(said.contains("proposed by min: serial 3") && said.contains("it narrows"), "{said}");
    let third = said.lines().last().unwrap().to_owned();
    let said = run(&folder, &format!("activate {third} --config kr/node.toml"));
    assert!(said.starts_with("active: serial 3, signed by min; narrows."), "{said}");
    assert!(ends_with(&run(&folder, &format!("rollback 9 {MIN} --reason undo")), 1));

    let history = run(&folder, "history --config kr/node.toml");
    let lines: Vec<&str> = history.lines().collect();
    assert_eq!(lines.len(), 3, "{history}");
    assert!(lines[0].contains("was active") && lines[2].contains("  active  "), "{history}");
    assert!(lines[2].ends_with("min: undo"), "{history}");
    // What the first said, with another number.
    assert_eq!(run(&folder, "diff one.json kr/policy/active.json").lines().count(), 1);
}

#[test]
fn only_administrators_of_the_country_sign_and_only_what_a_node_would_take() {
    let folder = made();
    put(&folder, "good.json", &policy(1, &["drug"]));
    put(&folder, "misspelt.json", &policy(1, &["drgu"]));
    put(&folder, "foreign.json", &policy(1, &["drug"]).replace("\"kr\"", "\"us\""));
    let propose = |file: &str, key: &str| {
        run(
            &folder,
            &format!(
                "propose {file} --key pki/{key}/question.key --reason x --config kr/node.toml"
            ),
        )
    };
    for key in ["kr-analyst-hana", "us-administrator-dana"] {
        let said = propose("good.json", key);
        assert!(said.contains("lists no administrator of `kr`") && ends_with(&said, 1), "{said}");
    }
    let said = propose("misspelt.json", "kr-administrator-min");
    assert!(said.contains("misspelt.json") && said.contains("line 7, column 64"), "{said}");
    assert!(said.contains("did you mean `drug`?") && ends_with(&said, 1), "{said}");
    let said = propose("foreign.json", "kr-administrator-min");
    assert!(said.contains("policy of `us`, not of `kr`") && ends_with(&said, 1), "{said}");
    assert!(ends_with(&propose("missing.json", "kr-administrator-min"), 2));
    assert!(ends_with(&propose("good.json", "nobody"), 2));
    assert!(ends_with(&run(&folder, "history --config nowhere.toml"), 2));
    for digest in ["12345678", "1234"] {
        let said = run(&folder, &format!("activate {digest} --config kr/node.toml"));
        assert!(ends_with(&said, 1), "{said}");
    }
    assert!(!folder.path().join("kr/policy").exists(), "nothing was written");
}

#[test]
fn a_draft_that_was_changed_in_the_store_does_not_come_into_force() {
    let folder = made();
    put(&folder, "one.json", &policy(1, &["drug"]));
    let digest = proposed(&folder, "one.json", MIN);
    let said = run(&folder, &format!("approve {digest} {SEO} --yes"));
    assert!(said.contains("it can be activated"), "{said}");
    let drafts = folder.path().join("kr/policy/drafts");
    let path = drafts.read_dir().unwrap().next().unwrap().unwrap().path();
    let text = std::fs::read_to_string(&path).unwrap();
    let mut record: serde_json::Value = serde_json::from_str(&text).unwrap();
    let signatures = record["envelope"]["signatures"].as_array_mut().unwrap();
    let first = signatures[0].clone();
    signatures[1]["sig"] = first["sig"].clone();
    write(&path, &record.to_string());
    let said = run(&folder, &format!("activate {digest} --config kr/node.toml"));
    assert!(said.contains("1 signed") && ends_with(&said, 1), "{said}");
    write(&path, "{}");
    assert!(ends_with(&run(&folder, "history --config kr/node.toml"), 2));
}

#[test]
fn diff_ends_as_it_was_asked_to() {
    let folder = made();
    put(&folder, "narrow.json", &policy(1, &["drug"]));
    put(&folder, "wide.json", &policy(2, &["drug", "region"]));
    put(&folder, "broken.json", "{");
    let same = run(&folder, "diff narrow.json narrow.json");
    assert!(same.ends_with(": changes nothing\n"), "{same}");
    let wider = run(&folder, "diff narrow.json wide.json");
    assert!(wider.contains("may now group and filter by region\n") && ends_with(&wider, 1));
    let narrower = run(&folder, "diff wide.json narrow.json --fail-on widen");
    assert!(narrower.contains("NARROWS") && narrower.ends_with(": narrows\n"), "{narrower}");
    assert!(ends_with(&run(&folder, "diff narrow.json wide.json --fail-on widen"), 1));
    assert!(ends_with(&run(&folder, "diff narrow.json broken.json"), 1));
    assert!(ends_with(&run(&folder, "diff narrow.json"), 2));
    let first = run(&folder, "diff narrow.json --against active --config kr/node.toml");
    assert!(first.contains("may now ask of it") && ends_with(&first, 1), "{first}");
}

#[test]
fn tests_that_expect_something_else_fail_and_no_tests_fail_too() {
    let folder = made();
    put(&folder, "policy.json", &policy(1, &["drug"]));
    let test = |more: &str| {
        let test = format!(
            "{{\"tests\": [{{\"name\": \"n\", \"as\": {{\"country\": \"us\", \"role\": \"analyst\"}}, \"purpose\": \
             \"TREND\", \"sql\": \"SELECT drug, count(*) FROM seizures GROUP BY drug\", {more}}}]}}"
        );
        put(&folder, "tests.json", &test);
        run(&folder, "test policy.json tests.json")
    };
    assert_eq!(test("\"expect\": \"allow\", \"rule\": \"a\""), "PASS  n\n1 passed, 0 failed\n");
    let said = test("\"expect\": \"allow\", \"rule\": \"b\"");
    assert!(said.contains("expected allow by b, was allowed by a"), "{said}");
    assert!(ends_with(&said, 1));
    assert!(ends_with(&test("\"expect\": \"refuse\""), 1));
    assert!(ends_with(&test("\"expects\": \"refuse\""), 2));
    put(&folder, "tests.json", "{\"tests\": []}");
    let said = run(&folder, "test policy.json tests.json");
    assert!(said.starts_with("grants that no test exercises: a\n"), "{said}");
    assert!(said.contains("there is no test") && ends_with(&said, 1), "{said}");
}

#[test]
fn explain_gives_a_hint_whoever_refuses() {
    let folder = TempDir::new().unwrap();
    put(&folder, "kr.json", &policy(1, &["drug"]));
    for (sql, hint) in [
        ("SELECT drug, count(*) FROM seizures GROUP BY 1 FETCH FIRST 3 ROWS ONLY", "write LIMIT"),
        ("SELECT region, count(*) FROM seizures GROUP BY region", "`mayag datasets` lists"),
        ("SELECT count(*) FROM seizures WHERE drug = \"Heroin\"", "if it is a text"),
        ("SELECT count(*) FROM seizures WHERE \"region\" = 'x'", "if it is a text"),
    ] {
        put(&folder, "question.sql", sql);
        let said = run(&folder, "explain kr.json --as au/analyst --purpose TREND -f question.sql");
        assert!(said.contains(&format!("hint: {hint}")) && ends_with(&said, 4), "{sql}: {said}");
    }
}

#[test]
fn a_first_policy_is_made_from_the_catalogue() {
    let folder = made();
    let line = "mayag policy init --country kr --empty > p.json && mayag policy check p.json";
    let said = in_folder(folder.path(), line);
    assert!(said.contains("policy of `kr`, serial 1"), "{said}");
    let line = "mayag policy init --country kr > p.json && mayag policy check p.json";
    let said = in_folder(folder.path(), line);
    assert!(said.contains("the grant shares no column") && ends_with(&said, 1), "{said}");
    let text = std::fs::read_to_string(folder.path().join("p.json")).unwrap();
    assert!(text.contains("\"officer_note\": \"hidden\""), "{text}");
    let opened = text.replace("\"drug\": \"hidden\"", "\"drug\": { \"dimension\": {} }");
    put(&folder, "p.json", &opened);
    assert!(!run(&folder, "check p.json").contains("/grants/0/columns"), "one is open");
    assert_schema(folder.path(), "schema", "policy.schema.json");
    assert_schema(folder.path(), "schema --tests", "policy.tests.schema.json");
}

fn assert_schema(folder: &Path, arguments: &str, name: &str) {
    let schemas = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies/schema");
    let committed = std::fs::read_to_string(schemas.join(name)).unwrap();
    assert!(in_folder(folder, &format!("mayag policy {arguments}")) == committed, "{name}");
}
