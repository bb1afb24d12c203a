//! What people and programs read, how a run ends, and what neither is shown.

use super::{Batch, LEAD, Layout, Named, Names, Shown, left_out, masked};
use crate::exit::Exit;
use crate::printer::Reader;
use mayag_desk::lookup::{CountryAnswered, Found, LookupAnswer, OfTable, Reason, Said};
use mayag_matching::normalise::Kind;
use mayag_protocol::lookup::{Band, Hit};
use mayag_protocol::outcome::Outcome;
use mayag_protocol::refusal::{Code, Refusal};

const TYPED: &str = "passport:M12345678@PHL";

/// What a country says of every identifier.
#[derive(Debug, Clone)]
enum Say {
    Hit(Band),
    No,
    Nothing(Reason),
    Unknown,
}

/// An answer to one identifier.
fn answer(said: &[(&str, Say)]) -> LookupAnswer {
    let country = |(code, say): &(&str, Say)| {
        let country = code.parse().unwrap();
        let said = match say {
            Say::Nothing(reason) => return CountryAnswered::nothing(country, reason.clone()),
            Say::Hit(band) => {
                let (category, handling) = ("stolen document".to_owned(), "H1".to_owned());
                let contact = "05".repeat(16);
                let hit = Hit { band: *band, category, handling, contact, rows: 1 };
                Said::of(vec![Found { table: "known".parse().unwrap(), hit }])
            }
            Say::No => Said::No,
            Say::Unknown => Said::Unknown(Reason::Control),
        };
        let table = "known".parse().unwrap();
        let left_out = if *code == "us" { 3 } else { 0 };
        CountryAnswered::evaluated(
            country,
            vec![OfTable { table, left_out, may_be_silent: false, said: vec![said] }],
            None,
        )
    };
    LookupAnswer::new(1, said.iter().map(country).collect(), Vec::new())
}

fn named(row: usize) -> Named {
    Named { row, masked: masked("PHL:P:M12345678"), typed: TYPED.to_owned().into() }
}

fn shown(kind: Kind, answer: LookupAnswer) -> Shown {
    let named = (1..=answer.identifiers()).map(named).collect();
    Shown::new(vec![Batch { kind, named, answer }])
}

fn passport(said: &[(&str, Say)]) -> Shown {
    shown(Kind::TravelDocument, answer(said))
}

fn refused() -> Say {
    Say::Nothing(Reason::Refused(Refusal::new(Code::TableNotShared, "kr/\u{1b}[2J", "ask")))
}

fn text(shown: &Shown, layout: Layout, names: Names) -> String {
    layout.render(shown, names, Reader::Program).unwrap()
}

#[test]
fn a_person_reads_hits_first_and_why_nothing_is_known() {
    let shown = passport(&[
        ("au", Say::Hit(Band::Exact)),
        ("kr", Say::No),
        ("mx", refused()),
        ("th", Say::Nothing(Reason::Outcome(Outcome::TimedOut))),
        ("us", Say::Nothing(Reason::Outcome(Outcome::TimedOut))),
    ]);
    let text = text(&shown, Layout::Table, Names::Masked);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "1     travel_document    …678");
    assert_eq!(
        lines[1],
        format!(
            "      hit            au  exact  known  stolen document  H1  contact {}  1 row",
            "05".repeat(16)
        )
    );
    assert_eq!(lines[2], "      no_hit         kr");
    assert_eq!(lines[3], "      not_evaluated  th us: timed_out");
    assert!(lines[4].starts_with("      not_permitted  mx: [MAYAG-2108]"), "{text}");
    assert!(
        !text.contains('\u{1b}') && !text.contains("anywhere") && !text.contains(TYPED),
        "{text}"
    );
}

#[test]
fn no_hit_anywhere_is_said_only_where_everybody_proved_it() {
    let all = passport(&[("kr", Say::No), ("us", Say::No)]);
    assert!(text(&all, Layout::Table, Names::Masked).contains("no hit anywhere: kr us\n"));
    assert!(all.footer()[0].contains("0 with a hit, 1 with no hit anywhere, 0 not known"));
    let value: serde_json::Value =
        serde_json::from_str(&text(&all, Layout::Json, Names::Masked)).unwrap();
    assert_eq!((&value["no_hit_anywhere"], &value["complete"]), (&true.into(), &true.into()));
    for other in [refused(), Say::Unknown, Say::Nothing(Reason::NoTable), Say::Hit(Band::Exact)] {
        let some = passport(&[("kr", Say::No), ("us", other)]);
        assert!(!text(&some, Layout::Table, Names::Masked).contains("no hit anywhere"));
        assert!(some.footer()[0].contains("0 with no hit anywhere"), "{:?}", some.footer());
        let json = text(&some, Layout::Json, Names::Masked);
        assert!(!json.contains("\"no_hit_anywhere\":true"), "{json}");
    }
}

#[test]
fn rows_that_nobody_can_find_are_told() {
    let shown = passport(&[("kr", Say::No), ("us", Say::No)]);
    let said = "-- us known: 3 rows are not in the index: what they hold is written in no form that can be searched";
    assert_eq!(shown.footer().iter().filter(|line| line.contains("rows are not")).count(), 1);
    assert!(shown.footer().iter().any(|line| line == said), "{:?}", shown.footer());
    let left = serde_json::json!([{"country": "us", "table": "known", "rows": 3}]);
    let of = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(of(&text(&shown, Layout::Json, Names::Masked))["left_out"], left);
    let lines = text(&shown, Layout::Ndjson, Names::Masked);
    assert_eq!(of(lines.lines().last().unwrap())["left_out"], left);
    assert!(left_out(1).starts_with("1 row is not in the index: what it holds"));
}

#[test]
fn a_hit_through_fuzzy_keys_is_always_called_a_lead() {
    let person = shown(Kind::Person, answer(&[("kr", Say::Hit(Band::Exact))]));
    for layout in [Layout::Csv, Layout::Json, Layout::Ndjson, Layout::Table] {
        assert!(text(&person, layout, Names::Masked).contains(LEAD), "{layout:?}");
        let passport = passport(&[("kr", Say::Hit(Band::Strong))]);
        assert!(!text(&passport, layout, Names::Masked).contains(LEAD), "{layout:?}");
    }
}

#[test]
fn runs_end_by_what_is_known() {
    let no = || Say::No;
    let hit = || Say::Hit(Band::Exact);
    let silent = || Say::Nothing(Reason::Outcome(Outcome::Unreachable));
    let proof = || Say::Nothing(Reason::Proof);
    for (said, exit) in [
        (vec![("kr", no()), ("us", hit())], Exit::Complete),
        (vec![("kr", no()), ("us", silent())], Exit::Partial),
        (vec![("kr", no()), ("us", refused())], Exit::Partial),
        (vec![("kr", hit()), ("us", proof())], Exit::Partial),
        (vec![("kr", refused()), ("us", refused())], Exit::RefusedByAll),
        (vec![("kr", refused()), ("us", silent())], Exit::Error),
        (vec![("kr", silent())], Exit::Error),
        (vec![("kr", Say::Unknown)], Exit::VerificationFailed),
        (vec![("kr", silent()), ("us", proof())], Exit::VerificationFailed),
    ] {
        assert_eq!(passport(&said).exit(), exit, "{said:?}");
    }
    let alarm = passport(&[("kr", hit()), ("us", proof())]);
    assert!(alarm.footer().iter().any(|line| line.starts_with("-- ALARM us: its proof")));
}

#[test]
fn programs_get_numbers_and_identifiers_only_if_they_ask_for_them() {
    let shown =
        passport(&[("kr", Say::Hit(Band::Exact)), ("us", Say::Nothing(Reason::OtherRules))]);
    for layout in [Layout::Csv, Layout::Json, Layout::Ndjson, Layout::Table] {
        assert!(!text(&shown, layout, Names::Masked).contains("M1234"), "{layout:?}");
        assert!(text(&shown, layout, Names::Whole).contains(TYPED), "{layout:?}");
    }
    assert!(!format!("{shown:?}").contains("M1234"));
    let contact = "05".repeat(16);
    assert_eq!(
        text(&shown, Layout::Csv, Names::Masked),
        format!(
            "row,kind,country,verdict,table,band,category,handling,contact,rows,reason,note\n\
             1,travel_document,kr,hit,known,exact,stolen document,H1,{contact},1,,\n\
             1,travel_document,us,not_evaluated,,,,,,,other_rules,\n"
        )
    );
    let json = text(&shown, Layout::Json, Names::Masked);
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    let of = &value["identifiers"][0];
    assert_eq!((&of["row"], &of["kind"]), (&1.into(), &"travel_document".into()));
    assert_eq!(of["identifier"], serde_json::Value::Null);
    assert_eq!(of["countries"][0]["hits"][0]["contact"], contact.as_str());
    assert_eq!(of["countries"][1]["reason"], "other_rules");
    let lines = text(&shown, Layout::Ndjson, Names::Masked);
    let last: serde_json::Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!((&last["type"], &last["complete"]), (&"complete".into(), &false.into()));
}

#[test]
fn what_is_masked_is_never_half_shown() {
    assert_eq!(masked("PHL:P:M12345678"), "…678");
    assert_eq!(masked("50-00-0"), "…");
    assert_eq!(masked("ÄÖÜäöüß12"), "…ß12");
}
