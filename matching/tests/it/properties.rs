//! Properties of every rule, on inputs nobody thought of.

use mayag_matching::input::Input;
use mayag_matching::normalise::{
    Kind, LONGEST_VALUE, Label, MOST_ELEMENTS, MOST_VARIANTS, Normalised, Problem, normalise,
    normalise_parts, rules,
};
use mayag_protocol::lookup::Band;
use proptest::prelude::*;

/// What was found, for comparison.
fn outcome(input: &str) -> Result<(Kind, String, Vec<String>), String> {
    let found = normalise(input).map_err(|problem| problem.code().as_str().to_owned())?;
    Ok((found.kind(), found.value().to_owned(), found.variants().map(str::to_owned).collect()))
}

/// Holds for whatever was normalised: sizes are bounded, elements differ, and no input of the PRF is ambiguous.
fn check(found: &Normalised) {
    assert!(!found.value().is_empty() && found.value().len() <= LONGEST_VALUE);
    assert!(found.variants().count() <= MOST_VARIANTS + 1);
    let (indexed, searched) = (found.indexed(), found.searched());
    assert!(
        !indexed.is_empty() && indexed.len() <= searched.len() && searched.len() <= MOST_ELEMENTS
    );
    for (n, element) in searched.iter().enumerate() {
        Input::new(&rules(found.kind()), element.text()).unwrap();
        for other in &searched[..n] {
            assert!(other.text() != element.text() && other.slot() != element.slot());
        }
    }
    assert!(indexed.iter().zip(&searched).all(|(a, b)| a == b));
    assert!(found.band(&[]).is_none());
    let all: Vec<(u16, Band)> = indexed.iter().map(|one| (one.slot(), one.band())).collect();
    assert_eq!(found.band(&all), Some(Band::Exact));
}

/// Normalises what was found once more.
pub(crate) fn again(label: Label, found: &Normalised) -> Result<Normalised, Problem> {
    let value = found.value();
    match found.kind() {
        Kind::IdentityDocument | Kind::TravelDocument => {
            let parts: Vec<&str> = value.split(':').collect();
            let [issuer, _, number] = parts[..] else { panic!("{} parts", parts.len()) };
            normalise_parts(label, number, Some(issuer))
        }
        Kind::Plate => {
            let (country, plate) = value.split_once(':').unwrap();
            normalise_parts(label, plate, Some(country))
        }
        Kind::Person => {
            let (names, birth) = value.split_once('|').unwrap();
            normalise_parts(label, names, Some(birth))
        }
        Kind::Imo if value.starts_with('C') => {
            normalise_parts(label, value.trim_start_matches('C'), Some("company"))
        }
        Kind::Wallet => normalise_parts(label, value.split_once(':').unwrap().1, None),
        Kind::Cas
        | Kind::Container
        | Kind::Email
        | Kind::Iban
        | Kind::Imei
        | Kind::Imo
        | Kind::Logo
        | Kind::Mmsi
        | Kind::Phone
        | Kind::Vin => normalise_parts(label, value, None),
    }
}

/// Text that is likelier to get somewhere than any text.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,60}",
        "[ -~]{0,80}",
        "[A-Z0-9 .<-]{0,40}",
        "[\u{370}-\u{4ff}A-Z0-9 ]{0,30}",
        "[\u{600}-\u{6ff}\u{4e00}-\u{4fff}a-z' -]{0,30}",
        "\\+?[0-9 ()-]{0,24}",
        "\\PC{0,60}",
    ]
}

fn word() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(Label::words().collect::<Vec<_>>())
}

fn qualifier() -> impl Strategy<Value = String> {
    prop_oneof![
        "[A-Z]{2,3}",
        Just("PHL".to_owned()),
        Just("DE".to_owned()),
        Just("1980-02-29".to_owned()),
        "[0-9]{4}-[0-9]{2}-[0-9]{2}",
        ".{0,10}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(input in ".{0,200}", bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        for input in [input.as_str(), &String::from_utf8_lossy(&bytes)] {
            if let Ok(found) = normalise(input) {
                check(&found);
            }
        }
    }

    #[test]
    fn no_value_of_any_kind_makes_it_panic(word in word(), value in text(), qualifier in qualifier()) {
        let label: Label = word.parse().unwrap();
        for qualifier in [None, Some(qualifier.as_str())] {
            if let Ok(found) = normalise_parts(label, &value, qualifier) {
                check(&found);
            }
        }
    }

    #[test]
    fn what_is_normalised_stays_as_it_is(word in word(), value in text(), qualifier in qualifier()) {
        let label: Label = word.parse().unwrap();
        let Ok(found) = normalise_parts(label, &value, Some(&qualifier)).or_else(|_| normalise_parts(label, &value, None)) else {
            return Ok(());
        };
        let again = again(label, &found);
        let again = again.map_err(|problem| TestCaseError::fail(format!("{}: {}: {problem}", found.kind(), found.value())))?;
        prop_assert_eq!(again.value(), found.value());
    }

    #[test]
    fn spelling_says_nothing(number in "[A-Z0-9]{1,2}[0-9][A-Z0-9]{3,9}", spaces in proptest::collection::vec(0usize..12, 0..5)) {
        let expected = outcome(&format!("passport:{number}@PHL"));
        let mut spelled: Vec<char> = number.to_ascii_lowercase().chars().collect();
        for (n, place) in spaces.into_iter().enumerate() {
            let separator = [' ', '-', '.', '<', '\u{a0}'][n];
            spelled.insert(place.min(spelled.len()), separator);
        }
        let spelled: String = spelled.into_iter().collect();
        prop_assert_eq!(outcome(&format!(" Passport : {spelled}@ph ")), expected);
    }

    #[test]
    fn the_order_of_names_says_nothing(mut names in proptest::collection::vec("[A-Z][a-z]{1,9}", 1..5), turn in 0usize..5) {
        let expected = outcome(&format!("person:{}@1980-02-29", names.join(" ")));
        let turn = turn % names.len();
        names.rotate_left(turn);
        prop_assert_eq!(outcome(&format!("person:{}@29.2.1980", names.join(", ").to_uppercase())), expected);
    }
}

#[test]
fn huge_inputs_are_refused_at_once() {
    for word in Label::words() {
        for filling in ["1", "A", "\u{fdfa}", "\u{301}", ":", "@", " "] {
            let input = format!("{word}:{}@PHL", filling.repeat(1_000_000));
            assert!(normalise(&input).is_err(), "{word}");
            let label: Label = word.parse().unwrap();
            assert!(normalise_parts(label, &input, None).is_err(), "{word}");
            // The longest that is looked at: one letter may become eighteen.
            if let Ok(found) =
                normalise_parts(label, &filling.repeat(500 / filling.len()), Some("PHL"))
            {
                check(&found);
            }
        }
    }
}

#[test]
fn no_problem_quotes_the_identifier() {
    let secret = "ZQ7ZQ9";
    for word in Label::words() {
        for input in [
            format!("{word}:{secret}"),
            format!("{word}:{secret}@{secret}"),
            format!("{word}:@{secret}"),
            format!("{secret}:{secret}"),
            secret.to_owned(),
        ] {
            let Err(problem) = normalise(&input) else { continue };
            let said = format!("{problem} {problem:?}");
            assert!(!said.contains(secret) && !said.contains("zq7"), "{word}: {said}");
            let text = problem.to_string();
            assert!(!text.ends_with('.') && text.contains(": ") && !text.contains('\n'), "{text}");
            assert!(text.ends_with(problem.help()));
        }
    }
}
