//! What a key belongs to: a node, one of its tables, an epoch, and the rules the table's identifiers are normalised by.

use crate::input::Rules;
use mayag_protocol::identity::Identity;
use mayag_protocol::names::TableName;

/// Node, table, epoch and rules. Each scope has a key of its own, so outputs of one say nothing about another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scope {
    /// The node.
    pub node: Identity,
    /// The table.
    pub table: TableName,
    /// Counts up with every rotation of the table's key.
    pub epoch: u32,
    /// The rules its identifiers are normalised by.
    pub rules: Rules,
}

impl Scope {
    /// `mayag1|node|table|epoch|kind|version`. No part can hold the separator.
    pub(crate) fn info(&self) -> String {
        let Self { node, table, epoch, rules } = self;
        format!("mayag1|{node}|{table}|{epoch}|{}|{}", rules.kind, rules.version)
    }
}
