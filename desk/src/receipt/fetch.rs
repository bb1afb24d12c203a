//! Fetching a receipt: the gateway is asked until the proof is there, and what it gives is checked with the roster's keys.

use super::{Against, Proof, ReceiptFault, ReceiptFile};
use crate::connection::ConnectionError;
use crate::desk::Desk;
use mayag_audit::party;
use mayag_audit::quorum::Policy;
use mayag_protocol::receipts::Wanted;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// How long is waited for a proof: longer than a checkpoint and a round of its witnesses take.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// How long lies between two requests.
const PAUSE: Duration = Duration::from_millis(200);

/// A receipt as far as it came. Nothing in it is lost that was there before.
#[derive(Debug)]
pub struct Fetched {
    /// The receipt.
    pub file: ReceiptFile,
    /// What it proves; absent while there is no proof.
    pub proof: Option<Proof>,
    /// Why the gateway could not be asked.
    pub trouble: Option<ConnectionError>,
}

impl Desk {
    /// Asks for the proof that the gateway's log holds an answer, until it is there or [`PATIENCE`] ends.
    ///
    /// An error means that what the gateway signed or sent does not verify; that there is no proof yet is none.
    pub async fn receipt(&self, mut file: ReceiptFile) -> Result<Fetched, ReceiptFault> {
        let claims = file.claims()?;
        file.signatures(&claims, self.roster())?;
        let place = claims.release.log;
        let member = self.roster().gateway(&claims.release.gateway);
        let log = || ReceiptFault::Log(place.origin.clone());
        let keys = member.and_then(|member| {
            let keys = party::key_file(self.roster(), member, &place.origin).ok()?;
            // How many must have cosigned is for the reader of the receipt to say, and for the gateway to wait for.
            Policy::of_keys(&keys, 0).ok()
        });
        let policy = keys.ok_or_else(log)?;
        let wanted = Wanted { log: place.clone() };
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let asked = timeout(left, self.connection().standing(&wanted)).await;
            let Ok(asked) = asked else { return Ok(Fetched { file, proof: None, trouble: None }) };
            match asked {
                Err(trouble) => {
                    return Ok(Fetched { file, proof: None, trouble: Some(trouble) });
                }
                Ok(standing) => file.log = Some(standing),
            }
            let now = self.clock().now();
            let against = Against { policy: &policy, roster: Some(self.roster()), now };
            match file.verify(&against) {
                Ok(proof) => return Ok(Fetched { file, proof: Some(proof), trouble: None }),
                Err(ReceiptFault::Promised(_)) if Instant::now() + PAUSE < end => {
                    sleep(PAUSE).await;
                }
                Err(ReceiptFault::Promised(_)) => {
                    return Ok(Fetched { file, proof: None, trouble: None });
                }
                Err(fault) => return Err(fault),
            }
        }
    }
}
