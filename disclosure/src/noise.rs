//! Noise that is the same for the same set of units.

/// A pseudo-random function under a secret of the node: HMAC-SHA-256. Passed in, because this crate knows no secrets.
pub trait Prf {
    /// The function's value at a message.
    fn digest(&self, message: &[u8]) -> [u8; 32];
}

/// How strong noise is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NoiseLevel {
    /// The most that a count of units is off.
    pub largest: u32,
    /// The variance of a count of units.
    pub variance: f64,
}

impl NoiseLevel {
    /// What a dataset with a person as unit has at least, unless its policy says otherwise.
    pub const DEFAULT: Self = Self { largest: 5, variance: 3.0 };
}
