//! A node's work on a full batch: against the multiplications that nobody can do without, and against the crate `voprf`.

use crate::measure::{comparison, median, timed};
use curve25519_dalek::ristretto::CompressedRistretto;
use curve25519_dalek::scalar::Scalar;
use mayag_matching::batch::{Batch, BatchSeed};
use mayag_matching::input::Rules;
use mayag_matching::scope::Scope;
use mayag_matching::voprf::{Elements, SecretKey, Seed};
use rand_core_06::OsRng;
use std::error::Error;
use std::hint::black_box;
use std::num::NonZero;
use voprf::{BlindedElement, EvaluationElement, Ristretto255, VoprfServer};

const ONE: NonZero<usize> = NonZero::<usize>::MIN;

/// From the bytes of a batch of 10,001 elements to the bytes of its answer.
pub(crate) fn measure(pairs: usize) -> Result<Vec<String>, Box<dyn Error>> {
    let rules = Rules { kind: "passport".parse()?, version: 1 };
    let node = "spiffe://demo/country/kr/node".parse()?;
    let scope = Scope { node, table: "documents".parse()?, epoch: 1, rules: rules.clone() };
    let key = SecretKey::derive(&Seed::generate()?, &scope)?;
    let theirs = VoprfServer::<Ristretto255>::new(&mut OsRng).map_err(|e| format!("{e:?}"))?;
    let identifiers: Vec<String> = (0..10_000).map(|n| format!("PHL|M{n}")).collect();
    let bytes =
        Batch::new(&BatchSeed::generate()?, &rules, &identifiers, ONE)?.blinded().to_bytes();
    let scalar = Scalar::from_bytes_mod_order([0x5a; 32]);

    let (mut to_limit, mut to_voprf) = (Vec::new(), Vec::new());
    for _ in 0..pairs {
        let (answer, ours) = timed(|| ours(&key, &bytes))?;
        let (least, limit) = timed(|| least(&scalar, &bytes))?;
        let (other, peer) = timed(|| peer(&theirs, &bytes))?;
        black_box((answer, least, other));
        to_limit.push((ours, limit));
        to_voprf.push((ours, peer));
    }
    let micros = |times: &[(f64, f64)], side: fn(&(f64, f64)) -> f64| {
        median(times.iter().map(side)) * 1e6 / 10_001.0
    };
    let ours = micros(&to_limit, |pair| pair.0);
    let limit = format!(
        "{ours:.1} us an element for reading, evaluating, proving and writing 10,001; limit {:.1} us: decoding, one constant-time \
         multiplication and encoding of each, no proof",
        micros(&to_limit, |pair| pair.1)
    );
    let peer = format!(
        "`voprf` 0.5.0 takes {:.1} us an element for the same answer, proof included",
        micros(&to_voprf, |pair| pair.1)
    );
    Ok(vec![
        comparison("limit", "0.8", &to_limit, &limit),
        comparison("voprf", "2", &to_voprf, &peer),
    ])
}

fn ours(key: &SecretKey, bytes: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let evaluation = key.evaluate(&Elements::parse(bytes)?, ONE)?;
    Ok([evaluation.elements(), &evaluation.proof().to_bytes()].concat())
}

/// What is left of an evaluation if there is nothing but it: no proof, no check.
fn least(scalar: &Scalar, bytes: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let (elements, _) = bytes.as_chunks::<32>();
    let mut answer = Vec::with_capacity(bytes.len());
    for element in elements {
        let point = CompressedRistretto(*element).decompress().ok_or("no element")?;
        answer.extend_from_slice((point * scalar).compress().as_bytes());
    }
    Ok(answer)
}

fn peer(server: &VoprfServer<Ristretto255>, bytes: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let said = |error: voprf::Error| format!("{error:?}");
    let elements: Result<Vec<BlindedElement<Ristretto255>>, voprf::Error> =
        bytes.chunks(32).map(BlindedElement::deserialize).collect();
    let elements = elements.map_err(said)?;
    let answer = server.batch_blind_evaluate(&mut OsRng, &elements).map_err(said)?;
    let mut bytes: Vec<u8> =
        answer.messages.iter().flat_map(EvaluationElement::serialize).collect();
    bytes.extend_from_slice(&answer.proof.serialize());
    Ok(bytes)
}
