//! Sets of units as sums of keyed hashes: enough to tell whether two sets are the same and roughly how far they are
//! apart, in a few hundred bytes however many units there are.

/// How many counters a set has. More make estimates of differences better: their relative standard deviation is at most
/// `sqrt(2 / COUNTERS)`, 18 %.
pub const COUNTERS: usize = 64;

/// The keyed digest of one unit: the first half of HMAC-SHA-256 under a secret of the node over the dataset, the unit
/// kind and the unit, each with its length before it. Who does not hold the secret can neither find units that cancel
/// each other nor tell a set from its sums.
#[derive(Clone, Copy)]
pub struct UnitDigest(pub [u8; 16]);

/// The distinct units of some rows.
///
/// `key` is the wrapping sum of the units' 64-bit hashes: equal sets have equal keys, others almost never. Each of the
/// counters is a sum of +1 or -1 per unit, drawn from another part of the hash. In the difference of the counters of two sets the
/// units of both cancel, and what is left has the mean square `|A Δ B|` (the sketch of Alon, Matias and Szegedy).
#[derive(Clone, PartialEq, Eq)]
pub struct UnitSet {
    units: u64,
    key: u64,
    counters: [i32; COUNTERS],
}

impl UnitSet {
    /// The bytes of a set as [`UnitSet::to_bytes`] writes it.
    pub const BYTES: usize = 16 + 4 * COUNTERS;

    /// The set of no unit.
    pub const fn empty() -> Self {
        Self { units: 0, key: 0, counters: [0; COUNTERS] }
    }

    /// Adds a unit that is not in the set yet. The caller sees to that: sums do not know their members.
    pub fn add(&mut self, unit: &UnitDigest) {
        let bytes = u128::from_le_bytes(unit.0);
        let (hash, mut signs) = (low_half(bytes), low_half(bytes >> 64));
        self.units = self.units.saturating_add(1);
        self.key = self.key.wrapping_add(hash);
        for counter in &mut self.counters {
            let sign = if signs & 1 == 1 { 1 } else { -1 };
            *counter = counter.saturating_add(sign);
            signs >>= 1;
        }
    }

    /// Adds the units of a set that has none in common with this one, such as another worker's share of the units.
    pub fn merge_disjoint(&mut self, other: &Self) {
        self.units = self.units.saturating_add(other.units);
        self.key = self.key.wrapping_add(other.key);
        for (counter, other) in self.counters.iter_mut().zip(&other.counters) {
            *counter = counter.saturating_add(*other);
        }
    }

    /// How many units there are.
    pub fn units(&self) -> u64 {
        self.units
    }

    /// The key of the cell: the same for the same set of units.
    pub fn key(&self) -> u64 {
        self.key
    }

    /// Whether the sets are the same, but for collisions of 64-bit sums.
    pub fn is_same(&self, other: &Self) -> bool {
        self == other
    }

    /// Whether the sets are apart by an estimated `least` units or more: `|A Δ B| >= least`. Exact for sets that are the
    /// same or one unit apart. O([`COUNTERS`]), and a handful of steps for sets that are far apart.
    pub fn is_apart(&self, other: &Self, least: f64) -> bool {
        if as_float(self.units.abs_diff(other.units)) >= least {
            return true;
        }
        let enough = least * as_float(COUNTERS as u64);
        let mut squares = 0.0;
        for (a, b) in self.counters.iter().zip(&other.counters) {
            let difference = f64::from(*a) - f64::from(*b);
            squares += difference * difference;
            if squares >= enough {
                return true;
            }
        }
        false
    }

    /// The estimated number of units that are in one of the sets and not in the other.
    pub fn difference(&self, other: &Self) -> f64 {
        let squares: f64 = self
            .counters
            .iter()
            .zip(&other.counters)
            .map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2))
            .sum();
        let estimate = squares / as_float(COUNTERS as u64);
        estimate.max(as_float(self.units.abs_diff(other.units)))
    }

    /// The set in a fixed number of bytes, for the pipe between a worker and its node.
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let numbers = self.units.to_le_bytes().into_iter().chain(self.key.to_le_bytes());
        let counters = self.counters.iter().flat_map(|counter| counter.to_le_bytes());
        let mut bytes = [0; Self::BYTES];
        for (byte, from) in bytes.iter_mut().zip(numbers.chain(counters)) {
            *byte = from;
        }
        bytes
    }

    /// Reads what [`UnitSet::to_bytes`] wrote; `None` for bytes that no set has.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (units, rest) = bytes.split_first_chunk::<8>()?;
        let (key, mut rest) = rest.split_first_chunk::<8>()?;
        let mut counters = [0; COUNTERS];
        for counter in &mut counters {
            let (bytes, after) = rest.split_first_chunk::<4>()?;
            *counter = i32::from_le_bytes(*bytes);
            rest = after;
        }
        let set =
            Self { units: u64::from_le_bytes(*units), key: u64::from_le_bytes(*key), counters };
        (rest.is_empty() && set.is_possible()).then_some(set)
    }

    /// Whether sums of that many signs can have these values: no larger than their number, and as odd or even.
    pub(crate) fn is_possible(&self) -> bool {
        self.counters.iter().all(|counter| {
            let size = u64::from(counter.unsigned_abs());
            size <= self.units && size % 2 == self.units % 2
        })
    }

    pub(crate) fn counters(&self) -> &[i32; COUNTERS] {
        &self.counters
    }

    pub(crate) fn from_parts(units: u64, key: u64, counters: [i32; COUNTERS]) -> Self {
        Self { units, key, counters }
    }
}

impl Default for UnitSet {
    fn default() -> Self {
        Self::empty()
    }
}

impl std::fmt::Debug for UnitSet {
    /// Never the content: the number of units is what is protected.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("UnitSet(..)")
    }
}

impl std::fmt::Debug for UnitDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("UnitDigest(..)")
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half is what is asked for")]
fn low_half(bits: u128) -> u64 {
    bits as u64
}

/// Numbers of units above 2^53 do not occur; a rounded one would do.
#[expect(clippy::cast_precision_loss, reason = "rounded in the 16th digit")]
pub(crate) fn as_float(units: u64) -> f64 {
    units as f64
}
