//! Known vectors, and the definition of RFC 6962 written down as it stands there.

use super::{
    Frontier, Hash, Head, Node, Nodes, ProofError, empty_root, leaf_hash, node_hash,
    prove_consistency, prove_inclusion, root, verify_consistency, verify_inclusion,
};
use mayag_protocol::names::{Digest, unhex};
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
use std::collections::HashMap;
use std::convert::Infallible;

/// `MTH` as RFC 6962, section 2.1, defines it.
fn naive(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        more => {
            let (left, right) = more.split_at(more.len().next_power_of_two() / 2);
            node_hash(&naive(left), &naive(right))
        }
    }
}

/// `PATH` of section 2.1.1.
fn naive_path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() <= 1 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    let (mut path, sibling) = if index < left.len() {
        (naive_path(index, left), naive(right))
    } else {
        (naive_path(index - left.len(), right), naive(left))
    };
    path.push(sibling);
    path
}

/// Whether the verifier has the root of the subtree: the `b` of `SUBPROOF`.
#[derive(Clone, Copy)]
enum Known {
    No,
    Yes,
}

/// `SUBPROOF` of section 2.1.2.
fn naive_subproof(old: usize, leaves: &[Hash], old_root: Known) -> Vec<Hash> {
    if old == leaves.len() {
        return match old_root {
            Known::No => vec![naive(leaves)],
            Known::Yes => Vec::new(),
        };
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    let (mut proof, sibling) = if old <= left.len() {
        (naive_subproof(old, left, old_root), naive(right))
    } else {
        (naive_subproof(old - left.len(), right, Known::No), naive(left))
    };
    proof.push(sibling);
    proof
}

/// The complete subtrees of a tree, as appending found them.
#[derive(Default)]
struct Kept(HashMap<(u32, u64), Hash>);

impl Nodes for Kept {
    type Error = Infallible;
    fn node(&mut self, height: u32, index: u64) -> Result<Hash, Infallible> {
        Ok(self.0[&(height, index)])
    }
}

fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(|n| leaf_hash(&n.to_le_bytes())).collect()
}

fn grow(leaves: &[Hash]) -> (Frontier, Kept) {
    let (mut frontier, mut kept) = (Frontier::default(), Kept::default());
    for leaf in leaves {
        frontier.push(*leaf, |Node { height, index, hash }| {
            assert_eq!(kept.0.insert((height, index), hash), None);
        });
    }
    (frontier, kept)
}

#[test]
fn roots_are_those_of_certificate_transparency() {
    // certificate-transparency, `merkletree/merkle_tree_test.cc`: inputs and roots of sizes 1 to 8.
    let inputs = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ];
    let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let mut frontier = Frontier::default();
    assert_eq!(
        Digest::from(frontier.root()).as_str(),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    for (input, root) in inputs.iter().zip(roots) {
        frontier.push(leaf_hash(&unhex(input).unwrap()), |_| ());
        assert_eq!(Digest::from(frontier.root()).as_str(), root);
    }
}

#[test]
fn a_known_inclusion_proof_is_made_and_verified() {
    // The same file's `path` test: leaf 5 (counted from 0) of the tree of 8.
    let inputs = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ];
    let leaves: Vec<Hash> = inputs.iter().map(|input| leaf_hash(&unhex(input).unwrap())).collect();
    let (frontier, mut kept) = grow(&leaves);
    let proof = prove_inclusion(&mut kept, 5, 8).unwrap();
    let hex: Vec<Digest> = proof.iter().map(|hash| Digest::from(*hash)).collect();
    let expected = [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ];
    assert_eq!(hex.iter().map(Digest::as_str).collect::<Vec<_>>(), expected);
    verify_inclusion(leaves[5], 5, 8, &frontier.root(), &proof).unwrap();
}

#[test]
fn every_proof_of_small_trees_is_the_one_of_the_definition_and_verifies() {
    let leaves = leaves(40);
    let (_, mut kept) = grow(&leaves);
    for size in 0..=40 {
        let tree = naive(&leaves[..usize::try_from(size).unwrap()]);
        assert_eq!(root(&mut kept, size).unwrap(), tree);
        assert_eq!(Frontier::of(&mut kept, size).unwrap().root(), tree);
        for index in 0..size {
            let (i, n) = (usize::try_from(index).unwrap(), usize::try_from(size).unwrap());
            let proof = prove_inclusion(&mut kept, index, size).unwrap();
            assert_eq!(proof, naive_path(i, &leaves[..n]));
            verify_inclusion(leaves[i], index, size, &tree, &proof).unwrap();
        }
        for old in 0..=size {
            let (m, n) = (usize::try_from(old).unwrap(), usize::try_from(size).unwrap());
            let proof = prove_consistency(&mut kept, old, size).unwrap();
            if 0 < old {
                assert_eq!(proof, naive_subproof(m, &leaves[..n], Known::Yes));
            }
            let (before, after) =
                (Head { size: old, root: naive(&leaves[..m]) }, Head { size, root: tree });
            verify_consistency(&before, &after, &proof).unwrap();
        }
    }
}

/// Whatever is changed about a proof or about what it is said to prove: it proves nothing any more.
#[test]
fn a_changed_proof_proves_nothing() {
    let leaves = leaves(13);
    let (frontier, mut kept) = grow(&leaves);
    let (size, tree) = (13, frontier.root());
    for index in 0..size {
        let leaf = leaves[usize::try_from(index).unwrap()];
        let proof = prove_inclusion(&mut kept, index, size).unwrap();
        let refused = |leaf, index, size, root: &Hash, proof: &[Hash]| {
            verify_inclusion(leaf, index, size, root, proof).unwrap_err()
        };
        for other in 0..size {
            if other != index {
                refused(leaf, other, size, &tree, &proof);
            }
        }
        refused(leaf_hash(b"other"), index, size, &tree, &proof);
        refused(leaf, index, size, &leaves[0], &proof);
        assert_eq!(refused(leaf, size, size, &tree, &proof), ProofError::Range);
        assert_eq!(refused(leaf, index, size, &tree, &proof[1..]), ProofError::Length);
        let longer = [proof.as_slice(), &[tree]].concat();
        assert_eq!(refused(leaf, index, size, &tree, &longer), ProofError::Length);
        for n in 0..proof.len() {
            let mut changed = proof.clone();
            changed[n] = leaf_hash(b"other");
            assert_eq!(refused(leaf, index, size, &tree, &changed), ProofError::Root);
        }
    }
    let new = Head { size, root: tree };
    for old in 1..size {
        let before = Head { size: old, root: root(&mut kept, old).unwrap() };
        let proof = prove_consistency(&mut kept, old, size).unwrap();
        let fork = Head { size: old, root: leaf_hash(b"fork") };
        verify_consistency(&fork, &new, &proof).unwrap_err();
        verify_consistency(&before, &fork, &proof).unwrap_err();
        verify_consistency(&before, &Head { size, root: fork.root }, &proof).unwrap_err();
        verify_consistency(&new, &before, &proof).unwrap_err();
        verify_consistency(&before, &new, &proof[1..]).unwrap_err();
        verify_consistency(&before, &new, &[proof.as_slice(), &[tree]].concat()).unwrap_err();
        for n in 0..proof.len() {
            let mut changed = proof.clone();
            changed[n] = leaf_hash(b"other");
            verify_consistency(&before, &new, &changed).unwrap_err();
        }
    }
    let nothing = Head { size: 0, root: empty_root() };
    verify_consistency(&nothing, &new, &[]).unwrap();
    verify_consistency(&nothing, &new, &[tree]).unwrap_err();
    verify_consistency(&Head { size: 0, root: tree }, &new, &[]).unwrap_err();
}

#[test]
fn a_frontier_can_be_put_down_and_taken_up() {
    let (mut frontier, _) = grow(&leaves(7));
    let mut again = Frontier::from_peaks(7, frontier.peaks().to_vec()).unwrap();
    again.push(leaf_hash(b"x"), |_| ());
    frontier.push(leaf_hash(b"x"), |_| ());
    assert_eq!((again.root(), again.size()), (frontier.root(), 8));
    assert_eq!(Frontier::from_peaks(7, vec![leaf_hash(b"x"); 2]), None);
}

#[test]
fn one_hash_has_one_text() {
    let hash = leaf_hash(b"x");
    let text = hash.to_string();
    assert_eq!(text.parse(), Ok(hash));
    assert_eq!(Hash::try_from(&Digest::from(hash)), Ok(hash));
    // The last digit before the padding has two spare bits.
    let spare = text.replace('=', "");
    let last = spare.chars().last().unwrap();
    let other = char::from(u8::try_from(last).unwrap() + 1);
    for refused in [
        spare.clone(),
        format!("{}{other}=", spare.strip_suffix(last).unwrap()),
        format!("{text}\n"),
    ] {
        refused.parse::<Hash>().unwrap_err();
    }
}

proptest! {
    #[test]
    fn appending_and_proving_agree_with_the_definition(size in 1u64..700, at in any::<u64>(), older in any::<u64>()) {
        let leaves = leaves(size);
        let (frontier, mut kept) = grow(&leaves);
        let tree = naive(&leaves);
        prop_assert_eq!(frontier.root(), tree);
        let index = at % size;
        let i = usize::try_from(index).unwrap();
        let proof = prove_inclusion(&mut kept, index, size).unwrap();
        prop_assert_eq!(&proof, &naive_path(i, &leaves));
        prop_assert!(verify_inclusion(leaves[i], index, size, &tree, &proof).is_ok());
        let old = 1 + older % size;
        let before = Head { size: old, root: naive(&leaves[..usize::try_from(old).unwrap()]) };
        let proof = prove_consistency(&mut kept, old, size).unwrap();
        let after = Head { size, root: tree };
        prop_assert!(verify_consistency(&before, &after, &proof).is_ok());
    }
}
