//! What is searched: normalised identifiers of one kind, and the elements that they are searched through.

use super::LookupError;
use mayag_matching::batch;
use mayag_matching::input::Rules;
use mayag_matching::normalise::{Element, Kind, Normalised, rules};
use std::collections::HashMap;
use std::fmt;

/// Identifiers of one kind. Nothing shows what they are but [`Self::get`].
pub struct Identifiers {
    kind: Kind,
    given: Vec<Normalised>,
    /// Every text once, whatever it is searched for.
    elements: Vec<Element>,
    /// For each identifier: where its elements are, and which of its parts they stand for.
    parts: Vec<Vec<Part>>,
}

/// An element of an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    /// Its place in the list of elements.
    pub(super) at: usize,
    /// Which part of the identifier it stands for.
    pub(super) slot: u16,
}

impl Identifiers {
    /// All of these, which must be of one kind and fit into one vector.
    pub fn new(given: Vec<Normalised>) -> Result<Self, LookupError> {
        let kind = given.first().map(Normalised::kind).ok_or(LookupError::Kinds)?;
        if given.iter().any(|one| one.kind() != kind) {
            return Err(LookupError::Kinds);
        }
        let searched: Vec<Vec<Element>> = given.iter().map(Normalised::searched).collect();
        let mut places: HashMap<&str, usize> = HashMap::new();
        let mut firsts = Vec::new();
        let mut parts = Vec::with_capacity(searched.len());
        for elements in &searched {
            let part = |element: &Element, at| Part { at, slot: element.slot() };
            let mut own = Vec::with_capacity(elements.len());
            for element in elements {
                // What is searched twice costs once.
                let next = firsts.len();
                let at = *places.entry(element.text()).or_insert(next);
                if at == next {
                    firsts.push(element.clone());
                }
                own.push(part(element, at));
            }
            parts.push(own);
        }
        if batch::elements(firsts.len()).is_none() {
            return Err(LookupError::TooMany { elements: firsts.len() });
        }
        Ok(Self { kind, elements: firsts, parts, given })
    }

    /// The same in as many lists as vectors are needed, in their order.
    pub fn in_batches(given: Vec<Normalised>) -> Result<Vec<Self>, LookupError> {
        let (mut batches, mut batch, mut elements) = (Vec::new(), Vec::new(), 0);
        for one in given {
            let own = one.searched().len();
            if batch::elements(elements + own).is_none() && !batch.is_empty() {
                batches.push(Self::new(std::mem::take(&mut batch))?);
                elements = 0;
            }
            elements += own;
            batch.push(one);
        }
        batches.push(Self::new(batch)?);
        Ok(batches)
    }

    /// Their kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.given.len()
    }

    /// Never: there is at least one.
    pub fn is_empty(&self) -> bool {
        self.given.is_empty()
    }

    /// The identifier at this place.
    pub fn get(&self, at: usize) -> Option<&Normalised> {
        self.given.get(at)
    }

    /// The rules that all of them were normalised by.
    pub fn rules(&self) -> Rules {
        rules(self.kind)
    }

    pub(super) fn elements(&self) -> &[Element] {
        &self.elements
    }

    /// The identifiers, each with its elements.
    pub(super) fn with_parts(&self) -> impl Iterator<Item = (&Normalised, &[Part])> {
        self.given.iter().zip(self.parts.iter().map(Vec::as_slice))
    }
}

impl fmt::Debug for Identifiers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identifiers({} of kind {}, [redacted])", self.len(), self.kind)
    }
}
