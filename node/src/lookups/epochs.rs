//! When which key is used: epochs of whole days since 1970, each with a while longer in which it still answers.
//!
//! A new epoch is built when it begins, and the one before answers until the overlap has passed: searches that were prepared
//! under the old key go on, and building takes nobody's answer away.

use super::config::LookupSettings;
use mayag_protocol::timestamp::Timestamp;

const DAY: i64 = 86_400_000;

/// The epochs of a node.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Epochs {
    /// Milliseconds of an epoch.
    period: i64,
    /// Milliseconds that it answers longer.
    overlap: i64,
}

impl Epochs {
    pub(crate) fn new(settings: &LookupSettings) -> Self {
        let period = i64::from(settings.epoch_days.get()).saturating_mul(DAY);
        let overlap = i64::try_from(settings.overlap.as_millis()).unwrap_or(i64::MAX);
        Self { period, overlap: overlap.min(period) }
    }

    /// The epoch of this instant.
    pub(crate) fn at(self, now: Timestamp) -> u32 {
        u32::try_from(now.millis().div_euclid(self.period)).unwrap_or_default()
    }

    /// The oldest epoch that still answers.
    pub(crate) fn oldest(self, now: Timestamp) -> u32 {
        let before = Timestamp::from_millis(now.millis().saturating_sub(self.overlap));
        self.at(before).min(self.at(now))
    }

    /// From when on an epoch answers, and until when.
    pub(crate) fn span(self, epoch: u32) -> (Timestamp, Timestamp) {
        let from = i64::from(epoch).saturating_mul(self.period);
        let until = from.saturating_add(self.period).saturating_add(self.overlap);
        (Timestamp::from_millis(from), Timestamp::from_millis(until))
    }
}

#[cfg(test)]
mod tests {
    use super::{DAY, Epochs};
    use crate::lookups::config::LookupSettings;
    use mayag_protocol::timestamp::Timestamp;
    use std::time::Duration;

    fn day(days: i64, millis: i64) -> Timestamp {
        Timestamp::from_millis(days * DAY + millis)
    }

    #[test]
    fn two_epochs_answer_for_a_day_and_one_otherwise() {
        let epochs = Epochs::new(&LookupSettings::default());
        let live = |now| (epochs.oldest(now), epochs.at(now));
        assert_eq!(live(day(70, -1)), (9, 9));
        assert_eq!(live(day(70, 0)), (9, 10));
        assert_eq!(live(day(71, -1)), (9, 10));
        assert_eq!(live(day(71, 0)), (10, 10));
        for (epoch, now) in [(9, day(71, -1)), (10, day(70, 0)), (10, day(78, -1))] {
            let (from, until) = epochs.span(epoch);
            assert!(from <= now && now < until, "{epoch}");
            assert!((epochs.oldest(now)..=epochs.at(now)).contains(&epoch));
        }
        assert_eq!(epochs.span(9).1, day(71, 0));
    }

    #[test]
    fn an_overlap_is_no_longer_than_an_epoch() {
        let settings =
            LookupSettings { overlap: Duration::from_hours(24 * 30), ..LookupSettings::default() };
        let epochs = Epochs::new(&settings);
        assert_eq!((epochs.oldest(day(71, 0)), epochs.at(day(71, 0))), (9, 10));
    }
}
