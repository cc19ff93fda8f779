//! Proofs that a leaf is in a tree.

use super::range::{range_root, split};
use super::{HashSource, ProofError, ProofMismatch, node_hash};
use crate::digest::Digest;

/// The proof that leaf `index` is in the tree of `size` leaves: the hashes beside its path, from
/// the leaf upwards ([RFC 9162], section 2.1.3.1).
///
/// # Errors
///
/// [`ProofError::OutOfRange`] unless `index < size`; [`ProofError::Source`] if a node cannot be read.
pub fn inclusion_proof<S: HashSource>(
    source: &S,
    index: u64,
    size: u64,
) -> Result<Vec<Digest>, ProofError<S::Error>> {
    if index >= size {
        return Err(ProofError::OutOfRange { inner: index, size });
    }
    let mut proof = Vec::new();
    let (mut low, mut high) = (0, size);
    while high - low > 1 {
        let middle = low + split(high - low);
        if index < middle {
            proof.push(range_root(source, middle, high)?);
            high = middle;
        } else {
            proof.push(range_root(source, low, middle)?);
            low = middle;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// The root that follows if leaf `index` of a tree of `size` leaves has the hash `leaf` and `proof`
/// is its inclusion proof ([RFC 9162], section 2.1.3.2).
///
/// # Errors
///
/// [`ProofMismatch::OutOfRange`] unless `index < size`; [`ProofMismatch::Length`] if the proof has
/// too few or too many hashes.
pub fn root_from_inclusion(
    index: u64,
    size: u64,
    leaf: &Digest,
    proof: &[Digest],
) -> Result<Digest, ProofMismatch> {
    if index >= size {
        return Err(ProofMismatch::OutOfRange { inner: index, size });
    }
    let wrong_length = ProofMismatch::Length(proof.len());
    let (mut node, mut last) = (index, size - 1);
    let mut root = *leaf;
    for sibling in proof {
        if last == 0 {
            return Err(wrong_length);
        }
        if node % 2 == 1 || node == last {
            root = node_hash(sibling, &root);
            // The last node of a level has no right neighbour: go up until it is one.
            while node.is_multiple_of(2) && node != 0 {
                (node, last) = (node / 2, last / 2);
            }
        } else {
            root = node_hash(&root, sibling);
        }
        (node, last) = (node / 2, last / 2);
    }
    if last == 0 { Ok(root) } else { Err(wrong_length) }
}

/// Checks that leaf `index` of the tree of `size` leaves under `root` has the hash `leaf`.
///
/// # Errors
///
/// [`ProofMismatch`] if `proof` does not prove it.
pub fn verify_inclusion(
    index: u64,
    size: u64,
    root: &Digest,
    leaf: &Digest,
    proof: &[Digest],
) -> Result<(), ProofMismatch> {
    let found = root_from_inclusion(index, size, leaf, proof)?;
    if found == *root { Ok(()) } else { Err(ProofMismatch::Root { expected: *root, found }) }
}
