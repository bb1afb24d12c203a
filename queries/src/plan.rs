//! From the signed SQL text to releases and a tail.
//!
//! Both sides, gateway and node, plan the same text and cut it at the same places: parse, resolve against the catalogue,
//! analyse, and never optimise before the cut. What is not understood is refused; the walkers are exhaustive matches.
//!
//! Every path from a dataset to the output passes through exactly one release. `SELECT DISTINCT` of levels counts as one:
//! its groups, with a hidden count. `GROUP BY` without an aggregate likewise.

mod apart;
pub(crate) mod calendar;
mod cases;
pub(crate) mod cells;
mod computed;
mod defined;
pub(crate) mod doubts;
mod folds;
mod grouping;
mod joins;
mod keys;
mod listed;
mod measures;
mod mistakes;
mod paths;
mod predicate;
pub(crate) mod refuse;
mod rows;
mod spelling;
mod status;
mod subqueries;
mod tables;

pub(crate) use keys::KeyColumn;

use crate::engine::planning_state;
use crate::guard;
use crate::release::Release;
use crate::stack::on_large_stack;
use crate::tail::Tail;
use cells::Cutting;
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::Analyzer;
use datafusion::optimizer::analyzer::resolve_grouping_function::ResolveGroupingFunction;
use datafusion::optimizer::analyzer::type_coercion::TypeCoercion;
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::planner::{ParserOptions, SqlToRel};
use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use mayag_policies::catalogue::Catalogue;
use mayag_protocol::names::DatasetName;
use mayag_protocol::refusal::{Code, Refusal};
use std::collections::BTreeMap;
use std::sync::Arc;
use tables::Tables;

/// The most releases of one question: each of them is work and budget in every country.
pub const MOST_RELEASES: usize = 16;

/// Nesting that the parser follows; the token guard stops before.
const PARSER_DEPTH: usize = 50;

/// A question, cut.
#[derive(Debug)]
pub struct Plan {
    /// What every country is asked, each distinct release once.
    pub releases: Vec<Release>,
    /// What is done with the merged answers.
    pub tail: Tail,
}

/// Plans a question. The same text and catalogue give the same plan everywhere.
///
/// Runs on a thread of its own with a large stack, and blocks until it is done (milliseconds).
pub fn plan(sql: &str, catalogue: &Catalogue) -> Result<Plan, Refusal> {
    guard::check_text(sql)?;
    let cut = || cut(sql, catalogue).map_err(|refusal| helped(sql, catalogue, refusal));
    on_large_stack(cut).unwrap_or_else(|_| Err(guard::unreadable(None)))
}

/// The refusal of a policy with the hint that the planner would give, where the question may hold a mistake that many make:
/// a column that is not shared answers like one that nobody knows.
///
/// Runs on a thread of its own like [`plan`], and only where such a mistake is possible.
pub fn advised(sql: &str, catalogue: &Catalogue, refusal: Refusal) -> Refusal {
    if refusal.code != Code::ColumnNotShared || !sql.contains('"') {
        return refusal;
    }
    on_large_stack(|| helped(sql, catalogue, refusal.clone())).unwrap_or(refusal)
}

/// The refusal in the words that people write, and with the hint that helps.
fn helped(sql: &str, catalogue: &Catalogue, refusal: Refusal) -> Refusal {
    let plans = |text: &str| {
        guard::check_text(text)?;
        cut(text, catalogue).map(|_| ())
    };
    mistakes::advised(sql, catalogue, catalogue.with_own_names(refusal), &plans)
}

fn cut(sql: &str, catalogue: &Catalogue) -> Result<Plan, Refusal> {
    let state = planning_state().ok_or_else(refuse::internal)?;
    let tables = Tables { catalogue, state };
    let query = only_query(sql)?;
    guard::check_tree(&query, &tables.functions())?;
    let plan = analysed(query, &tables, state)?;
    let mut cutting = Cutting::new(catalogue);
    let cells = cutting.cells(&plan)?;
    let cells = doubts::sure(&mut cutting, cells)?;
    let Cutting { releases, leaves, doubts, crosses, .. } = cutting;
    if releases.is_empty() {
        return Err(refuse::not_supported("a question about no dataset"));
    }
    one_way_each(&releases, catalogue)?;
    if releases.len() > MOST_RELEASES {
        let hint = format!("at most {MOST_RELEASES} releases: ask several smaller questions");
        return Err(Refusal::new(Code::TooComplex, "planner", hint).about("releases"));
    }
    let tail = Tail::new(cells, releases.clone(), leaves, doubts, crosses)
        .map_err(|_| refuse::internal())?;
    Ok(Plan { releases, tail })
}

/// A dataset is asked either alone or with one other: cells of both kinds overlap in a way that nobody could protect.
fn one_way_each(releases: &[Release], catalogue: &Catalogue) -> Result<(), Refusal> {
    let mut ways: BTreeMap<DatasetName, &DatasetName> = BTreeMap::new();
    for release in releases {
        let rows_of = catalogue.parts_of(&release.dataset).into_iter().next();
        let way = ways.entry(rows_of.ok_or_else(refuse::internal)?).or_insert(&release.dataset);
        if **way != release.dataset {
            return Err(refuse::joined_and_alone(&release.dataset, way, catalogue));
        }
    }
    Ok(())
}

/// The one query that the text is.
#[expect(clippy::wildcard_enum_match_arm, reason = "of all statements one is answered")]
pub(crate) fn only_query(sql: &str) -> Result<ast::Statement, Refusal> {
    let parser = DFParserBuilder::new(sql)
        .with_dialect(&GenericDialect {})
        .with_recursion_limit(PARSER_DEPTH)
        .build();
    let statements = parser.and_then(|mut parser| parser.parse_statements());
    let mut statements = statements.map_err(|error| match first_word(sql) {
        // The parser knows more of some statements than we ever answer.
        Some(word) if !matches!(word.as_str(), "select" | "with" | "(") => refuse::not_one_select(),
        _ => refuse::engine(&error),
    })?;
    match (statements.pop_front(), statements.is_empty()) {
        (Some(Statement::Statement(statement)), true) => match statement.as_ref() {
            ast::Statement::Query(query) if selects(&query.body) => Ok(*statement),
            _ => Err(refuse::not_one_select()),
        },
        _ => Err(refuse::not_one_select()),
    }
}

fn first_word(sql: &str) -> Option<String> {
    let word = sql.trim_start().split(|c: char| !c.is_ascii_alphabetic()).next()?;
    Some(if word.is_empty() { "(".to_owned() } else { word.to_ascii_lowercase() })
}

fn selects(body: &ast::SetExpr) -> bool {
    match body {
        ast::SetExpr::Select(select) => select.into.is_none(),
        ast::SetExpr::Query(query) => selects(&query.body),
        ast::SetExpr::SetOperation { left, right, .. } => selects(left) && selects(right),
        ast::SetExpr::Values(_)
        | ast::SetExpr::Insert(_)
        | ast::SetExpr::Update(_)
        | ast::SetExpr::Delete(_)
        | ast::SetExpr::Merge(_)
        | ast::SetExpr::Table(_) => false,
    }
}

/// The engine's plan, with types coerced and nothing optimised.
fn analysed(
    query: ast::Statement,
    tables: &Tables<'_>,
    state: &SessionState,
) -> Result<LogicalPlan, Refusal> {
    let options = ParserOptions::from(&state.config_options().sql_parser);
    let planner = SqlToRel::new_with_options(tables, options);
    let plan = planner.sql_statement_to_plan(query).map_err(|error| refuse::engine(&error))?;
    let rules = Analyzer::with_rules(vec![
        Arc::new(ResolveGroupingFunction),
        Arc::new(TypeCoercion::new()),
    ]);
    rules
        .execute_and_check(plan, state.config_options(), |_, _| {})
        .map_err(|error| refuse::engine(&error))
}
