//! The same by another's code: the crate `voprf`, whose answers ours must be, and which must accept our proofs.

use super::{Blinding, Blinds, Elements, Evaluation, SecretKey, blind};
use crate::input::Input;
use curve25519_dalek::scalar::Scalar;
use rand_core_06::{OsRng, RngCore as _};
use std::num::NonZero;
use voprf::{BlindedElement, EvaluationElement, Proof, Ristretto255, VoprfClient, VoprfServer};
use zeroize::Zeroizing;

type Client = VoprfClient<Ristretto255>;
type Server = VoprfServer<Ristretto255>;

const ONE: NonZero<usize> = NonZero::<usize>::MIN;

fn random_inputs(count: usize) -> Vec<Vec<u8>> {
    (0..count)
        .map(|_| {
            let mut input = vec![0; usize::try_from(OsRng.next_u32() % 80).unwrap()];
            OsRng.fill_bytes(&mut input);
            input
        })
        .collect()
}

/// A batch through both, in each of the four pairings of who blinds and who evaluates.
fn agree_on(count: usize) {
    let (mut seed, mut info) = ([0; 32], [0; 24]);
    OsRng.fill_bytes(&mut seed);
    OsRng.fill_bytes(&mut info);
    let ours = SecretKey::derive_for(&seed, &info).unwrap();
    let theirs = Server::new_from_seed(&seed, &info).unwrap();
    assert_eq!(theirs.get_public_key().compress().as_bytes(), ours.public().as_bytes());

    let raw = random_inputs(count);
    let inputs: Vec<Input> = raw.iter().map(|input| Input::raw(input)).collect();
    let clients: Vec<_> =
        raw.iter().map(|input| Client::blind(input, &mut OsRng).unwrap()).collect();
    let scalars = clients.iter().map(|client| {
        Scalar::from_canonical_bytes(client.state.serialize()[..32].try_into().unwrap()).unwrap()
    });
    let blinds = Blinds::of(Blinding::Multiplicative, Zeroizing::new(scalars.collect())).unwrap();
    let blinded = blind(&inputs, &blinds).unwrap();
    let messages: Vec<BlindedElement<Ristretto255>> =
        clients.iter().map(|client| client.message.clone()).collect();
    let their_bytes: Vec<u8> = messages.iter().flat_map(BlindedElement::serialize).collect();
    assert_eq!(blinded.to_bytes(), their_bytes);

    let evaluation = ours.evaluate(&blinded, ONE).unwrap();
    let answer = theirs.batch_blind_evaluate(&mut OsRng, &messages).unwrap();
    let evaluated: Vec<u8> =
        answer.messages.iter().flat_map(EvaluationElement::serialize).collect();
    assert_eq!(evaluation.elements(), evaluated);

    // Their proof to us, our proof to them.
    let read = Evaluation::parse(&evaluated, &answer.proof.serialize()).unwrap();
    let outputs = blinds.finalize(&inputs, &read.verify(ours.public(), &blinded).unwrap(), ONE);
    let elements: Vec<EvaluationElement<Ristretto255>> = evaluation
        .elements()
        .chunks(32)
        .map(|element| EvaluationElement::deserialize(element).unwrap())
        .collect();
    let proof = Proof::deserialize(&evaluation.proof().to_bytes()).unwrap();
    let states: Vec<Client> = clients.iter().map(|client| client.state.clone()).collect();
    let names: Vec<&[u8]> = raw.iter().map(Vec::as_slice).collect();
    let their_outputs: Vec<_> =
        Client::batch_finalize(&names, &states, &elements, &proof, theirs.get_public_key())
            .unwrap()
            .collect();
    assert_eq!(outputs.len(), count);
    for ((output, theirs_), (raw, input)) in
        outputs.iter().zip(their_outputs).zip(raw.iter().zip(&inputs))
    {
        assert_eq!(output.as_bytes().as_slice(), &theirs_.unwrap()[..]);
        assert_eq!(output.as_bytes().as_slice(), &theirs.evaluate(raw).unwrap()[..]);
        assert_eq!(output.as_bytes(), ours.output(input).as_bytes());
    }
}

#[test]
fn another_implementation_agrees() {
    for count in [1, 1, 1, 2, 3, 17, 100] {
        agree_on(count);
    }
}

/// Random bytes are an element for both or for neither.
#[test]
fn another_implementation_decodes_the_same() {
    for _ in 0..2_000 {
        let mut bytes = [0; 32];
        OsRng.fill_bytes(&mut bytes);
        bytes[31] &= 0x7f;
        bytes[0] &= 0xfe;
        let theirs = BlindedElement::<Ristretto255>::deserialize(&bytes).is_ok();
        assert_eq!(Elements::parse(&bytes).is_ok(), theirs);
    }
}
