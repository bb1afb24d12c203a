//! What is wrong with an identifier, and what was done to one: closed lists of fixed words.
//!
//! Every text is a constant, so that none can quote the identifier: a problem may be printed and logged.

use std::fmt;

/// Why an input is no identifier of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{part} {what}: {help}")]
pub struct Problem {
    code: Code,
    part: &'static str,
    what: &'static str,
    help: &'static str,
}

impl Problem {
    pub(super) const fn new(
        code: Code,
        part: &'static str,
        what: &'static str,
        help: &'static str,
    ) -> Self {
        Self { code, part, what, help }
    }

    /// The sort of problem, for programs.
    pub fn code(&self) -> Code {
        self.code
    }

    /// What to do about it.
    pub fn help(&self) -> &'static str {
        self.help
    }
}

/// Sorts of problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// A birth date is not a year, month and day.
    BirthDate,
    /// A character that cannot stand there.
    Characters,
    /// A check digit or check sum does not fit.
    CheckDigit,
    /// There is no value.
    Empty,
    /// The parts are not those of the kind.
    Format,
    /// Too few or too many characters.
    Length,
    /// A country, region or birth date is needed and was not given.
    MissingQualifier,
    /// Longer than any identifier.
    TooLong,
    /// Something after `@` that the kind does not have.
    UnexpectedQualifier,
    /// The word before the colon is not known.
    UnknownKind,
    /// The country or region after `@` is not known.
    UnknownQualifier,
}

impl Code {
    /// The word for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BirthDate => "birth_date",
            Self::Characters => "characters",
            Self::CheckDigit => "check_digit",
            Self::Empty => "empty",
            Self::Format => "format",
            Self::Length => "length",
            Self::MissingQualifier => "missing_qualifier",
            Self::TooLong => "too_long",
            Self::UnexpectedQualifier => "unexpected_qualifier",
            Self::UnknownKind => "unknown_kind",
            Self::UnknownQualifier => "unknown_qualifier",
        }
    }
}

pub(super) const CHECK_DIGIT: Problem = Problem::new(
    Code::CheckDigit,
    "the check digit",
    "does not fit the other characters",
    "compare the number with its source",
);
pub(super) const EMPTY: Problem =
    Problem::new(Code::Empty, "the value", "is missing", "write it after the colon");
pub(super) const NO_KIND: Problem = Problem::new(
    Code::UnknownKind,
    "the kind",
    "is missing",
    "write it before the value, as in `passport:NUMBER@COUNTRY`",
);
pub(super) const TOO_LONG: Problem = Problem::new(
    Code::TooLong,
    "the input",
    "is longer than any identifier",
    "give one identifier at a time",
);
pub(super) const UNEXPECTED_QUALIFIER: Problem = Problem::new(
    Code::UnexpectedQualifier,
    "the part after `@`",
    "has no meaning for this kind",
    "leave it out",
);
pub(super) const UNKNOWN_COUNTRY: Problem = Problem::new(
    Code::UnknownQualifier,
    "the country after `@`",
    "is not known",
    "give its ISO 3166 code of two or three letters, such as PHL",
);
pub(super) const UNKNOWN_KIND: Problem = Problem::new(
    Code::UnknownKind,
    "the kind",
    "is not known",
    "use one such as passport, id_card, iban, phone, container, imo, plate, cas, email, wallet, person or logo",
);

/// What was changed or assumed, beyond spacing and case, for the person who typed the identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Note {
    /// There is no such day: a slip, or day and month exchanged.
    BirthDateUnusual,
    /// The check digit was missing and was worked out: a slip in the other digits goes unnoticed.
    CheckDigitAdded,
    /// The check digit does not fit, which happens where the rule is not followed everywhere.
    CheckDigitUnusual,
    /// It has no check digit, so that a slip of the pen goes unnoticed.
    CheckDigitMissing,
    /// The extension behind a phone number was left out.
    ExtensionLeftOut,
    /// Letters that stand for digits, or digits for letters, were exchanged where only one of the two can stand.
    LettersForDigits,
    /// Cyrillic or Greek letters that look like Latin ones were taken for these.
    LookAlikes,
    /// The number of a mobile phone was brought to its present form.
    MobileForm,
    /// Particles and titles of a name were left out.
    ParticlesLeftOut,
    /// A tag behind `+`, or dots that the provider ignores, were left out.
    TagLeftOut,
    /// Letters of another script were transliterated: the Latin spelling of the document is better where it is known.
    Transliterated,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BirthDateUnusual => {
                "there is no such day; compare the birth date with its source"
            }
            Self::CheckDigitAdded => "the missing check digit was worked out",
            Self::CheckDigitMissing => "this form has no check digit that could show a slip",
            Self::CheckDigitUnusual => {
                "the check digit does not fit; compare the number with its source"
            }
            Self::ExtensionLeftOut => "the extension was left out",
            Self::LettersForDigits => "letters and digits that look alike were exchanged",
            Self::LookAlikes => {
                "Cyrillic or Greek letters were taken for the Latin ones they look like"
            }
            Self::MobileForm => "the mobile number was brought to its present international form",
            Self::ParticlesLeftOut => "particles and titles were left out",
            Self::TagLeftOut => "the tag, or dots the provider ignores, were left out",
            Self::Transliterated => {
                "other scripts were transliterated; the Latin spelling of the document is better"
            }
        })
    }
}
