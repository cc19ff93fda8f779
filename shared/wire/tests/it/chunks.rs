//! The rules of transfers, without a network.

use std::time::Duration;

use proptest::prelude::*;
use prost::bytes::Bytes;
use tokio::runtime::Builder;
use wire::{
    Error,
    chunk::{Assembly, blob, receive_blob, updates},
    limits::{
        CHUNK_BYTES_MAX, CHUNK_BYTES_MIN, LEAF_BYTES_MAX, LEAVES_PER_UPDATE_MAX, UPDATE_BYTES_MAX,
    },
    proto::BlobChunk,
};

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i % 251).to_le_bytes()[0]).collect()
}

/// `whole` in pieces whose sizes come from `sizes`, all within the rules.
fn cut(whole: &[u8], sizes: &[usize]) -> Vec<Vec<u8>> {
    let mut rest = whole;
    let mut sizes = sizes.iter().cycle();
    let mut pieces = vec![];
    while !rest.is_empty() {
        let size = *sizes.next().unwrap();
        let (piece, later) = rest.split_at(size.min(rest.len()));
        pieces.push(piece.to_vec());
        rest = later;
    }
    pieces
}

fn received(chunks: Vec<BlobChunk>, limit: u64) -> Result<Vec<u8>, Error> {
    let stream = tokio_stream::iter(chunks.into_iter().map(Ok));
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(receive_blob(stream, limit, Duration::from_mins(1)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn pieces_within_the_rules_make_the_whole(
        length in 0..1_000_000_usize,
        sizes in prop::collection::vec(CHUNK_BYTES_MIN..=CHUNK_BYTES_MAX, 1..5),
    ) {
        let whole = bytes(length);
        let mut assembly = Assembly::new("test", length as u64, length as u64).unwrap();
        for piece in cut(&whole, &sizes) {
            assembly.push(&piece).unwrap();
        }
        prop_assert!(assembly.finish().unwrap() == whole);
    }

    #[test]
    fn one_piece_more_or_less_is_noticed(
        length in 1..1_000_000_usize,
        sizes in prop::collection::vec(CHUNK_BYTES_MIN..=CHUNK_BYTES_MAX, 1..5),
        extra in 0..=CHUNK_BYTES_MAX,
    ) {
        let whole = bytes(length);
        let pieces = cut(&whole, &sizes);
        let expect = || Assembly::new("test", length as u64, u64::MAX).unwrap();

        let mut short = expect();
        for piece in &pieces[..pieces.len() - 1] {
            short.push(piece).unwrap();
        }
        let received = short.received();
        let refused = short.finish();
        let missing = matches!(refused, Err(Error::Truncated { received: got, .. }) if got == received);
        prop_assert!(missing);

        let mut long = expect();
        for piece in &pieces {
            long.push(piece).unwrap();
        }
        prop_assert!(long.push(&bytes(extra)).is_err());
    }

    #[test]
    fn a_piece_out_of_size_is_refused_where_it_stands(
        before in 0..4_usize,
        wrong in prop_oneof![0..CHUNK_BYTES_MIN, CHUNK_BYTES_MAX + 1..CHUNK_BYTES_MAX + 5000],
    ) {
        let mut assembly = Assembly::new("test", 10_000_000, 10_000_000).unwrap();
        for _ in 0..before {
            assembly.push(&bytes(CHUNK_BYTES_MIN)).unwrap();
        }
        prop_assert!(assembly.push(&bytes(wrong)).is_err());
        prop_assert_eq!(assembly.received(), (before * CHUNK_BYTES_MIN) as u64);
    }

    #[test]
    fn a_blob_survives_being_cut(length in 0..1_000_000_usize) {
        let whole = bytes(length);
        let chunks: Vec<_> = blob(whole.clone().into()).collect();
        prop_assert!(chunks.iter().all(|chunk| chunk.data.len() <= CHUNK_BYTES_MAX));
        prop_assert!(received(chunks.clone(), length as u64).unwrap() == whole);
        if length > 0 {
            prop_assert!(received(chunks, length as u64 - 1).is_err());
        }
    }

    #[test]
    fn updates_hold_every_leaf_once_within_the_limits(
        first in 0..1_000_u64,
        sizes in prop_oneof![
            prop::collection::vec(0..=LEAF_BYTES_MAX, 0..60),
            prop::collection::vec(0..3_usize, 4090..4110),
        ],
    ) {
        let leaves: Vec<Bytes> = sizes.iter().map(|&size| bytes(size).into()).collect();
        let checkpoint = Bytes::from_static(b"signed");
        let messages = updates(first, leaves.clone(), checkpoint.clone());
        let mut next = first;
        let mut seen = vec![];
        for (index, message) in messages.iter().enumerate() {
            prop_assert_eq!(message.first, next);
            prop_assert!(message.leaves.len() <= LEAVES_PER_UPDATE_MAX);
            prop_assert!(message.leaves.iter().map(Bytes::len).sum::<usize>() <= UPDATE_BYTES_MAX);
            let last = index == messages.len() - 1;
            prop_assert_eq!(&message.checkpoint, if last { &checkpoint[..] } else { b"" });
            prop_assert!(!message.leaves.is_empty() || leaves.is_empty());
            next += message.leaves.len() as u64;
            seen.extend_from_slice(&message.leaves);
        }
        prop_assert!(seen == leaves);
        for pair in messages.windows(2) {
            // No message ends before the next leaf would have been too much.
            let size: usize = pair[0].leaves.iter().map(Bytes::len).sum();
            let full = pair[0].leaves.len() == LEAVES_PER_UPDATE_MAX;
            prop_assert!(full || size + pair[1].leaves[0].len() > UPDATE_BYTES_MAX);
        }
    }
}

#[test]
fn an_announcement_claims_no_memory() {
    // Would abort if it were allocated.
    let assembly = Assembly::new("test", u64::MAX, u64::MAX).unwrap();
    assert_eq!(assembly.received(), 0);
}
