//! Which sums of unknowns follow from known ones, whatever the numbers: linear algebra over a prime field.
//!
//! Over a field of about 2^61 elements a combination that exists over the rational numbers exists too, unless the prime divides
//! one of the denominators, and one that does not exist appears only if it divides a determinant of zeros and ones.

/// 2^61 - 1.
const PRIME: u64 = (1 << 61) - 1;

/// The span of the rows that were added, in echelon form.
pub(super) struct Span {
    /// Each row with the column of its first number, which is 1.
    rows: Vec<(usize, Vec<u64>)>,
    columns: usize,
}

impl Span {
    pub(super) fn new(columns: usize) -> Self {
        Self { rows: Vec::new(), columns }
    }

    /// Adds the sum of these columns. O(rows · columns).
    pub(super) fn add(&mut self, support: &[usize]) {
        let row = self.reduced(support);
        let first = row.iter().copied().enumerate().find(|(_, number)| *number != 0);
        if let Some((column, first)) = first {
            let inverse = power(first, PRIME - 2);
            let row = row.iter().map(|number| times(*number, inverse)).collect();
            let place = self.rows.partition_point(|(other, _)| *other < column);
            self.rows.insert(place, (column, row));
        }
    }

    /// Whether the sum of these columns follows from the rows. O(rows · columns).
    pub(super) fn contains(&self, support: &[usize]) -> bool {
        self.reduced(support).iter().all(|number| *number == 0)
    }

    fn reduced(&self, support: &[usize]) -> Vec<u64> {
        let mut row = vec![0; self.columns];
        for column in support {
            if let Some(number) = row.get_mut(*column) {
                *number = 1;
            }
        }
        for (column, known) in &self.rows {
            let factor = row.get(*column).copied().unwrap_or_default();
            if factor != 0 {
                for (number, known) in row.iter_mut().zip(known) {
                    *number = below(*number + PRIME - times(factor, *known));
                }
            }
        }
        row
    }
}

fn times(a: u64, b: u64) -> u64 {
    // 2^61 is 1 here: the upper bits are added to the lower ones.
    let product = u128::from(a) * u128::from(b);
    let (upper, lower) = (product >> 61, product & u128::from(PRIME));
    below(u64::try_from(upper + lower).unwrap_or_default())
}

/// A number below twice the prime as one below it.
fn below(number: u64) -> u64 {
    if PRIME <= number { number - PRIME } else { number }
}

fn power(base: u64, mut exponent: u64) -> u64 {
    let (mut base, mut result) = (base, 1);
    while exponent != 0 {
        if exponent & 1 == 1 {
            result = times(result, base);
        }
        base = times(base, base);
        exponent >>= 1;
    }
    result
}
