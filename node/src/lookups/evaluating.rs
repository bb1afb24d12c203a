//! Evaluating a vector: the one thing that a lookup makes a node do.

use super::Lookups;
use crate::engine::WorkFailure;
use crate::ledger::Spent;
use mayag_matching::voprf::{Elements, Evaluation, SecretKey};
use mayag_policies::lookups::LookupPermit;
use mayag_transport::party_logs::Logged;
use std::sync::Arc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

impl Lookups {
    /// Evaluates one vector with the key of each table, and proves it. Takes the permits, and the proofs that it is charged and
    /// in the log. What is found is no concern of the node: it cannot tell.
    pub(crate) async fn evaluate(
        &self,
        permitted: &[(LookupPermit, Arc<SecretKey>)],
        _charged_and_logged: (&Spent, &Logged),
        elements: Elements,
        deadline: Instant,
    ) -> Result<Vec<Evaluation>, WorkFailure> {
        let place = Arc::clone(&self.evaluating).acquire_owned();
        let place = timeout_at(deadline, place).await.map_err(|_| WorkFailure::TimedOut)?;
        let place = place.map_err(|_| WorkFailure::Broken)?;
        let keys: Vec<Arc<SecretKey>> = permitted.iter().map(|(_, key)| Arc::clone(key)).collect();
        let cores = self.settings.cores;
        let mut one = JoinSet::new();
        one.spawn_blocking(move || {
            // Free again when the work has ended, not when somebody gave up waiting for it.
            let _place = place;
            keys.iter().map(|key| key.evaluate(&elements, cores)).collect::<Result<Vec<_>, _>>()
        });
        let evaluated = timeout_at(deadline, one.join_next()).await;
        let evaluated = evaluated.map_err(|_| WorkFailure::TimedOut)?;
        evaluated.and_then(Result::ok).and_then(Result::ok).ok_or(WorkFailure::Broken)
    }
}
