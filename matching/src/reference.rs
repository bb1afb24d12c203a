//! What a hit says: 25 bytes inside a sealed box, the same for every row.

use crate::redacted::redacted;
use mayag_protocol::lookup::Band;

/// Bytes of a reference.
pub const REFERENCE: usize = 25;

const VERSION: u8 = 1;

/// The last byte of a row that stands for several contacts.
const CROWDED: u8 = 1;

/// What a node lets a hit reveal. What the numbers stand for is in the node's directory entry.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Reference {
    /// How sure the match is.
    pub band: Band,
    /// The category of what is known, by number; [`SEVERAL`] where rows of different ones share an identifier.
    pub category: u16,
    /// How what follows may be used, by number: the greater, the stricter.
    pub handling: u8,
    /// How many rows share the identifier, up to 65,535; 0 only for the positive control.
    pub rows: u16,
    /// Names the contact point, and the case to it. Nobody else can tell anything from it.
    pub contact: [u8; 16],
}

/// The category of rows of different categories.
pub const SEVERAL: u16 = 0;

impl Reference {
    /// That of the positive control.
    pub(crate) const CONTROL: Self =
        Self { band: Band::Exact, category: SEVERAL, handling: 0, rows: 0, contact: [0; 16] };

    /// The bytes in the box: version, band, category, handling, rows, contact, 0, and 1 where it is [`crowded`].
    pub(crate) fn to_bytes(self) -> [u8; REFERENCE] {
        let [category, rows] = [self.category.to_be_bytes(), self.rows.to_be_bytes()];
        let mut bytes = [0; REFERENCE];
        let fields = [VERSION, number(self.band)]
            .into_iter()
            .chain(category)
            .chain([self.handling])
            .chain(rows)
            .chain(self.contact);
        bytes.iter_mut().zip(fields).for_each(|(byte, field)| *byte = field);
        bytes
    }

    /// Reads them; anything else than what [`Reference::to_bytes`] and [`crowd`] write is none.
    pub(crate) fn parse(bytes: &[u8; REFERENCE]) -> Option<Self> {
        let (&[VERSION, written, c0, c1, handling, r0, r1], rest) =
            bytes.split_first_chunk::<7>()?
        else {
            return None;
        };
        let (contact, [0, 0 | CROWDED]) = rest.split_first_chunk::<16>()? else { return None };
        Some(Self {
            band: band(written)?,
            category: u16::from_be_bytes([c0, c1]),
            handling,
            rows: u16::from_be_bytes([r0, r1]),
            contact: *contact,
        })
    }

    /// Whether it is that of the positive control, which no row of data has.
    pub(crate) fn is_control(&self) -> bool {
        self.rows == 0
    }

    /// What two rows with the same identifier say together. The order does not matter.
    #[must_use]
    pub(crate) fn merged(self, other: Self) -> Self {
        Self {
            band: self.band.min(other.band),
            category: if self.category == other.category { self.category } else { SEVERAL },
            handling: self.handling.max(other.handling),
            rows: self.rows.saturating_add(other.rows),
            contact: self.contact.min(other.contact),
        }
    }
}

/// The contact in the bytes of a reference.
pub(crate) fn contact(bytes: &[u8; REFERENCE]) -> &[u8] {
    bytes.get(7..23).unwrap_or_default()
}

/// Whether more contacts share the identifier than there are rows for it, in the bytes of its last row.
pub(crate) fn crowded(bytes: &[u8; REFERENCE]) -> bool {
    bytes.last() == Some(&CROWDED)
}

/// Says so.
pub(crate) fn crowd(bytes: &mut [u8; REFERENCE]) {
    if let Some(last) = bytes.last_mut() {
        *last = CROWDED;
    }
}

fn number(band: Band) -> u8 {
    match band {
        Band::Exact => 0,
        Band::Strong => 1,
        Band::Possible => 2,
    }
}

fn band(written: u8) -> Option<Band> {
    Band::ALL.into_iter().find(|band| number(*band) == written)
}

redacted!(Reference);

#[cfg(test)]
mod tests {
    use super::{REFERENCE, Reference, SEVERAL};
    use mayag_protocol::lookup::Band;

    fn reference(band: Band, category: u16, contact: u8) -> Reference {
        Reference { band, category, handling: contact, rows: 1, contact: [contact; 16] }
    }

    #[test]
    fn the_bytes_of_a_reference_are_stable_and_nothing_else_is_one() {
        let reference = Reference { rows: 0x0203, ..reference(Band::Strong, 0x0405, 9) };
        let bytes = reference.to_bytes();
        assert_eq!(bytes[..8], [1, 1, 4, 5, 9, 2, 3, 9]);
        assert_eq!(bytes[22..], [9, 0, 0]);
        assert_eq!(super::contact(&bytes), reference.contact);
        assert_eq!(Reference::parse(&bytes), Some(reference));
        let mut more = bytes;
        super::crowd(&mut more);
        assert_eq!((more[23..].to_vec(), Reference::parse(&more)), (vec![0, 1], Some(reference)));
        assert!(super::crowded(&more) && !super::crowded(&bytes));
        for (at, wrong) in [(0, 0), (0, 2), (1, 3), (23, 1), (24, 2)] {
            let mut bytes = bytes;
            bytes[at] = wrong;
            assert_eq!(Reference::parse(&bytes), None, "{at}");
        }
        assert_eq!(Reference::parse(&[0; REFERENCE]), None);
    }

    #[test]
    fn what_merged_rows_say_does_not_depend_on_their_order() {
        let rows = [
            reference(Band::Possible, 7, 3),
            reference(Band::Exact, 7, 2),
            reference(Band::Strong, 7, 4),
        ];
        let merge = |order: [usize; 3]| {
            order.map(|n| rows[n]).into_iter().reduce(Reference::merged).unwrap()
        };
        let merged = merge([0, 1, 2]);
        assert_eq!((merged.band, merged.category, merged.rows), (Band::Exact, 7, 3));
        assert_eq!((merged.handling, merged.contact), (4, [2; 16]));
        for order in [[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            assert_eq!(merge(order), merged);
        }
        let other = reference(Band::Exact, 8, 1);
        assert_eq!(merged.merged(other).category, SEVERAL);
        let many = Reference { rows: u16::MAX, ..other };
        assert_eq!(many.merged(other).rows, u16::MAX);
    }
}
