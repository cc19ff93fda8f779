//! Proofs that a tree only grew.

use super::range::{range_root, split};
use super::{HashSource, ProofError, ProofMismatch, empty_root, node_hash};
use crate::digest::Digest;

/// The proof that the tree of `old` leaves is the beginning of the tree of `size` leaves
/// ([RFC 9162], section 2.1.4.1). Empty if `old` is 0 or `size`.
///
/// # Errors
///
/// [`ProofError::OutOfRange`] if `old > size`; [`ProofError::Source`] if a node cannot be read.
pub fn consistency_proof<S: HashSource>(
    source: &S,
    old: u64,
    size: u64,
) -> Result<Vec<Digest>, ProofError<S::Error>> {
    if old > size {
        return Err(ProofError::OutOfRange { inner: old, size });
    }
    if old == 0 {
        return Ok(Vec::new());
    }
    let mut proof = Vec::new();
    let (mut low, mut high) = (0, size);
    while high != old {
        let middle = low + split(high - low);
        if old <= middle {
            proof.push(range_root(source, middle, high)?);
            high = middle;
        } else {
            proof.push(range_root(source, low, middle)?);
            low = middle;
        }
    }
    // A node that is a whole earlier tree is known to the verifier.
    if low != 0 {
        proof.push(range_root(source, low, high)?);
    }
    proof.reverse();
    Ok(proof)
}

/// Checks that the tree of `old` leaves under `old_root` is the beginning of the tree of `size`
/// leaves under `root` ([RFC 9162], section 2.1.4.2).
///
/// The empty tree is the beginning of every tree, and needs no hashes to prove it.
///
/// # Errors
///
/// [`ProofMismatch`] if `proof` does not prove it.
pub fn verify_consistency(
    old: u64,
    size: u64,
    old_root: &Digest,
    root: &Digest,
    proof: &[Digest],
) -> Result<(), ProofMismatch> {
    if old > size {
        return Err(ProofMismatch::OutOfRange { inner: old, size });
    }
    if old == size || old == 0 {
        if !proof.is_empty() {
            return Err(ProofMismatch::Length(proof.len()));
        }
        let known = if old == 0 { empty_root() } else { *root };
        return same(old_root, known).and_then(|()| match size {
            0 => same(root, empty_root()),
            _ => Ok(()),
        });
    }
    let (old_found, found) = roots(old, size, old_root, proof)?;
    same(old_root, old_found)?;
    same(root, found)
}

/// The two roots that follow from a proof with `0 < old < size`.
fn roots(
    old: u64,
    size: u64,
    old_root: &Digest,
    proof: &[Digest],
) -> Result<(Digest, Digest), ProofMismatch> {
    let wrong_length = ProofMismatch::Length(proof.len());
    let (mut node, mut last) = (old - 1, size - 1);
    while node % 2 == 1 {
        (node, last) = (node / 2, last / 2);
    }
    // An earlier tree that is perfect is itself a node, and the verifier knows it.
    let (start, rest) = match proof.split_first() {
        _ if old.is_power_of_two() => (old_root, proof),
        Some((start, rest)) => (start, rest),
        None => return Err(wrong_length),
    };
    let (mut old_found, mut found) = (*start, *start);
    for sibling in rest {
        if last == 0 {
            return Err(wrong_length);
        }
        if node % 2 == 1 || node == last {
            old_found = node_hash(sibling, &old_found);
            found = node_hash(sibling, &found);
            while node.is_multiple_of(2) && node != 0 {
                (node, last) = (node / 2, last / 2);
            }
        } else {
            found = node_hash(&found, sibling);
        }
        (node, last) = (node / 2, last / 2);
    }
    if last == 0 { Ok((old_found, found)) } else { Err(wrong_length) }
}

fn same(expected: &Digest, found: Digest) -> Result<(), ProofMismatch> {
    if *expected == found {
        return Ok(());
    }
    Err(ProofMismatch::Root { expected: *expected, found })
}
