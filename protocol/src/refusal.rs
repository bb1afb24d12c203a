//! Refusals: a closed list of codes, each with a name and a title, for the person who asked.
//!
//! A refusal depends only on the question, the policy, the person, the budget and the time, never on data (design
//! §4.5). A code never changes its meaning. Bands: 1xxx identity and question, 2xxx policy and SQL, 3xxx privacy and
//! budget, 4xxx availability.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A "no" with its reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// What kind of "no".
    pub code: Code,
    /// The rule that said no: a grant's id, or the name of a general rule such as `default-deny`.
    pub rule: String,
    /// The column, function, dataset or clause it is about, as the question wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What to do next.
    pub hint: String,
}

impl Refusal {
    /// A refusal about the question as a whole.
    pub fn new(code: Code, rule: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { code, rule: rule.into(), subject: None, hint: hint.into() }
    }

    /// The same, about this column, function, dataset or clause (cut to 120 characters).
    #[must_use]
    pub fn about(mut self, subject: impl AsRef<str>) -> Self {
        self.subject = Some(subject.as_ref().chars().take(120).collect());
        self
    }

    /// The same in other words: `words` is given its subject and its hint.
    #[must_use]
    pub fn reworded(self, words: impl Fn(&str) -> String) -> Self {
        let subject = self.subject.map(|subject| words(&subject));
        Self { subject, hint: words(&self.hint), ..self }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {}", self.code, self.code.title())?;
        if let Some(subject) = &self.subject {
            write!(f, ": `{subject}`")?;
        }
        write!(f, " (rule {})", self.rule)
    }
}

impl std::error::Error for Refusal {}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $name:literal, $title:literal;)*) => {
        /// The closed list of refusals.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Code {
            $($(#[$doc])* #[serde(rename = $number)] $variant,)*
        }

        impl Code {
            /// Every code, by number.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The stable code, such as `MAYAG-2104`.
            pub fn number(self) -> &'static str {
                match self { $(Self::$variant => $number,)* }
            }

            /// The kebab-case name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// One line: what happened.
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }
        }
    };
}

codes! {
    /// The envelope or the question inside it cannot be read.
    MalformedQuestion = "MAYAG-1001", "malformed-question", "the question could not be read";
    /// No key that the roster lists for this person signed the question.
    BadSignature = "MAYAG-1002", "bad-signature", "the question is not signed by a key the roster lists for this person";
    /// The roster does not know the person.
    NotInRoster = "MAYAG-1003", "not-in-roster", "the roster does not list this person";
    /// The question was signed for another gateway or does not name this country.
    WrongAudience = "MAYAG-1004", "wrong-audience", "the question was signed for somebody else";
    /// Expired, from the future, or living too long.
    Expired = "MAYAG-1005", "expired", "the question is outside its time";
    /// Its nonce was seen before.
    Replayed = "MAYAG-1006", "replayed", "the question was asked before";
    /// The roster does not give the person this purpose.
    PurposeNotHeld = "MAYAG-1007", "purpose-not-held", "the roster does not give this person the purpose";
    /// The person on the connection is not the person who signed.
    NotYours = "MAYAG-1008", "not-yours", "the question was signed by somebody else than the person connected";
    /// Over a size limit of the token guard.
    TooComplex = "MAYAG-2001", "too-complex", "the question is over a size limit";
    /// The SQL cannot be parsed.
    SqlNotReadable = "MAYAG-2002", "sql-not-readable", "the SQL could not be read";
    /// Anything but one `SELECT`.
    NotOneSelect = "MAYAG-2003", "not-one-select", "only a single SELECT is answered";
    /// A path from a dataset to the output without an aggregate.
    RowsNotShared = "MAYAG-2004", "rows-not-shared", "rows never leave a country, only aggregates do";
    /// An operator, expression or function that is not on the list.
    NotSupported = "MAYAG-2005", "not-supported", "this part of the SQL is not on the list of what can be asked";
    /// A filter below a release that is not an atom predicate.
    PredicateNotAllowed = "MAYAG-2006", "predicate-not-allowed", "rows can be filtered by comparing a level with constants only";
    /// A group key that is not a level.
    KeyNotLevel = "MAYAG-2007", "key-not-level", "groups can be formed by levels of a dataset only";
    /// The policy is missing, unreadable or outside its validity.
    NoPolicy = "MAYAG-2101", "no-policy", "this country has no policy in force";
    /// No grant covers person, purpose and dataset.
    NoGrant = "MAYAG-2102", "no-grant", "this country shares nothing of the dataset with you for this purpose";
    /// The column is unknown or not shared; the two look alike.
    ColumnNotShared = "MAYAG-2104", "column-not-shared", "the column is not shared";
    /// The level is finer than the grant allows.
    LevelTooFine = "MAYAG-2105", "level-too-fine", "the column is shared at a coarser level only";
    /// The measure is shared, this aggregate of it is not.
    AggregateNotShared = "MAYAG-2106", "aggregate-not-shared", "this aggregate of the column is not shared";
    /// More columns are combined in keys and filters than the grant allows.
    TooManyLevels = "MAYAG-2107", "too-many-levels", "more columns are combined than this country shares together";
    /// The table is unknown, of another kind, or not shared; they look alike.
    TableNotShared = "MAYAG-2108", "table-not-shared", "this country lets you search no such table for this purpose";
    /// The table's key or rules are others now.
    OtherEpoch = "MAYAG-2109", "other-epoch", "the table has another key or other rules than the lookup was made for";
    /// More identifiers in one lookup than the grant allows.
    TooManyIdentifiers = "MAYAG-2110", "too-many-identifiers", "more identifiers are searched at once than this country lets you";
    /// The budget is used up.
    BudgetExhausted = "MAYAG-3001", "budget-exhausted", "the budget for this dataset is used up";
    /// Too many questions at once.
    Busy = "MAYAG-4001", "busy", "too many questions at once";
    /// The log cannot be written: nothing is answered without a log entry.
    LogUnavailable = "MAYAG-4002", "log-unavailable", "the query log cannot be written";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.number())
    }
}

#[cfg(test)]
mod tests {
    use super::Code;
    use std::collections::BTreeSet;

    #[test]
    fn codes_and_names_are_unique_and_in_order() {
        assert!(Code::ALL.is_sorted_by(|a, b| a.number() < b.number()));
        let names: BTreeSet<_> = Code::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            assert_eq!(serde_json::to_string(code).unwrap(), format!("\"{code}\""));
        }
    }
}
