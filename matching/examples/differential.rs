//! Ours against the crate `voprf` over many cases, and answers that are wrong in every way we know. Prints the figures, and
//! leaves with 1 at the first difference or the first wrong answer that is believed.
//!
//! `cargo run --release -p mayag-matching --example differential -- [CASES] [WRONG_ANSWERS]`

#![expect(clippy::print_stdout, reason = "a check speaks to whoever started it")]

use mayag_matching::batch::{Batch, BatchSeed};
use mayag_matching::input::{Input, Rules};
use mayag_matching::scope::Scope;
use mayag_matching::voprf::{
    Blinding, Blinds, Elements, Evaluation, PublicKey, SecretKey, Seed, blind,
};
use rand_core_06::{OsRng, RngCore as _};
use std::collections::BTreeMap;
use std::error::Error;
use std::num::NonZero;
use std::process::ExitCode;
use voprf::{BlindedElement, EvaluationElement, Proof, Ristretto255, VoprfClient, VoprfServer};

type Fault = Box<dyn Error + Send + Sync>;
/// How often what was seen.
type Counts = BTreeMap<&'static str, usize>;
type Client = VoprfClient<Ristretto255>;
type Server = VoprfServer<Ristretto255>;

const ONE: NonZero<usize> = NonZero::<usize>::MIN;

/// The most elements of one batch.
const LARGEST: u32 = 400;

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1).map(|word| word.parse::<usize>());
    let cases = words.next().unwrap_or(Ok(1_000_000));
    let wrong = words.next().unwrap_or(Ok(100_000));
    let (Ok(cases), Ok(wrong)) = (cases, wrong) else {
        println!("usage: differential [CASES] [WRONG_ANSWERS]");
        return ExitCode::FAILURE;
    };
    match on_two_threads(cases, agree).and_then(|()| on_two_threads(wrong, refuse)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("differential: {error}");
            ExitCode::FAILURE
        }
    }
}

fn on_two_threads(count: usize, work: fn(usize) -> Result<Counts, Fault>) -> Result<(), Fault> {
    let counted = std::thread::scope(|scope| {
        let halves = [count / 2, count - count / 2].map(|half| scope.spawn(move || work(half)));
        let halves =
            halves.map(|half| half.join().map_err(|_| Fault::from("a thread panicked"))?);
        halves.into_iter().collect::<Result<Vec<_>, Fault>>()
    })?;
    let mut all = Counts::new();
    for (what, count) in counted.into_iter().flatten() {
        *all.entry(what).or_default() += count;
    }
    for (what, count) in all {
        println!("{what}: {count}");
    }
    Ok(())
}

fn below(limit: u32) -> u32 {
    OsRng.next_u32() % limit
}

fn key(epoch: u32) -> Result<(SecretKey, Server, Rules), Fault> {
    let rules = Rules { kind: "passport".parse()?, version: 1 };
    let node = "spiffe://demo/country/kr/node".parse()?;
    let scope = Scope { node, table: "documents".parse()?, epoch, rules: rules.clone() };
    let seed = Seed::generate()?;
    let info = format!("mayag1|spiffe://demo/country/kr/node|documents|{epoch}|passport|1");
    let theirs = Server::new_from_seed(seed.as_bytes(), info.as_bytes()).map_err(said)?;
    Ok((SecretKey::derive(&seed, &scope)?, theirs, rules))
}

fn said(error: voprf::Error) -> String {
    format!("{error:?}")
}

fn same(what: &str, ours: &[u8], theirs: &[u8]) -> Result<(), Fault> {
    if ours == theirs { Ok(()) } else { Err(format!("{what} differ").into()) }
}

/// Whole protocol runs, our half of each step with theirs of the next and the other way round.
fn agree(cases: usize) -> Result<Counts, Fault> {
    let (mut left, mut batches) = (cases, 0);
    while left > 0 {
        let count = usize::try_from(1 + below(LARGEST))?.min(left);
        agree_on(count)?;
        left -= count;
        batches += 1;
    }
    Ok(BTreeMap::from([
        ("elements blinded, evaluated and finalised like `voprf` 0.5.0", cases),
        ("keys derived, batches proved and proofs accepted both ways", batches),
    ]))
}

fn agree_on(count: usize) -> Result<(), Fault> {
    let (ours, theirs, rules) = key(OsRng.next_u32())?;
    same("public keys", ours.public().as_bytes(), theirs.get_public_key().compress().as_bytes())?;
    let identifiers: Vec<String> = (0..count)
        .map(|_| format!("{:0w$x}", OsRng.next_u64(), w = 1 + below(60) as usize))
        .collect();
    let inputs: Result<Vec<Input>, _> =
        identifiers.iter().map(|identifier| Input::new(&rules, identifier)).collect();
    let inputs = inputs?;
    let raw: Vec<Vec<u8>> = identifiers.iter().map(|identifier| framed(identifier)).collect();

    let strings: Vec<[u8; 64]> = (0..count)
        .map(|_| {
            let mut string = [0; 64];
            OsRng.fill_bytes(&mut string);
            string
        })
        .collect();
    let blinds =
        Blinds::of_uniform(Blinding::Multiplicative, strings.iter()).ok_or("a scalar of zero")?;
    let blinded = blind(&inputs, &blinds)?;
    let messages: Result<Vec<BlindedElement<Ristretto255>>, _> =
        blinded.to_bytes().chunks(32).map(BlindedElement::deserialize).collect();
    let messages = messages.map_err(said)?;

    // Ours blinded, theirs evaluated, ours finalised; and what they would have given for the inputs themselves.
    let answer = theirs.batch_blind_evaluate(&mut OsRng, &messages).map_err(said)?;
    let evaluated: Vec<u8> =
        answer.messages.iter().flat_map(EvaluationElement::serialize).collect();
    let evaluation = ours.evaluate(&blinded, ONE)?;
    same("evaluations", evaluation.elements(), &evaluated)?;
    let read = Evaluation::parse(&evaluated, &answer.proof.serialize())?;
    let outputs = blinds.finalize(&inputs, &read.verify(ours.public(), &blinded)?, ONE);
    for (output, raw) in outputs.iter().zip(&raw) {
        same("outputs", output.as_bytes(), &theirs.evaluate(raw).map_err(said)?)?;
    }

    // Theirs blinded, ours evaluated and proved, theirs finalised.
    let clients: Result<Vec<_>, _> = raw.iter().map(|raw| Client::blind(raw, &mut OsRng)).collect();
    let clients = clients.map_err(said)?;
    let asked: Vec<u8> = clients.iter().flat_map(|client| client.message.serialize()).collect();
    let evaluation = ours.evaluate(&Elements::parse(&asked)?, ONE)?;
    let elements: Result<Vec<EvaluationElement<Ristretto255>>, _> =
        evaluation.elements().chunks(32).map(EvaluationElement::deserialize).collect();
    let elements = elements.map_err(said)?;
    let proof = Proof::deserialize(&evaluation.proof().to_bytes()).map_err(said)?;
    let states: Vec<Client> = clients.into_iter().map(|client| client.state).collect();
    let names: Vec<&[u8]> = raw.iter().map(Vec::as_slice).collect();
    let theirs =
        Client::batch_finalize(&names, &states, &elements, &proof, theirs.get_public_key())
            .map_err(said)?;
    for (output, theirs) in outputs.iter().zip(theirs) {
        same("outputs", output.as_bytes(), &theirs.map_err(said)?)?;
    }
    Ok(())
}

/// The bytes of an input, written once more: four parts, each after its length.
fn framed(identifier: &str) -> Vec<u8> {
    let parts = ["mayag1", "passport", "1", identifier];
    let lengths = parts.map(|part| u16::try_from(part.len()).unwrap_or(0).to_be_bytes());
    lengths
        .iter()
        .zip(parts)
        .flat_map(|(length, part)| [length, part.as_bytes()].concat())
        .collect()
}

/// One question, the right answer to it, and answers that are right elsewhere.
struct Case {
    asked: Elements,
    public: PublicKey,
    elements: Vec<u8>,
    proof: Vec<u8>,
    /// The same key's answer to another question.
    earlier: Evaluation,
    /// Another key's answer to the same question.
    foreign: Evaluation,
}

impl Case {
    fn new() -> Result<Self, Fault> {
        let (ours, _, rules) = key(1)?;
        let (other, _, _) = key(2)?;
        let batch =
            |count: usize| Batch::new(&BatchSeed::generate()?, &rules, &vec!["PHL|M1"; count], ONE);
        // One identifier or eight: two elements or nine.
        let count = usize::try_from(1 + 7 * below(2))?;
        let asked = batch(count)?.blinded().clone();
        let answer = ours.evaluate(&asked, ONE)?;
        Ok(Self {
            public: ours.public().clone(),
            elements: answer.elements().to_vec(),
            proof: answer.proof().to_bytes().to_vec(),
            earlier: ours.evaluate(batch(count)?.blinded(), ONE)?,
            foreign: other.evaluate(&asked, ONE)?,
            asked,
        })
    }

    fn believed(&self, elements: &[u8], proof: &[u8]) -> bool {
        Evaluation::parse(elements, proof)
            .and_then(|answer| answer.verify(&self.public, &self.asked).map(|_verified| ()))
            .is_ok()
    }

    /// An answer that is wrong in one of ten ways.
    fn wrong(&self, way: u32) -> (&'static str, Vec<u8>, Vec<u8>) {
        let (mut elements, mut proof) = (self.elements.clone(), self.proof.clone());
        let flip = |bytes: &mut Vec<u8>| {
            let at = OsRng.next_u32() as usize % bytes.len();
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << below(8);
            }
        };
        let what = match way {
            0 => {
                flip(&mut elements);
                "changed element"
            }
            1 => {
                flip(&mut proof);
                "changed proof"
            }
            2 => {
                elements.truncate(below(u32::try_from(elements.len()).unwrap_or(1)) as usize);
                "truncated vector"
            }
            3 => {
                proof.truncate(below(64) as usize);
                "truncated proof"
            }
            4 => {
                elements.rotate_left(32);
                "another order"
            }
            5 => {
                elements = self.earlier.elements().to_vec();
                proof = self.earlier.proof().to_bytes().to_vec();
                "replayed answer"
            }
            6 => {
                elements = self.foreign.elements().to_vec();
                proof = self.foreign.proof().to_bytes().to_vec();
                "answer of another key"
            }
            7 => {
                proof = self.foreign.proof().to_bytes().to_vec();
                "proof of another key"
            }
            8 => {
                elements.splice(..32, self.foreign.elements().iter().take(32).copied());
                "one element of another key"
            }
            _ => {
                elements.extend_from_slice(&self.elements);
                "more elements than asked"
            }
        };
        (what, elements, proof)
    }
}

fn refuse(count: usize) -> Result<Counts, Fault> {
    let mut refused = BTreeMap::new();
    let mut case = Case::new()?;
    for n in 0..count {
        if n % 100 == 0 {
            case = Case::new()?;
            if !case.believed(&case.elements, &case.proof) {
                return Err("a right answer was refused".into());
            }
        }
        let (what, elements, proof) = case.wrong(below(10));
        if case.believed(&elements, &proof) {
            return Err(format!("believed: {what}").into());
        }
        *refused.entry(what).or_default() += 1;
    }
    Ok(refused)
}
