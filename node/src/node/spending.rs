//! Charging the ledger, and what the person who asked is told where it does not.

use super::{Node, blocking, unavailable};
use crate::ledger::{Charge, NotSpent, SearchCharge, Searches, Spent};
use mayag_protocol::refusal::{Code, Refusal};
use std::sync::Arc;

impl Node {
    /// Charges a question, durably, or refuses it. Nothing is worked on before.
    pub(crate) async fn spend(self: &Arc<Self>, charge: Charge) -> Result<Spent, Refusal> {
        let node = Arc::clone(self);
        let spent = blocking(move || node.ledger.charge(node.clock.now(), &charge)).await;
        spent.ok_or_else(|| unavailable("ledger"))?.map_err(not_spent)
    }

    /// Charges a lookup, durably, or refuses it. Nothing is evaluated before. Says too what the person has searched.
    pub(crate) async fn spend_search(
        self: &Arc<Self>,
        charge: SearchCharge,
    ) -> Result<(Spent, Vec<Searches>), Refusal> {
        let node = Arc::clone(self);
        let spent = blocking(move || node.ledger.charge_search(node.clock.now(), &charge)).await;
        spent.ok_or_else(|| unavailable("ledger"))?.map_err(not_spent)
    }
}

fn not_spent(why: NotSpent) -> Refusal {
    match why {
        NotSpent::Exhausted(of) => {
            let hint = "ask again tomorrow (UTC), or leave this country out";
            Refusal::new(Code::BudgetExhausted, "budget", hint).about(of.to_string())
        }
        NotSpent::Ledger(error) => {
            tracing::error!(%error, "the ledger cannot be written: nothing is answered");
            unavailable("ledger")
        }
    }
}
