//! Keeps the indices of lookup tables up to date for as long as the node runs.

use super::build::{Built, Unbuilt, build};
use super::{LookupsError, Order};
use crate::node::{Node, blocking};
use mayag_matching::scope::Scope;
use mayag_matching::voprf::SecretKey;
use mayag_protocol::names::{Digest, TableName};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How often it is looked whether an epoch has begun or ended.
const EPOCHS: Duration = Duration::from_mins(1);

/// How often it is looked whether there is room for what the owners of declared tables are told.
const ROOM: Duration = Duration::from_secs(1);

/// A build that was tried: table, epochs, terms. It is tried again when the data are looked at again.
type Tried = (TableName, Vec<u32>, Digest);

/// Moves keys on and builds what has to be built, again and again. Ends when it is dropped, between two portions of rows.
pub(crate) async fn keep(node: Arc<Node>) {
    tokio::join!(move_on(&node), build_all(&node), keep_room(&node));
}

/// Lets go of what the time ends. Waits for no source and no build: an ended epoch's key is gone a minute later.
async fn move_on(node: &Arc<Node>) {
    let pause = node.lookups().settings.refresh.min(EPOCHS);
    loop {
        sleep(pause).await;
        let of = Arc::clone(node);
        let settled = blocking(move || of.lookups().settle(&of)).await;
        if let Some(Err(error)) = settled {
            tracing::error!(%error, "the directory of lookup tables stays as it was; what is closed is not answered");
        }
    }
}

/// Fills room for notices beside all lookups, so that none of them waits for it.
async fn keep_room(node: &Arc<Node>) {
    loop {
        sleep(ROOM).await;
        let of = Arc::clone(node);
        if let Some(Err(error)) = blocking(move || of.notices().keep_room()).await {
            tracing::error!(%error, "there is no more room for notices: declared lookups are refused once it is used up");
        }
    }
}

async fn build_all(node: &Arc<Node>) {
    let lookups = node.lookups();
    if lookups.tables.is_empty() {
        return;
    }
    let refresh = lookups.settings.refresh;
    let mut tried = BTreeSet::new();
    let mut looked: Option<(Instant, Digest)> = None;
    loop {
        if looked.as_ref().is_none_or(|(at, _)| at.elapsed() >= refresh) {
            tried.clear();
            looked = node.data_version().await.map(|data| (Instant::now(), data));
        }
        if let Some((_, data)) = &looked {
            if let Err(error) = once(node, data, &mut tried).await {
                tracing::error!(%error, "lookup tables stay as they were");
            }
        } else {
            tracing::error!("a source is not there: lookup tables stay as they were");
        }
        tokio::select! {
            () = lookups.wake.notified() => looked = None,
            () = sleep(refresh.min(EPOCHS)) => {}
        }
    }
}

/// Builds every table that is not of these data.
async fn once(
    node: &Arc<Node>,
    data: &Digest,
    tried: &mut BTreeSet<Tried>,
) -> Result<(), LookupsError> {
    let (of, version) = (Arc::clone(node), data.clone());
    let orders = blocking(move || of.lookups().orders(&of, &version)).await;
    for order in orders.unwrap_or(Ok(Vec::new()))? {
        let (table, terms) = (order.terms.table.clone(), order.terms.digest());
        let epochs = order.keys.iter().map(|(scope, _)| scope.epoch).collect();
        if !tried.insert((table.clone(), epochs, terms.clone())) {
            continue;
        }
        let keys = order.keys.clone();
        let Some(built) = built(node, order, data).await else { continue };
        let (of, version) = (Arc::clone(node), data.clone());
        let taken = blocking(move || take(&of, (&table, &terms, &version), &keys, built)).await;
        taken.unwrap_or(Ok(()))?;
    }
    Ok(())
}

/// Builds one table, and tells the operator how that went.
async fn built(node: &Arc<Node>, order: Order, data: &Digest) -> Option<Built> {
    let table = order.terms.table.clone();
    let began = Instant::now();
    tracing::info!(%table, epochs = order.keys.len(), "building a lookup table");
    let built = match build(node.pool(), order).await {
        Ok(built) => built,
        Err(Unbuilt::GivenUp) => return None,
        Err(error) => {
            tracing::error!(%table, %error, "a lookup table was not built: what was published stays, and where nothing was, it is not ready");
            return None;
        }
    };
    // Rows of two versions of the data would be neither.
    if node.data_version().await.as_ref() != Some(data) {
        tracing::warn!(%table, "the data changed while a lookup table was built: it is built again");
        node.lookups().look();
        return None;
    }
    let tally = &built.tally;
    let seconds = began.elapsed().as_secs();
    tracing::info!(%table, rows = tally.rows, left_out = tally.left_out, elements = tally.elements, seconds, "a lookup table was built");
    if !tally.problems.is_empty() {
        tracing::warn!(%table, problems = %tally, "rows of a lookup table do not normalise and cannot be found, or their handling code is unknown and the strictest is told");
    }
    Some(built)
}

fn take(
    node: &Node,
    what: (&TableName, &Digest, &Digest),
    keys: &[(Scope, Arc<SecretKey>)],
    built: Built,
) -> Result<(), LookupsError> {
    if built.declared.is_some()
        && let Err(error) = node.notices().top_up()
    {
        tracing::error!(%error, "there is no room for notices: declared lookups are refused");
    }
    node.lookups().take(node, what, keys, built)
}
