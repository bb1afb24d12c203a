//! Addresses of crypto currencies: which one it is follows from the address, and its check sum is verified.

use super::letters::joined;
use super::problem::{Code, Note, Problem};
use super::{Draft, base58, bech32};
use sha3::{Digest, Keccak256};
use zeroize::Zeroizing;

/// The longest address: of Monero with a payment id.
const LONGEST: usize = 106;

/// First byte or bytes of a `Base58Check` payload of so many bytes, and the currency. Bitcoin, Litecoin and Dogecoin share the
/// `3` and `9` of old script addresses; those go to Bitcoin.
const BASE58: [(&[u8], usize, &str); 11] = [
    (&[0x00], 21, "btc"),
    (&[0x05], 21, "btc"),
    (&[0x30], 21, "ltc"),
    (&[0x32], 21, "ltc"),
    (&[0x1e], 21, "doge"),
    (&[0x16], 21, "doge"),
    (&[0x4c], 21, "dash"),
    (&[0x10], 21, "dash"),
    (&[0x41], 21, "trx"),
    (&[0x1c, 0xb8], 22, "zec"),
    (&[0x1c, 0xbd], 22, "zec"),
];
/// Prefixes of segregated witness.
const BECH32: [(&str, &str); 2] = [("bc", "btc"), ("ltc", "ltc")];
/// Monero: first byte of standard, integrated and sub-addresses, and the bytes of each with its check sum.
const MONERO: [(u8, usize); 3] = [(18, 69), (19, 77), (42, 69)];

const UNKNOWN: Problem = Problem::new(
    Code::Format,
    "the address",
    "is none of Bitcoin, Ethereum, Tron, Litecoin, Dogecoin, Dash, Zcash (t) or Monero, or its check sum does not fit",
    "copy it again as a whole; test networks are not searched",
);

/// `currency:address`. Addresses of Ethereum are in lower case and stand for every chain of its kind; those in Bech32 too,
/// as BIP 173 writes them; Base58 means its case.
pub(super) fn wallet(value: &str) -> Result<Draft, Problem> {
    let text = value.trim();
    // Links of wallets: `bitcoin:ADDRESS?amount=1`, `ethereum:0x..@1`.
    let text = text.split_once(':').map_or(text, |(_, address)| address);
    let text = text.split(['?', '@']).next().unwrap_or(text).trim_start_matches('/');
    if text.len() > LONGEST {
        return Err(Problem::new(
            Code::Length,
            "the address",
            "is longer than any",
            "give one address, not a key or a transaction",
        ));
    }
    let write = |currency: &str, address: &str| Draft::new(joined(&[currency, ":", address]));
    if let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        let checked = ethereum(hex)?;
        let hex = Zeroizing::new(hex.to_ascii_lowercase());
        let draft = Draft::new(joined(&["eth:0x", &hex]));
        return Ok(if checked { draft } else { draft.note(Note::CheckDigitMissing) });
    }
    let lower = Zeroizing::new(text.to_ascii_lowercase());
    let one_case = *lower == *text || text.bytes().all(|b| !b.is_ascii_lowercase());
    for (prefix, currency) in BECH32 {
        if one_case && bech32::is_address(&lower, prefix) {
            return Ok(write(currency, &lower));
        }
    }
    if let Some(payload) = base58::checked(text) {
        let found = BASE58
            .iter()
            .find(|(first, length, _)| payload.starts_with(first) && payload.len() == *length);
        return found.map(|(_, _, currency)| write(currency, text)).ok_or(UNKNOWN);
    }
    if is_monero(text) { Ok(write("xmr", text)) } else { Err(UNKNOWN) }
}

/// Whether the case of the letters was a check sum (EIP-55) that fits; without mixed case there is none.
fn ethereum(hex: &str) -> Result<bool, Problem> {
    if hex.len() != 40 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(Problem::new(
            Code::Format,
            "the address",
            "is not 0x and 40 hexadecimal digits",
            "give the address, not a key (64 digits) or a name",
        ));
    }
    let upper = hex.bytes().any(|b| b.is_ascii_uppercase());
    let lower = hex.bytes().any(|b| b.is_ascii_lowercase());
    if !upper || !lower {
        return Ok(false);
    }
    let lowered = Zeroizing::new(hex.to_ascii_lowercase());
    let digest = Keccak256::digest(lowered.as_bytes());
    let halves = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    let fits = hex
        .bytes()
        .zip(halves)
        .all(|(b, half)| b.is_ascii_digit() || b.is_ascii_uppercase() == (half >= 8));
    if fits {
        return Ok(true);
    }
    Err(Problem::new(
        Code::CheckDigit,
        "the check sum in upper and lower case",
        "does not fit the address",
        "copy it again; if its case was lost, give it in lower case",
    ))
}

fn is_monero(text: &str) -> bool {
    let Some(bytes) = base58::blocks(text) else { return false };
    let first = bytes.first().copied();
    if !MONERO.iter().any(|(network, length)| first == Some(*network) && bytes.len() == *length) {
        return false;
    }
    let (body, sum) = bytes.split_at(bytes.len().saturating_sub(4));
    Keccak256::digest(body).iter().zip(sum).all(|(expected, found)| expected == found)
}
