//! The end of a policy, in the operator's log: once a day while it is near, so that somebody renews it in time.

use mayag_policies::document::Policy;
use mayag_protocol::timestamp::Timestamp;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

const DAY: i64 = 24 * 60 * 60 * 1000;

/// Remembers the day of the last warning.
#[derive(Debug)]
pub(crate) struct Ending {
    /// Days since 1970; whatever day the clock shows first is another one.
    warned: AtomicI64,
}

impl Ending {
    pub(crate) fn new() -> Self {
        Self { warned: AtomicI64::new(i64::MIN) }
    }

    /// Warns if the policy ends soon and nothing was said today.
    pub(crate) fn look(&self, policy: &Policy, now: Timestamp) {
        let Some(left) = self.to_say(policy, now) else { return };
        let until = policy.valid_until();
        if left.is_zero() {
            tracing::warn!(%until, "the policy has ended: everything is refused until a new one is in force");
        } else {
            let days = left.as_secs() / (24 * 60 * 60);
            tracing::warn!(%until, days, "the policy in force ends soon: renew it before that instant (UTC)");
        }
    }

    /// What is left of the policy, if that is little and was not said today.
    fn to_say(&self, policy: &Policy, now: Timestamp) -> Option<Duration> {
        let left = policy.ends_soon(now)?;
        let today = now.millis().div_euclid(DAY);
        let before = self.warned.swap(today, Ordering::Relaxed);
        (before != today).then_some(left)
    }
}

#[cfg(test)]
mod tests {
    use super::Ending;
    use mayag_audit::keys::sha256;
    use mayag_policies::catalogue::Catalogue;
    use mayag_policies::document::Policy;

    #[test]
    fn the_end_is_announced_once_a_day_in_its_last_thirty_days() {
        let text = include_bytes!("../../policies/examples/several.json");
        let policy = Policy::parse(text, &Catalogue::builtin(), sha256).unwrap();
        let ending = Ending::new();
        let said =
            |now: &str| ending.to_say(&policy, now.parse().unwrap()).map(|left| left.as_secs());
        assert_eq!(said("2026-11-28T08:00:00Z"), None);
        assert_eq!(said("2026-12-31T23:00:00Z"), Some(3600));
        assert_eq!(said("2026-12-31T23:59:59Z"), None);
        assert_eq!(said("2027-01-01T00:00:00Z"), Some(0));
        assert_eq!(said("2027-01-01T00:00:01Z"), None);
        assert_eq!(said("2027-01-02T00:00:01Z"), Some(0));
    }
}
