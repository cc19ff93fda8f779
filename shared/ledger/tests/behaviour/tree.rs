use ledger::digest::{Digest, Sha256};
use ledger::log_store::LogStore as _;
use ledger::memory::MemoryLog;
use ledger::record::LeafBytes;
use ledger::tree::{
    Frontier, ProofMismatch, consistency_proof, empty_root, inclusion_proof, leaf_hash, root_at,
    verify_consistency, verify_inclusion,
};
use proptest::prelude::*;

/// MTH of RFC 6962, section 2.1, word for word.
fn reference_root(leaves: &[Vec<u8>]) -> Digest {
    let mut hasher = Sha256::new();
    match leaves {
        [] => {}
        [leaf] => {
            hasher.update(&[0]);
            hasher.update(leaf);
        }
        _ => {
            let mut k = 1;
            while k * 2 < leaves.len() {
                k *= 2;
            }
            hasher.update(&[1]);
            hasher.update(reference_root(&leaves[..k]).as_bytes());
            hasher.update(reference_root(&leaves[k..]).as_bytes());
        }
    }
    hasher.finish()
}

/// PATH of RFC 6962, section 2.1.1, word for word.
fn reference_path(m: usize, leaves: &[Vec<u8>]) -> Vec<Digest> {
    if leaves.len() <= 1 {
        return Vec::new();
    }
    let k = leaves.len().next_power_of_two() / 2;
    let (mut path, other) = if m < k {
        (reference_path(m, &leaves[..k]), &leaves[k..])
    } else {
        (reference_path(m - k, &leaves[k..]), &leaves[..k])
    };
    path.push(reference_root(other));
    path
}

/// SUBPROOF of RFC 6962, section 2.1.2, word for word.
fn reference_subproof(m: usize, leaves: &[Vec<u8>], whole: bool) -> Vec<Digest> {
    if m == leaves.len() {
        return if whole { Vec::new() } else { vec![reference_root(leaves)] };
    }
    let k = leaves.len().next_power_of_two() / 2;
    let (mut proof, other) = if m <= k {
        (reference_subproof(m, &leaves[..k], whole), &leaves[k..])
    } else {
        (reference_subproof(m - k, &leaves[k..], false), &leaves[..k])
    };
    proof.push(reference_root(other));
    proof
}

fn leaves(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|i| format!("leaf {i}").into_bytes()).collect()
}

fn log(leaves: &[Vec<u8>]) -> MemoryLog {
    let mut log = MemoryLog::default();
    let bytes: Vec<_> = leaves.iter().map(|leaf| LeafBytes::new(leaf.clone()).unwrap()).collect();
    log.append(&log.head(), &bytes, &[]).unwrap();
    log
}

fn as_u64(n: usize) -> u64 {
    u64::try_from(n).unwrap()
}

/// The eight leaves and roots that Certificate Transparency's implementations are tested with.
#[test]
fn the_known_roots_of_certificate_transparency_are_met() {
    let known: [(&[u8], &str); 8] = [
        (&[], "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
        (&[0x00], "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
        (&[0x10], "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
        (&[0x20, 0x21], "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"),
        (&[0x30, 0x31], "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"),
        (
            &[0x40, 0x41, 0x42, 0x43],
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        ),
        (
            &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        ),
        (
            &[
                0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d,
                0x6e, 0x6f,
            ],
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ),
    ];
    let mut frontier = Frontier::new();
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(frontier.root().to_string(), empty);
    for (leaf, root) in known {
        frontier.push(leaf_hash(leaf), |_, _, _| ());
        assert_eq!(frontier.root().to_string(), root, "at size {}", frontier.size());
    }
}

#[test]
fn roots_and_proofs_agree_with_the_definition_for_every_size() {
    let leaves = leaves(70);
    let log = log(&leaves);
    for size in 0..=leaves.len() {
        let tree = &leaves[..size];
        assert_eq!(root_at(&log, as_u64(size)), Ok(reference_root(tree)));
        for index in 0..size {
            let proof = inclusion_proof(&log, as_u64(index), as_u64(size)).unwrap();
            assert_eq!(proof, reference_path(index, tree), "leaf {index} of {size}");
        }
        for old in 1..=size {
            let proof = consistency_proof(&log, as_u64(old), as_u64(size)).unwrap();
            assert_eq!(proof, reference_subproof(old, tree, true), "{old} to {size}");
        }
    }
}

#[test]
fn every_proof_up_to_300_leaves_verifies() {
    let leaves = leaves(300);
    let log = log(&leaves);
    let roots: Vec<Digest> = (0..=300).map(|size| root_at(&log, size).unwrap()).collect();
    let hashes: Vec<Digest> = leaves.iter().map(|leaf| leaf_hash(leaf)).collect();
    for size in 0..=300_usize {
        let (n, root) = (as_u64(size), &roots[size]);
        for (index, hash) in (0..).zip(&hashes[..size]) {
            let proof = inclusion_proof(&log, index, n).unwrap();
            verify_inclusion(index, n, root, hash, &proof).unwrap();
        }
        for (old, old_root) in (0..).zip(&roots[..=size]) {
            let proof = consistency_proof(&log, old, n).unwrap();
            verify_consistency(old, n, old_root, root, &proof).unwrap();
        }
    }
}

#[test]
fn what_lies_beyond_the_tree_is_refused() {
    let log = log(&leaves(5));
    assert!(inclusion_proof(&log, 5, 5).is_err());
    assert!(inclusion_proof(&log, 0, 6).is_err());
    assert!(consistency_proof(&log, 6, 5).is_err());
    let any = empty_root();
    assert!(matches!(
        verify_inclusion(5, 5, &any, &any, &[]),
        Err(ProofMismatch::OutOfRange { inner: 5, size: 5 })
    ));
    assert!(verify_consistency(6, 5, &any, &any, &[]).is_err());
    // The empty tree needs no proof, but its root is known.
    assert!(verify_consistency(0, 5, &leaf_hash(b""), &any, &[]).is_err());
    assert!(verify_consistency(0, 5, &any, &any, &[any]).is_err());
    assert!(verify_consistency(0, 0, &any, &leaf_hash(b""), &[]).is_err());
}

#[test]
fn huge_sizes_end_in_an_error_and_not_in_a_panic() {
    let any = empty_root();
    for proof in [vec![], vec![any; 63], vec![any; 64], vec![any; 65]] {
        assert!(verify_inclusion(u64::MAX - 1, u64::MAX, &any, &any, &proof).is_err());
        assert!(verify_consistency(u64::MAX - 1, u64::MAX, &any, &any, &proof).is_err());
        assert!(verify_consistency(1 << 63, u64::MAX, &any, &any, &proof).is_err());
    }
}

fn flip(digest: &Digest, bit: usize) -> Digest {
    let mut bytes = *digest.as_bytes();
    bytes[bit / 8 % 32] ^= 1 << (bit % 8);
    Digest::from_bytes(bytes)
}

proptest! {
    #[test]
    fn an_altered_inclusion_proof_is_refused(
        size in 1_u64..=300, at in any::<prop::sample::Index>(), bit in 0_usize..256,
        place in any::<prop::sample::Index>(),
    ) {
        let log = log(&leaves(usize::try_from(size).unwrap()));
        let index = u64::try_from(at.index(usize::try_from(size).unwrap())).unwrap();
        let root = log.head().root;
        let leaf = leaf_hash(log.leaf(index).unwrap().unwrap().as_slice());
        let proof = inclusion_proof(&log, index, size).unwrap();

        prop_assert!(verify_inclusion(index, size, &flip(&root, bit), &leaf, &proof).is_err());
        prop_assert!(verify_inclusion(index, size, &root, &flip(&leaf, bit), &proof).is_err());
        let longer = [proof.as_slice(), &[root]].concat();
        prop_assert!(verify_inclusion(index, size, &root, &leaf, &longer).is_err());
        for other in (0..size).filter(|other| *other != index) {
            prop_assert!(verify_inclusion(other, size, &root, &leaf, &proof).is_err());
        }
        if !proof.is_empty() {
            prop_assert!(verify_inclusion(index, size, &root, &leaf, &proof[1..]).is_err());
            let mut altered = proof.clone();
            let place = place.index(proof.len());
            altered[place] = flip(&proof[place], bit);
            prop_assert!(verify_inclusion(index, size, &root, &leaf, &altered).is_err());
        }
    }

    #[test]
    fn an_altered_consistency_proof_is_refused(
        size in 1_u64..=300, at in any::<prop::sample::Index>(), bit in 0_usize..256,
        place in any::<prop::sample::Index>(),
    ) {
        let log = log(&leaves(usize::try_from(size).unwrap()));
        let old = 1 + u64::try_from(at.index(usize::try_from(size).unwrap())).unwrap();
        let (old_root, root) = (root_at(&log, old).unwrap(), log.head().root);
        let proof = consistency_proof(&log, old, size).unwrap();

        prop_assert!(verify_consistency(old, size, &flip(&old_root, bit), &root, &proof).is_err());
        prop_assert!(verify_consistency(old, size, &old_root, &flip(&root, bit), &proof).is_err());
        let longer = [proof.as_slice(), &[root]].concat();
        prop_assert!(verify_consistency(old, size, &old_root, &root, &longer).is_err());
        if !proof.is_empty() {
            prop_assert!(verify_consistency(old, size, &old_root, &root, &proof[1..]).is_err());
            let mut altered = proof.clone();
            let place = place.index(proof.len());
            altered[place] = flip(&proof[place], bit);
            prop_assert!(verify_consistency(old, size, &old_root, &root, &altered).is_err());
        }
    }

    #[test]
    fn a_frontier_survives_its_bytes(size in 0_usize..300, cut in any::<prop::sample::Index>()) {
        let mut frontier = Frontier::new();
        for leaf in leaves(size) {
            frontier.push(leaf_hash(&leaf), |_, _, _| ());
        }
        let bytes = frontier.to_bytes();
        prop_assert_eq!(Frontier::from_bytes(&bytes), Ok(frontier));
        prop_assert!(Frontier::from_bytes(&bytes[..cut.index(bytes.len())]).is_err());
        prop_assert!(Frontier::from_bytes(&[bytes.as_slice(), &[0; 32]].concat()).is_err());
    }
}
