//! The closed list of what can be wrong with a policy document, each with a stable code.
//!
//! Bands: 1xxx the text and its form, 2xxx what it says, 3xxx advice. A code never changes its meaning.

use std::fmt;

/// How much a problem matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// No node takes the document.
    Error,
    /// A node takes the document; somebody should look at it.
    Warning,
}

impl Severity {
    /// The word for people and programs; also SARIF's `level`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

macro_rules! rules {
    ($($variant:ident = $code:literal, $name:literal, $severity:ident, $doc:literal;)*) => {
        /// A rule that a document breaks.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Rule {
            $(#[doc = $doc] $variant,)*
        }

        impl Rule {
            /// Every rule, by code.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The stable code, such as `POL-2001`.
            pub fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The kebab-case name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// How much it matters.
            pub fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)* }
            }

            /// What it asks for, in a sentence.
            pub fn about(self) -> &'static str {
                match self { $(Self::$variant => $doc,)* }
            }
        }
    };
}

rules! {
    NotJson = "POL-1001", "not-json", Error, "A policy is strict JSON without duplicate keys.";
    TooLong = "POL-1002", "too-long", Error, "A policy has at most so many bytes.";
    UnknownKey = "POL-1101", "unknown-key", Error, "Only keys of the schema are used.";
    MissingKey = "POL-1102", "missing-key", Error, "Every necessary key is there.";
    WrongType = "POL-1103", "wrong-type", Error, "Every value has the type that the schema gives.";
    UnknownWord = "POL-1104", "unknown-word", Error, "Words come from their closed lists.";
    WrongForm = "POL-1105", "wrong-form", Error, "Names, countries and instants have their forms.";
    Empty = "POL-1106", "empty", Error, "Lists and texts are not empty.";
    NamedTwice = "POL-1107", "named-twice", Error, "A list names nothing twice.";
    OutOfRange = "POL-1108", "out-of-range", Error, "Numbers and texts stay within their limits.";
    OtherForm = "POL-1109", "other-form", Error, "The document fits the schema.";
    BelowFloor = "POL-1201", "below-floor", Error, "Thresholds are not under the federation's floors.";
    UnknownDataset = "POL-2001", "unknown-dataset", Error, "Datasets are in the catalogue.";
    UnknownColumn = "POL-2002", "unknown-column", Error, "Columns and levels are in the catalogue.";
    ImpliedColumn = "POL-2003", "implied-column", Error, "The column `country` is implied.";
    UseDoesNotFit = "POL-2004", "use-does-not-fit", Error, "A column is shared as what the catalogue says it is.";
    Grain = "POL-2005", "grain", Error, "Dates, and only dates, have a grain.";
    UnknownValue = "POL-2006", "unknown-value", Error, "Constants are values that the column can have.";
    WrongComparison = "POL-2007", "wrong-comparison", Error, "Rows are filtered by levels, by order where there is one.";
    IdUsedTwice = "POL-2008", "id-used-twice", Error, "Every grant has an id of its own.";
    SameGrantTwice = "POL-2009", "same-grant-twice", Error, "No two grants say the same.";
    EndsBeforeItBegins = "POL-2010", "ends-before-it-begins", Error, "Policies and grants end after they begin.";
    SharesNothing = "POL-2011", "shares-nothing", Error, "A grant shares a column.";
    WaiverMissing = "POL-2012", "waiver-missing", Error, "Persons are answered about with a recorded legal reason only.";
    NoiseOffForPersons = "POL-2013", "noise-off-for-persons", Error, "Noise is on where persons are protected.";
    NoiseImpossible = "POL-2014", "noise-impossible", Error, "Noise has a variance that its largest deviation allows.";
    BoundMissing = "POL-2015", "bound-missing", Error, "Sums have bounds where noise is on.";
    SquaresUnderNoise = "POL-2016", "squares-under-noise", Error, "Variances are not shared where noise is on.";
    OtherCatalogue = "POL-2017", "other-catalogue", Error, "The policy is written for the catalogue in use.";
    TableDisagrees = "POL-2018", "table-disagrees", Error, "All grants of a lookup table say the same of the table.";
    FewWithoutLimits = "POL-2019", "few-without-limits", Error, "Tables of few identifiers are searched within limits only.";
    NotAnsweredYet = "POL-2020", "not-answered-yet", Error, "A policy promises what nodes answer.";
    LegalBasisMissing = "POL-2021", "legal-basis-missing", Error, "A country is told what others search on a recorded legal basis only.";
    OnlyDeclared = "POL-2022", "only-declared", Error, "What is said of declared tables is said of them only.";
    DeclaredWithoutLimits = "POL-2023", "declared-without-limits", Error, "Declared tables are searched within limits only.";
    FailOpen = "POL-3001", "fail-open", Warning, "Fine levels are shared with countries that are named.";
    QuasiIdentifiers = "POL-3002", "quasi-identifiers", Warning, "Traits that together single out a person are not combined.";
    AtTheFloor = "POL-3003", "at-the-floor", Warning, "Thresholds are not weaker than the federation's defaults without need.";
    NeverUsed = "POL-3004", "never-used", Warning, "Every grant is the one that answers some question.";
    EndsSoon = "POL-3005", "ends-soon", Warning, "Policies and grants are renewed in time.";
    GuardOff = "POL-3006", "guard-off", Warning, "The difference guard is on where persons are protected.";
    WaiverWithoutPersons = "POL-3007", "waiver-without-persons", Warning, "A waiver is given where it is needed only.";
    NoBudget = "POL-3008", "no-budget", Warning, "Questions about persons are counted.";
    NoLimits = "POL-3009", "no-limits", Warning, "Identifiers that are searched are counted.";
    LimitNotReached = "POL-3010", "limit-not-reached", Warning, "A lookup may be as large as its grant says.";
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::{Rule, Severity};
    use std::collections::BTreeSet;

    #[test]
    fn codes_and_names_are_unique_and_in_order() {
        assert!(Rule::ALL.is_sorted_by(|a, b| a.code() < b.code()));
        let names: BTreeSet<_> = Rule::ALL.iter().map(|rule| rule.name()).collect();
        assert_eq!(names.len(), Rule::ALL.len());
        for rule in Rule::ALL {
            let advice = rule.code().starts_with("POL-3");
            assert_eq!(rule.severity() == Severity::Warning, advice, "{rule}");
        }
    }
}
