//! Our instants as those of certificates, which count whole seconds.

use crate::CertsError;
use mayag_protocol::timestamp::Timestamp;
use time::OffsetDateTime;

pub(crate) fn whole_seconds(at: Timestamp) -> Result<OffsetDateTime, CertsError> {
    OffsetDateTime::from_unix_timestamp(at.millis().div_euclid(1000))
        .map_err(|_| CertsError::Instant(at))
}
