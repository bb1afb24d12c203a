//! The bytes of a record: as many, and made by the same steps, whatever it tells.

use super::{
    About, LONGEST_DECLARED, MET_CONTACTS, MET_SILENT, MET_TOLD, Met, MetContact, MetIdentifier,
    Notice, NoticesError, hex, sha256,
};
use mayag_protocol::lookup::MOST_DECLARED;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

/// Records begin at multiples of so many bytes, and the shortest is longer.
pub(super) const BLOCK: u64 = 1024;

const MAGIC: &[u8; 8] = b"MAYAGNO1";

/// Bytes of magic and length.
const HEAD: usize = 12;

/// Random bytes.
const BLIND: usize = 32;

/// The sum, in hexadecimal digits.
const SUM: usize = 64;

/// What stands in front of what is summed, with the sum.
const UNSUMMED: usize = HEAD + BLIND + SUM;

/// What everything but identifiers needs at most, with all in front of it: case and legal basis have 200 characters each.
pub(super) const ROOM: usize = 4096;

/// What an identifier needs at most, with its contacts.
pub(super) const ROOM_OF_ONE: usize = 512;

/// A contact, and the byte in front of it.
const CONTACT: usize = 17;

/// What stands at a place of the file.
pub(super) enum Found {
    /// Nothing was written here.
    Blank,
    /// Something that cannot be read.
    Damaged,
    /// A record that tells nothing.
    Nothing { length: u64 },
    /// A record that tells something.
    Told { notice: Box<Notice>, length: u64 },
}

/// The record of a lookup. What is not met is in none of its bytes.
pub(super) fn record(
    about: &About,
    blind: &[u8; BLIND],
    searched: &[(&str, Met)],
    elements: u32,
) -> Result<Vec<u8>, NoticesError> {
    let places = usize::try_from(elements.min(MOST_DECLARED)).map_err(|_| NoticesError::Long)?;
    let length = (ROOM + places * ROOM_OF_ONE).next_multiple_of(1024);
    let text = serde_json::to_vec(about).map_err(|_| NoticesError::Long)?;
    if places < searched.len() || ROOM - UNSUMMED < text.len() {
        return Err(NoticesError::Long);
    }
    let any = searched.iter().fold(0, |any, (_, met)| any | met.mask());
    let mut body = text;
    body.resize(ROOM - UNSUMMED, b' ');
    for byte in &mut body {
        *byte &= any;
    }
    for (text, met) in searched {
        let mut place = Vec::with_capacity(ROOM_OF_ONE);
        // Measured when they were declared.
        let long = u16::try_from(text.len()).map_err(|_| NoticesError::Long)?;
        if LONGEST_DECLARED < text.len() {
            return Err(NoticesError::Long);
        }
        place.extend_from_slice(&long.to_be_bytes());
        place.extend_from_slice(text.as_bytes());
        place.resize(2 + LONGEST_DECLARED, 0);
        place.push(met.more);
        for (word, contact) in &met.contacts {
            place.push(*word);
            place.extend_from_slice(contact);
        }
        place.resize(ROOM_OF_ONE, 0);
        let mask = met.mask();
        body.extend(place.iter().map(|byte| byte & mask));
    }
    body.resize(length - UNSUMMED, 0);
    let mut record = Vec::with_capacity(length);
    record.extend_from_slice(MAGIC);
    record.extend_from_slice(&u32::try_from(length).unwrap_or_default().to_be_bytes());
    record.extend_from_slice(blind);
    record.extend_from_slice(&sum(blind, &body));
    record.extend_from_slice(&body);
    Ok(record)
}

fn sum(blind: &[u8], body: &[u8]) -> Vec<u8> {
    sha256(&[blind, body].concat()).to_string().into_bytes()
}

/// What stands at this place, which is a multiple of [`BLOCK`].
pub(super) fn found(file: &File, at: u64, size: u64) -> io::Result<Found> {
    let mut block = vec![0; usize::try_from(BLOCK.min(size - at)).unwrap_or_default()];
    file.read_exact_at(&mut block, at)?;
    if block.iter().all(|byte| *byte == 0) {
        return Ok(Found::Blank);
    }
    let length = match block.split_first_chunk::<8>() {
        Some((MAGIC, rest)) => rest.first_chunk::<4>().map(|length| u32::from_be_bytes(*length)),
        Some(_) | None => None,
    };
    let longest = (ROOM + 513 * ROOM_OF_ONE).next_multiple_of(1024);
    let length = length.and_then(|length| usize::try_from(length).ok());
    let Some(length) = length.filter(|length| {
        length % 1024 == 0 && (ROOM..=longest).contains(length) && *length as u64 <= size - at
    }) else {
        return Ok(Found::Damaged);
    };
    block.resize(length, 0);
    file.read_exact_at(&mut block, at)?;
    Ok(parse(&block).unwrap_or(Found::Damaged))
}

/// A whole record. `None` if it is none.
fn parse(record: &[u8]) -> Option<Found> {
    let length = record.len() as u64;
    let (head, body) = record.split_at_checked(UNSUMMED)?;
    let (blind, said) = head.get(HEAD..)?.split_at_checked(BLIND)?;
    if sum(blind, body) != said {
        return None;
    }
    if body.iter().all(|byte| *byte == 0) {
        return Some(Found::Nothing { length });
    }
    let (about, places) = body.split_at_checked(ROOM - UNSUMMED)?;
    let about = serde_json::from_slice(about).ok()?;
    let told = places.chunks(ROOM_OF_ONE).filter(|place| place.iter().any(|byte| *byte != 0));
    let met = told.map(met).collect::<Option<Vec<_>>>()?;
    let notice = Box::new(Notice { about, met, digest: sha256(record) });
    Some(Found::Told { notice, length })
}

fn met(place: &[u8]) -> Option<MetIdentifier> {
    let (long, rest) = place.split_first_chunk::<2>()?;
    let (text, rest) = rest.split_at_checked(LONGEST_DECLARED)?;
    let text = text.get(..usize::from(u16::from_be_bytes(*long)))?;
    let (more, contacts) = rest.split_first()?;
    let contact = |bytes: &[u8]| {
        let (word, contact) = bytes.split_first()?;
        let silent = match *word {
            MET_SILENT => true,
            MET_TOLD => false,
            _ => return None,
        };
        Some(MetContact { contact: hex(contact), silent })
    };
    Some(MetIdentifier {
        identifier: std::str::from_utf8(text).ok()?.to_owned(),
        contacts: contacts.chunks_exact(CONTACT).take(MET_CONTACTS).filter_map(contact).collect(),
        more: *more == 1,
    })
}
