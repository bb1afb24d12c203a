//! The system's clock.

use mayag_protocol::timestamp::{Clock, Timestamp};
use std::time::{SystemTime, UNIX_EPOCH};

/// The clock of the machine this runs on.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(
            clippy::disallowed_methods,
            reason = "everything else takes this clock as an argument"
        )]
        let now = SystemTime::now();
        // A machine whose clock stands before 1970 is in 1970: every validity window is closed then.
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}
