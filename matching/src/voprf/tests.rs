//! The vectors of RFC 9497, appendix A.1, and what a proof refuses.

use super::blinding::finalize;
use super::suite::expand_message_xmd;
use super::{
    Blinding, Blinds, ElementError, Elements, Evaluation, ProofError, PublicKey, SecretKey, Seed,
    blind,
};
use crate::input::{Input, Rules};
use crate::scope::Scope;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use mayag_protocol::names::{hex, unhex};
use std::num::NonZero;
use zeroize::Zeroizing;

const ONE: NonZero<usize> = NonZero::<usize>::MIN;

/// A test vector; its batch in the order of the RFC.
struct Vector {
    inputs: &'static [&'static str],
    blinds: &'static [&'static str],
    blinded: &'static [&'static str],
    evaluated: &'static [&'static str],
    proof: &'static str,
    nonce: &'static str,
    outputs: &'static [&'static str],
}

const PRIVATE: &str = "e6f73f344b79b379f1a0dd37e07ff62e38d9f71345ce62ae3a9bc60b04ccd909";
const PUBLIC: &str = "c803e2cc6b05fc15064549b5920659ca4a77b2cca6f04f6b357009335476ad4e";
const BLIND: &str = "64d37aed22a27f5191de1c1d69fadb899d8862b58eb4220029e036ec4c1f6706";
const SECOND_BLIND: &str = "222a5e897cf59db8145db8d16e597e8facb80ae7d4e26d9881aa6f61d645fc0e";
const LONG_INPUT: &str = "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";
const OUTPUT: &str = "b58cfbe118e0cb94d79b5fd6a6dafb98764dff49c14e1770b566e42402da1a7da4d8527693914139caee5bd03903af43a491351d23b430948dd50cde10d32b3c";
const LONG_OUTPUT: &str = "8a9a2f3c7f085b65933594309041fc1898d42d0858e59f90814ae90571a6df60356f4610bf816f27afdd84f47719e480906d27ecd994985890e5f539e7ea74b6";

const VECTORS: [Vector; 3] = [
    Vector {
        inputs: &["00"],
        blinds: &[BLIND],
        blinded: &["863f330cc1a1259ed5a5998a23acfd37fb4351a793a5b3c090b642ddc439b945"],
        evaluated: &["aa8fa048764d5623868679402ff6108d2521884fa138cd7f9c7669a9a014267e"],
        proof: "ddef93772692e535d1a53903db24367355cc2cc78de93b3be5a8ffcc6985dd066d4346421d17bf5117a2a1ff0fcb2a759f58a539dfbe857a40bce4cf49ec600d",
        nonce: "222a5e897cf59db8145db8d16e597e8facb80ae7d4e26d9881aa6f61d645fc0e",
        outputs: &[OUTPUT],
    },
    Vector {
        inputs: &[LONG_INPUT],
        blinds: &[BLIND],
        blinded: &["cc0b2a350101881d8a4cba4c80241d74fb7dcbfde4a61fde2f91443c2bf9ef0c"],
        evaluated: &["60a59a57208d48aca71e9e850d22674b611f752bed48b36f7a91b372bd7ad468"],
        proof: "401a0da6264f8cf45bb2f5264bc31e109155600babb3cd4e5af7d181a2c9dc0a67154fabf031fd936051dec80b0b6ae29c9503493dde7393b722eafdf5a50b02",
        nonce: "222a5e897cf59db8145db8d16e597e8facb80ae7d4e26d9881aa6f61d645fc0e",
        outputs: &[LONG_OUTPUT],
    },
    Vector {
        inputs: &["00", LONG_INPUT],
        blinds: &[BLIND, SECOND_BLIND],
        blinded: &[
            "863f330cc1a1259ed5a5998a23acfd37fb4351a793a5b3c090b642ddc439b945",
            "90a0145ea9da29254c3a56be4fe185465ebb3bf2a1801f7124bbbadac751e654",
        ],
        evaluated: &[
            "aa8fa048764d5623868679402ff6108d2521884fa138cd7f9c7669a9a014267e",
            "cc5ac221950a49ceaa73c8db41b82c20372a4c8d63e5dded2db920b7eee36a2a",
        ],
        proof: "cc203910175d786927eeb44ea847328047892ddf8590e723c37205cb74600b0a5ab5337c8eb4ceae0494c2cf89529dcf94572ed267473d567aeed6ab873dee08",
        nonce: "419c4f4f5052c53c45f3da494d2b67b220d02118e0857cdbcf037f9ea84bbe0c",
        outputs: &[OUTPUT, LONG_OUTPUT],
    },
];

fn scalar(text: &str) -> Scalar {
    Scalar::from_canonical_bytes(unhex(text).unwrap().try_into().unwrap()).unwrap()
}

fn key() -> SecretKey {
    SecretKey::derive_for(&[0xa3; 32], b"test key").unwrap()
}

#[test]
fn keys_are_those_of_the_rfc() {
    assert_eq!(hex(key().scalar().as_bytes()), PRIVATE);
    assert_eq!(hex(key().public().as_bytes()), PUBLIC);
    let read = PublicKey::from_bytes(unhex(PUBLIC).unwrap().try_into().unwrap());
    assert!(read.unwrap() == *key().public());
}

#[test]
fn every_vector_of_the_rfc_is_met() {
    for vector in &VECTORS {
        let inputs: Vec<Input> =
            vector.inputs.iter().map(|input| Input::raw(&unhex(input).unwrap())).collect();
        let scalars = Zeroizing::new(vector.blinds.iter().map(|blind| scalar(blind)).collect());
        let blinds = Blinds::of(Blinding::Multiplicative, scalars).unwrap();
        let blinded = blind(&inputs, &blinds).unwrap();
        assert_eq!(hex(&blinded.to_bytes()), vector.blinded.concat());

        let evaluation = key().evaluate(&blinded, ONE).unwrap();
        assert_eq!(hex(evaluation.elements()), vector.evaluated.concat());
        let (elements, []) = evaluation.elements().as_chunks::<32>() else { panic!() };
        let proof = key().prove(&blinded, elements, &scalar(vector.nonce));
        assert_eq!(hex(&proof.to_bytes()), vector.proof);

        let read = Evaluation::parse(evaluation.elements(), &unhex(vector.proof).unwrap()).unwrap();
        for evaluation in [read, evaluation] {
            let verified = evaluation.verify(key().public(), &blinded).unwrap();
            let outputs = blinds.finalize(&inputs, &verified, ONE);
            let outputs: Vec<String> =
                outputs.iter().map(|output| hex(output.as_bytes())).collect();
            assert_eq!(outputs, vector.outputs);
        }
        for (input, output) in inputs.iter().zip(vector.outputs) {
            assert_eq!(hex(key().output(input).as_bytes()), *output);
        }
    }
}

/// Appendix A.1.1: the mode without proofs, which nothing here uses, and which has the same hashes under other domains.
#[test]
fn the_vectors_of_the_mode_without_proofs_are_met() {
    const DERIVE: &[u8] = b"DeriveKeyPairOPRFV1-\x00-ristretto255-SHA512";
    const GROUP: &[u8] = b"HashToGroup-OPRFV1-\x00-ristretto255-SHA512";
    let parts: [&[u8]; 4] = [&[0xa3; 32], &[0, 8], b"test key", &[0]];
    let key = Scalar::from_bytes_mod_order_wide(&expand_message_xmd(&parts, DERIVE));
    assert_eq!(
        hex(key.as_bytes()),
        "5ebcea5ee37023ccb9fc2d2019f9d7737be85591ae8652ffa9ef0f4d37063b0e"
    );
    for [input, blinded, evaluated, output] in [
        [
            "00",
            "609a0ae68c15a3cf6903766461307e5c8bb2f95e7e6550e1ffa2dc99e412803c",
            "7ec6578ae5120958eb2db1745758ff379e77cb64fe77b0b2d8cc917ea0869c7e",
            "527759c3d9366f277d8c6020418d96bb393ba2afb20ff90df23fb7708264e2f3ab9135e3bd69955851de4b1f9fe8a0973396719b7912ba9ee8aa7d0b5e24bcf6",
        ],
        [
            LONG_INPUT,
            "da27ef466870f5f15296299850aa088629945a17d1f5b7f5ff043f76b3c06418",
            "b4cbf5a4f1eeda5a63ce7b77c7d23f461db3fcab0dd28e4e17cecb5c90d02c25",
            "f4a74c9c592497375e796aa837e907b1a045d34306a749db9f34221f7e750cb4f2a6413a6bf6fa5e19ba6348eb673934a722a7ede2e7621306d18951e7cf2c73",
        ],
    ] {
        let input = unhex(input).unwrap();
        let point = RistrettoPoint::from_uniform_bytes(&expand_message_xmd(&[&input], GROUP));
        let encoded = |scalar: Scalar| hex((point * scalar).compress().as_bytes());
        assert_eq!(encoded(scalar(BLIND)), blinded);
        assert_eq!(encoded(scalar(BLIND) * key), evaluated);
        let unblinded = (point * key).compress().to_bytes();
        assert_eq!(hex(finalize(&Input::raw(&input), &unblinded).as_bytes()), output);
    }
}

/// `count` blinded elements of some inputs.
fn blinded(count: u64) -> (Vec<Input>, Blinds, Elements) {
    let inputs: Vec<Input> = (0..count).map(|n| Input::raw(&n.to_be_bytes())).collect();
    let scalars = (1..=count).map(|n| Scalar::from(n) * scalar(BLIND)).collect();
    let blinds = Blinds::of(Blinding::Multiplicative, Zeroizing::new(scalars)).unwrap();
    let blinded = blind(&inputs, &blinds).unwrap();
    (inputs, blinds, blinded)
}

#[test]
fn each_scope_has_a_key_of_its_own() {
    let rules = |version| Rules { kind: "passport".parse().unwrap(), version };
    let scope = |node: &str, table: &str, epoch, version| Scope {
        node: node.parse().unwrap(),
        table: table.parse().unwrap(),
        epoch,
        rules: rules(version),
    };
    let (kr, be) = ("spiffe://demo/country/kr/node", "spiffe://demo/country/be/node");
    let scopes = [
        scope(kr, "documents", 1, 1),
        scope(be, "documents", 1, 1),
        scope(kr, "persons", 1, 1),
        scope(kr, "documents", 11, 1),
        scope(kr, "documents", 1, 11),
    ];
    let seed = Seed::from_bytes([7; 32]);
    let keys: Vec<[u8; 32]> = scopes
        .iter()
        .map(|scope| *SecretKey::derive(&seed, scope).unwrap().public().as_bytes())
        .collect();
    for (n, key) in keys.iter().enumerate() {
        assert!(!keys[n + 1..].contains(key));
    }
    let again = SecretKey::derive(&Seed::from_bytes([7; 32]), &scopes[0]).unwrap();
    assert_eq!(*again.public().as_bytes(), keys[0]);
    let other = SecretKey::derive(&Seed::generate().unwrap(), &scopes[0]).unwrap();
    assert_ne!(*other.public().as_bytes(), keys[0]);
}

#[test]
fn no_element_is_the_identity_or_undecodable() {
    let (_, _, good) = blinded(3);
    let bytes = good.to_bytes();
    assert_eq!(Elements::parse(&bytes).unwrap(), good);
    assert_eq!(Elements::parse(&[]), Err(ElementError::Count));
    assert_eq!(Elements::parse(&bytes[..95]), Err(ElementError::Length));
    assert_eq!(Elements::parse(&vec![1; 32 * 65_536]), Err(ElementError::Count));
    let with = |element: &[u8; 32]| {
        let mut bytes = bytes.clone();
        bytes[32..64].copy_from_slice(element);
        Elements::parse(&bytes)
    };
    assert_eq!(with(&[0; 32]), Err(ElementError::Identity));
    // RFC 9496, appendix A.3: not canonical, negative, not square.
    for bad in [
        "00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371",
    ] {
        let bad = unhex(bad).unwrap().try_into().unwrap();
        assert_eq!(with(&bad), Err(ElementError::Undecodable));
        PublicKey::from_bytes(bad).unwrap_err();
    }
    PublicKey::from_bytes([0; 32]).unwrap_err();
    for blinding in [Blinding::Additive, Blinding::Multiplicative] {
        let scalars = Zeroizing::new(vec![Scalar::ONE, Scalar::ZERO]);
        assert!(Blinds::of(blinding, scalars).is_none());
    }
}

#[test]
fn workers_change_nothing_but_the_time() {
    let (inputs, blinds, blinded) = blinded(200);
    let three = NonZero::new(3).unwrap();
    let (one, more) =
        (key().evaluate(&blinded, ONE).unwrap(), key().evaluate(&blinded, three).unwrap());
    assert_eq!(one.elements(), more.elements());
    assert_ne!(one.proof(), more.proof(), "a proof is never made with the same scalar twice");
    let verified = more.verify(key().public(), &blinded).unwrap();
    let outputs = |workers| {
        let outputs = blinds.finalize(&inputs, &verified, workers);
        outputs.iter().map(|output| *output.as_bytes()).collect::<Vec<_>>()
    };
    assert_eq!(outputs(ONE), outputs(three));
    assert_eq!(outputs(ONE)[199], *key().output(&inputs[199]).as_bytes());
}

#[test]
fn outputs_do_not_depend_on_how_elements_are_hidden() {
    // Fewer than are worth a table of the key, and more.
    for count in [1, 2, 31, 32, 40] {
        let inputs: Vec<Input> = (0..count).map(|n: u8| Input::raw(&[n])).collect();
        let hidden = [Blinding::Additive, Blinding::Multiplicative].map(|blinding| {
            let scalars = (1..=count).map(|n| Scalar::from(n) * scalar(BLIND)).collect();
            let blinds = Blinds::of(blinding, Zeroizing::new(scalars)).unwrap();
            let blinded = blind(&inputs, &blinds).unwrap();
            assert_eq!(Elements::parse(&blinded.to_bytes()).unwrap(), blinded);
            let evaluation = key().evaluate(&blinded, ONE).unwrap();
            let verified = evaluation.verify(key().public(), &blinded).unwrap();
            for (input, output) in inputs.iter().zip(blinds.finalize(&inputs, &verified, ONE)) {
                assert_eq!(output.as_bytes(), key().output(input).as_bytes());
            }
            blinded.to_bytes()
        });
        assert_ne!(hidden[0], hidden[1]);
    }
}

#[test]
fn whatever_is_changed_in_an_answer_is_refused() {
    let (_, _, asked) = blinded(4);
    let evaluation = key().evaluate(&asked, ONE).unwrap();
    let (elements, proof) = (evaluation.elements().to_vec(), evaluation.proof().to_bytes());
    let verify = |elements: &[u8], proof: &[u8]| {
        Evaluation::parse(elements, proof)?.verify(key().public(), &asked).map(|_verified| ())
    };
    verify(&elements, &proof).unwrap();
    for bit in 0..elements.len() * 8 {
        let mut changed = elements.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(verify(&changed, &proof).is_err(), "element bit {bit}");
    }
    for bit in 0..proof.len() * 8 {
        let mut changed = proof;
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(verify(&elements, &changed).is_err(), "proof bit {bit}");
    }
    for cut in 0..elements.len() {
        assert!(verify(&elements[..cut], &proof).is_err());
    }
    for cut in 0..proof.len() {
        assert_eq!(verify(&elements, &proof[..cut]), Err(ProofError::Malformed));
    }
    // The same scalars in another form, which the arithmetic would take for them: the order of the group added.
    let order = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
    for half in [0, 32] {
        let (mut changed, mut carry) = (proof, 0);
        for (byte, added) in changed[half..half + 32].iter_mut().zip(unhex(order).unwrap()) {
            let sum = u16::from(*byte) + u16::from(added) + carry;
            (*byte, carry) = (sum.to_le_bytes()[0], sum >> 8);
        }
        assert_eq!(verify(&elements, &changed), Err(ProofError::Malformed));
    }
    let mut swapped = elements.clone();
    swapped[..64].rotate_left(32);
    assert_eq!(verify(&swapped, &proof), Err(ProofError::Refuted));
    let doubled = [&elements[..96], &elements[..32]].concat();
    assert_eq!(verify(&doubled, &proof), Err(ProofError::Refuted));
    assert_eq!(verify(&[&elements[..], &elements[..32]].concat(), &proof), Err(ProofError::Count));
    assert_eq!(verify(&asked.to_bytes(), &proof), Err(ProofError::Refuted));
    assert_eq!(verify(&elements, &[0; 64]), Err(ProofError::Refuted));
}

#[test]
fn an_answer_of_another_key_or_to_another_question_is_refused() {
    let other = SecretKey::derive_for(&[0xa3; 32], b"another key").unwrap();
    let ((_, _, asked), (_, _, longer)) = (blinded(3), blinded(4));
    let rest = Elements::parse(&longer.to_bytes()[32..]).unwrap();
    let ours = key().evaluate(&asked, ONE).unwrap();
    ours.verify(key().public(), &asked).unwrap();
    let refuted = |evaluation: &Evaluation, key: &SecretKey, asked: &Elements| {
        assert_eq!(evaluation.verify(key.public(), asked).err(), Some(ProofError::Refuted));
    };
    refuted(&ours, &other, &asked);
    refuted(&ours, &key(), &rest);
    let theirs = other.evaluate(&asked, ONE).unwrap();
    refuted(&theirs, &key(), &asked);
    // One element of another key among honest ones, under an honest proof of the rest.
    let mut mixed = ours.elements().to_vec();
    mixed[..32].copy_from_slice(&theirs.elements()[..32]);
    let mixed = Evaluation::parse(&mixed, &ours.proof().to_bytes()).unwrap();
    refuted(&mixed, &key(), &asked);
    let (elements, []) = mixed.elements().as_chunks::<32>() else { panic!() };
    let proof = key().prove(&asked, elements, &scalar(BLIND)).to_bytes();
    refuted(&Evaluation::parse(mixed.elements(), &proof).unwrap(), &key(), &asked);
}
