//! Known answers of others.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledger::digest::{Digest, sha256};
use ledger::tree::{verify_consistency, verify_inclusion};
use serde_json::Value;

/// The inclusion and consistency vectors of github.com/transparency-dev/merkle (Apache-2.0, commit 417fb0c3, July 2026), a case a line
/// and without their descriptions.
const VECTORS: &str = include_str!("merkle.jsonl");

fn number(case: &Value, name: &str) -> u64 {
    case[name].as_u64().unwrap()
}

fn decoded(text: &Value) -> Vec<u8> {
    STANDARD.decode(text.as_str().unwrap_or_default()).unwrap()
}

/// A root or leaf hash; none if there is none. Where they write words for one that does not count, the hash of the words.
fn hash(text: &Value) -> Option<Digest> {
    let bytes = decoded(text);
    let found = Digest::try_from(bytes.as_slice()).unwrap_or_else(|_| sha256(&bytes));
    (!bytes.is_empty()).then_some(found)
}

/// None if one of the hashes is not 32 bytes long, which no text of ours can hold.
fn proof(case: &Value) -> Option<Vec<Digest>> {
    case["proof"].as_array().map_or(Some(Vec::new()), |hashes| {
        hashes.iter().map(|hash| Digest::try_from(decoded(hash).as_slice()).ok()).collect()
    })
}

fn holds(case: &Value) -> Option<bool> {
    let proof = proof(case)?;
    if case.get("treeSize").is_some() {
        let (index, size) = (number(case, "leafIdx"), number(case, "treeSize"));
        let (root, leaf) = (hash(&case["root"])?, hash(&case["leafHash"])?);
        return Some(verify_inclusion(index, size, &root, &leaf, &proof).is_ok());
    }
    let (old, size) = (number(case, "size1"), number(case, "size2"));
    let (old_root, root) = (hash(&case["root1"])?, hash(&case["root2"])?);
    Some(verify_consistency(old, size, &old_root, &root, &proof).is_ok())
}

#[test]
fn the_vectors_of_transparency_dev_come_out_as_they_say() {
    let (mut right, mut wrong) = (0, 0);
    for line in VECTORS.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        // That the empty tree is the beginning of any needs no proof (tlog-witness, add-checkpoint); they refuse to say so.
        let begins = case["case"] == "consistency/additional/size1-is-zero-and-size2-is-not-zero";
        let refused = case["wantErr"].as_bool().unwrap() && !begins;
        assert_eq!(holds(&case).unwrap_or(false), !refused, "{}", case["case"]);
        *(if refused { &mut wrong } else { &mut right }) += 1;
    }
    assert_eq!((right, wrong), (13, 183));
}
