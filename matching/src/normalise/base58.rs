//! Base58, with the check sums of Bitcoin's addresses and with Monero's blocks.

use ring::digest::{SHA256, digest};
use zeroize::Zeroizing;

const ALPHABET: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
/// No address that is checked here has more bytes.
const MOST_BYTES: usize = 80;
/// Monero writes 8 bytes as 11 characters; shorter last blocks by this table: characters of 0 to 8 bytes.
const BLOCK_CHARACTERS: [usize; 9] = [0, 2, 3, 5, 6, 7, 9, 10, 11];

/// The payload of a `Base58Check` text, without its check sum of four bytes. `None` where anything is wrong.
pub(super) fn checked(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = decode(text)?;
    let payload = bytes.len().checked_sub(4)?;
    let (body, sum) = bytes.split_at_checked(payload)?;
    let expected = digest(&SHA256, digest(&SHA256, body).as_ref());
    if expected.as_ref().get(..4)? != sum {
        return None;
    }
    bytes.truncate(payload);
    Some(bytes)
}

/// Bytes of a Base58 text as Bitcoin reads it: one big number, leading `1` are zero bytes.
fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let zeros = text.bytes().take_while(|b| *b == b'1').count();
    let number = big_number(text.get(zeros..)?, MOST_BYTES)?;
    let mut bytes = Zeroizing::new(vec![0; zeros]);
    bytes.extend(number.iter().copied().skip_while(|b| *b == 0));
    (bytes.len() <= MOST_BYTES).then_some(bytes)
}

/// Bytes of a Base58 text in blocks of 11 characters, as Monero reads it.
pub(super) fn blocks(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(MOST_BYTES));
    for block in text.as_bytes().chunks(11) {
        let size = BLOCK_CHARACTERS.iter().position(|characters| *characters == block.len())?;
        bytes.extend_from_slice(&big_number(std::str::from_utf8(block).ok()?, size)?);
    }
    (bytes.len() <= MOST_BYTES).then_some(bytes)
}

/// The number a text stands for, big-endian in `size` bytes. `None` if it does not fit or is none.
fn big_number(text: &str, size: usize) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(vec![0u8; size]);
    for letter in text.bytes() {
        let digit = ALPHABET.iter().position(|a| *a == letter)?;
        let mut carry = u32::try_from(digit).ok()?;
        for byte in bytes.iter_mut().rev() {
            carry += u32::from(*byte) * 58;
            *byte = u8::try_from(carry & 0xff).ok()?;
            carry >>= 8;
        }
        if carry != 0 {
            return None;
        }
    }
    Some(bytes)
}
