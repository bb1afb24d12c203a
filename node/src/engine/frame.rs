//! The words between a node and its worker processes: frames of a length, a kind and a body, all of them capped.

use super::check::Finding;
use super::execute::Work;
use super::failure::WorkFailure;
use super::identifiers::IdentifierQuery;
use super::sources::{Limits, SourceProblem, SourcesConfig};
use crate::secret::Secret;
use mayag_disclosure::{DifferenceGuard, Dominance, NoiseLevel, Protections};
use mayag_policies::catalogue::Catalogue;
use mayag_policies::document::Bounds;
use mayag_policies::shape::Predicate;
use mayag_protocol::names::{ColumnName, Country};
use mayag_queries::release::Release;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{self, Read};
use tokio::io::{AsyncRead, AsyncReadExt};

/// The longest frame to a worker: a catalogue and the views, or a release.
pub(super) const LONGEST_REQUEST: u32 = 16 * 1024 * 1024;

/// The longest frame from a worker: a million cells of a few measures.
pub(super) const LONGEST_REPLY: u32 = 256 * 1024 * 1024;

/// What a worker works with, told once.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// The datasets of the federation.
    pub catalogue: Catalogue,
    /// The node's country.
    pub country: Country,
    /// The node's own tables; paths absolute or relative to the worker's folder.
    pub sources: SourcesConfig,
}

/// The first frame to a worker.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Begin {
    pub(super) limits: Limits,
    pub(super) secret: Secret,
    pub(super) setup: Setup,
}

/// Every later frame to a worker.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "do")]
#[expect(clippy::large_enum_variant, reason = "one value at a time, written at once")]
pub(super) enum Request {
    /// The categories of a lookup table.
    Categories { query: IdentifierQuery },
    /// Check that the data are what the catalogue says.
    Check {},
    /// The rows of a lookup table, in portions.
    Identifiers { query: IdentifierQuery },
    /// Work on a release.
    Work {
        release: Release,
        rows: Predicate,
        joined_rows: Predicate,
        asks: Asks,
        bounds: BTreeMap<ColumnName, (i64, i64)>,
    },
}

/// What the protections ask of a worker: it works facts out as far as they are needed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asks {
    min_units: u64,
    p_percent: u32,
    dominance: (u32, u32),
    noisy: bool,
    most_rows: u32,
    guarded: bool,
}

impl Asks {
    fn of(protections: &Protections) -> Self {
        Self {
            min_units: protections.min_units,
            p_percent: protections.p_percent,
            dominance: (protections.dominance.units, protections.dominance.percent),
            noisy: protections.noise.is_some(),
            most_rows: protections.most_rows,
            guarded: protections.difference_guard == DifferenceGuard::On,
        }
    }

    fn protections(&self) -> Protections {
        let (units, percent) = self.dominance;
        Protections {
            dominance: Dominance { units, percent },
            // How strong it is, is no matter of a worker.
            noise: self.noisy.then_some(NoiseLevel::DEFAULT),
            most_rows: self.most_rows,
            difference_guard: if self.guarded { DifferenceGuard::On } else { DifferenceGuard::Off },
            ..Protections::exact(self.min_units, self.p_percent)
        }
    }
}

impl Request {
    pub(super) fn work(work: &Work) -> Self {
        let Work { release, rows, joined_rows, protections, bounds, atoms: _ } = work;
        let bounds = bounds.iter().map(|(column, of)| (column.clone(), (of.low, of.high)));
        Self::Work {
            release: release.clone(),
            rows: rows.clone(),
            joined_rows: joined_rows.clone(),
            asks: Asks::of(protections),
            bounds: bounds.collect(),
        }
    }

    /// The work that a worker was asked for.
    pub(super) fn asked(
        release: Release,
        (rows, joined_rows): (Predicate, Predicate),
        asks: &Asks,
        bounds: BTreeMap<ColumnName, (i64, i64)>,
    ) -> Work {
        let bounds = bounds.into_iter().map(|(column, (low, high))| (column, Bounds { low, high }));
        let bounds = bounds.collect();
        Work { joined_rows, bounds, ..Work::new(release, rows, asks.protections()) }
    }
}

/// A frame from a worker.
#[derive(Debug)]
pub(super) enum Reply {
    /// Cells, as an Arrow IPC stream.
    Cells(Vec<u8>),
    /// What a check found.
    Checked(Vec<Finding>),
    /// There are no more portions.
    End,
    /// Work failed.
    Failed(WorkFailure),
    /// Rows of a lookup table, as an Arrow IPC stream.
    Portion(Vec<u8>),
    /// The worker cannot work with what it was told.
    Problem(SourceProblem),
    /// The worker is ready for requests.
    Ready,
}

/// A frame that is none.
#[derive(Debug, thiserror::Error)]
pub(super) enum FrameError {
    #[error("the other side is gone: {0}")]
    Gone(#[from] io::Error),
    #[error("not a frame of this protocol")]
    Nonsense,
}

impl Reply {
    /// The frame, length included.
    pub(super) fn frame(&self) -> Result<Vec<u8>, FrameError> {
        let json =
            |value: Result<Vec<u8>, serde_json::Error>| value.map_err(|_| FrameError::Nonsense);
        let (kind, body) = match self {
            Self::Cells(bytes) => (b'c', bytes.clone()),
            Self::Checked(findings) => (b'k', json(serde_json::to_vec(findings))?),
            Self::End => (b'e', Vec::new()),
            Self::Failed(failure) => (b'f', json(serde_json::to_vec(failure))?),
            Self::Portion(bytes) => (b'i', bytes.clone()),
            Self::Problem(problem) => (b'p', json(serde_json::to_vec(problem))?),
            Self::Ready => (b'r', Vec::new()),
        };
        frame(kind, &body, LONGEST_REPLY)
    }

    /// Reads one frame.
    pub(super) async fn read(from: &mut (impl AsyncRead + Unpin)) -> Result<Self, FrameError> {
        let length = from.read_u32_le().await?;
        if length == 0 || length > LONGEST_REPLY {
            return Err(FrameError::Nonsense);
        }
        // Grows as bytes arrive: a length alone costs no memory.
        let mut bytes = Vec::new();
        from.take(u64::from(length)).read_to_end(&mut bytes).await?;
        if bytes.len() as u64 != u64::from(length) {
            return Err(FrameError::Nonsense);
        }
        let (kind, body) = bytes.split_first().ok_or(FrameError::Nonsense)?;
        let nonsense = |_| FrameError::Nonsense;
        match kind {
            b'c' => {
                bytes.remove(0);
                Ok(Self::Cells(bytes))
            }
            b'i' => {
                bytes.remove(0);
                Ok(Self::Portion(bytes))
            }
            b'e' if body.is_empty() => Ok(Self::End),
            b'f' => Ok(Self::Failed(serde_json::from_slice(body).map_err(nonsense)?)),
            b'k' => Ok(Self::Checked(serde_json::from_slice(body).map_err(nonsense)?)),
            b'p' => Ok(Self::Problem(serde_json::from_slice(body).map_err(nonsense)?)),
            b'r' if body.is_empty() => Ok(Self::Ready),
            _ => Err(FrameError::Nonsense),
        }
    }
}

/// A message to a worker as a frame.
pub(super) fn request(message: &impl Serialize) -> Result<Vec<u8>, FrameError> {
    let body = serde_json::to_vec(message).map_err(|_| FrameError::Nonsense)?;
    frame(b'q', &body, LONGEST_REQUEST)
}

/// Reads the body of a frame to a worker; `None` when the node has closed the pipe between frames.
pub(super) fn read_request(from: &mut impl Read) -> Result<Option<Vec<u8>>, FrameError> {
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let length = u32::from_le_bytes(length);
    if length == 0 || length > LONGEST_REQUEST {
        return Err(FrameError::Nonsense);
    }
    let mut bytes = Vec::new();
    from.take(u64::from(length)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != u64::from(length) || bytes.first() != Some(&b'q') {
        return Err(FrameError::Nonsense);
    }
    bytes.remove(0);
    Ok(Some(bytes))
}

fn frame(kind: u8, body: &[u8], longest: u32) -> Result<Vec<u8>, FrameError> {
    let length = u32::try_from(body.len() + 1)
        .ok()
        .filter(|length| *length <= longest)
        .ok_or(FrameError::Nonsense)?;
    let mut bytes = Vec::with_capacity(body.len() + 5);
    bytes.extend(length.to_le_bytes());
    bytes.push(kind);
    bytes.extend(body);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::{Reply, Request, WorkFailure, read_request, request};

    #[tokio::test]
    async fn replies_read_back() {
        for reply in [Reply::Ready, Reply::Cells(vec![1, 2, 3]), Reply::Failed(WorkFailure::Memory)]
        {
            let frame = reply.frame().unwrap();
            let read = Reply::read(&mut frame.as_slice()).await.unwrap();
            assert_eq!(format!("{read:?}"), format!("{reply:?}"));
        }
    }

    #[tokio::test]
    async fn nonsense_and_cut_frames_are_refused() {
        for bytes in [
            &[][..],
            &[0, 0, 0, 0],
            &[255, 255, 255, 255, b'r'],
            &[2, 0, 0, 0, b'r'],
            &[1, 0, 0, 0, b'x'],
        ] {
            assert!(Reply::read(&mut &*bytes).await.is_err(), "{bytes:?}");
        }
        for bytes in [
            &[0, 0, 0, 0][..],
            &[255, 255, 255, 255, b'q'],
            &[3, 0, 0, 0, b'q'],
            &[1, 0, 0, 0, b'x'],
        ] {
            assert!(read_request(&mut &*bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn requests_read_back_and_the_end_is_no_error() {
        let frame = request(&Request::Check {}).unwrap();
        let body = read_request(&mut frame.as_slice()).unwrap().unwrap();
        assert!(matches!(serde_json::from_slice(&body).unwrap(), Request::Check {}));
        assert!(read_request(&mut &[][..]).unwrap().is_none());
    }
}
