//! `bench timing`: whether a node's answers to lookups tell hits from misses: by their sizes, or by their times.
//!
//! Of a blinded lookup a node cannot know, because it sees blinded elements only; this shows that nothing else gives it away.
//! Of a declared one it does know, and must not show it: a hit, a miss and a silent hit are compared. Requests of all sorts are
//! sent in random order over the gateway's own connection, the next when the answer before is there. Times are compared by Welch's t-test; as in `dudect` (Reparaz, Balasch, Verbauwhede,
//! 2017), |t| above 4.5 would be a difference, and the slowest hundredth of all is left out as well.

use crate::report::line;
use bytes::Bytes;
use http::{HeaderName, StatusCode};
use mayag_audit::keys::{SigningKey, random_nonce, random_question_id, sha256};
use mayag_certs_dev::pki::Pki;
use mayag_integration_tests::declared::Declared;
use mayag_integration_tests::world::lookups::{OBSERVED, TABLE, declaring, searchable};
use mayag_integration_tests::world::{World, node_identity};
use mayag_integration_tests::{logs, sealed};
use mayag_matching::batch::{Batch, BatchSeed};
use mayag_matching::normalise::{normalise, rules};
use mayag_node::Running;
use mayag_node::config::NodeConfig;
use mayag_protocol::answer::Bundle;
use mayag_protocol::envelope::Envelope;
use mayag_protocol::forward;
use mayag_protocol::lookup::{Directory, DirectoryEntry, LOOKUPS, Search, Target};
use mayag_protocol::names::QuestionId;
use mayag_protocol::purpose::Purpose;
use mayag_protocol::question::{Ask, QUESTIONS, Question};
use mayag_transport::client::{Client, ClientTls, Limits};
use mayag_transport::clock::SystemClock;
use mayag_transport::trust::{IdentityFiles, Trust, TrustFiles};
use std::collections::BTreeSet;
use std::error::Error;
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Requests of all sorts together, of blinded lookups and again of declared ones, unless said otherwise.
pub(crate) const REQUESTS: usize = 100_000;

/// |t| above which there is a difference.
const APART: f64 = 4.5;

const LISTED: &str = "passport:M99000001@PHL";
const ABSENT: &str = "passport:M99000002@PHL";

/// The declared table: shown, silent, absent.
const DECLARED: [(&str, &str); 3] =
    [("hit", "PHL:P:M88000001"), ("silent hit", "PHL:P:M88000002"), ("no hit", "PHL:P:M88000003")];

/// What is measured of the answers to one kind of request.
#[derive(Debug, Default)]
struct Seen {
    /// Microseconds.
    times: Vec<f64>,
    sizes: BTreeSet<usize>,
}

pub(crate) fn main(requests: usize) -> Result<(), Box<dyn Error>> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        blinded(requests).await?;
        declared(requests).await
    })
}

async fn blinded(requests: usize) -> Result<(), Box<dyn Error>> {
    let world = World::prepare(&[searchable("kr", 64, "")]);
    world.write_documents(
        "kr",
        &[["passport", "M99000001", "PHL", "stolen document", "H1", "SYNTH-1"]],
    );
    logs::begin("node", &world.dir().join("kr"));
    let config = NodeConfig::read(&world.dir().join("kr/node.toml"))?;
    let node = Running::start(config, Arc::new(SystemClock), &std::env::current_exe()?).await?;
    let asker = Asker::new(&world, node.address().to_string())?;
    let entry = asker.table().await?;

    let (mut misses, mut hits) = (Seen::default(), Seen::default());
    let began = Instant::now();
    for i in 0..requests {
        let listed =
            random_nonce()?.to_string().ends_with(['0', '2', '4', '6', '8', 'a', 'c', 'e']);
        let (time, size) = asker.look_up(if listed { LISTED } else { ABSENT }, &entry).await?;
        let of = if listed { &mut hits } else { &mut misses };
        of.times.push(time.as_secs_f64() * 1e6);
        of.sizes.insert(size);
        if i % 10_000 == 9_999 {
            line(&format!("{} requests after {:.0} s", i + 1, began.elapsed().as_secs_f64()));
        }
    }
    node.shutdown().await;
    compare(("hit", &hits), ("no hit", &misses))
}

/// The same of declared lookups. All of them write a notice and sync it, whatever was found.
async fn declared(requests: usize) -> Result<(), Box<dyn Error>> {
    let world = World::prepare(&[declaring("kr", "allowed")]);
    world.write_observed(
        "kr",
        &[
            ["M88000001", "PHL", "observed document", "SYNTH-1", "no"],
            ["M88000002", "PHL", "observed document", "SYNTH-2", "yes"],
        ],
    );
    logs::begin("node", &world.dir().join("kr"));
    let config = NodeConfig::read(&world.dir().join("kr/node.toml"))?;
    let node = Running::start(config, Arc::new(SystemClock), &std::env::current_exe()?).await?;
    let asker = Asker::new(&world, node.address().to_string())?;
    asker.directory(|directory| directory.declared.pop()).await?;

    let mut sorts = DECLARED.map(|(name, identifier)| (name, identifier, Seen::default()));
    let began = Instant::now();
    for i in 0..requests {
        let drawn = random_nonce()?.to_string();
        let drawn = u64::from_str_radix(drawn.get(..12).unwrap_or_default(), 16)? % 3;
        let Some((_, identifier, seen)) = sorts.get_mut(usize::try_from(drawn)?) else { continue };
        let (time, size) = asker.declare(identifier).await?;
        seen.times.push(time.as_secs_f64() * 1e6);
        seen.sizes.insert(size);
        if i % 10_000 == 9_999 {
            line(&format!("{} requests after {:.0} s", i + 1, began.elapsed().as_secs_f64()));
        }
    }
    node.shutdown().await;
    let [(hit, _, hits), (silent, _, silences), (miss, _, misses)] = &sorts;
    // All are said, also where the first one fails.
    let compared = [
        compare((hit, hits), (miss, misses)),
        compare((hit, hits), (silent, silences)),
        compare((silent, silences), (miss, misses)),
    ];
    compared.into_iter().collect()
}

/// Says whether two sorts of answers can be told apart, and fails if they can.
fn compare(
    (one, hits): (&str, &Seen),
    (other, misses): (&str, &Seen),
) -> Result<(), Box<dyn Error>> {
    line(&format!(
        "bytes of the answers: {one} {:?}, {other} {:?}; medians {:.0} us and {:.0} us",
        hits.sizes,
        misses.sizes,
        median(&hits.times),
        median(&misses.times)
    ));
    let whole = welch(&hits.times, &misses.times).abs();
    let limit = percentile(&[hits.times.as_slice(), &misses.times].concat(), 0.99);
    let below = |times: &[f64]| times.iter().copied().filter(|t| *t < limit).collect::<Vec<_>>();
    let cropped = welch(&below(&hits.times), &below(&misses.times)).abs();
    // They grow with the digits of the log's index, for both alike.
    let same = hits.sizes == misses.sizes;
    line(&format!(
        "{one} vs {other}: |t| {whole:.2}, {cropped:.2} without the slowest hundredth (limit {APART}; {} and {} requests), sizes {}",
        hits.times.len(),
        misses.times.len(),
        if same { "identical" } else { "DIFFER" }
    ));
    if same && whole <= APART && cropped <= APART {
        Ok(())
    } else {
        Err(format!("{one} and {other} can be told apart").into())
    }
}

/// A question as an analyst signs it and a gateway forwards it.
struct Signed {
    envelope: Vec<u8>,
    forward: Vec<u8>,
}

/// Sends over the gateway's connection to the node.
struct Asker<'a> {
    world: &'a World,
    client: Client,
    address: String,
    key: SigningKey,
}

impl<'a> Asker<'a> {
    fn new(world: &'a World, address: String) -> Result<Self, Box<dyn Error>> {
        let clock = Arc::new(SystemClock);
        let folder = world.dir().join("pki");
        let files = TrustFiles { authorities: folder.join("ca"), revocations: folder.join("crl") };
        let roster = Pki::open(world.dir())?.roster()?;
        let trust = Trust::load(&files, roster.issuers, Arc::new(SystemClock))?;
        let own = folder.join("gateway-1");
        let identity =
            IdentityFiles { certificate: own.join("client.crt"), key: own.join("client.key") };
        let client = Client::new(ClientTls { identity, trust }, Limits::default(), clock)?;
        Ok(Self { world, client, address, key: sealed::analyst_key(world) })
    }

    /// The envelope, and the header that says that the gateway forwards it.
    fn question(&self, ask: Ask) -> Result<Signed, Box<dyn Error>> {
        Ok(self.question_as(random_question_id()?, ask))
    }

    fn question_as(&self, id: QuestionId, ask: Ask) -> Signed {
        let question =
            Question { id, ask, purpose: Purpose::Investigate, ..sealed::question(&["kr"], "") };
        let body = sealed::seal(&question, &self.key);
        let forward = sealed::forward(&self.world.dir().join("pki/gateway-1"), &body);
        Signed { envelope: body, forward: forward.into_bytes() }
    }

    async fn post(
        &self,
        path: &str,
        forward: &[u8],
        body: Vec<u8>,
    ) -> Result<Bytes, Box<dyn Error>> {
        let header =
            (HeaderName::from_static(forward::HEADER), http::HeaderValue::from_bytes(forward)?);
        let expected = node_identity("kr");
        let response = self
            .client
            .post_with(&self.address, &expected, path, Some(header), Bytes::from(body))
            .await?;
        if response.status() != StatusCode::OK {
            return Err(format!("status {}", response.status()).into());
        }
        Ok(response.into_body().read().await?)
    }

    /// The directory's entry, once the node has built its index.
    async fn table(&self) -> Result<DirectoryEntry, Box<dyn Error>> {
        self.directory(|directory| directory.tables.pop()).await
    }

    /// What is picked of the directory, once it is there.
    async fn directory<T>(
        &self,
        pick: impl Fn(&mut Directory) -> Option<T>,
    ) -> Result<T, Box<dyn Error>> {
        for _ in 0..600 {
            let Signed { envelope, forward } = self.question(Ask::Tables {})?;
            let bundle = Bundle::parse(&self.post(QUESTIONS, &forward, envelope).await?)?;
            if let Some(envelope) = bundle.parts.first() {
                let envelope =
                    Envelope::parse(envelope, mayag_protocol::lookup::LONGEST_DIRECTORY)?;
                let mut directory: Directory =
                    serde_json::from_slice(envelope.unverified_payload())?;
                if let Some(picked) = pick(&mut directory) {
                    return Ok(picked);
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(format!("the node publishes no `{TABLE}` and no `{OBSERVED}`").into())
    }

    /// The same of a declared lookup.
    async fn declare(&self, identifier: &str) -> Result<(Duration, usize), Box<dyn Error>> {
        let id = random_question_id()?;
        let Declared { search, beside, .. } = Declared::new(
            self.world,
            (&id, &sealed::question(&["kr"], "").analyst),
            &["kr"],
            OBSERVED,
            &[identifier],
        );
        let Signed { envelope, forward } = self.question_as(id, Ask::Declared { search });
        self.timed(&forward, Bundle { envelope, parts: vec![beside] }).await
    }

    async fn timed(
        &self,
        forward: &[u8],
        body: Bundle,
    ) -> Result<(Duration, usize), Box<dyn Error>> {
        let body = body.to_bytes()?;
        let before = Instant::now();
        let bytes = self.post(LOOKUPS, forward, body).await?;
        let time = before.elapsed();
        // A refusal would be fast, and would say nothing.
        if Bundle::parse(&bytes)?.parts.len() == 1 {
            Ok((time, bytes.len()))
        } else {
            Err("the node refused: see what it allows at once and a day".into())
        }
    }

    /// The time from sending to the last byte, and the bytes of the answer.
    async fn look_up(
        &self,
        identifier: &str,
        entry: &DirectoryEntry,
    ) -> Result<(Duration, usize), Box<dyn Error>> {
        let normalised = normalise(identifier)?;
        // The value itself: both kinds of request have as many elements.
        let value = [normalised.value()];
        let batch = Batch::new(
            &BatchSeed::generate()?,
            &rules(normalised.kind()),
            &value,
            NonZero::<usize>::MIN,
        )?;
        let vector = batch.blinded().to_bytes();
        let target =
            Target { country: "kr".parse()?, table: entry.table.clone(), epoch: entry.epoch };
        let search = Search {
            identifiers: entry.kind.clone(),
            rules: entry.rules,
            elements: u32::try_from(vector.len() / mayag_protocol::lookup::ELEMENT)?,
            blinded: sha256(&vector),
            opening: sha256(b"nothing to open"),
            targets: vec![target],
        };
        let Signed { envelope, forward } = self.question(Ask::Lookup { search })?;
        self.timed(&forward, Bundle { envelope, parts: vec![vector] }).await
    }
}

/// Welch's t of two samples.
fn welch(one: &[f64], other: &[f64]) -> f64 {
    let moments = |values: &[f64]| {
        let n = count(values);
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
        (mean, variance / n)
    };
    let ((a, va), (b, vb)) = (moments(one), moments(other));
    (a - b) / (va + vb).sqrt()
}

fn median(values: &[f64]) -> f64 {
    percentile(values, 0.5)
}

fn percentile(values: &[f64], share: f64) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    // The first value below which at least this share lies; a linear search is nothing beside the sorting.
    let below = count(&values) * share;
    let at = (0_u32..).map(f64::from).zip(&values).find(|(at, _)| below <= *at);
    at.or_else(|| values.last().map(|last| (0.0, last))).map_or(f64::NAN, |(_, value)| *value)
}

fn count(values: &[f64]) -> f64 {
    u32::try_from(values.len()).map_or(f64::INFINITY, f64::from)
}
