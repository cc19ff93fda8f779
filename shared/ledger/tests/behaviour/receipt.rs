use ledger::checkpoint::{LogIdentity, SignedCheckpoint};
use ledger::log_store::LogStore as _;
use ledger::memory::MemoryLog;
use ledger::receipt::{Receipt, ReceiptError};
use ledger::record::{Body, Leaf, Record};
use ledger::time::Timestamp;
use ledger::tree::inclusion_proof;
use proptest::prelude::*;

use crate::fixture::{bodies, key};

/// The receipt of leaf `index` in a log with one leaf of every kind, all by one author.
fn receipt(index: u64) -> (LogIdentity, Receipt) {
    let mut log = MemoryLog::default();
    let mut genesis = ledger::digest::Digest::ZERO;
    for body in bodies() {
        let record = Record { at: Timestamp::default(), author: key(1).public(), body };
        let leaf = record.sign(&key(1), &genesis).unwrap();
        if log.head().size == 0 {
            genesis = leaf.digest();
        }
        log.append(&log.head(), &[leaf.into_bytes()], &[]).unwrap();
    }
    let head = log.head();
    let receipt = Receipt {
        index,
        leaf: log.leaf(index).unwrap().unwrap(),
        proof: inclusion_proof(&log, index, head.size).unwrap(),
        checkpoint: SignedCheckpoint::sign(&genesis, head, &key(9)).unwrap().text().to_owned(),
    };
    (LogIdentity { genesis, key: key(9).public() }, receipt)
}

#[test]
fn a_receipt_proves_its_record_offline() {
    let size = bodies().len() as u64;
    for index in 0..size {
        let (log, receipt) = receipt(index);
        let read = Receipt::from_text(&receipt.to_text()).unwrap();
        assert_eq!(read, receipt);
        let proven = read.verify::<Body>(&log).unwrap();
        assert_eq!((proven.index, proven.checkpoint.head().size), (index, size));
        let expected = bodies().remove(usize::try_from(index).unwrap());
        assert_eq!(proven.leaf.body(), &expected);
    }
}

#[test]
fn a_leaf_that_its_author_did_not_sign_for_this_log_proves_nothing() {
    let (log, mut receipt) = receipt(4);
    let leaf: Leaf = Leaf::decode(receipt.leaf.as_slice()).unwrap();
    let other = leaf.record().clone().with_signature(key(2).sign(b"other")).unwrap();
    let mut tree = MemoryLog::default();
    receipt.leaf = other.into_bytes();
    let head = tree.append(&tree.head(), std::slice::from_ref(&receipt.leaf), &[]).unwrap();
    let checkpoint = SignedCheckpoint::sign(&log.genesis, head, &key(9)).unwrap();
    let forged = Receipt {
        index: 0,
        proof: Vec::new(),
        checkpoint: checkpoint.text().to_owned(),
        ..receipt
    };
    assert!(matches!(forged.verify::<Body>(&log), Err(ReceiptError::Leaf(_))));
}

proptest! {
    #[test]
    fn no_altered_byte_of_a_receipt_goes_unseen(
        index in 0_u64..14, at in any::<prop::sample::Index>(), flip in 1_u8..128,
    ) {
        let (log, receipt) = receipt(index);
        let mut bytes = receipt.to_text().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        let verified = String::from_utf8(bytes)
            .map_err(|_| ReceiptError::Malformed("no text"))
            .and_then(|text| Receipt::from_text(&text))
            .and_then(|read| read.verify::<Body>(&log));
        prop_assert!(verified.is_err());
    }
}
