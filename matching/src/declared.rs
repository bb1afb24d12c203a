//! Declared lookups: identifiers that a node is told, and what its table says of them.
//!
//! What is sealed to a node is a [`Declaration`]: the identifiers, a salt that keeps their commitment from being guessed, and
//! the key that the answer is sealed to. The node finds each in a [`Table`], which holds keyed hashes instead of identifiers, by the
//! same steps whether it is there or not. Rows that are told and what the owner is told are two lists: a silent row is only in the
//! second, so that it leaves no trace in the [answer](Table::answer), whose bytes are those of a miss before anybody seals them. As in blinded lookups, a positive control stands behind the identifiers: a table that does not
//! find it says nothing of them. It shows tables that are not what they should be, and not nodes that lie.

use crate::index::Rows;
use crate::input::{CONTROL, Input, InputError, Rules};
use crate::redacted::redacted;
use crate::reference::{REFERENCE, Reference, contact};
use mayag_protocol::lookup::{
    DECLARED_HEAD, DECLARED_REFERENCES, DECLARED_SLOT, DECLARED_VERDICT, declared_elements,
};
use mayag_protocol::names::Digest;
use ring::digest::{Context, SHA256};
use ring::hmac;
use std::collections::BTreeSet;
use std::fmt;
use zeroize::Zeroizing;

const VERSION: u8 = 1;

/// What stands in front of the commitment.
const COMMITMENT: &[u8] = b"mayag/declared-commitment/v1\n";

/// The longest identifier that can be declared, in bytes: its length takes two of its place.
pub const LONGEST_DECLARED: usize = DECLARED_SLOT - 2;

/// Bytes of a keyed hash: among 10^9 rows, two are alike with a probability of 10^-21.
const TAG: usize = 16;

/// What is sealed to a node. Wiped when dropped.
pub struct Declaration {
    salt: Zeroizing<[u8; 32]>,
    reply: [u8; 32],
    texts: Vec<Zeroizing<String>>,
}

/// Why identifiers cannot be declared. Says nothing of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DeclarationError {
    /// None, or too many.
    #[error("1 to 512 identifiers can be declared at once")]
    Count,
    /// One of them is none.
    #[error(transparent)]
    Input(#[from] InputError),
    /// One of them is too long.
    #[error("an identifier that is declared has at most {LONGEST_DECLARED} bytes")]
    Long,
    /// One of them is there twice: each has one place, so that nobody multiplies what one hit costs.
    #[error("an identifier is declared twice")]
    Twice,
}

impl Declaration {
    /// Declares these normalised identifiers. `reply` is the public key that the answer is to be sealed to.
    pub fn new(
        rules: &Rules,
        salt: Zeroizing<[u8; 32]>,
        reply: [u8; 32],
        identifiers: &[impl AsRef<str>],
    ) -> Result<Self, DeclarationError> {
        declared_elements(identifiers.len()).ok_or(DeclarationError::Count)?;
        let mut texts = Vec::with_capacity(identifiers.len());
        for text in identifiers {
            Input::new(rules, text.as_ref())?;
            if text.as_ref().len() > LONGEST_DECLARED {
                return Err(DeclarationError::Long);
            }
            texts.push(Zeroizing::new(text.as_ref().to_owned()));
        }
        if texts.iter().map(|text| text.as_str()).collect::<BTreeSet<_>>().len() < texts.len() {
            return Err(DeclarationError::Twice);
        }
        Ok(Self { salt, reply, texts })
    }

    /// Identifiers, control and padding.
    pub fn elements(&self) -> u32 {
        // Counted when it was made or read.
        declared_elements(self.texts.len()).unwrap_or_default()
    }

    /// The key that the answer is sealed to.
    pub fn reply(&self) -> &[u8; 32] {
        &self.reply
    }

    /// The identifiers, in their order.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(|text| text.as_str())
    }

    /// What everybody is shown of it.
    pub fn commitment(&self, rules: &Rules) -> Digest {
        commitment(rules, &self.salt, &self.texts)
    }

    /// Its bytes: version, salt, key, and a place for each identifier, the control behind the last, and padding.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let places = usize::try_from(self.elements()).unwrap_or_default();
        let size = DECLARED_HEAD + places * DECLARED_SLOT;
        let mut bytes = Zeroizing::new(Vec::with_capacity(size));
        bytes.push(VERSION);
        bytes.extend_from_slice(self.salt.as_slice());
        bytes.extend_from_slice(&self.reply);
        for text in self.texts().map(str::as_bytes).chain([CONTROL]) {
            let end = bytes.len() + DECLARED_SLOT;
            // Measured when it was made.
            bytes.extend_from_slice(&u16::try_from(text.len()).unwrap_or_default().to_be_bytes());
            bytes.extend_from_slice(text);
            bytes.resize(end, 0);
        }
        bytes.resize(size, 0);
        bytes
    }

    /// Reads them; anything else than what [`Declaration::to_bytes`] writes is none.
    pub fn parse(rules: &Rules, bytes: &[u8]) -> Option<Self> {
        let (head, places) = bytes.split_at_checked(DECLARED_HEAD)?;
        let (&[VERSION], keys) = head.split_first_chunk::<1>()? else { return None };
        let (salt, reply) = keys.split_first_chunk::<32>()?;
        let mut texts: Vec<&str> = Vec::new();
        let mut places = places.chunks(DECLARED_SLOT);
        loop {
            match place(places.next()?)? {
                text if text == CONTROL => break,
                text => texts.push(std::str::from_utf8(text).ok()?),
            }
        }
        let read = Self::new(rules, Zeroizing::new(*salt), reply.try_into().ok()?, &texts).ok()?;
        // The rest, to the byte: padding that says something, or one place too many.
        (read.to_bytes().as_slice() == bytes).then_some(read)
    }
}

/// The text in its place.
fn place(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.get(..usize::from(u16::from_be_bytes(*length)))
}

/// What a question shows of the identifiers that are declared: whoever has the salt can show what they were, and nobody can
/// guess it without.
pub fn commitment(rules: &Rules, salt: &[u8; 32], identifiers: &[impl AsRef<str>]) -> Digest {
    let mut context = Context::new(&SHA256);
    context.update(COMMITMENT);
    context.update(salt);
    let version = rules.version.to_string();
    let identifiers = identifiers.iter().map(AsRef::as_ref);
    for part in [rules.kind.as_str(), version.as_str()].into_iter().chain(identifiers) {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    Digest::from_bytes(digest)
}

/// A record of a declared table.
#[derive(Clone, Copy)]
pub struct Record {
    /// What a hit says.
    pub reference: Reference,
    /// The contact as the owner is told it, also where a hit does not show it.
    pub contact: [u8; 16],
    /// Whether nobody who searches is told of it.
    pub silent: bool,
}

/// What who searches is told of one identifier and one contact that is shown.
#[derive(Clone, Copy)]
struct Shown {
    tag: [u8; TAG],
    reference: [u8; REFERENCE],
}

/// What the owner is told of one identifier and one contact.
#[derive(Clone, Copy)]
struct Owned {
    tag: [u8; TAG],
    silent: bool,
    contact: [u8; 16],
}

/// Reads a table.
pub struct Builder {
    key: hmac::Key,
    shown: Vec<Shown>,
    owned: Vec<Owned>,
}

/// A table in memory. It holds keyed hashes: who reads them elsewhere without the key learns no identifier.
pub struct Table {
    key: hmac::Key,
    /// Rows that are not silent and the control, by tag and shown contact.
    shown: Vec<Shown>,
    /// All rows, by tag, silent ones first, and by contact.
    owned: Vec<Owned>,
}

/// The contacts that the owner is told of one identifier.
pub const MET_CONTACTS: usize = DECLARED_REFERENCES;

/// What the owner of a table is told of one identifier, in as many bytes whatever it is: zeros where it is not in the table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Met {
    /// 1 if there are more contacts than here, else 0.
    pub more: u8,
    /// The first contacts, those of silent rows before the others. What stands in front of each is [`MET_TOLD`],
    /// [`MET_SILENT`], or 0 where there is none.
    pub contacts: [(u8, [u8; 16]); MET_CONTACTS],
}

/// In front of the contact of a row that who searched was told of.
pub const MET_TOLD: u8 = 1;

/// In front of the contact of a row that was kept from who searched.
pub const MET_SILENT: u8 = 2;

impl Met {
    /// 255 if the identifier is in the table, else 0.
    pub fn mask(&self) -> u8 {
        let met = self.contacts.first().is_some_and(|(word, _)| *word != 0);
        0_u8.wrapping_sub(u8::from(met))
    }
}

impl Builder {
    /// A table whose hashes are keyed by this secret, which is to be another one for each table that is built.
    pub fn new(secret: &[u8; 32]) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        Self { key, shown: Vec::new(), owned: Vec::new() }
    }

    /// Adds a record.
    pub fn push(&mut self, input: &Input, record: Record) {
        let Record { reference, contact, silent } = record;
        let tag = tag(&self.key, input);
        if !silent {
            self.shown.push(Shown { tag, reference: reference.to_bytes() });
        }
        self.owned.push(Owned { tag, silent, contact });
    }

    /// The table, with its positive control. O(rows log rows).
    pub fn finish(mut self, rules: &Rules) -> Table {
        let tag = tag(&self.key, &Input::control(rules));
        self.shown.push(Shown { tag, reference: Reference::CONTROL.to_bytes() });
        let Self { key, mut shown, mut owned } = self;
        let order = |row: &Shown| (row.tag, contact_of(&row.reference));
        shown.sort_by_cached_key(order);
        shown.dedup_by(|later, kept| {
            let same = order(later) == order(kept);
            if same {
                kept.reference = merged(&kept.reference, &later.reference);
            }
            same
        });
        let order = |row: &Owned| (row.tag, !row.silent, row.contact);
        owned.sort_unstable_by_key(order);
        owned.dedup_by_key(|row| order(row));
        shown.shrink_to_fit();
        owned.shrink_to_fit();
        Table { key, shown, owned }
    }
}

impl Table {
    /// What the owner is told of at most: rows, those of one identifier and contact taken together.
    pub fn len(&self) -> usize {
        self.owned.len()
    }

    /// Whether nothing can be met in it.
    pub fn is_empty(&self) -> bool {
        self.owned.is_empty()
    }

    /// What the table says of every place of a declaration, as it is sealed to whoever asked, and what the owner is told of each
    /// identifier, in their order. Every place takes the same steps, padding too, and its bytes are those of a miss where all rows of
    /// the identifier are silent.
    pub fn answer(&self, rules: &Rules, declared: &Declaration) -> (Zeroizing<Vec<u8>>, Vec<Met>) {
        let places = usize::try_from(declared.elements()).unwrap_or_default();
        let mut bytes = Zeroizing::new(Vec::with_capacity(places * DECLARED_VERDICT));
        let mut met = Vec::with_capacity(places);
        let texts = declared.texts().map(|text| Input::new(rules, text).ok());
        let rest = std::iter::once(Some(Input::control(rules))).chain(std::iter::repeat(None));
        for input in texts.chain(rest).take(places) {
            let input = input.unwrap_or_else(|| Input::padding(rules));
            let tag = tag(&self.key, &input);
            bytes.extend_from_slice(&self.told(&tag));
            met.push(self.met(&tag));
        }
        // Behind the identifiers stand the control and padding, which the owner has no row of.
        met.truncate(declared.texts.len());
        (bytes, met)
    }

    /// What who searches is told. As many rows are looked at and as many bytes copied whatever is found.
    fn told(&self, tag: &[u8; TAG]) -> [u8; DECLARED_VERDICT] {
        let from = self.shown.partition_point(|row| row.tag < *tag);
        let mut verdict = [0; DECLARED_VERDICT];
        let (head, places) = verdict.split_at_mut(2);
        let mut places = places.chunks_exact_mut(REFERENCE);
        let (mut told, mut crowded) = (0, 0);
        for n in 0..=DECLARED_REFERENCES {
            let row = self.shown.get(from + n);
            let mask = mask(row.map(|row| &row.tag), tag);
            let row = row.unwrap_or(&NOT_SHOWN);
            if let Some(place) = places.next() {
                copy(place, &row.reference, mask);
                told += mask & 1;
            } else {
                crowded = mask & 1;
            }
        }
        head.copy_from_slice(&[told, crowded]);
        verdict
    }

    /// What the owner is told, in the same way.
    fn met(&self, tag: &[u8; TAG]) -> Met {
        let from = self.owned.partition_point(|row| row.tag < *tag);
        let mut met = Met { more: 0, contacts: [(0, [0; 16]); MET_CONTACTS] };
        let mut places = met.contacts.iter_mut();
        for n in 0..=MET_CONTACTS {
            let row = self.owned.get(from + n);
            let mask = mask(row.map(|row| &row.tag), tag);
            let row = row.unwrap_or(&NOT_OWNED);
            if let Some((word, contact)) = places.next() {
                *word = (MET_TOLD + u8::from(row.silent)) & mask;
                copy(contact, &row.contact, mask);
            } else {
                met.more = mask & 1;
            }
        }
        met
    }
}

/// Behind the last row.
static NOT_SHOWN: Shown = Shown { tag: [0; TAG], reference: [0; REFERENCE] };

/// The same of what the owner is told.
static NOT_OWNED: Owned = Owned { tag: [0; TAG], silent: false, contact: [0; 16] };

/// 255 where a row of this tag is here, else 0.
fn mask(here: Option<&[u8; TAG]>, tag: &[u8; TAG]) -> u8 {
    0_u8.wrapping_sub(u8::from(here == Some(tag)))
}

fn copy(to: &mut [u8], from: &[u8], mask: u8) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = from & mask;
    }
}

/// What an answer says of identifiers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// Of each of them, in their order.
    pub rows: Vec<Rows>,
    /// Whether the positive control was found: without it, nothing is known of those that were not.
    pub finds_control: bool,
}

/// Reads the answer to so many identifiers. `None` if it is none.
pub fn answered(identifiers: usize, bytes: &[u8]) -> Option<Answered> {
    let elements = usize::try_from(declared_elements(identifiers)?).ok()?;
    if bytes.len() != elements * DECLARED_VERDICT {
        return None;
    }
    let mut rows = bytes.chunks_exact(DECLARED_VERDICT).map(verdict);
    let of_identifiers = rows.by_ref().take(identifiers).collect::<Option<Vec<Rows>>>()?;
    let control = rows.next()??;
    let finds_control =
        matches!(control.references.as_slice(), [only] if only.is_control() && !control.crowded);
    if of_identifiers.iter().flat_map(|rows| &rows.references).any(Reference::is_control) {
        return None;
    }
    Some(Answered { rows: of_identifiers, finds_control })
}

fn verdict(bytes: &[u8]) -> Option<Rows> {
    let (&[told, crowded @ (0 | 1)], places) = bytes.split_first_chunk::<2>()? else {
        return None;
    };
    let (told, rest) = places.split_at_checked(usize::from(told) * REFERENCE)?;
    if rest.iter().any(|byte| *byte != 0) {
        return None;
    }
    let (told, _) = told.as_chunks::<REFERENCE>();
    let references = told.iter().map(Reference::parse).collect::<Option<_>>()?;
    Some(Rows { references, crowded: crowded == 1 })
}

fn tag(key: &hmac::Key, input: &Input) -> [u8; TAG] {
    let code = hmac::sign(key, input.as_bytes());
    code.as_ref().first_chunk().copied().unwrap_or_default()
}

fn contact_of(reference: &[u8; REFERENCE]) -> [u8; 16] {
    contact(reference).try_into().unwrap_or_default()
}

fn merged(one: &[u8; REFERENCE], other: &[u8; REFERENCE]) -> [u8; REFERENCE] {
    match (Reference::parse(one), Reference::parse(other)) {
        (Some(one), Some(other)) => one.merged(other).to_bytes(),
        // Both were written here.
        (_, _) => *one,
    }
}

redacted!(Declaration, Met, Record);

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Table({} rows)", self.len())
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Builder({} rows)", self.owned.len())
    }
}

#[cfg(test)]
mod tests;
