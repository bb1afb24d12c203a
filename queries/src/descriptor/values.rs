//! Sets of values of one column.

use mayag_policies::shape::{Comparison, Literal};

/// A set of values of one column. Equal sets are equal structures: every value of a column's type has a next one (of
/// texts the same with a zero byte behind), so that any set is told by where it begins and ends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Values {
    /// Whether "no value" is in the set.
    pub(super) nothing: bool,
    /// Whether the smallest values are in the set.
    pub(super) first: bool,
    /// Ascending: from each of these on, values are in the set if those before were not, and the reverse.
    pub(super) flips: Vec<Literal>,
}

impl Values {
    pub(super) fn none() -> Self {
        Self { nothing: false, first: false, flips: Vec::new() }
    }

    pub(super) fn all() -> Self {
        Self { nothing: true, first: true, flips: Vec::new() }
    }

    /// "No value" alone.
    pub(super) fn nothing() -> Self {
        Self { nothing: true, ..Self::none() }
    }

    /// Everything but "no value".
    pub(super) fn something() -> Self {
        Self { nothing: false, ..Self::all() }
    }

    /// All values before this one; `None` stands for what lies behind the largest.
    pub(super) fn before(end: Option<Literal>) -> Self {
        Self { first: true, flips: end.into_iter().collect(), ..Self::none() }
    }

    /// All values from one on, before another one.
    pub(super) fn range(from: Literal, end: Option<Literal>) -> Self {
        if end.as_ref().is_some_and(|end| *end <= from) {
            return Self::none();
        }
        Self { flips: std::iter::once(from).chain(end).collect(), ..Self::none() }
    }

    pub(super) fn exactly(value: Literal) -> Self {
        let end = next(&value);
        Self::range(value, end)
    }

    /// The values that compare so with `value`.
    pub(super) fn compared(comparison: Comparison, value: &Literal) -> Self {
        let less = || Self::before(Some(value.clone()));
        let up_to = || Self::before(next(value));
        Self::by(comparison, less, up_to)
    }

    /// The values that compare so with something, from those that are less, and less or equal.
    pub(super) fn by(
        comparison: Comparison,
        less: impl Fn() -> Self,
        up_to: impl Fn() -> Self,
    ) -> Self {
        let rest = |set: Self| Self::something().minus(&set);
        match comparison {
            Comparison::Equal => up_to().minus(&less()),
            Comparison::Greater => rest(up_to()),
            Comparison::GreaterOrEqual => rest(less()),
            Comparison::Less => less(),
            Comparison::LessOrEqual => up_to(),
            Comparison::NotEqual => rest(up_to().minus(&less())),
        }
    }

    pub(super) fn and(&self, other: &Self) -> Self {
        self.combined(other, |a, b| a && b)
    }

    pub(super) fn or(&self, other: &Self) -> Self {
        self.combined(other, |a, b| a || b)
    }

    pub(super) fn minus(&self, other: &Self) -> Self {
        self.combined(other, |a, b| a && !b)
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::none()
    }

    /// O(size of both).
    fn combined(&self, other: &Self, keep: impl Fn(bool, bool) -> bool) -> Self {
        let (mut a, mut b) = (self.first, other.first);
        let first = keep(a, b);
        let (mut now, mut flips) = (first, Vec::new());
        let (mut left, mut right) = (self.flips.iter().peekable(), other.flips.iter().peekable());
        loop {
            let at = match (left.peek(), right.peek()) {
                (Some(x), Some(y)) => (*x).min(*y),
                (Some(x), None) => *x,
                (None, Some(y)) => *y,
                (None, None) => break,
            };
            a ^= left.next_if_eq(&at).is_some();
            b ^= right.next_if_eq(&at).is_some();
            if keep(a, b) != now {
                now = !now;
                flips.push(at.clone());
            }
        }
        Self { nothing: keep(self.nothing, other.nothing), first, flips }
    }
}

/// The next larger value; `None` behind the largest.
pub(super) fn next(value: &Literal) -> Option<Literal> {
    match value {
        Literal::Bool(value) => (!value).then_some(Literal::Bool(true)),
        Literal::Date(day) => day.checked_add(1).map(Literal::Date),
        Literal::Int(number) => number.checked_add(1).map(Literal::Int),
        Literal::Text(text) => Some(Literal::Text(format!("{text}\0"))),
    }
}

/// The smallest text that is larger than every text with this beginning; `None` where there is none.
pub(super) fn behind_prefix(prefix: &str) -> Option<Literal> {
    let mut characters: Vec<char> = prefix.chars().collect();
    while let Some(last) = characters.pop() {
        // Characters compare as their UTF-8 bytes do; the gap of the surrogates holds no character.
        let next =
            if last == '\u{D7FF}' { Some('\u{E000}') } else { char::from_u32(u32::from(last) + 1) };
        if let Some(next) = next {
            characters.push(next);
            return Some(Literal::Text(characters.into_iter().collect()));
        }
    }
    None
}
