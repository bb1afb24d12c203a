//! What is wrong with a policy document, in words for the administrator who wrote it.

use crate::document::position::{self, Position};
use crate::document::rule::{Rule, Severity};
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

/// One thing that is wrong with a document, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The rule that is broken.
    pub rule: Rule,
    /// The place, as a JSON pointer (RFC 6901); empty for the whole document.
    pub pointer: String,
    /// The same place in the text, where it is known.
    pub position: Option<Position>,
    /// The bytes of the text that it is about, where they are known: a key, a value, or the bracket that opens one.
    pub span: Option<Range<u32>>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    at: At,
}

/// Which end of `"key": value` a problem is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Key,
    Value,
}

impl Problem {
    /// A problem with the value at this place.
    pub fn new(rule: Rule, pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            rule,
            pointer: pointer.into(),
            position: None,
            span: None,
            message: message.into(),
            help: None,
            at: At::Value,
        }
    }

    /// A problem with the key at this place, or with what is missing behind it.
    pub(crate) fn at_key(
        rule: Rule,
        pointer: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self { at: At::Key, ..Self::new(rule, pointer, message) }
    }

    /// How much it matters.
    pub fn severity(&self) -> Severity {
        self.rule.severity()
    }

    /// The same, with advice.
    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same, with the nearest of `names` as advice, if one is near.
    #[must_use]
    #[expect(
        single_use_lifetimes,
        reason = "an anonymous lifetime inside `impl Trait` is not stable"
    )]
    pub(crate) fn suggest<'n>(
        mut self,
        found: &str,
        names: impl IntoIterator<Item = &'n str>,
    ) -> Self {
        if let Some(nearest) = nearest(found, names) {
            self.help = Some(format!("did you mean `{nearest}`?"));
        }
        self
    }
}

/// Adds lines and columns, and sorts by them. O(bytes + problems · log problems).
pub(crate) fn locate(text: &[u8], mut problems: Vec<Problem>) -> Vec<Problem> {
    let wanted: BTreeSet<String> = problems.iter().map(|problem| problem.pointer.clone()).collect();
    let places = position::places(text, &wanted);
    for problem in &mut problems {
        if let Some(place) = places.get(&problem.pointer) {
            let spot = match (problem.at, &place.key) {
                (At::Key, Some(key)) => key,
                (At::Key, None) | (At::Value, _) => &place.value,
            };
            problem.position = Some(spot.position);
            problem.span = bytes(&spot.bytes);
        }
    }
    problems.sort_by(|a, b| {
        (a.position, &a.pointer, &a.message).cmp(&(b.position, &b.pointer, &b.message))
    });
    problems.dedup();
    problems
}

/// The bytes, as a document of at most [`super::LONGEST`] of them has them.
pub(super) fn bytes(bytes: &Range<usize>) -> Option<Range<u32>> {
    Some(u32::try_from(bytes.start).ok()?..u32::try_from(bytes.end).ok()?)
}

/// The text in backticks, cut to 60 characters.
pub(crate) fn quoted(text: &str) -> String {
    let cut: String = text.chars().take(60).flat_map(char::escape_debug).collect();
    format!("`{cut}`")
}

/// The nearest name by edit distance, if it is at most a third of the name away. O(names · length²).
fn nearest<'a>(found: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if found.chars().count() > 63 {
        return None;
    }
    names
        .into_iter()
        .map(|name| (distance(&found.to_lowercase(), &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= name.chars().count().div_ceil(3))
        .min()
        .map(|(_, name)| name)
}

/// Insertions, deletions and replacements that turn one text into the other (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let Some((first, rest)) = row.split_first_mut() else { return i };
        *first = left;
        for (above, b) in rest.iter_mut().zip(to.chars()) {
            let here = (diagonal + usize::from(a != b)).min(*above + 1).min(left + 1);
            diagonal = *above;
            *above = here;
            left = here;
        }
    }
    row.last().copied().unwrap_or_default()
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(position) = &self.position {
            write!(f, "{position}: ")?;
        }
        if !self.pointer.is_empty() {
            write!(f, "{}: ", self.pointer)?;
        }
        f.write_str(&self.message)?;
        if let Some(help) = &self.help {
            write!(f, " ({help})")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[test]
    fn the_nearest_name_is_suggested_if_it_is_near() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(nearest("min_unit", ["min_units", "why", "grants"]), Some("min_units"));
        assert_eq!(nearest("heroine", ["Heroin", "Cocaine"]), Some("Heroin"));
        assert_eq!(nearest("budget", ["min_units", "why", "grants"]), None);
    }
}
