//! Development PKI on disk: authorities, certificates, revocation lists, signing keys, the signed roster, and a
//! deliberately bad set.
//!
//! Everything is marked [`MARK`] and lives under `DIR/pki`; nothing here is fit for real data. [`generate`] makes the
//! folder, [`pki::Pki`] opens it again so that a test can revoke, re-issue and alter the roster.
//!
//! ```
//! use mayag_certs_dev::{generate, plan::Plan};
//! # let folder = tempfile::tempdir()?;
//! # let dir = folder.path();
//! let plan = Plan::demo("2026-11-23T12:00:00Z".parse()?)?;
//! let summary = generate(&plan, dir)?;
//! assert!(summary.pki.join("node-kr/tls.crt").exists());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod authority;
pub mod leaf;
pub mod pki;
pub mod plan;

mod bad;
mod files;
mod generation;
mod instant;

use crate::generation::Generation;
use crate::plan::{Plan, PlanError};
use mayag_audit::keys::KeyError;
use mayag_protocol::envelope::EnvelopeError;
use mayag_protocol::identity::Identity;
use mayag_protocol::timestamp::Timestamp;
use std::path::{Path, PathBuf};

/// Stands in the common name of every certificate made here.
pub const MARK: &str = "DEV - NOT FOR REAL DATA";

/// What [`generate`] made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// `DIR/pki`.
    pub pki: PathBuf,
    /// How many authorities there are, each with one certificate and one revocation list.
    pub authorities: usize,
    /// The gateways.
    pub gateways: Vec<Identity>,
    /// The nodes, one per country.
    pub nodes: Vec<Identity>,
    /// Everybody else.
    pub people: Vec<Identity>,
    /// When the first certificate, revocation list or roster made here expires.
    pub first_expiry: Timestamp,
}

/// Why the development PKI was not made, read or altered. Never shows a private key.
#[derive(Debug, thiserror::Error)]
pub enum CertsError {
    /// The plan contradicts itself.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The folder holds something that was not made here.
    #[error(
        "`{path}` is not empty and was not made by `mayag certs`: nothing was written; choose another folder, or remove it yourself"
    )]
    Foreign {
        /// The folder.
        path: PathBuf,
    },
    /// A file or folder was not read or written.
    #[error("`{path}`: {source}")]
    File {
        /// Which one.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A certificate or revocation list was not made.
    #[error("certificate not made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// A certificate or revocation list was not read.
    #[error("`{path}` is not {expected}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What it should be.
        expected: &'static str,
    },
    /// An instant outside of what a certificate can say.
    #[error("{0} cannot be written into a certificate")]
    Instant(Timestamp),
    /// No authority of this name was planned.
    #[error("there is no authority `{stem}` in this federation")]
    NoAuthority {
        /// The name of its files.
        stem: String,
    },
    /// A roster or a policy that nobody signs.
    #[error("a roster or a policy needs somebody who signs it")]
    NoSigner,
    /// A signing key was not made or read.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The roster was not opened.
    #[error("roster: {0}")]
    Roster(#[from] EnvelopeError),
    /// The roster was not written as JSON.
    #[error("roster not written: {0}")]
    Json(#[from] serde_json::Error),
}

/// Makes the federation of `plan` under `dir/pki`.
///
/// An earlier `dir/pki` made here is replaced as a whole, keys included; a folder with anything else in it is left alone.
pub fn generate(plan: &Plan, dir: &Path) -> Result<Summary, CertsError> {
    plan.check()?;
    let (pki, fresh) = (dir.join("pki"), dir.join("pki.new"));
    files::may_replace(&pki)?;
    files::may_replace(&fresh)?;
    files::remove(&fresh)?;
    // A crash from here on leaves `pki.new`, which the next run removes; `pki` is always whole.
    let mut generation = Generation::start(plan, &fresh)?;
    let roster = generation.roster()?;
    generation.bad()?;
    generation.finish(&roster)?;
    files::remove(&pki)?;
    files::rename(&fresh, &pki)?;
    let identities = |members: &[mayag_protocol::roster::Member]| {
        members.iter().map(|m| m.identity.clone()).collect()
    };
    Ok(Summary {
        authorities: generation.authorities(),
        gateways: identities(&roster.gateways),
        nodes: identities(&roster.nodes),
        people: roster.people.iter().map(|person| person.identity.clone()).collect(),
        first_expiry: plan.now.plus(plan.lifetimes.shortest()),
        pki,
    })
}
