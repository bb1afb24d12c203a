//! What a lookup table is, from both sides: the policy says who may search what in it, `node.toml` where its rows come from.

use super::config::LookupConfig;
use mayag_audit::keys::sha256;
use mayag_matching::input::Rules;
use mayag_matching::normalise::{Kind, Label, rules};
use mayag_policies::document::Policy;
use mayag_policies::lookups::LookupTable;
use mayag_protocol::lookup::Mode;
use mayag_protocol::names::{Digest, TableName};
use mayag_protocol::purpose::Purpose;
use mayag_protocol::timestamp::Timestamp;

pub(crate) use mayag_policies::lookups::Reveals;

/// A table that the policy in force declares and that `node.toml` has rows for.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    pub(crate) table: TableName,
    pub(crate) kind: Kind,
    pub(crate) mode: Mode,
    pub(crate) rules: Rules,
    pub(crate) label: Option<Label>,
    pub(crate) reveals: Reveals,
    pub(crate) sql: String,
    pub(crate) purposes: Vec<Purpose>,
    pub(crate) most_elements: u32,
    /// Of a declared table; of others empty.
    pub(crate) legal_basis: String,
    /// Whether rows may be silent.
    pub(crate) silent: bool,
}

/// Why a table is neither built nor published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Closed {
    #[error(
        "the policy declares it, and nothing can be sealed to this node: add `sealing_key` to `[pki]`, the one that the roster lists"
    )]
    NoSealingKey,
    #[error("it has no key")]
    NoKey,
    #[error("no grant of the policy is in force for it")]
    NoGrant,
    #[error("the policy in force does not declare it")]
    NotInPolicy,
    #[error("node.toml has no rows for it: add `[[lookups]]`, or take it out of the policy")]
    NotInNode,
    #[error("`label` in node.toml is of another kind than the policy's table")]
    OtherKind,
    #[error("the policy names a kind of identifier that this version does not know")]
    UnknownKind,
}

impl Terms {
    /// What the policy says of a table of `node.toml`.
    pub(crate) fn of(
        config: &LookupConfig,
        policy: &Policy,
        now: Timestamp,
    ) -> Result<Self, Closed> {
        let declared = policy.tables().into_iter().find(|table| table.name == config.table);
        let LookupTable { name, kind, mode, reveals, legal_basis, silent } =
            declared.ok_or(Closed::NotInPolicy)?;
        let kind: Kind = kind.as_str().parse().map_err(|_| Closed::UnknownKind)?;
        if config.label.is_some_and(|label| label.kind() != kind) {
            return Err(Closed::OtherKind);
        }
        let terms = policy.table_terms(&name, now).ok_or(Closed::NoGrant)?;
        Ok(Self {
            table: name,
            kind,
            mode,
            rules: rules(kind),
            label: config.label,
            reveals,
            sql: config.sql.clone(),
            purposes: terms.purposes.into_iter().collect(),
            most_elements: terms.most_elements,
            legal_basis: legal_basis.unwrap_or_default(),
            silent,
        })
    }

    /// The same for terms under which the same rows give the same index. Who may ask for what purpose is no part of it.
    pub(crate) fn digest(&self) -> Digest {
        let Self { table, kind, mode, rules, label, reveals, sql, silent, .. } = self;
        let Reveals { category, handling, contact } = reveals;
        let text = format!(
            "{table}|{kind}|{}|{label:?}|{category}|{handling}|{contact}|{mode:?}|{silent}|{sql}",
            rules.version
        );
        sha256(text.as_bytes())
    }
}
