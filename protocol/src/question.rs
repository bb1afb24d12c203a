//! One signed request of one analyst.

use crate::identity::Identity;
use crate::lookup::{DeclaredSearch, LookupFault, Search};
use crate::names::{Country, Digest, Nonce, QuestionId};
use crate::purpose::Purpose;
use crate::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The longest envelope of a question that is read.
pub const LONGEST_ENVELOPE: usize = 64 * 1024;

/// Where a gateway or a node takes questions.
pub const QUESTIONS: &str = "/v1/questions";

/// The longest time between issue and expiry: the time a nonce must be remembered (design §3).
pub const LONGEST_LIFE: Duration = Duration::from_mins(2);

/// How far clocks may differ.
pub const CLOCK_SKEW: Duration = Duration::from_secs(30);

/// What an analyst signs (`application/vnd.mayag.question.v1+json`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Version of this format: 1.
    pub v: u8,
    /// Chosen by the desk; the same in every log that mentions the question.
    pub id: QuestionId,
    /// Who asks; the signature must be by a key that the roster lists for this person.
    pub analyst: Identity,
    /// The gateway that may carry it.
    pub gateway: Identity,
    /// The countries asked, sorted, each once. A node that is not among them refuses.
    pub countries: Vec<Country>,
    /// When it was signed.
    pub issued_at: Timestamp,
    /// When it ends; at most [`LONGEST_LIFE`] after `issued_at`.
    pub expires_at: Timestamp,
    /// Remembered by every node until expiry.
    pub nonce: Nonce,
    /// What is asked.
    pub ask: Ask,
    /// Why.
    pub purpose: Purpose,
    /// The case it belongs to, if any; at most 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<String>,
    /// The legal basis, if stated; at most 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legal_basis: Option<String>,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "kind")]
pub enum Ask {
    /// Which datasets and columns the person may use, for the purpose given.
    Datasets {},
    /// Whether identifiers are known, which the nodes asked are told. What is sealed to them travels beside the question.
    Declared {
        /// What is searched where.
        search: DeclaredSearch,
    },
    /// Whether identifiers are known, without saying which. The blinded vector travels beside the question.
    Lookup {
        /// What is searched where.
        search: Search,
    },
    /// What would be answered to the SQL, under which grant and protections, or which refusal. Logged; touches no data
    /// and costs no budget.
    Preview {
        /// One `SELECT` in DataFusion's dialect.
        sql: String,
    },
    /// Protected aggregates.
    Sql {
        /// One `SELECT` in DataFusion's dialect.
        sql: String,
    },
    /// Which tables can be searched, with their keys and indices ([`crate::lookup::Directory`]).
    Tables {},
}

impl Ask {
    /// The SQL, if it is about any.
    pub fn sql(&self) -> Option<&str> {
        match self {
            Self::Datasets {} | Self::Declared { .. } | Self::Lookup { .. } | Self::Tables {} => {
                None
            }
            Self::Preview { sql } | Self::Sql { sql } => Some(sql),
        }
    }

    /// What is searched blinded, if anything is.
    pub fn search(&self) -> Option<&Search> {
        match self {
            Self::Lookup { search } => Some(search),
            Self::Datasets {}
            | Self::Declared { .. }
            | Self::Preview { .. }
            | Self::Sql { .. }
            | Self::Tables {} => None,
        }
    }

    /// What travels beside the question, if anything does: then it is taken where lookups are.
    pub fn beside(&self) -> Option<Beside<'_>> {
        match self {
            Self::Declared { search } => {
                Some(Beside { bytes: search.beside_bytes(), digest: &search.sealed })
            }
            Self::Lookup { search } => {
                Some(Beside { bytes: search.vector_bytes(), digest: &search.blinded })
            }
            Self::Datasets {} | Self::Preview { .. } | Self::Sql { .. } | Self::Tables {} => None,
        }
    }

    fn fault(&self, countries: &[Country]) -> Option<LookupFault> {
        match self {
            Self::Declared { search } => search.fault(countries),
            Self::Lookup { search } => search.fault(countries),
            Self::Datasets {} | Self::Preview { .. } | Self::Sql { .. } | Self::Tables {} => None,
        }
    }
}

/// What travels beside a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beside<'a> {
    /// How long it is.
    pub bytes: usize,
    /// Its SHA-256.
    pub digest: &'a Digest,
}

/// What is wrong with a question's own fields, whoever signed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QuestionFault {
    /// The list of countries is empty, unsorted or names one twice.
    #[error("the list of countries is empty, unsorted or names one twice")]
    Countries,
    /// What it says about a lookup.
    #[error(transparent)]
    Lookup(#[from] LookupFault),
    /// Too long a life, or it ends before it begins.
    #[error("the question lives for longer than 120 s or ends before it begins")]
    Life,
    /// Issued in the future.
    #[error("the question was issued in the future")]
    NotYet,
    /// Over.
    #[error("the question has expired")]
    Expired,
    /// `case` or `legal_basis` is too long.
    #[error("case or legal basis is longer than 200 characters")]
    TooLong,
    /// Another version of the format.
    #[error("the question is written in another version of the format")]
    Version,
}

impl Question {
    /// Checks everything that depends on the question and the time alone.
    pub fn fault(&self, now: Timestamp) -> Option<QuestionFault> {
        let sorted = self.countries.is_sorted_by(|a, b| a < b);
        let too_long =
            |text: &Option<String>| text.as_ref().is_some_and(|text| text.chars().count() > 200);
        if self.v != 1 {
            Some(QuestionFault::Version)
        } else if self.countries.is_empty() || !sorted {
            Some(QuestionFault::Countries)
        } else if let Some(fault) = self.ask.fault(&self.countries) {
            Some(fault.into())
        } else if too_long(&self.case) || too_long(&self.legal_basis) {
            Some(QuestionFault::TooLong)
        } else if self.expires_at <= self.issued_at
            || self.expires_at.since(self.issued_at) > LONGEST_LIFE
        {
            Some(QuestionFault::Life)
        } else if self.issued_at > now.plus(CLOCK_SKEW) {
            Some(QuestionFault::NotYet)
        } else if self.expires_at <= now {
            Some(QuestionFault::Expired)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Ask, Question, QuestionFault};
    use crate::purpose::Purpose;
    use crate::timestamp::Timestamp;
    use std::time::Duration;

    fn question() -> Question {
        let now = Timestamp::from_millis(1_000_000);
        Question {
            v: 1,
            id: "00112233445566778899aabbccddeeff".parse().unwrap(),
            analyst: "spiffe://demo/country/kr/analyst/hana".parse().unwrap(),
            gateway: "spiffe://demo/gateway/1".parse().unwrap(),
            countries: vec!["kr".parse().unwrap(), "us".parse().unwrap()],
            issued_at: now,
            expires_at: now.plus(Duration::from_mins(1)),
            nonce: "00112233445566778899aabbccddeeff".parse().unwrap(),
            ask: Ask::Sql { sql: "SELECT 1".to_owned() },
            purpose: Purpose::Trend,
            case: None,
            legal_basis: None,
        }
    }

    #[test]
    fn the_bytes_of_a_question_are_stable() {
        let text = serde_json::to_string(&question()).unwrap();
        assert_eq!(
            text,
            "{\"v\":1,\"id\":\"00112233445566778899aabbccddeeff\",\"analyst\":\"spiffe://demo/country/kr/analyst/hana\",\
             \"gateway\":\"spiffe://demo/gateway/1\",\"countries\":[\"kr\",\"us\"],\"issued_at\":\"1970-01-01T00:16:40.000Z\",\
             \"expires_at\":\"1970-01-01T00:17:40.000Z\",\"nonce\":\"00112233445566778899aabbccddeeff\",\
             \"ask\":{\"kind\":\"sql\",\"sql\":\"SELECT 1\"},\"purpose\":\"TREND\"}"
        );
        assert_eq!(serde_json::from_str::<Question>(&text).unwrap(), question());
        let unknown = text.replacen("\"v\":1", "\"v\":1,\"extra\":true", 1);
        serde_json::from_str::<Question>(&unknown).unwrap_err();
    }

    #[test]
    fn faults_are_found() {
        let now = Timestamp::from_millis(1_000_000);
        let fault = |change: fn(&mut Question)| {
            let mut question = question();
            change(&mut question);
            question.fault(now)
        };
        assert_eq!(fault(|_| ()), None);
        assert_eq!(fault(|q| q.v = 2), Some(QuestionFault::Version));
        assert_eq!(fault(|q| q.countries.clear()), Some(QuestionFault::Countries));
        assert_eq!(fault(|q| q.countries.reverse()), Some(QuestionFault::Countries));
        assert_eq!(
            fault(|q| q.countries.push("us".parse().unwrap())),
            Some(QuestionFault::Countries)
        );
        assert_eq!(fault(|q| q.case = Some("x".repeat(201))), Some(QuestionFault::TooLong));
        assert_eq!(fault(|q| q.expires_at = q.issued_at), Some(QuestionFault::Life));
        assert_eq!(
            fault(|q| q.expires_at = q.issued_at.plus(Duration::from_secs(121))),
            Some(QuestionFault::Life)
        );
        let later = |q: &mut Question| {
            q.issued_at = q.issued_at.plus(Duration::from_secs(31));
            q.expires_at = q.expires_at.plus(Duration::from_secs(31));
        };
        assert_eq!(fault(later), Some(QuestionFault::NotYet));
        assert_eq!(
            question().fault(now.plus(Duration::from_mins(1))),
            Some(QuestionFault::Expired)
        );
    }
}
