//! Which tables of which countries are asked: of the kind, for the purpose, by the same rules, with the newest key in force.

use super::answer::Reason;
use super::{Declaring, Tables};
use mayag_matching::declared::LONGEST_DECLARED;
use mayag_matching::input::Rules;
use mayag_matching::scope::Scope;
use mayag_protocol::identity::Identity;
use mayag_protocol::lookup::{
    DeclaredTable, Directory, DirectoryEntry, MOST_DECLARED, Mode, Target, declared_elements,
};
use mayag_protocol::names::{Country, TableName};
use mayag_protocol::purpose::Purpose;
use mayag_protocol::timestamp::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// A table that is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) country: Country,
    pub(super) node: Identity,
    pub(super) entry: DirectoryEntry,
}

/// A declared table that is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ChosenDeclared {
    pub(super) country: Country,
    pub(super) node: Identity,
    pub(super) entry: DeclaredTable,
}

/// Whether tables are asked that answer only who tells them what is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Declared {
    /// The person wants that expressly.
    Asked,
    /// They are not.
    Left,
}

/// What is asked, and what is not.
#[derive(Debug, Default)]
pub(super) struct Choice {
    /// Sorted by country and table.
    pub(super) chosen: Vec<Chosen>,
    /// Sorted by country and table.
    pub(super) declared: Vec<ChosenDeclared>,
    /// Countries of whose tables one at least is not asked, and why. Who has no table in the list above is not asked at all.
    pub(super) lacking: BTreeMap<Country, Reason>,
}

/// What a lookup needs of a table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Needs<'a> {
    pub(super) rules: &'a Rules,
    pub(super) purpose: Purpose,
    /// Elements of the vector.
    pub(super) elements: u32,
    /// Identifiers without padding, with all their spellings.
    pub(super) searched: usize,
    /// Bytes of the longest of them.
    pub(super) longest: usize,
    pub(super) declared: Declared,
    pub(super) now: Timestamp,
}

impl ChosenDeclared {
    /// What the person is told before anything is sent.
    pub(super) fn told(&self) -> Declaring<'_> {
        let DeclaredTable { table, legal_basis, may_be_silent, .. } = &self.entry;
        let (country, may_be_silent) = (&self.country, *may_be_silent);
        Declaring { country, table, legal_basis, may_be_silent }
    }
}

impl Chosen {
    /// What it is called in a question.
    pub(super) fn target(&self) -> Target {
        let (table, epoch) = (self.entry.table.clone(), self.entry.epoch);
        Target { country: self.country.clone(), table, epoch }
    }

    /// What its key belongs to.
    pub(super) fn scope(&self) -> Scope {
        let DirectoryEntry { table, epoch, kind, rules, .. } = &self.entry;
        let rules = Rules { kind: kind.clone(), version: *rules };
        Scope { node: self.node.clone(), table: table.clone(), epoch: *epoch, rules }
    }
}

impl Choice {
    /// The countries that are asked, sorted.
    pub(super) fn countries(&self) -> Vec<Country> {
        let named: BTreeSet<&Country> = self.chosen.iter().map(|one| &one.country).collect();
        named.into_iter().cloned().collect()
    }

    /// Asks nobody more, for this reason.
    pub(super) fn leave(&mut self, reason: &Reason) {
        for one in std::mem::take(&mut self.chosen) {
            self.lacks(&one.country, reason.clone());
        }
    }

    /// Leaves a table out.
    pub(super) fn lacks(&mut self, country: &Country, reason: Reason) {
        self.lacking.entry(country.clone()).or_insert(reason);
    }
}

/// Chooses from what the countries say they have.
pub(super) fn choose(tables: &Tables, needs: Needs<'_>) -> Choice {
    let mut choice = Choice::default();
    for report in &tables.outcomes {
        let country = &report.country;
        if let Some((_, directory)) = tables.directories.iter().find(|(of, _)| of == country) {
            of_country(country, directory, needs, &mut choice);
        } else {
            let outcome = || Reason::Outcome(report.outcome);
            let reason = report.refusal.clone().map_or_else(outcome, Reason::Refused);
            choice.lacks(country, reason);
        }
    }
    choice
}

fn of_country(country: &Country, directory: &Directory, needs: Needs<'_>, choice: &mut Choice) {
    let mut by_table: BTreeMap<&TableName, Vec<&DirectoryEntry>> = BTreeMap::new();
    for entry in directory.tables.iter().filter(|entry| entry.kind == needs.rules.kind) {
        by_table.entry(&entry.table).or_default().push(entry);
    }
    let unready = || directory.unready.iter().filter(|table| table.kind == needs.rules.kind);
    // Before all else: it may be searched, and what is in it is not known, whatever the other tables say.
    if unready().any(|table| table.purposes.contains(&needs.purpose)) {
        choice.lacks(country, Reason::NotReady);
    }
    let declared = directory.declared.iter().filter(|entry| entry.kind == needs.rules.kind);
    let declared: Vec<&DeclaredTable> = declared.collect();
    let none = by_table.is_empty() && declared.is_empty() && unready().next().is_none();
    let Directory { tables, declared: all_declared, unready: all_unready, .. } = directory;
    if tables.is_empty() && all_declared.is_empty() && all_unready.is_empty() {
        choice.lacks(country, Reason::NothingShared);
    } else if none {
        choice.lacks(country, Reason::NoTable);
    }
    let mut other_purpose = !none;
    for epochs in by_table.into_values() {
        match of_table(&epochs, needs) {
            Ok(newest) => choice.chosen.push(Chosen {
                country: country.clone(),
                node: directory.node.clone(),
                entry: newest.clone(),
            }),
            // What may not be searched for this purpose is no part of what was asked, as long as something else may.
            Err(Reason::OtherPurpose) => continue,
            Err(reason) => choice.lacks(country, reason),
        }
        other_purpose = false;
    }
    for entry in declared {
        match of_declared(entry, needs) {
            Ok(()) => choice.declared.push(ChosenDeclared {
                country: country.clone(),
                node: directory.node.clone(),
                entry: entry.clone(),
            }),
            Err(Reason::OtherPurpose) => continue,
            Err(reason) => choice.lacks(country, reason),
        }
        other_purpose = false;
    }
    if other_purpose {
        choice.lacks(country, Reason::OtherPurpose);
    }
}

/// Whether a declared table can be asked, or what is in the way.
fn of_declared(entry: &DeclaredTable, needs: Needs<'_>) -> Result<(), Reason> {
    let most = entry.most_elements.min(MOST_DECLARED);
    if !entry.purposes.contains(&needs.purpose) {
        Err(Reason::OtherPurpose)
    } else if needs.declared == Declared::Left {
        Err(Reason::Declared)
    } else if entry.rules != needs.rules.version {
        Err(Reason::OtherRules)
    } else if declared_elements(needs.searched).is_none_or(|elements| most < elements) {
        Err(Reason::TooMany { most })
    } else if LONGEST_DECLARED < needs.longest {
        Err(Reason::TooLong)
    } else {
        Ok(())
    }
}

/// The newest epoch of a table that can be asked, or what is in the way.
fn of_table<'a>(
    epochs: &[&'a DirectoryEntry],
    needs: Needs<'_>,
) -> Result<&'a DirectoryEntry, Reason> {
    let Needs { rules, purpose, elements, now, searched: _, longest: _, declared: _ } = needs;
    let left = |epochs: &[&'a DirectoryEntry], keep: &dyn Fn(&DirectoryEntry) -> bool, reason| {
        let left: Vec<&DirectoryEntry> = epochs.iter().copied().filter(|it| keep(it)).collect();
        if left.is_empty() { Err(reason) } else { Ok(left) }
    };
    let rest = left(epochs, &|entry| entry.purposes.contains(&purpose), Reason::OtherPurpose)?;
    let rest = left(&rest, &|entry| entry.mode == Mode::Blinded, Reason::Declared)?;
    let rest = left(&rest, &|entry| entry.rules == rules.version, Reason::OtherRules)?;
    let rest = left(&rest, &|entry| entry.from <= now && now < entry.until, Reason::NoEpoch)?;
    let newest = rest.into_iter().max_by_key(|entry| entry.epoch).ok_or(Reason::NoEpoch)?;
    if newest.most_elements < elements {
        return Err(Reason::TooMany { most: newest.most_elements });
    }
    Ok(newest)
}
