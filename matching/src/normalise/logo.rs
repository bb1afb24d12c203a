//! Pictures by perceptual hash: 64 hexadecimal digits that a tool outside has worked out.

use super::problem::{Code, Problem};
use super::{Draft, Fuzzy};
use zeroize::Zeroizing;

/// Bytes of a hash.
const BYTES: usize = 32;
/// A median hash has as many ones as zeros, give or take equal coefficients. Far from that, the picture has one colour and
/// its hash is that of every other such picture.
const ONES: std::ops::RangeInclusive<u32> = 64..=192;

/// A 256-bit perceptual hash: signs of the lowest 16 x 16 DCT coefficients against their median.
pub(crate) struct LogoHash(Zeroizing<[u8; BYTES]>);

impl LogoHash {
    /// Bit `place` of 256, the first one being the highest of the first byte.
    pub(crate) fn bit(&self, place: u8) -> bool {
        let byte = self.0.get(usize::from(place / 8)).copied().unwrap_or(0);
        byte >> (7 - place % 8) & 1 == 1
    }
}

/// 64 lower-case hexadecimal digits. Pictures are not decoded here: that is the caller's, who also makes the variants of a
/// question (rotated, shifted), each of which is normalised like the picture itself.
pub(super) fn logo(value: &str) -> Result<Draft, Problem> {
    let value = value.trim();
    let hex = value.strip_prefix("0x").unwrap_or(value);
    let nibbles: Option<Vec<u32>> = hex.chars().map(|c| c.to_digit(16)).collect();
    let nibbles = Zeroizing::new(nibbles.ok_or(Problem::new(
        Code::Characters,
        "the hash",
        "is not hexadecimal",
        "give the 256-bit median DCT hash of the picture, not its file",
    ))?);
    if nibbles.len() != BYTES * 2 {
        return Err(Problem::new(
            Code::Length,
            "the hash",
            "has not 64 hexadecimal digits",
            "use the median DCT hash of 16 x 16 bits",
        ));
    }
    let mut bytes = Zeroizing::new([0u8; BYTES]);
    for (byte, pair) in bytes.iter_mut().zip(nibbles.chunks_exact(2)) {
        let value = pair.iter().fold(0, |value, nibble| value << 4 | nibble);
        *byte = u8::try_from(value).unwrap_or(0);
    }
    if !ONES.contains(&bytes.iter().map(|byte| byte.count_ones()).sum()) {
        return Err(Problem::new(
            Code::Format,
            "the hash",
            "is that of an empty picture",
            "cut the picture to the logo and hash it again",
        ));
    }
    let mut draft = Draft::new(Zeroizing::new(hex.to_ascii_lowercase()));
    draft.fuzzy = Some(Fuzzy::Logo(LogoHash(bytes)));
    Ok(draft)
}
