use std::sync::LazyLock;

use ledger::checkpoint::{
    CompareError, Contradiction, ContradictionError, LogIdentity, SignedCheckpoint,
};
use ledger::digest::{Digest, sha256};
use ledger::record::{Body, Canonical as _, Contradicted, Leaf, LeafBytes, Record};
use ledger::signing::SigningKey;
use ledger::time::Timestamp;
use ledger::tree::{Frontier, Head, LeafHashes, leaf_hash};
use proptest::prelude::*;

use crate::fixture::{bodies, digest, key, name};

fn genesis_leaf() -> LeafBytes {
    let record =
        Record { at: Timestamp::default(), author: key(1).public(), body: bodies().remove(0) };
    record.sign(&key(1), &Digest::ZERO).unwrap().into_bytes()
}

fn log() -> LogIdentity {
    let key = match &bodies()[0] {
        Body::Genesis(genesis) => genesis.log_key,
        _ => unreachable!("the first body is the Genesis"),
    };
    LogIdentity { genesis: sha256(genesis_leaf().as_slice()), key }
}

/// The key of [`log`].
static LOG_KEY: LazyLock<SigningKey> = LazyLock::new(|| {
    let expected = log().key;
    (0..=u8::MAX).map(key).find(|key| key.public() == expected).unwrap()
});

/// `size` leaf hashes, other than the common ones from `fork` on.
fn leaves(size: usize, fork: usize) -> Vec<Digest> {
    (0..size).map(|at| leaf_hash(&[u8::from(at >= fork), u8::try_from(at).unwrap()])).collect()
}

fn head(leaves: &[Digest]) -> Head {
    let mut frontier = Frontier::default();
    for leaf in leaves {
        frontier.push(*leaf, |_, _, _| ());
    }
    frontier.head()
}

fn signed(leaves: &[Digest]) -> SignedCheckpoint {
    SignedCheckpoint::sign(&log().genesis, head(leaves), &LOG_KEY).unwrap()
}

fn between(one: &[Digest], other: &[Digest]) -> Option<Contradiction> {
    let larger = if one.len() > other.len() { one } else { other };
    Contradiction::between(&genesis_leaf(), &signed(one), &signed(other), &LeafHashes(larger))
        .unwrap()
}

#[test]
fn two_histories_convict_by_the_file_alone() {
    for (small, large, fork) in [(1, 1, 0), (7, 7, 3), (1, 2, 0), (4, 9, 3), (5, 8, 4), (6, 64, 0)]
    {
        let (one, other) = (leaves(small, usize::MAX), leaves(large, fork));
        for found in [between(&one, &other), between(&other, &one)] {
            let read = Contradiction::from_text(&found.unwrap().to_text()).unwrap();
            let convicted = read.verify().unwrap();
            assert_eq!(convicted.log, log());
            let heads = [convicted.smaller.head(), convicted.larger.head()];
            assert!(heads.contains(&head(&one)) && heads.contains(&head(&other)));
            assert!(heads[0].size <= heads[1].size);
            assert_ne!(convicted.root_at_smaller, convicted.smaller.head().root);
        }
    }
}

#[test]
fn heads_that_are_not_the_logs_own_convict_nobody() {
    let found = between(&leaves(4, usize::MAX), &leaves(9, 2)).unwrap();
    let verified = |changed: Contradiction| changed.verify().unwrap_err();
    let other_key = SignedCheckpoint::sign(&log().genesis, head(&leaves(4, 1)), &key(77)).unwrap();
    let smaller = other_key.text().to_owned();
    assert!(matches!(
        verified(Contradiction { smaller, ..found.clone() }),
        ContradictionError::Checkpoint { which: "smaller", .. }
    ));
    let other_log = SignedCheckpoint::sign(&sha256(b"other"), head(&leaves(9, 1)), &LOG_KEY);
    let larger = other_log.unwrap().text().to_owned();
    assert!(matches!(
        verified(Contradiction { larger, ..found.clone() }),
        ContradictionError::Checkpoint { which: "larger", .. }
    ));
    let not_genesis =
        Record { at: Timestamp::default(), author: key(1).public(), body: bodies().remove(1) };
    let genesis_leaf = not_genesis.sign(&key(1), &Digest::ZERO).unwrap().into_bytes();
    assert!(matches!(
        verified(Contradiction { genesis_leaf, ..found.clone() }),
        ContradictionError::Genesis { .. }
    ));
    let swapped = Contradiction {
        smaller: found.larger.clone(),
        larger: found.smaller.clone(),
        ..found.clone()
    };
    assert!(matches!(verified(swapped), ContradictionError::Shape(_)));
    let without = Contradiction { path: None, ..found.clone() };
    assert!(matches!(verified(without), ContradictionError::Shape(_)));
    let equal = between(&leaves(4, usize::MAX), &leaves(4, 2)).unwrap();
    let path = found.path;
    assert!(matches!(verified(Contradiction { path, ..equal }), ContradictionError::Shape(_)));
}

#[test]
fn the_genesis_is_the_one_that_is_named_and_signed() {
    let found = between(&leaves(4, usize::MAX), &leaves(9, 2)).unwrap();
    let named = found.to_text().replacen(&log().genesis.to_string(), &Digest::ZERO.to_string(), 1);
    assert!(matches!(Contradiction::from_text(&named), Err(ContradictionError::Genesis { .. })));
    let leaf: Leaf = Leaf::decode(genesis_leaf().as_slice()).unwrap();
    let unsigned = leaf.record().clone().with_signature(key(2).sign(b"another")).unwrap();
    let genesis = unsigned.digest();
    let head = |leaves: &[Digest]| SignedCheckpoint::sign(&genesis, head(leaves), &LOG_KEY);
    let forged = Contradiction {
        genesis_leaf: unsigned.into_bytes(),
        smaller: head(&leaves(4, 1)).unwrap().text().to_owned(),
        larger: head(&leaves(4, 2)).unwrap().text().to_owned(),
        path: None,
    };
    assert!(matches!(forged.verify(), Err(ContradictionError::Leaf(_))));
}

#[test]
fn the_tree_must_be_the_one_under_the_larger_head() {
    let (one, other) = (leaves(4, usize::MAX), leaves(9, 2));
    let wrong = leaves(9, usize::MAX);
    let compared = Contradiction::between(
        &genesis_leaf(),
        &signed(&one),
        &signed(&other),
        &LeafHashes(&wrong),
    );
    assert!(matches!(compared, Err(CompareError::OtherTree { .. })));
    let short = Contradiction::between(
        &genesis_leaf(),
        &signed(&one),
        &signed(&other),
        &LeafHashes(&wrong[..5]),
    );
    assert!(matches!(short, Err(CompareError::Tree(_))));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn an_honest_log_is_never_convicted(small in 0_usize..70, more in 0_usize..70) {
        let (one, other) = (leaves(small, usize::MAX), leaves(small + more, usize::MAX));
        prop_assert_eq!(between(&one, &other), None);
        // Nor by a file that claims it all the same.
        let claimed = Contradiction {
            genesis_leaf: genesis_leaf(),
            smaller: signed(&one).text().to_owned(),
            larger: signed(&other).text().to_owned(),
            path: (more > 0).then(|| ledger::checkpoint::ConsistencyPath {
                root_at_smaller: head(&one).root,
                consistency: ledger::tree::consistency_proof(
                    &LeafHashes(&other), one.len() as u64, other.len() as u64,
                ).unwrap(),
            }),
        };
        prop_assert_eq!(claimed.verify().unwrap_err(), ContradictionError::NoContradiction);
        // Whatever root and hashes it names.
        for seed in 0..8_u8 {
            let path = claimed.path.clone().map(|mut path| {
                let at = usize::from(seed) % (path.consistency.len() + 1);
                match path.consistency.get_mut(at) {
                    Some(hash) => *hash = sha256(&[seed]),
                    None => path.root_at_smaller = sha256(&[seed]),
                }
                path
            });
            let forged = Contradiction { path, ..claimed.clone() };
            prop_assert!(forged.verify().is_err());
        }
    }

    #[test]
    fn no_changed_byte_convicts_of_anything_else(at in any::<prop::sample::Index>(), flip in 1_u8..128) {
        let found = between(&leaves(6, usize::MAX), &leaves(21, 4)).unwrap();
        let convicted = found.verify().unwrap();
        let mut bytes = found.to_text().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        let text = String::from_utf8(bytes).unwrap_or_default();
        // White space between the fields says nothing.
        if let Ok(again) = Contradiction::from_text(&text).and_then(|read| read.verify()) {
            prop_assert_eq!(again, convicted);
        }
    }
}

#[test]
fn what_a_member_hands_in_is_the_file_again() {
    let honest = leaves(9, usize::MAX);
    for other in [leaves(9, 4), leaves(12, 4), leaves(6, 2)] {
        let file = between(&honest, &other).unwrap();
        let found = Contradicted::hand_in(name("bank-a"), &file).unwrap();
        found.verify(&log().genesis).unwrap();
        assert_eq!(found.log_key, log().key);
        let bytes = found.encode();
        assert_eq!(Contradicted::decode(&bytes), Ok(found.clone()));
        let again = found.to_file(&genesis_leaf()).unwrap();
        again.verify().unwrap();
        // Of two heads of one size the order is that of the roots.
        let texts = |file: &Contradiction| {
            let mut texts = [file.smaller.clone(), file.larger.clone()];
            texts.sort();
            texts
        };
        assert_eq!((texts(&again), &again.path), (texts(&file), &file.path));
        // The pair is the same, whoever hands it in.
        let by_other = Contradicted { institution: name("bank-b"), ..found.clone() };
        assert_eq!(by_other.pair(), found.pair());
        assert!(found.verify(&digest(3)).is_err(), "it is about one log");
        let swapped =
            Contradicted { smaller: found.larger, larger: found.smaller, ..found.clone() };
        assert!(Contradicted::decode(&swapped.encode()).is_err(), "one pair has one order");
        let of_another_key = Contradicted { log_key: key(3).public(), ..found };
        assert!(of_another_key.verify(&log().genesis).is_err());
    }
}
