//! Aggregates, windows and `DISTINCT` over results: many cells become one, and so do their statuses.
//!
//! All of them withheld: the fold is withheld. Some of them: it is partial.

use super::cells::{Cells, Cutting, Part, ok};
use super::status::{Lifted, at_most_partial, folded, least_of, or_known, status, unit};
use super::subqueries::{expr, lift};
use super::{doubts, refuse, spelling};
use datafusion::functions_aggregate::min_max::{max_udaf, min_udaf};
use datafusion::logical_expr::expr::{AggregateFunction, WindowFunction, WindowFunctionParams};
use datafusion::logical_expr::{
    Aggregate, AggregateUDF, Distinct, Expr, LogicalPlan, Window, WindowFrame,
    WindowFunctionDefinition, lit,
};
use mayag_protocol::refusal::Refusal;
use std::sync::Arc;

/// An aggregate over results, such as a sum of sums.
pub(super) fn aggregate(
    cutting: &mut Cutting<'_>,
    aggregate: &Aggregate,
    input: Cells,
) -> Result<Cells, Refusal> {
    let (mut groups, mut statuses, mut units) = (Vec::new(), Vec::new(), Vec::new());
    let mut texts = Vec::new();
    for key in &aggregate.group_expr {
        let (value, status) = expr(cutting, key, &input)?;
        units.push(unit(&value, &input));
        texts.push(input.texts_of(&value));
        groups.push(named_like(key, value));
        statuses.push(status);
    }
    let mut hidden = Hidden::default();
    // Groups by a measure: a withheld key stays a group of its own and is never mixed with null.
    let mut statuses: Vec<Option<Expr>> = statuses
        .into_iter()
        .map(|status| {
            let name = cutting.name();
            status.map(|status| {
                groups.push(or_known(status).alias(&name));
                hidden_column(&name)
            })
        })
        .collect();
    let around = least_of(statuses.iter().cloned().chain([doubts::status_of(&input.doubts)]));
    // A group is there if any of its rows is; without keys there is always one.
    let row = input.row().filter(|_| !aggregate.group_expr.is_empty());
    let row = row.map(|row| hidden.add(cutting, extreme(min_udaf(), &row, None)));
    let mut exprs = Vec::new();
    for measure in &aggregate.aggr_expr {
        let spelled = spelling::spelled(measure, &|column| input.texts(column))?;
        let (value, lifted) = lift(cutting, &named_like(measure, spelled))?;
        units.push(unit(expr_of(&value), &input));
        let own = match function(&value) {
            Some(function) => fold_status(cutting, function, &input, &lifted, &mut hidden)?,
            None => return Err(refuse::internal()),
        };
        exprs.push(value);
        statuses.push(least_of([own, around.clone()]));
    }
    let visible = aggregate.schema.columns().into_iter().map(Expr::Column);
    let mut parts = parts(visible, statuses, units);
    for (part, texts) in parts.iter_mut().zip(texts) {
        part.texts = texts;
    }
    exprs.extend(hidden.exprs);
    let plan = ok(Aggregate::try_new(Arc::new(input.plan.clone()), groups, exprs))?;
    let folded = Cells { order: None, ..input.with(LogicalPlan::Aggregate(plan)) };
    cutting.arrange(folded, parts, row)
}

/// The expression under the name that another one gave its column.
fn named_like(original: &Expr, expr: Expr) -> Expr {
    let (qualifier, name) = original.qualified_name();
    if expr.qualified_name() == (qualifier.clone(), name.clone()) {
        return expr;
    }
    expr.alias_qualified(qualifier, name)
}

/// Columns that are more than a measure as it was released.
fn parts(
    values: impl Iterator<Item = Expr>,
    statuses: Vec<Option<Expr>>,
    units: Vec<Option<String>>,
) -> Vec<Part> {
    let part = |((value, status), unit)| Part { status, unit, ..Part::plain(value) };
    values.zip(statuses).zip(units).map(part).collect()
}

fn extreme(udaf: Arc<AggregateUDF>, of: &Expr, filter: Option<Box<Expr>>) -> Expr {
    let of = vec![of.clone()];
    Expr::AggregateFunction(AggregateFunction::new_udf(udaf, of, false, filter, Vec::new(), None))
}

/// Aggregates or windows that only statuses need.
#[derive(Default)]
struct Hidden {
    exprs: Vec<Expr>,
}

impl Hidden {
    fn add(&mut self, cutting: &mut Cutting<'_>, expr: Expr) -> Expr {
        let name = cutting.name();
        self.exprs.push(expr.alias(&name));
        hidden_column(&name)
    }
}

fn hidden_column(name: &str) -> Expr {
    Expr::Column(datafusion::common::Column::new_unqualified(name))
}

fn expr_of(expr: &Expr) -> &Expr {
    if let Expr::Alias(alias) = expr { expr_of(&alias.expr) } else { expr }
}

fn function(expr: &Expr) -> Option<&AggregateFunction> {
    if let Expr::AggregateFunction(function) = expr_of(expr) { Some(function) } else { None }
}

fn fold_status(
    cutting: &mut Cutting<'_>,
    function: &AggregateFunction,
    input: &Cells,
    lifted: &Lifted,
    hidden: &mut Hidden,
) -> Result<Option<Expr>, Refusal> {
    let parameters = &function.params;
    let read = parameters.args.iter().chain(parameters.order_by.iter().map(|sort| &sort.expr));
    let arguments = read.map(|expr| status(expr, input, lifted)).collect::<Result<Vec<_>, _>>()?;
    let condition = parameters
        .filter
        .as_ref()
        .map(|filter| status(filter, input, lifted))
        .transpose()?
        .flatten();
    // Where a withheld cell decides what is folded, every row counts.
    let filter = parameters.filter.clone().filter(|_| condition.is_none());
    // What reads no measure still depends on which rows there are.
    let own = least_of(arguments.into_iter().chain([condition])).or_else(|| input.row());
    let Some(own) = own else { return Ok(None) };
    let smallest = hidden.add(cutting, extreme(min_udaf(), &own, filter.clone()));
    let largest = hidden.add(cutting, extreme(max_udaf(), &own, filter));
    folded(smallest, largest).map(or_known).map(Some)
}

/// `DISTINCT` over results. Rows that are equal but for what they are worth become the least worth.
pub(super) fn distinct(
    cutting: &mut Cutting<'_>,
    input: &Arc<LogicalPlan>,
) -> Result<Cells, Refusal> {
    let cells = cutting.cells(input)?;
    let mut parts = cells.parts();
    let partners = parts.iter().any(|part| part.partner.is_some());
    if cells.row.is_none() && !cells.shows_statuses() && !partners {
        // Nothing may stand beside the visible columns.
        let Cells { plan, carried, row, doubts, order: _ } = cutting.arrange(cells, parts, None)?;
        let plan = LogicalPlan::Distinct(Distinct::All(Arc::new(plan)));
        return Ok(Cells { plan, carried, row, doubts, order: None });
    }
    let mut hidden = Hidden::default();
    for part in &mut parts {
        let status = part.status.take();
        part.status =
            status.map(|status| or_known(hidden.add(cutting, extreme(max_udaf(), &status, None))));
        let partner = part.partner.take();
        part.partner = partner
            .map(|partner| or_known(hidden.add(cutting, extreme(max_udaf(), &partner, None))));
        let deviation = part.deviation.take();
        part.deviation =
            deviation.map(|noise| hidden.add(cutting, extreme(max_udaf(), &noise, None)));
    }
    let row = cells.row().map(|row| hidden.add(cutting, extreme(min_udaf(), &row, None)));
    let plan = ok(Aggregate::try_new(Arc::new(cells.plan.clone()), cells.visible(), hidden.exprs))?;
    let folded = Cells { order: None, ..cells.with(LogicalPlan::Aggregate(plan)) };
    cutting.arrange(folded, parts, row)
}

/// Window functions over results.
pub(super) fn window(cutting: &mut Cutting<'_>, window: &Window) -> Result<Cells, Refusal> {
    let input = cutting.cells(&window.input)?;
    let (mut hidden, mut places) = (Hidden::default(), Hidden::default());
    let missing = doubts::status_of(&input.doubts);
    let mut parts = input.parts();
    let columns = window.schema.columns().into_iter().map(Expr::Column);
    for (expr, value) in window.window_expr.iter().zip(columns.skip(parts.len())) {
        let Expr::WindowFunction(function) = expr_of(expr) else { return Err(refuse::internal()) };
        let place = place(cutting, function, &input, &mut places)?;
        let own = window_status(cutting, function, &input, &mut hidden)?;
        let status = least_of([own, place, missing.clone()]);
        let unit = window_unit(function, &input);
        parts.push(Part { status, unit, ..Part::plain(value) });
    }
    let mut plan = input.plan.clone();
    // The engine wants one order per node; these have another than the question's own.
    for place in places.exprs {
        plan = LogicalPlan::Window(ok(Window::try_new(vec![place], Arc::new(plan)))?);
    }
    let exprs = window.window_expr.iter().cloned().chain(hidden.exprs).collect();
    let plan = LogicalPlan::Window(ok(Window::try_new(exprs, Arc::new(plan)))?);
    let row = input.row();
    cutting.arrange(input.with(plan), parts, row)
}

fn window_unit(function: &WindowFunction, input: &Cells) -> Option<String> {
    let keeps =
        ["avg", "first_value", "lag", "last_value", "lead", "max", "min", "nth_value", "sum"];
    keeps
        .contains(&function.fun.name())
        .then(|| unit(function.params.args.first()?, input))
        .flatten()
}

/// The status of the expressions that place a row: its partition, and its order within.
fn placing(
    function: &WindowFunction,
    input: &Cells,
) -> Result<(Option<Expr>, Option<Expr>), Refusal> {
    let none = Lifted::new();
    let of = |expr: &Expr| status(expr, input, &none);
    let partition = function.params.partition_by.iter().map(of).collect::<Result<Vec<_>, _>>()?;
    let order = function
        .params
        .order_by
        .iter()
        .map(|sort| of(&sort.expr))
        .collect::<Result<Vec<_>, _>>()?;
    Ok((least_of(partition), least_of(order)))
}

/// Where a withheld cell decides the order, no row of the partition is sure of its place.
fn place(
    cutting: &mut Cutting<'_>,
    function: &WindowFunction,
    input: &Cells,
    places: &mut Hidden,
) -> Result<Option<Expr>, Refusal> {
    let (partition, order) = placing(function, input)?;
    let partition_by =
        if partition.is_none() { function.params.partition_by.clone() } else { Vec::new() };
    // A rank counts the rows before it, and some of them may not be there.
    let counted = ranks(function).then(|| input.row()).flatten();
    let Some(status) = least_of([partition, order, counted]) else { return Ok(None) };
    let whole = WindowFunctionParams {
        args: vec![status],
        partition_by,
        order_by: Vec::new(),
        window_frame: WindowFrame::new(None),
        filter: None,
        null_treatment: None,
        distinct: false,
    };
    let worst =
        places.add(cutting, call(WindowFunctionDefinition::AggregateUDF(max_udaf()), whole));
    at_most_partial(worst).map(Some)
}

fn ranks(function: &WindowFunction) -> bool {
    ["cume_dist", "dense_rank", "ntile", "percent_rank", "rank", "row_number"]
        .contains(&function.fun.name())
}

fn window_status(
    cutting: &mut Cutting<'_>,
    function: &WindowFunction,
    input: &Cells,
    hidden: &mut Hidden,
) -> Result<Option<Expr>, Refusal> {
    let parameters = &function.params;
    let none = Lifted::new();
    let of = |expr: &Expr| status(expr, input, &none);
    if parameters.filter.as_ref().map(|filter| of(filter)).transpose()?.flatten().is_some() {
        return Err(refuse::not_supported("FILTER by a measure in a window"));
    }
    let arguments = parameters.args.iter().map(of).collect::<Result<Vec<_>, _>>()?;
    match &function.fun {
        WindowFunctionDefinition::AggregateUDF(_) => {
            let own = least_of(arguments).or_else(|| input.row());
            let Some(own) = own else { return Ok(None) };
            let over = |udaf| {
                let parameters = WindowFunctionParams {
                    args: vec![own.clone()],
                    distinct: false,
                    ..parameters.clone()
                };
                call(WindowFunctionDefinition::AggregateUDF(udaf), parameters)
            };
            let smallest = hidden.add(cutting, over(min_udaf()));
            let largest = hidden.add(cutting, over(max_udaf()));
            folded(smallest, largest).map(or_known).map(Some)
        }
        WindowFunctionDefinition::WindowUDF(udwf) => match udwf.name() {
            "lag" | "lead" | "first_value" | "last_value" | "nth_value" => {
                moved(cutting, function, &arguments, hidden)
            }
            "cume_dist" | "dense_rank" | "ntile" | "percent_rank" | "rank" | "row_number" => {
                let (partition, order) = placing(function, input)?;
                Ok(least_of([partition, order]))
            }
            name => Err(refuse::not_supported(name)),
        },
    }
}

/// `lag` and its like take a value from another row, and its status with it.
fn moved(
    cutting: &mut Cutting<'_>,
    function: &WindowFunction,
    arguments: &[Option<Expr>],
    hidden: &mut Hidden,
) -> Result<Option<Expr>, Refusal> {
    let parameters = &function.params;
    let Some(Some(own)) = arguments.first() else {
        return match least_of(arguments.iter().cloned()) {
            None => Ok(None),
            Some(_) => Err(refuse::not_supported(format!("{} by a measure", function.fun.name()))),
        };
    };
    if parameters.null_treatment.is_some() || arguments.iter().skip(1).any(Option::is_some) {
        return Err(refuse::not_supported(format!("{} with these options", function.fun.name())));
    }
    let mut args = parameters.args.clone();
    for (i, arg) in args.iter_mut().enumerate() {
        match i {
            0 => *arg = own.clone(),
            // What is filled in at the edge is a constant, hence known.
            2 => *arg = lit(0_u8),
            _ => {}
        }
    }
    let parameters = WindowFunctionParams { args, ..parameters.clone() };
    Ok(Some(or_known(hidden.add(cutting, call(function.fun.clone(), parameters)))))
}

fn call(fun: WindowFunctionDefinition, params: WindowFunctionParams) -> Expr {
    Expr::WindowFunction(Box::new(WindowFunction { fun, params }))
}
