use ledger::record::{
    Body, Canonical as _, Contribution, Institution, Leaf, Member, MemberAdded, Payload as _,
    Record, RecordError, RoundOpened, Text,
};
use ledger::time::Timestamp;
use proptest::prelude::*;

use crate::fixture::{bodies, contribution, digest, key};

fn leaf(body: Body) -> Leaf {
    let record = Record { at: Timestamp::from_millis(5), author: key(1).public(), body };
    record.sign(&key(1), &digest(0)).unwrap()
}

#[test]
fn every_kind_survives_encoding() {
    for body in bodies() {
        let written = leaf(body);
        let read: Leaf = Leaf::decode(written.bytes().as_slice()).unwrap();
        assert_eq!(read, written);
        read.verify_signature(&digest(0)).unwrap();
    }
}

#[test]
fn an_unknown_field_is_refused_in_envelope_and_body() {
    for body in bodies() {
        // Field 200, varint 1: valid protobuf that a lenient reader would skip.
        let unknown = [0xc0, 0x0c, 0x01];
        let envelope = [leaf(body.clone()).bytes().as_slice(), &unknown].concat();
        let refused = Leaf::<Body>::decode(envelope).unwrap_err();
        assert!(matches!(refused, RecordError::NotCanonical { what: "record", .. }), "{refused}");

        let longer = [body.encode(), unknown.to_vec()].concat();
        let refused = Body::decode(body.kind_number(), &longer).unwrap_err();
        assert!(matches!(refused, RecordError::NotCanonical { .. }), "{refused}");
    }
}

#[test]
fn other_spellings_of_the_same_message_are_refused() {
    let bytes = contribution().encode();
    // Field 2 (round 3) is `10 03`, right after the 34 bytes of field 1.
    assert_eq!(bytes[34..36], [0x10, 0x03]);
    let padded = [&bytes[..35], &[0x83, 0x00], &bytes[36..]].concat();
    let moved = [&bytes[34..36], &bytes[..34], &bytes[36..]].concat();
    let repeated = [&bytes[..36], &bytes[34..]].concat();
    for (what, spelling) in [("padded", padded), ("moved", moved), ("repeated", repeated)] {
        let refused = Contribution::decode(&spelling);
        assert!(matches!(refused, Err(RecordError::NotCanonical { .. })), "{what}: {refused:?}");
    }
}

#[test]
fn a_field_with_its_default_written_out_is_refused() {
    let opened = bodies().into_iter().find_map(|body| match body {
        Body::RoundOpened(opened) => Some(opened),
        _ => None,
    });
    let bytes = opened.unwrap().encode();
    let spelled_out = [&bytes[..34], &[0x10, 0x00], &bytes[34..]].concat();
    assert!(matches!(
        RoundOpened::decode(&spelled_out),
        Err(RecordError::NotCanonical { what: "round-opened", at: 34 })
    ));
}

#[test]
fn a_cohort_out_of_order_or_twice_is_refused() {
    let bytes = bodies()[6].encode();
    let at = bytes.windows(6).position(|window| window == b"bank-a").unwrap();
    for names in [*b"bank-c", *b"bank-b"] {
        let mut other = bytes.clone();
        other[at..at + 6].copy_from_slice(&names);
        assert!(matches!(RoundOpened::decode(&other), Err(RecordError::NotCanonical { .. })));
    }
}

#[test]
fn unknown_kinds_are_named() {
    for number in [0, 19, -1] {
        let refused = Body::decode(number, &[]).unwrap_err();
        assert_eq!(refused, RecordError::UnknownKind(number));
    }
}

#[test]
fn names_and_texts_are_checked() {
    let longest = "a".repeat(32);
    for good in ["a", "bank-7", longest.as_str()] {
        Institution::new(good).unwrap();
    }
    for bad in ["", "-a", "7a", "Bank", "a_b", "ä", "a b", "a".repeat(33).as_str()] {
        assert!(Institution::new(bad).is_err(), "{bad}");
    }
    Text::<4>::new("äöü!").unwrap();
    assert!(Text::<4>::new("abcde").is_err());
    assert!(Text::<9>::new("a\u{1b}[2J").is_err());
}

#[test]
fn a_leaf_longer_than_its_length_prefix_is_refused() {
    assert_eq!(Leaf::<Body>::decode(vec![0; 65_536]), Err(RecordError::TooLong(65_536)));
}

#[test]
fn nobody_signs_for_another() {
    let record =
        Record { at: Timestamp::default(), author: key(1).public(), body: bodies().remove(4) };
    assert_eq!(record.sign(&key(2), &digest(0)), Err(RecordError::WrongAuthor));
}

#[test]
fn a_member_proves_both_keys_for_one_consortium() {
    let Body::Member(Member::Added(added)) = &bodies()[1] else {
        unreachable!("the second body is a member");
    };
    added.verify_proofs(&digest(0)).unwrap();
    assert!(added.verify_proofs(&digest(1)).is_err());
    let swapped = MemberAdded { cosign_proof: added.record_proof, ..added.clone() };
    assert!(swapped.verify_proofs(&digest(0)).is_err());
    let mut other = added.clone();
    other.keys.tls_key_digest = digest(99);
    assert!(other.verify_proofs(&digest(0)).is_err());
}

proptest! {
    /// What decodes, encodes to the same bytes: no two byte strings are one leaf.
    #[test]
    fn no_damaged_leaf_reads_as_signed(index in 0_usize..14, byte in any::<prop::sample::Index>(),
                                       flip in 1_u8..) {
        let good = leaf(bodies().remove(index));
        let mut bytes = good.bytes().as_slice().to_vec();
        let at = byte.index(bytes.len());
        bytes[at] ^= flip;
        if let Ok(read) = Leaf::<Body>::decode(bytes.clone()) {
            prop_assert_eq!(read.bytes().as_slice(), &bytes[..]);
            // Only the time is not covered by the author's signature.
            let same = read.body() == good.body() && read.author() == good.author();
            let time_only = same && read.signature() == good.signature();
            prop_assert!(time_only || read.verify_signature(&digest(0)).is_err());
        }
    }

    #[test]
    fn decoding_never_panics(number in -1_i32..16, bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Body::decode(number, &bytes);
        let _ = Leaf::<Body>::decode(bytes);
    }
}
