//! The only way this product starts DataFusion: from nothing, with named functions only.
//!
//! No file formats, no table functions, no `information_schema`, no object stores: what is not listed here cannot be
//! written in a question. The lists are allow-lists by name, so that a new release of the engine adds nothing by itself.
//! Functions whose result can be far larger than their arguments (`repeat`, `lpad`, `replace`, ..) are left out, because
//! the memory pool does not see their output.

use datafusion::common::DFSchema;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionStateDefaults;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{AggregateUDF, Expr, ScalarUDF, WindowUDF};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::prelude::SessionConfig;
use std::sync::{Arc, LazyLock};

/// Memory of one tail. Tails work on released cells, which are few.
const TAIL_MEMORY: usize = 256 * 1024 * 1024;

/// Rows per batch in a tail: small, because the memory pool does not see what scalar functions return.
const TAIL_BATCH_ROWS: usize = 1024;

/// Scalar functions that a question may name.
const SCALAR: &[&str] = &[
    "abs",
    "btrim",
    "ceil",
    "character_length",
    "coalesce",
    "concat",
    "concat_ws",
    "date_part",
    "date_trunc",
    "exp",
    "floor",
    "greatest",
    "iszero",
    "least",
    "left",
    "ln",
    "log",
    "log10",
    "log2",
    "lower",
    "ltrim",
    "make_date",
    "nanvl",
    "nullif",
    "nvl",
    "power",
    "right",
    "round",
    "rtrim",
    "signum",
    "sqrt",
    "starts_with",
    "strpos",
    "substr",
    "to_char",
    "trunc",
    "upper",
];

/// Aggregate functions that a question may name: over a dataset those that a release can carry, in the tail all of them.
const AGGREGATE: &[&str] = &[
    "approx_median",
    "approx_percentile_cont",
    "avg",
    "bool_and",
    "bool_or",
    "corr",
    "count",
    "covar_pop",
    "covar_samp",
    "grouping",
    "max",
    "median",
    "min",
    "percentile_cont",
    "stddev",
    "stddev_pop",
    "sum",
    "var",
    "var_pop",
];

/// Window functions that a question may name in its tail.
const WINDOW: &[&str] = &[
    "cume_dist",
    "dense_rank",
    "first_value",
    "lag",
    "last_value",
    "lead",
    "nth_value",
    "ntile",
    "percent_rank",
    "rank",
    "row_number",
];

/// The scalar functions that a question may name, with their aliases.
pub fn scalar_functions() -> Vec<Arc<ScalarUDF>> {
    let mut functions = SessionStateDefaults::default_scalar_functions();
    functions.retain(|function| SCALAR.contains(&function.name()));
    functions
}

/// The aggregate functions that a question may name, with their aliases.
pub fn aggregate_functions() -> Vec<Arc<AggregateUDF>> {
    let mut functions = SessionStateDefaults::default_aggregate_functions();
    functions.retain(|function| AGGREGATE.contains(&function.name()));
    functions
}

/// The window functions that a question may name, with their aliases.
pub fn window_functions() -> Vec<Arc<WindowUDF>> {
    let mut functions = SessionStateDefaults::default_window_functions();
    functions.retain(|function| WINDOW.contains(&function.name()));
    functions
}

/// Options that let nothing but queries through. They do not refuse `EXPLAIN ANALYZE`: the plan walker does.
pub fn sql_options() -> SQLOptions {
    SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false)
}

/// A runtime without any object store, not even the local file system that the engine registers by itself.
pub fn without_stores(builder: RuntimeEnvBuilder) -> Result<Arc<RuntimeEnv>, DataFusionError> {
    let runtime = builder.build_arc()?;
    let local: &_ = &ObjectStoreUrl::local_filesystem();
    runtime.deregister_object_store(local.as_ref())?;
    Ok(runtime)
}

/// The runtime of tails: no object stores, no spill files, bounded memory.
pub fn tail_runtime() -> Result<Arc<RuntimeEnv>, DataFusionError> {
    without_stores(
        RuntimeEnvBuilder::new().with_memory_pool(Arc::new(FairSpillPool::new(TAIL_MEMORY))),
    )
}

/// A session with the named functions and nothing else. A node passes the runtime with its own object stores.
pub fn hardened(config: SessionConfig, runtime: Arc<RuntimeEnv>) -> SessionStateBuilder {
    SessionStateBuilder::new()
        .with_config(config.with_information_schema(false))
        .with_runtime_env(runtime)
        .with_scalar_functions(scalar_functions())
        .with_aggregate_functions(aggregate_functions())
        .with_window_functions(window_functions())
        .with_expr_planners(SessionStateDefaults::default_expr_planners())
}

/// The session in which questions are planned. It holds no tables, the planner takes them from the catalogue, and nothing
/// of a question: so one serves all.
pub(crate) fn planning_state() -> Option<&'static SessionState> {
    static STATE: LazyLock<Option<SessionState>> = LazyLock::new(|| new_planning_state().ok());
    STATE.as_ref()
}

/// An expression of a question, ready to be computed while it is planned: from what everybody knows, never from rows.
pub(crate) fn computed(
    expr: Expr,
    schema: &DFSchema,
) -> Result<Arc<dyn PhysicalExpr>, DataFusionError> {
    let Some(state) = planning_state() else {
        return datafusion::common::internal_err!("no session");
    };
    let context = SimplifyContext::builder()
        .with_schema(Arc::new(schema.clone()))
        .with_config_options(Arc::clone(state.config_options()))
        .build();
    // Some functions are only known by what they are made of.
    let simple = ExprSimplifier::new(context).simplify(expr)?;
    state.create_physical_expr(simple, schema)
}

fn new_planning_state() -> Result<SessionState, DataFusionError> {
    let mut config = SessionConfig::new().with_create_default_catalog_and_schema(false);
    // Both sides must plan the same types, whatever the engine's defaults become.
    config.options_mut().sql_parser.map_string_types_to_utf8view = false;
    Ok(hardened(config, without_stores(RuntimeEnvBuilder::new())?).build())
}

/// The session in which a tail runs: one partition, so that rows keep their order and floats their sums.
pub fn tail_state(runtime: Arc<RuntimeEnv>) -> SessionStateBuilder {
    let mut config = SessionConfig::new()
        .with_create_default_catalog_and_schema(false)
        .with_target_partitions(1)
        .with_batch_size(TAIL_BATCH_ROWS);
    // The engine refuses its own plan where it sorts each part of a union that holds constants.
    config.options_mut().optimizer.repartition_sorts = false;
    hardened(config, runtime)
}

#[cfg(test)]
mod tests {
    use super::{
        AGGREGATE, SCALAR, WINDOW, aggregate_functions, scalar_functions, sql_options,
        tail_runtime, window_functions,
    };
    use datafusion::execution::object_store::ObjectStoreUrl;
    use datafusion::prelude::SessionContext;

    #[test]
    fn every_listed_function_exists_once() {
        assert_eq!(scalar_functions().len(), SCALAR.len());
        assert_eq!(aggregate_functions().len(), AGGREGATE.len());
        assert_eq!(window_functions().len(), WINDOW.len());
    }

    #[test]
    fn no_object_store_is_registered() {
        let runtime = tail_runtime().unwrap();
        for url in ["file:///", "s3://bucket", "https://example.invalid"] {
            assert!(runtime.object_store(ObjectStoreUrl::parse(url).unwrap()).is_err(), "{url}");
        }
    }

    #[tokio::test]
    async fn what_is_not_listed_cannot_be_planned() {
        let state = super::tail_state(tail_runtime().unwrap()).build();
        let context = SessionContext::new_with_state(state);
        for sql in [
            "SELECT repeat('x', 3)",
            "SELECT version()",
            "SELECT now()",
            "SELECT random()",
            "SELECT * FROM generate_series(1, 3)",
            "SELECT * FROM '/etc/passwd'",
            "SELECT * FROM information_schema.tables",
            "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
            "COPY (SELECT 1) TO '/tmp/x.csv'",
            "SET a.b = 1",
            "SHOW TABLES",
            "SELECT 1; SELECT 2",
        ] {
            assert!(context.sql_with_options(sql, sql_options()).await.is_err(), "{sql}");
        }
        context.sql_with_options("SELECT abs(-1)", sql_options()).await.unwrap();
    }
}
