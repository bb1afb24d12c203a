//! The closed list of kinds of identifiers, and the words that stand before the colon.

use super::problem::{self, Problem};
use mayag_protocol::names::KindName;
use std::fmt;
use std::str::FromStr;

/// A kind of identifier. Its name is part of what is hashed: a phone number never meets a document number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A substance by its CAS registry number.
    Cas,
    /// A freight container (ISO 6346).
    Container,
    /// An e-mail address.
    Email,
    /// A bank account (ISO 13616).
    Iban,
    /// A document that identifies within a country: identity card, driving licence, tax number.
    IdentityDocument,
    /// A mobile device, by the 14 digits of its IMEI without the check digit.
    Imei,
    /// A ship by its IMO number, or a company by its own.
    Imo,
    /// A picture by a 256-bit perceptual hash; fuzzy.
    Logo,
    /// A ship's radio (ITU-R M.585).
    Mmsi,
    /// Names and birth date; fuzzy.
    Person,
    /// A telephone number (ITU-T E.164).
    Phone,
    /// A vehicle's number plate.
    Plate,
    /// A document to travel with (ICAO Doc 9303): passport, refugee's travel document, visa.
    TravelDocument,
    /// A vehicle (ISO 3779).
    Vin,
    /// An address of a crypto currency.
    Wallet,
}

impl Kind {
    /// Every kind, in the order of the list.
    pub const ALL: [Self; 15] = [
        Self::Cas,
        Self::Container,
        Self::Email,
        Self::Iban,
        Self::IdentityDocument,
        Self::Imei,
        Self::Imo,
        Self::Logo,
        Self::Mmsi,
        Self::Person,
        Self::Phone,
        Self::Plate,
        Self::TravelDocument,
        Self::Vin,
        Self::Wallet,
    ];

    /// The word on the wire, in policies and in what is hashed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cas => "cas",
            Self::Container => "container",
            Self::Email => "email",
            Self::Iban => "iban",
            Self::IdentityDocument => "identity_document",
            Self::Imei => "imei",
            Self::Imo => "imo",
            Self::Logo => "logo",
            Self::Mmsi => "mmsi",
            Self::Person => "person",
            Self::Phone => "phone",
            Self::Plate => "plate",
            Self::TravelDocument => "travel_document",
            Self::Vin => "vin",
            Self::Wallet => "wallet",
        }
    }

    /// The word as a name of the protocol.
    ///
    /// # Panics
    ///
    /// Never: every word of the list is one, which a test holds.
    #[expect(clippy::expect_used, reason = "INVARIANT (kinds are names): a test parses every one")]
    pub fn name(self) -> KindName {
        self.as_str().parse().expect("a kind's word is a name")
    }

    /// Whether a record is found through several keys of which some must agree, so that a hit is a lead only.
    pub fn is_fuzzy(self) -> bool {
        matches!(self, Self::Logo | Self::Person)
    }

    /// Whether `@` ends the value: an e-mail address has one of its own, and links to wallets may.
    pub(super) fn ends_at_sign(self) -> bool {
        !matches!(self, Self::Email | Self::Wallet)
    }

    /// Whether the value needs a country, a region or a birth date, or may have one.
    pub(super) fn has_qualifier(self) -> bool {
        match self {
            Self::IdentityDocument
            | Self::Imo
            | Self::Person
            | Self::Phone
            | Self::Plate
            | Self::TravelDocument => true,
            Self::Cas
            | Self::Container
            | Self::Email
            | Self::Iban
            | Self::Imei
            | Self::Logo
            | Self::Mmsi
            | Self::Vin
            | Self::Wallet => false,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = Problem;
    /// The word on the wire only; people type a [`Label`].
    fn from_str(text: &str) -> Result<Self, Problem> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(problem::UNKNOWN_KIND)
    }
}

/// What a document is for. Its letter is part of the normalised value, as two offices of a country number their
/// documents independently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DocumentType {
    /// A birth certificate.
    Birth,
    /// A driving licence.
    Driving,
    /// An identity card or the number of a national register.
    Identity,
    /// A passport of any sort: ordinary, diplomatic, service, emergency.
    Passport,
    /// A residence permit.
    Residence,
    /// A seafarer's book.
    Seafarer,
    /// A social security number.
    Social,
    /// A tax number.
    Tax,
    /// A travel document that is no passport: of refugees, of stateless persons, laissez-passer.
    Travel,
    /// A visa.
    Visa,
    /// A voter's card.
    Voter,
}

impl DocumentType {
    /// The letter in the normalised value. Those of ICAO Doc 9303 where it has one (`P`, `V`, `I`), and free ones.
    pub fn letter(self) -> char {
        match self {
            Self::Birth => 'B',
            Self::Driving => 'D',
            Self::Identity => 'I',
            Self::Passport => 'P',
            Self::Residence => 'R',
            Self::Seafarer => 'S',
            Self::Social => 'N',
            Self::Tax => 'X',
            Self::Travel => 'T',
            Self::Visa => 'V',
            Self::Voter => 'E',
        }
    }

    /// Which kind a document of this type is.
    pub fn kind(self) -> Kind {
        match self {
            Self::Passport | Self::Seafarer | Self::Travel | Self::Visa => Kind::TravelDocument,
            Self::Birth
            | Self::Driving
            | Self::Identity
            | Self::Residence
            | Self::Social
            | Self::Tax
            | Self::Voter => Kind::IdentityDocument,
        }
    }
}

/// The word before the colon: a kind, or a document of a certain type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Label {
    kind: Kind,
    document: Documents,
}

/// Which documents a label stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Documents {
    /// Of any type of the kind: the commonest one is the value, the next one a variant.
    Any { first: DocumentType, second: Option<DocumentType> },
    /// Of one type.
    One(DocumentType),
}

/// Words that people type for documents, and their types.
const WORDS: [(&str, DocumentType); 22] = [
    ("birth_certificate", DocumentType::Birth),
    ("diplomatic_passport", DocumentType::Passport),
    ("driver_license", DocumentType::Driving),
    ("driving_licence", DocumentType::Driving),
    ("id", DocumentType::Identity),
    ("id_card", DocumentType::Identity),
    ("identity_card", DocumentType::Identity),
    ("laissez_passer", DocumentType::Travel),
    ("national_id", DocumentType::Identity),
    ("passport", DocumentType::Passport),
    ("refugee_document", DocumentType::Travel),
    ("residence_permit", DocumentType::Residence),
    ("seafarer", DocumentType::Seafarer),
    ("seaman_book", DocumentType::Seafarer),
    ("service_passport", DocumentType::Passport),
    ("social_security", DocumentType::Social),
    ("ssn", DocumentType::Social),
    ("stateless_document", DocumentType::Travel),
    ("tax_id", DocumentType::Tax),
    ("tax_number", DocumentType::Tax),
    ("visa", DocumentType::Visa),
    ("voter_card", DocumentType::Voter),
];

/// Other words for kinds that are no documents.
const SYNONYMS: [(&str, Kind); 7] = [
    ("account", Kind::Iban),
    ("crypto", Kind::Wallet),
    ("mail", Kind::Email),
    ("number_plate", Kind::Plate),
    ("tel", Kind::Phone),
    ("telephone", Kind::Phone),
    ("vessel", Kind::Imo),
];

impl Label {
    /// The kind that is searched.
    pub fn kind(self) -> Kind {
        self.kind
    }

    /// Every word that can stand before the colon, for help texts.
    pub fn words() -> impl Iterator<Item = &'static str> {
        let kinds = Kind::ALL.into_iter().map(Kind::as_str);
        kinds
            .chain(WORDS.iter().map(|(word, _)| *word))
            .chain(SYNONYMS.iter().map(|(word, _)| *word))
    }

    pub(super) fn document(self) -> Documents {
        self.document
    }
}

impl From<DocumentType> for Label {
    fn from(document: DocumentType) -> Self {
        Self { kind: document.kind(), document: Documents::One(document) }
    }
}

impl From<Kind> for Label {
    fn from(kind: Kind) -> Self {
        let (first, second) = match kind {
            Kind::TravelDocument => (DocumentType::Passport, Some(DocumentType::Travel)),
            Kind::IdentityDocument
            | Kind::Cas
            | Kind::Container
            | Kind::Email
            | Kind::Iban
            | Kind::Imei
            | Kind::Imo
            | Kind::Logo
            | Kind::Mmsi
            | Kind::Person
            | Kind::Phone
            | Kind::Plate
            | Kind::Vin
            | Kind::Wallet => (DocumentType::Identity, None),
        };
        Self { kind, document: Documents::Any { first, second } }
    }
}

impl FromStr for Label {
    type Err = Problem;
    fn from_str(text: &str) -> Result<Self, Problem> {
        let word = text.to_ascii_lowercase().replace(['-', ' '], "_");
        if let Some((_, document)) = WORDS.iter().find(|(name, _)| *name == word) {
            return Ok(Self::from(*document));
        }
        let synonym = SYNONYMS.iter().find(|(name, _)| *name == word).map(|(_, kind)| *kind);
        let kind = synonym.map_or_else(|| word.parse::<Kind>(), Ok)?;
        Ok(Self::from(kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_a_name_and_every_word_a_label() {
        for kind in Kind::ALL {
            assert_eq!(kind.name().as_str(), kind.as_str());
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        assert!(Label::words().all(|word| word.parse::<Label>().is_ok()));
        assert!(WORDS.iter().all(|(_, document)| Label::from(*document).kind() == document.kind()));
    }
}
