//! Identifiers of hit/no-hit lookups: normalisers, oblivious PRF, filters, fuzzy keys (design §5).
//!
//! How one lookup goes, and which module does what:
//!
//! * [`normalise`] brings an identifier to one spelling, or says what is wrong with it;
//! * an [`input`] is one normalised identifier, as the function is asked about it;
//! * a [`batch`] hides up to 65,534 of them: blinded, padded to a size class, shuffled, and one positive control among them;
//! * the node evaluates the vector with the key of a [`scope`] and proves it: [`voprf`] (RFC 9497);
//! * whoever searches looks the outputs up in the node's published [`index`]: a [`filter`] says what is not there, and only a
//!   sealed box that opens, with a [`mod@reference`] in it, is a hit;
//! * where a country may be told what is searched, it is [`declared`] to its node instead, which answers what it finds;
//! * an auditor opens a batch with its seed, and sees whether it held what its author says.
//!
//! Everything is computation: nothing is opened or sent here.
//!
//! ```
//! use mayag_matching::batch::{Batch, BatchSeed, Verdict, opens};
//! use mayag_matching::index::{Builder, Index, Row};
//! use mayag_matching::input::{Input, Rules};
//! use mayag_matching::reference::Reference;
//! use mayag_matching::scope::Scope;
//! use mayag_matching::voprf::{Elements, Evaluation, PublicKey, SecretKey, Seed};
//! use mayag_protocol::lookup::Band;
//! use std::num::NonZero;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let workers = NonZero::<usize>::MIN;
//! let rules = Rules { kind: "passport".parse()?, version: 1 };
//!
//! // The node: a key for one table and epoch, and the index that it publishes.
//! let node = "spiffe://demo/country/kr/node".parse()?;
//! let scope = Scope { node, table: "documents".parse()?, epoch: 1, rules: rules.clone() };
//! let key = SecretKey::derive(&Seed::generate()?, &scope)?;
//! let mut builder = Builder::new(&key, &scope, workers)?;
//! let stolen = Reference { band: Band::Exact, category: 1, handling: 2, rows: 1, contact: [7; 16] };
//! builder.push(Row { input: Input::new(&rules, "PHL|M12345678")?, reference: stolen });
//! let index = builder.finish()?;
//! let (filter, boxes, public) = (index.filter_bytes(), index.box_bytes(), *key.public().as_bytes());
//!
//! // The desk: what is searched leaves it blinded, once, whoever is asked.
//! let seed = BatchSeed::generate()?;
//! let searched = ["PHL|M12345678", "PHL|M87654321"];
//! let batch = Batch::new(&seed, &rules, &searched, workers)?;
//! let sent = batch.blinded().to_bytes();
//! assert_eq!(sent.len(), 9 * 32);
//!
//! // The node evaluates and proves; it knows neither what nor how many of the nine were meant.
//! let answer = key.evaluate(&Elements::parse(&sent)?, workers)?;
//! let (evaluated, proof) = (answer.elements().to_vec(), answer.proof().to_bytes());
//!
//! // The desk: only what is proved against the published key is looked up.
//! let answer = Evaluation::parse(&evaluated, &proof)?;
//! let outputs = batch.outputs(&PublicKey::from_bytes(public)?, &answer, workers)?;
//! let index = Index::parse(&scope, &filter, &boxes)?;
//! assert_eq!(outputs.verdicts(&index), [Verdict::Hit(stolen), Verdict::NoHit]);
//!
//! // An auditor, from the digest that the node logged and what the desk sealed for audits.
//! let logged = Elements::parse(&sent)?.digest();
//! assert!(opens(&logged, &seed, &rules, &searched, workers)?);
//! assert!(!opens(&logged, &seed, &rules, &["PHL|M12345678", "PHL|M11111111"], workers)?);
//! # Ok(())
//! # }
//! ```

pub mod batch;
pub mod declared;
pub mod filter;
mod fuzzy;
pub mod index;
pub mod input;
pub mod normalise;
mod parallel;
mod redacted;
pub mod reference;
pub mod scope;
pub mod sealing;
pub mod voprf;
