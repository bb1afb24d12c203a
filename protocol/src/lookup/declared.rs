//! Declared lookups: a node is told which identifiers are searched in a table of its country; the gateway is not.
//!
//! A declared lookup is a question ([`crate::question::Ask::Declared`]) about one table of each country asked. Beside the
//! envelope travels, in the order of the countries, what is sealed to each of their nodes (HPKE, RFC 9180): parts of one
//! length, which depends on the size class alone. So does the length of the answer, which is sealed to a key of the
//! lookup's own: hit, no hit and silent hit look alike to everybody but node and desk, the last two to everybody but the node.

use super::{ELEMENT, Legend, LookupFault, SIZES};
use crate::identity::Identity;
use crate::names::{Country, Digest, KindName, QuestionId, TableName};
use crate::purpose::Purpose;
use crate::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

/// The most elements of a declared lookup: 512 identifiers, and the control.
pub const MOST_DECLARED: u32 = 513;

/// What is in front of the identifiers inside what is sealed to a node: version, salt, and the key of the answer.
pub const DECLARED_HEAD: usize = 1 + 32 + 32;

/// An identifier inside what is sealed to a node: its length in two bytes, and room for its text.
pub const DECLARED_SLOT: usize = 256;

/// What sealing adds to a text: HPKE's encapsulated key and the tag.
pub const SEAL: usize = 32 + 16;

/// The references that an answer has room for, for one identifier.
pub const DECLARED_REFERENCES: usize = 8;

/// What an answer says of one identifier: how many references, whether there are more, and the references of 25 bytes.
pub const DECLARED_VERDICT: usize = 2 + DECLARED_REFERENCES * 25;

/// Which identifiers are searched where, without saying what they are to anybody but the nodes asked: the part of a question
/// that is a declared lookup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclaredSearch {
    /// The kind of the identifiers.
    pub identifiers: KindName,
    /// The version of the rules that they were normalised by.
    pub rules: u16,
    /// Identifiers, padding and the control: one of [`SIZES`], up to [`MOST_DECLARED`].
    pub elements: u32,
    /// SHA-256 of what is sealed to all nodes, one after the other.
    pub sealed: Digest,
    /// Salted SHA-256 of the identifiers: every node that opens its part checks it, so that all of them are told the same.
    pub commitment: Digest,
    /// SHA-256 of what the desk sealed for the auditors of the person's country: salt and identifiers.
    pub opening: Digest,
    /// The table asked of each country, sorted by country.
    pub targets: Vec<DeclaredTarget>,
}

/// The one table of a country that is asked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclaredTarget {
    /// The country.
    pub country: Country,
    /// Its table.
    pub table: TableName,
}

/// A declared table, as its node's directory shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclaredTable {
    /// The table.
    pub table: TableName,
    /// What its identifiers are.
    pub kind: KindName,
    /// The version of the rules that they are normalised by.
    pub rules: u16,
    /// When it was read from the node's data.
    pub built_at: Timestamp,
    /// Rows of the node's data that nobody can find, because what they hold is written in no form that can be searched.
    pub left_out: u64,
    /// The purposes it may be asked for, sorted.
    pub purposes: Vec<Purpose>,
    /// The most elements that one request may have.
    pub most_elements: u32,
    /// The law or agreement that lets the country be told what is searched.
    pub legal_basis: String,
    /// Whether a hit may be kept from who searches: then no answer of this table proves that there is none.
    pub may_be_silent: bool,
    /// What the numbers of categories stand for, sorted by number.
    pub categories: Vec<Legend>,
    /// What the numbers of handling codes stand for, sorted by number: the greater, the stricter.
    pub handling: Vec<Legend>,
}

/// The elements that so many identifiers are declared with: a size class that holds them and the control. `None` where there are
/// none or too many.
pub fn declared_elements(identifiers: usize) -> Option<u32> {
    let needed = u32::try_from(identifiers).ok()?.checked_add(1)?;
    let classes = SIZES.into_iter().filter(|elements| *elements <= MOST_DECLARED);
    classes.into_iter().find(|elements| identifiers > 0 && needed <= *elements)
}

/// The countries that can be asked at once with so many elements.
pub fn declared_at_once(elements: u32) -> usize {
    LONGEST_BESIDE / part_bytes(elements).max(1)
}

/// The longest that may travel beside the envelope: as much as the longest vector.
const LONGEST_BESIDE: usize = 65_535 * ELEMENT;

impl DeclaredSearch {
    /// Checks everything that depends on the search alone. `countries` are those that the question names, sorted.
    pub fn fault(&self, countries: &[Country]) -> Option<LookupFault> {
        if !self.targets.iter().map(|target| &target.country).eq(countries) {
            Some(LookupFault::Targets)
        } else if SIZES.contains(&self.elements)
            && self.elements <= MOST_DECLARED
            && self.targets.len() <= declared_at_once(self.elements)
        {
            None
        } else {
            Some(LookupFault::Elements)
        }
    }

    /// The table of a country.
    pub fn table_of(&self, country: &Country) -> Option<&TableName> {
        self.targets.iter().find(|target| target.country == *country).map(|target| &target.table)
    }

    /// What is sealed to the node of a country, out of what travels beside the question.
    pub fn part_of<'a>(&self, country: &Country, beside: &'a [u8]) -> Option<&'a [u8]> {
        let at = self.targets.iter().position(|target| target.country == *country)?;
        beside.chunks_exact(self.part_bytes()).nth(at)
    }

    /// Bytes of what is sealed to one node.
    pub fn part_bytes(&self) -> usize {
        part_bytes(self.elements)
    }

    /// Bytes of what travels beside the question.
    pub fn beside_bytes(&self) -> usize {
        self.part_bytes().saturating_mul(self.targets.len())
    }

    /// Bytes of the answer of one node.
    pub fn answer_bytes(&self) -> usize {
        SEAL + count(self.elements).saturating_mul(DECLARED_VERDICT)
    }

    /// What the part of a node is bound to: it opens for no other question, person, node, table, kind or version. Whoever comes by
    /// a part cannot have it opened in a question of its own.
    pub fn part_info(
        &self,
        (question, analyst): (&QuestionId, &Identity),
        node: &Identity,
        table: &TableName,
    ) -> Vec<u8> {
        let mut info = self.info("mayag/declared/v1", question, node, table);
        info.extend_from_slice(format!("{analyst}\n").as_bytes());
        info
    }

    /// What the answer of a node is bound to.
    pub fn answer_info(
        &self,
        question: &QuestionId,
        node: &Identity,
        table: &TableName,
    ) -> Vec<u8> {
        self.info("mayag/declared-answer/v1", question, node, table)
    }

    fn info(
        &self,
        what: &str,
        question: &QuestionId,
        node: &Identity,
        table: &TableName,
    ) -> Vec<u8> {
        let Self { identifiers, rules, .. } = self;
        format!("{what}\n{question}\n{node}\n{table}\n{identifiers}\n{rules}\n").into_bytes()
    }
}

fn part_bytes(elements: u32) -> usize {
    SEAL + DECLARED_HEAD + count(elements).saturating_mul(DECLARED_SLOT)
}

fn count(elements: u32) -> usize {
    usize::try_from(elements).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::{DeclaredSearch, DeclaredTarget, declared_at_once, declared_elements};
    use crate::lookup::LookupFault;
    use crate::names::{Country, Digest};

    fn search() -> DeclaredSearch {
        let target = |country: &str| DeclaredTarget {
            country: country.parse().unwrap(),
            table: "observed".parse().unwrap(),
        };
        let digest = || Digest::from_bytes([7; 32]);
        DeclaredSearch {
            identifiers: "container".parse().unwrap(),
            rules: 1,
            elements: 9,
            sealed: digest(),
            commitment: digest(),
            opening: digest(),
            targets: vec![target("kr"), target("us")],
        }
    }

    #[test]
    fn a_search_names_one_table_of_each_country_and_a_size_class() {
        let countries: Vec<Country> = ["kr", "us"].map(|code| code.parse().unwrap()).to_vec();
        let fault = |change: &dyn Fn(&mut DeclaredSearch)| {
            let mut search = search();
            change(&mut search);
            search.fault(&countries)
        };
        assert_eq!(fault(&|_| ()), None);
        assert_eq!(fault(&|it| it.elements = 10), Some(LookupFault::Elements));
        assert_eq!(fault(&|it| it.elements = 4_097), Some(LookupFault::Elements));
        assert_eq!(fault(&|it| it.targets.reverse()), Some(LookupFault::Targets));
        assert_eq!(fault(&|it| drop(it.targets.pop())), Some(LookupFault::Targets));
        let twice = |it: &mut DeclaredSearch| it.targets.push(it.targets[1].clone());
        assert_eq!(fault(&twice), Some(LookupFault::Targets));
    }

    #[test]
    fn sizes_depend_on_the_class_alone_and_every_country_has_its_part() {
        let search = search();
        assert_eq!([search.part_bytes(), search.answer_bytes()], [48 + 65 + 9 * 256, 48 + 9 * 202]);
        let beside: Vec<u8> = [vec![1; search.part_bytes()], vec![2; search.part_bytes()]].concat();
        assert_eq!(beside.len(), search.beside_bytes());
        let part = |country: &str| search.part_of(&country.parse().unwrap(), &beside);
        assert!(part("kr").unwrap().iter().all(|byte| *byte == 1));
        assert!(part("us").unwrap().iter().all(|byte| *byte == 2));
        assert_eq!(part("th"), None);
    }

    #[test]
    fn a_part_is_bound_to_everything_it_is_for() {
        let bound = |question: u8, analyst: &str, node: &str, table: &str, kind: &str, rules| {
            let search = DeclaredSearch { identifiers: kind.parse().unwrap(), rules, ..search() };
            let question = format!("{question:032x}").parse().unwrap();
            let analyst = format!("spiffe://demo/country/kr/analyst/{analyst}").parse().unwrap();
            let node = format!("spiffe://demo/country/{node}/node").parse().unwrap();
            search.part_info((&question, &analyst), &node, &table.parse().unwrap())
        };
        let one = bound(1, "ana", "kr", "observed", "container", 1);
        for other in [
            bound(2, "ana", "kr", "observed", "container", 1),
            bound(1, "bo", "kr", "observed", "container", 1),
            bound(1, "ana", "us", "observed", "container", 1),
            bound(1, "ana", "kr", "other", "container", 1),
            bound(1, "ana", "kr", "observed", "imo", 1),
            bound(1, "ana", "kr", "observed", "container", 2),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn identifiers_are_declared_in_classes_up_to_512() {
        let of = [0, 1, 2, 8, 9, 64, 65, 512, 513].map(declared_elements);
        let classes =
            [None, Some(2), Some(9), Some(9), Some(65), Some(65), Some(513), Some(513), None];
        assert_eq!(of, classes);
        assert_eq!([2, 513].map(declared_at_once), [3_355, 15]);
    }
}
