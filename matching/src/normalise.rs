//! Identifiers in one spelling: what is searched is the same bytes wherever and however it was written down.
//!
//! A blinded lookup compares for equality and nothing else, so a space, a hyphen or a Cyrillic `А` on one side is a missed
//! hit that nobody notices. Both sides, the node that indexes a column and the desk that asks, run the same [`normalise`];
//! [`NORMVER`] is part of what is hashed, so that two versions of these rules never meet by accident.
//!
//! ```
//! use mayag_matching::normalise::{Kind, normalise};
//!
//! let passport = normalise("passport:m 1234-5678@PH")?;
//! assert_eq!((passport.kind(), passport.value()), (Kind::TravelDocument, "PHL:P:M12345678"));
//! let container = normalise("container:csqu 305438-4").err().unwrap();
//! assert_eq!(container.to_string(), "the check digit does not fit the other characters: compare the number with its source");
//! # Ok::<(), mayag_matching::normalise::Problem>(())
//! ```
//!
//! Nothing here panics on any text, and no error or note quotes the identifier. Buffers of this module are wiped when
//! dropped; what dependencies copy on the way (tables of Unicode, the IBAN check) is not.

mod base58;
mod bech32;
mod codes;
mod countries;
mod document;
mod email;
mod kind;
mod letters;
mod logo;
mod person;
mod phone;
mod plate;
mod problem;
mod wallet;

use crate::fuzzy;
use crate::input::{LONGEST_IDENTIFIER, Rules};
use crate::redacted::redacted;
use mayag_protocol::lookup::Band;
use zeroize::Zeroizing;

pub(crate) use letters::joined;
pub(crate) use logo::LogoHash;
pub(crate) use person::Person;

pub use kind::{DocumentType, Kind, Label};
pub use problem::{Code, Note, Problem};

/// The version of all rules of this module. Any change of a value or of a fuzzy key raises it: tables of one version and
/// questions of another never meet, which the positive control reports as `unknown` instead of `no hit`.
pub const NORMVER: u16 = 1;

/// The longest input in bytes: a person with many long names, with room. Longer is no identifier.
pub const LONGEST_INPUT: usize = 512;
/// The longest normalised value in bytes; transliteration may make a text longer.
pub const LONGEST_VALUE: usize = LONGEST_IDENTIFIER;
/// The most variants of one identifier that is not fuzzy: each costs the asker one element of the budget at every node.
pub const MOST_VARIANTS: usize = 4;
/// The most elements of one identifier: of a person with eight names of forty letters. Juan Cruz has 28.
pub const MOST_ELEMENTS: usize = 400;

/// An identifier in its one spelling. Its `Debug` does not show it.
pub struct Normalised {
    kind: Kind,
    value: Zeroizing<String>,
    reading: Option<Zeroizing<String>>,
    variants: Vec<Zeroizing<String>>,
    notes: Vec<Note>,
    fuzzy: Option<Fuzzy>,
}

/// What fuzzy keys are made of.
enum Fuzzy {
    Logo(LogoHash),
    Person(Person),
}

/// One text that is hashed for an identifier, and which part of it this stands for. Its `Debug` shows neither.
#[derive(Clone, PartialEq, Eq)]
pub struct Element {
    slot: u16,
    band: Band,
    text: Zeroizing<String>,
}

redacted!(Element, Normalised);

impl Element {
    pub(crate) fn new(slot: u16, band: Band, text: &str) -> Self {
        Self { slot, band, text: Zeroizing::new(text.to_owned()) }
    }

    /// The text, to be hashed with the [`rules`] of its kind.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Which element of its identifier this is; given back to [`Normalised::band`].
    pub fn slot(&self) -> u16 {
        self.slot
    }

    /// What a hit of this element says at most, for the row that is indexed under it.
    pub fn band(&self) -> Band {
        self.band
    }
}

impl AsRef<str> for Element {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

/// The rules that elements of a kind are hashed with.
pub fn rules(kind: Kind) -> Rules {
    Rules { kind: kind.name(), version: NORMVER }
}

/// Normalises `word:value@qualifier`, such as `passport:M12345678@PHL`, `phone:0917 555 0101@PH` or `iban:GB29...`.
pub fn normalise(input: &str) -> Result<Normalised, Problem> {
    if input.len() > LONGEST_INPUT {
        return Err(problem::TOO_LONG);
    }
    let (word, rest) = input.trim().split_once(':').ok_or(problem::NO_KIND)?;
    let label: Label = word.trim().parse()?;
    let (value, qualifier) = match rest.rsplit_once('@') {
        Some((value, qualifier)) if label.kind().ends_at_sign() => (value, Some(qualifier)),
        Some(_) | None => (rest, None),
    };
    normalise_parts(label, value, qualifier)
}

/// Normalises a value whose kind and qualifier (issuing country, region, birth date) come from elsewhere, such as two
/// columns of a dataset.
pub fn normalise_parts(
    label: Label,
    value: &str,
    qualifier: Option<&str>,
) -> Result<Normalised, Problem> {
    let kind = label.kind();
    if value.len() + qualifier.map_or(0, str::len) > LONGEST_INPUT {
        return Err(problem::TOO_LONG);
    }
    let qualifier = qualifier.map(str::trim).filter(|qualifier| !qualifier.is_empty());
    if qualifier.is_some() && !kind.has_qualifier() {
        return Err(problem::UNEXPECTED_QUALIFIER);
    }
    if !value.chars().any(char::is_alphanumeric) {
        return Err(problem::EMPTY);
    }
    let mut draft = draft(label, value, qualifier)?;
    if draft.value.len() > LONGEST_VALUE {
        return Err(problem::TOO_LONG);
    }
    draft.settle();
    let Draft { value, reading, variants, notes, fuzzy } = draft;
    Ok(Normalised { kind, value, reading, variants, notes, fuzzy })
}

fn draft(label: Label, value: &str, qualifier: Option<&str>) -> Result<Draft, Problem> {
    match label.kind() {
        Kind::Cas => codes::cas(value),
        Kind::Container => codes::container(value),
        Kind::Email => email::email(value),
        Kind::Iban => codes::iban(value),
        Kind::IdentityDocument | Kind::TravelDocument => {
            document::document(label.document(), value, qualifier)
        }
        Kind::Imei => codes::imei(value),
        Kind::Imo => codes::imo(value, qualifier),
        Kind::Logo => logo::logo(value),
        Kind::Mmsi => codes::mmsi(value),
        Kind::Person => person::person(value, qualifier),
        Kind::Phone => phone::phone(value, qualifier),
        Kind::Plate => plate::plate(value, qualifier),
        Kind::Vin => codes::vin(value),
        Kind::Wallet => wallet::wallet(value),
    }
}

impl Normalised {
    /// What kind of identifier it is: with the table of a node it decides what is compared with what.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The one spelling. Shown to the person who typed it, and to nobody else.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Other spellings that are searched as well, best first: misread characters, other conventions.
    pub fn variants(&self) -> impl Iterator<Item = &str> {
        self.reading.iter().chain(&self.variants).map(|variant| variant.as_str())
    }

    /// What was changed or assumed beyond spacing and case.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// What a node hashes for a record that holds this identifier.
    pub fn indexed(&self) -> Vec<Element> {
        match &self.fuzzy {
            None => {
                let reading = self.reading.iter().map(|text| Element::new(1, Band::Strong, text));
                std::iter::once(Element::new(0, Band::Exact, &self.value)).chain(reading).collect()
            }
            Some(Fuzzy::Logo(hash)) => fuzzy::logo::keys(hash),
            Some(Fuzzy::Person(person)) => fuzzy::person::keys(person),
        }
    }

    /// What a desk blinds to search for this identifier: what a node would index for it, and the variants.
    pub fn searched(&self) -> Vec<Element> {
        let mut elements = self.indexed();
        let slots = 2..;
        let variants = slots.zip(&self.variants);
        elements.extend(variants.map(|(slot, text)| Element::new(slot, Band::Strong, text)));
        elements
    }

    /// How well a record agrees whose boxes were opened: for each, the slot of the element that did and the band in the
    /// box. `None`: not well enough to say anything. A slot counts once, however often it is given.
    pub fn band(&self, opened: &[(u16, Band)]) -> Option<Band> {
        let slots = || opened.iter().map(|(slot, _)| *slot);
        match &self.fuzzy {
            None => {
                let searched = |slot| if slot == 0 { Band::Exact } else { Band::Strong };
                // What was searched and what is held both have another spelling or not: the weaker of the two counts.
                opened.iter().map(|(slot, held)| searched(*slot).max(*held)).min()
            }
            Some(Fuzzy::Logo(_)) => fuzzy::logo::band(slots()),
            Some(Fuzzy::Person(_)) => fuzzy::person::band(slots()),
        }
    }
}

/// A normalised identifier in the making.
struct Draft {
    value: Zeroizing<String>,
    /// A reading that nodes index beside the value.
    reading: Option<Zeroizing<String>>,
    /// What is searched beside both.
    variants: Vec<Zeroizing<String>>,
    notes: Vec<Note>,
    fuzzy: Option<Fuzzy>,
}

impl Draft {
    fn new(value: Zeroizing<String>) -> Self {
        Self { value, reading: None, variants: Vec::new(), notes: Vec::new(), fuzzy: None }
    }

    fn note(mut self, note: Note) -> Self {
        self.notes.push(note);
        self
    }

    /// Variants that differ from the value and from each other, and no more than there may be.
    fn settle(&mut self) {
        self.reading.take_if(|reading| **reading == *self.value);
        let mut kept: Vec<Zeroizing<String>> = Vec::with_capacity(MOST_VARIANTS);
        for variant in std::mem::take(&mut self.variants) {
            let known = *variant == *self.value
                || self.reading.as_ref() == Some(&variant)
                || kept.contains(&variant);
            if !known && variant.len() <= LONGEST_VALUE && kept.len() < MOST_VARIANTS {
                kept.push(variant);
            }
        }
        self.variants = kept;
        self.notes.sort_unstable();
        self.notes.dedup();
    }
}
