//! The engine inside a worker: a session from nothing, with bounded memory and without spill files.

use super::failure::WorkFailure;
use datafusion::execution::SessionStateDefaults;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::logical_expr::ScalarUDF;
use datafusion::prelude::{SessionConfig, SessionContext};
use mayag_queries::engine;
use std::sync::Arc;

/// Scalar functions that an operator's view may name besides those of questions. None depends on time or chance.
const VIEW_FUNCTIONS: &[&str] = &[
    "arrow_cast",
    "ascii",
    "bit_length",
    "chr",
    "contains",
    "ends_with",
    "find_in_set",
    "from_unixtime",
    "initcap",
    "lpad",
    "octet_length",
    "overlay",
    "repeat",
    "replace",
    "reverse",
    "rpad",
    "split_part",
    "substr_index",
    "to_char",
    "to_date",
    "to_hex",
    "to_timestamp",
    "to_timestamp_micros",
    "to_timestamp_millis",
    "to_timestamp_seconds",
    "to_unixtime",
    "translate",
];

/// A session of `cores` partitions and `memory` bytes. It reads local files: the only SQL that reaches it is the
/// operator's own views, which name the operator's own sources.
pub(super) fn session(cores: usize, memory: u64) -> Result<SessionContext, WorkFailure> {
    let memory = usize::try_from(memory).unwrap_or(usize::MAX);
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(FairSpillPool::new(memory)))
        // Listed anew for every release: a file that the operator adds or replaces counts from then on.
        .with_object_list_cache_limit(0)
        .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled))
        .build_arc()
        .map_err(|error| WorkFailure::of(&error))?;
    let mut config = SessionConfig::new()
        .with_create_default_catalog_and_schema(true)
        .with_target_partitions(cores.max(1))
        .with_collect_statistics(false);
    config.options_mut().execution.listing_table_ignore_subdirectory = true;
    let state = engine::hardened(config, runtime).with_scalar_functions(view_functions()).build();
    Ok(SessionContext::new_with_state(state))
}

fn view_functions() -> Vec<Arc<ScalarUDF>> {
    let mut functions = engine::scalar_functions();
    let more = SessionStateDefaults::default_scalar_functions();
    functions.extend(more.into_iter().filter(|function| VIEW_FUNCTIONS.contains(&function.name())));
    functions
}

#[cfg(test)]
mod tests {
    use super::{VIEW_FUNCTIONS, session, view_functions};

    #[test]
    fn every_listed_function_exists_and_is_stable() {
        let functions = view_functions();
        for name in VIEW_FUNCTIONS {
            assert!(functions.iter().any(|function| function.name() == *name), "{name}");
        }
        let volatile = datafusion::logical_expr::Volatility::Volatile;
        assert!(functions.iter().all(|function| function.signature().volatility != volatile));
    }

    #[tokio::test]
    async fn the_session_names_no_files_and_no_settings() {
        let context = session(1, 1 << 20).unwrap();
        for sql in ["SELECT * FROM '/etc/passwd'", "SHOW TABLES", "SELECT now()", "SET a.b = 1"] {
            let planned = context.sql_with_options(sql, mayag_queries::engine::sql_options()).await;
            assert!(planned.is_err(), "{sql}");
        }
    }
}
