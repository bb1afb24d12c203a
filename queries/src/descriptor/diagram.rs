//! One form for every way to say the same: decision diagrams over columns.
//!
//! A diagram asks one column after the other, in the order of their names, and branches by sets of values that never
//! overlap. Branches that lead to the same place are one, a column that makes no difference is not asked, and a branch
//! that leads nowhere is not written. Two predicates have the same diagram exactly if the same rows pass both, whatever
//! values the columns have in a row.

use super::values::Values;
use mayag_policies::shape::Literal;
use std::collections::BTreeMap;

/// A predicate over columns (by number, in the order of their names) that is true or false, never in between.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tree {
    /// The same for every row.
    Constant(bool),
    /// The column has one of these values.
    In(usize, Values),
    All(Vec<Self>),
    Any(Vec<Self>),
}

/// How parts are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    All,
    Any,
}

impl Tree {
    /// All of these, flattened, with one set of values for each column.
    pub(super) fn all(parts: Vec<Self>) -> Self {
        Self::joined(parts, Of::All)
    }

    /// Any of these, likewise.
    pub(super) fn any(parts: Vec<Self>) -> Self {
        Self::joined(parts, Of::Any)
    }

    fn joined(parts: Vec<Self>, of: Of) -> Self {
        let all = of == Of::All;
        let (mut sets, mut rest): (BTreeMap<usize, Values>, Vec<Self>) = Default::default();
        let mut waiting: Vec<Self> = parts;
        while let Some(part) = waiting.pop() {
            match part {
                Self::Constant(constant) if constant == all => {}
                Self::Constant(constant) => return Self::Constant(constant),
                Self::In(column, set) => {
                    let joined = match sets.get(&column) {
                        Some(known) if all => known.and(&set),
                        Some(known) => known.or(&set),
                        None => set,
                    };
                    if all && joined.is_empty() {
                        return Self::Constant(false);
                    }
                    sets.insert(column, joined);
                }
                Self::All(parts) if all => waiting.extend(parts),
                Self::Any(parts) if !all => waiting.extend(parts),
                part @ (Self::All(_) | Self::Any(_)) => rest.push(part),
            }
        }
        let mut parts: Vec<Self> =
            sets.into_iter().map(|(column, set)| Self::In(column, set)).chain(rest).collect();
        parts.sort();
        parts.dedup();
        match (parts.len(), all) {
            (0, _) => Self::Constant(all),
            (1, _) => parts.pop().unwrap_or(Self::Constant(all)),
            (_, true) => Self::All(parts),
            (_, false) => Self::Any(parts),
        }
    }

    fn sets<'a>(&'a self, column: usize, found: &mut Vec<&'a Values>) {
        match self {
            Self::In(of, set) if *of == column => found.push(set),
            Self::Constant(_) | Self::In(..) => {}
            Self::All(parts) | Self::Any(parts) => {
                for part in parts {
                    part.sets(column, found);
                }
            }
        }
    }

    /// What is left to ask where the column has a value of `atom`, which lies wholly inside or outside of every set.
    fn given(&self, column: usize, atom: &Values) -> Self {
        match self {
            Self::In(of, set) if *of == column => Self::Constant(atom.minus(set).is_empty()),
            Self::Constant(_) | Self::In(..) => self.clone(),
            Self::All(parts) => {
                Self::all(parts.iter().map(|part| part.given(column, atom)).collect())
            }
            Self::Any(parts) => {
                Self::any(parts.iter().map(|part| part.given(column, atom)).collect())
            }
        }
    }
}

/// Where a branch leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    No,
    Node(usize),
    Yes,
}

/// A column, and where its values lead; sets of values that lead nowhere are left out.
type Node = (usize, Vec<(Values, End)>);

/// A diagram while it is made: every node once.
struct Diagram<'a> {
    /// All values that each column can have.
    domains: &'a [Values],
    nodes: Vec<Node>,
    known: BTreeMap<Node, usize>,
    done: BTreeMap<(usize, Tree), End>,
}

/// More nodes than an honest question has.
const MOST_NODES: usize = 4096;

/// The one form of a predicate; `None` where it would be too large.
pub(super) fn canonical(tree: &Tree, domains: &[Values], names: &[&str]) -> Option<Vec<u8>> {
    let mut diagram =
        Diagram { domains, nodes: Vec::new(), known: BTreeMap::new(), done: BTreeMap::new() };
    let top = diagram.of(tree.clone(), 0)?;
    let mut writer =
        Writer { nodes: &diagram.nodes, names, order: BTreeMap::new(), bytes: Vec::new() };
    writer.end(top);
    Some(writer.bytes)
}

impl Diagram<'_> {
    fn of(&mut self, tree: Tree, column: usize) -> Option<End> {
        match tree {
            Tree::Constant(true) => return Some(End::Yes),
            Tree::Constant(false) => return Some(End::No),
            Tree::In(..) | Tree::All(_) | Tree::Any(_) => {}
        }
        let question = (column, tree);
        if let Some(end) = self.done.get(&question) {
            return Some(*end);
        }
        if self.done.len() >= MOST_NODES {
            return None;
        }
        let tree = &question.1;
        // Every column is asked before this point: what is left is a constant.
        let domain = self.domains.get(column)?.clone();
        let mut sets = Vec::new();
        tree.sets(column, &mut sets);
        let mut atoms = vec![domain];
        for set in sets {
            atoms = atoms
                .iter()
                .flat_map(|atom| [atom.and(set), atom.minus(set)])
                .filter(|atom| !atom.is_empty())
                .collect();
        }
        let mut branches: BTreeMap<End, Values> = BTreeMap::new();
        for atom in atoms {
            let end = self.of(tree.given(column, &atom), column + 1)?;
            let joined = branches.get(&end).map_or_else(|| atom.clone(), |known| known.or(&atom));
            branches.insert(end, joined);
        }
        let end = match branches.first_key_value() {
            Some((end, _)) if branches.len() == 1 => *end,
            _ => self.node(column, branches),
        };
        self.done.insert(question, end);
        Some(end)
    }

    fn node(&mut self, column: usize, branches: BTreeMap<End, Values>) -> End {
        let mut branches: Vec<(Values, End)> = branches
            .into_iter()
            .filter(|(end, _)| *end != End::No)
            .map(|(end, set)| (set, end))
            .collect();
        branches.sort();
        let node = (column, branches);
        let fresh = self.nodes.len();
        let number = *self.known.entry(node.clone()).or_insert(fresh);
        if number == fresh {
            self.nodes.push(node);
        }
        End::Node(number)
    }
}

/// Writes a diagram depth first, so that equal diagrams are equal bytes.
struct Writer<'a> {
    nodes: &'a [Node],
    names: &'a [&'a str],
    order: BTreeMap<usize, usize>,
    bytes: Vec<u8>,
}

impl Writer<'_> {
    fn end(&mut self, end: End) {
        let number = match end {
            End::No => return self.bytes.push(0),
            End::Yes => return self.bytes.push(1),
            End::Node(number) => number,
        };
        if let Some(known) = self.order.get(&number) {
            let known = *known;
            self.bytes.push(2);
            return write_length(&mut self.bytes, known);
        }
        self.order.insert(number, self.order.len());
        let Some((column, branches)) = self.nodes.get(number) else { return };
        self.bytes.push(3);
        write_text(&mut self.bytes, self.names.get(*column).copied().unwrap_or_default());
        write_length(&mut self.bytes, branches.len());
        for (set, end) in branches {
            write_values(&mut self.bytes, set);
            self.end(*end);
        }
    }
}

/// The bytes of a tree as it stands, for predicates that are too large for a diagram.
pub(super) fn as_written(tree: &Tree, names: &[&str], bytes: &mut Vec<u8>) {
    match tree {
        Tree::Constant(constant) => bytes.push(u8::from(*constant)),
        Tree::In(column, set) => {
            bytes.push(4);
            write_text(bytes, names.get(*column).copied().unwrap_or_default());
            write_values(bytes, set);
        }
        Tree::All(parts) | Tree::Any(parts) => {
            bytes.push(if matches!(tree, Tree::All(_)) { 5 } else { 6 });
            write_length(bytes, parts.len());
            for part in parts {
                as_written(part, names, bytes);
            }
        }
    }
}

fn write_values(bytes: &mut Vec<u8>, set: &Values) {
    bytes.push(u8::from(set.nothing) << 1 | u8::from(set.first));
    write_length(bytes, set.flips.len());
    for flip in &set.flips {
        match flip {
            Literal::Bool(value) => bytes.extend([b'b', u8::from(*value)]),
            Literal::Date(day) => {
                bytes.push(b'd');
                bytes.extend(day.to_be_bytes());
            }
            Literal::Int(number) => {
                bytes.push(b'i');
                bytes.extend(number.to_be_bytes());
            }
            Literal::Text(text) => {
                bytes.push(b't');
                write_text(bytes, text);
            }
        }
    }
}

pub(super) fn write_text(bytes: &mut Vec<u8>, text: &str) {
    write_length(bytes, text.len());
    bytes.extend(text.as_bytes());
}

fn write_length(bytes: &mut Vec<u8>, length: usize) {
    bytes.extend((length as u64).to_be_bytes());
}
