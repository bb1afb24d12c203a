//! Bech32 and Bech32m (BIP 173, BIP 350): addresses of segregated witness.

const ALPHABET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
/// What the check sum comes to: of witness version 0, and of later ones.
const BECH32: u32 = 1;
const BECH32M: u32 = 0x2bc8_30a3;
/// BIP 173: the longest address.
const LONGEST: usize = 90;

/// Whether `text`, in lower case, is an address of segregated witness whose first part is `prefix`.
pub(super) fn is_address(text: &str, prefix: &str) -> bool {
    program(text, prefix).is_some()
}

fn program(text: &str, prefix: &str) -> Option<()> {
    let (found, data) = text.rsplit_once('1')?;
    if found != prefix || text.len() > LONGEST || data.len() < 7 {
        return None;
    }
    let values: Option<Vec<u8>> = data
        .bytes()
        .map(|b| ALPHABET.iter().position(|a| *a == b).and_then(|v| u8::try_from(v).ok()))
        .collect();
    let values = values?;
    let version = *values.first()?;
    let expected = if version == 0 { BECH32 } else { BECH32M };
    if 16 < version || polymod(prefix, &values) != expected {
        return None;
    }
    let words = values.get(1..values.len().checked_sub(6)?)?;
    let length = words.len() * 5 / 8;
    let spare = words.len() * 5 % 8;
    // What is left over of the last word is less than a word, and zero.
    let clean = u32::from(*words.last()?) & ((1 << spare) - 1) == 0;
    let sized =
        if version == 0 { length == 20 || length == 32 } else { (2..=40).contains(&length) };
    (spare < 5 && clean && sized).then_some(())
}

fn polymod(prefix: &str, values: &[u8]) -> u32 {
    let high = prefix.bytes().map(|b| b >> 5);
    let low = prefix.bytes().map(|b| b & 31);
    let all = high.chain(std::iter::once(0)).chain(low).chain(values.iter().copied());
    all.fold(1, |sum: u32, value| {
        let next = ((sum & 0x1ff_ffff) << 5) ^ u32::from(value);
        let top = sum >> 25;
        let chosen = GENERATOR.iter().enumerate().filter(|(bit, _)| top >> bit & 1 == 1);
        chosen.fold(next, |sum, (_, generator)| sum ^ generator)
    })
}
