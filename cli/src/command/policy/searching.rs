//! Searching on paper: a lookup of a table, decided under a policy as a node would, without anything to search.

use super::explain::words;
use crate::safe::safe;
use mayag_policies::decide::Subject;
use mayag_policies::document::Policy;
use mayag_policies::lookups::{LookupTable, decide_lookup};
use mayag_protocol::lookup::{Mode, SIZES};
use mayag_protocol::names::{KindName, TableName};
use mayag_protocol::timestamp::Timestamp;

/// What is searched where.
pub(super) struct Searched<'a> {
    pub(super) table: &'a TableName,
    pub(super) kind: &'a KindName,
}

impl Searched<'_> {
    /// Says what is decided of a lookup of each size, and returns whether the smallest is answered.
    pub(super) fn explain(
        &self,
        policy: &Policy,
        subject: &Subject,
        now: Timestamp,
        lines: &mut Vec<String>,
    ) -> bool {
        let Self { table, kind } = self;
        lines.push(format!("lookup of {table} by {kind}"));
        let mut largest = None;
        for elements in SIZES {
            // The positive control is no identifier.
            let at_once = elements.saturating_sub(1);
            match decide_lookup(policy, subject, now, table, kind, elements) {
                Ok(permit) => {
                    let (grants, limits) = (permit.grant(), permit.limits());
                    lines.push(format!("  {at_once:>5} at once  yes  grant {grants}; {limits}"));
                    largest = Some((at_once, permit));
                }
                Err(refusal) => {
                    lines.push(format!("  {at_once:>5} at once  no   {}", words(&refusal)));
                    lines.push(format!("  hint: {}", refusal.hint));
                    // Whatever is larger is refused alike.
                    break;
                }
            }
        }
        if let Some((at_once, permit)) = &largest {
            lines.push(format!("  a hit says {}", permit.table().reveals));
            lines.extend(declared(permit.table()));
            lines.push(format!("the lookup is answered, of up to {at_once} identifiers at once"));
        } else {
            lines.push("the lookup is refused".to_owned());
        }
        largest.is_some()
    }
}

/// What is to be known of a declared table.
fn declared(table: &LookupTable) -> Vec<String> {
    match table.mode {
        Mode::Blinded => Vec::new(),
        Mode::Declared => {
            let silent =
                if table.silent { "may be kept from the person" } else { "is always told" };
            let basis = table.legal_basis.as_deref().unwrap_or("none");
            vec![
                format!(
                    "  declared: this country is told what is searched, and by whom; a hit {silent}"
                ),
                format!("  legal basis: {}", safe(basis)),
            ]
        }
    }
}

#[cfg(test)]
mod tests {
    use mayag_matching::normalise::Kind;
    use mayag_policies::lookups::{FEW, KINDS};

    #[test]
    fn policies_know_the_kinds_that_the_normalisers_have_rules_for() {
        assert_eq!(KINDS.to_vec(), Kind::ALL.map(Kind::as_str).to_vec());
        assert!(FEW.iter().all(|kind| KINDS.contains(kind)));
    }
}
