//! What may differ between two records of one person, and what may not.

use mayag_matching::normalise::{Element, normalise};
use mayag_protocol::lookup::Band;

fn band(held: &str, sought: &str) -> Option<Band> {
    let person = |text: &str| normalise(&format!("person:{text}")).unwrap();
    let (held, sought) = (person(held).indexed(), person(sought));
    let row = |one: &Element| held.iter().find(|row| row.text() == one.text()).map(Element::band);
    let searched = sought.searched();
    let opened: Vec<(u16, Band)> =
        searched.iter().filter_map(|one| Some((one.slot(), row(one)?))).collect();
    sought.band(&opened)
}

#[test]
fn what_may_differ_is_found_and_what_may_not_is_not() {
    let held = "Erika Mustermann@1964-08-12";
    for (sought, expected) in [
        ("MUSTERMANN, Erika@12.08.1964", Some(Band::Exact)),
        ("Dr. Erika von Mustermann@1964-08-12", Some(Band::Exact)),
        // Spelling.
        ("Erica Mustermann@1964-08-12", Some(Band::Strong)),
        ("Erika Musterman@1964-08-12", Some(Band::Strong)),
        ("Erika Mutsermann@1964-08-12", Some(Band::Strong)),
        (
            "\u{42d}\u{440}\u{438}\u{43a}\u{430} \u{41c}\u{443}\u{441}\u{442}\u{435}\u{440}\u{43c}\u{430}\u{43d}\u{43d}@1964-08-12",
            Some(Band::Exact),
        ),
        // Another family name.
        ("Erika Gabler@1964-08-12", Some(Band::Strong)),
        // Day and month exchanged.
        ("Erika Mustermann@1964-12-08", Some(Band::Strong)),
        // One digit of the date wrong, or two exchanged.
        ("Erika Mustermann@1965-08-12", Some(Band::Possible)),
        ("Erika Mustermann@1964-08-21", Some(Band::Possible)),
        ("Erika Mustermann@1946-08-12", Some(Band::Possible)),
        // Two digits wrong, or a name and a digit.
        ("Erika Mustermann@1975-08-12", None),
        ("Erika Gabler@1965-08-12", None),
        ("Karl Gabler@1964-08-12", None),
        ("Mustermann@1965-08-12", None),
    ] {
        assert_eq!(band(held, sought), expected, "{sought}");
    }
}

#[test]
fn one_way_to_hear_one_name_is_no_hit() {
    let heard = |sought: &str| {
        let (held, sought) = ("person:Green@1964-08-12", format!("person:{sought}@1964-08-12"));
        let (held, sought) = (normalise(held).unwrap().indexed(), normalise(&sought).unwrap());
        let same = |one: &&Element| held.iter().any(|row| row.text() == one.text());
        let searched = sought.searched();
        let opened: Vec<(u16, Band)> =
            searched.iter().filter(same).map(|one| (one.slot(), one.band())).collect();
        (opened.len(), sought.band(&opened))
    };
    // Daitch and Mokotoff take the one for the other, nobody else does.
    assert_eq!(heard("Horan"), (1, None));
    assert_eq!(heard("Grien"), (4, Some(Band::Strong)));
    assert_eq!(heard("Brown"), (0, None));
}

#[test]
fn a_particle_says_nothing_of_a_person() {
    assert_eq!(band("Jan van der Berg@1964-08-12", "Piet van der Laan@1964-08-12"), None);
    assert_eq!(band("Nguyen Van An@1964-08-12", "Tran Van Do@1964-08-12"), None);
    assert_eq!(band("Nguyen Van An@1964-08-12", "Nguyen Van Do@1964-08-12"), Some(Band::Strong));
    assert_eq!(
        band(
            "\u{639}\u{644}\u{64a} \u{627}\u{644}\u{631}\u{634}\u{64a}\u{62f}@1964-08-12",
            "Ali al-Rashid@1964-08-12"
        ),
        Some(Band::Strong)
    );
}
