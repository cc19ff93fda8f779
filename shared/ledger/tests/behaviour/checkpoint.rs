use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledger::checkpoint::{
    CheckpointError, LogIdentity, LogKeys, NoteSignature, SignedCheckpoint, witness_key,
};
use ledger::tree::Head;
use proptest::prelude::*;

use crate::fixture::{digest, key};

fn identity() -> LogIdentity {
    LogIdentity { genesis: digest(0), key: key(9).public() }
}

fn signed() -> SignedCheckpoint {
    let head = Head { size: 70_000, root: digest(1) };
    SignedCheckpoint::sign(&digest(0), head, &key(9)).unwrap()
}

#[test]
fn a_checkpoint_is_the_text_of_the_specification() {
    let signed = signed();
    let lines: Vec<&str> = signed.text().split('\n').collect();
    assert_eq!(lines[0], format!("counterfoil/{}", digest(0)));
    let root = STANDARD.encode(digest(1).as_bytes());
    assert_eq!(lines[1..4], ["70000", &root, ""]);
    assert!(lines[4].starts_with(&format!("— counterfoil/{} ", digest(0))));
    assert_eq!(lines[5..], [""]);
}

#[test]
fn a_checkpoint_is_read_back_and_signing_again_gives_the_same_text() {
    let read = SignedCheckpoint::open(signed().text(), &identity()).unwrap();
    assert_eq!(read, signed());
    assert_eq!(read.head(), Head { size: 70_000, root: digest(1) });
}

#[test]
fn signature_lines_of_others_are_kept() {
    let text = format!("{}— witness.example AAAAAAAA\n", signed().text());
    let read = SignedCheckpoint::open(&text, &identity()).unwrap();
    assert_eq!(read.text(), text);
    assert_eq!(read.other_signatures().len(), 1);
    assert_eq!(read.other_signatures()[0].to_string(), "— witness.example AAAAAAAA");
}

#[test]
fn another_log_and_another_key_are_refused() {
    let other_log = LogIdentity { genesis: digest(3), ..identity() };
    let refused = SignedCheckpoint::open(signed().text(), &other_log).unwrap_err();
    assert!(matches!(refused, CheckpointError::Origin { .. }));
    let other_key = LogIdentity { key: key(8).public(), ..identity() };
    let refused = SignedCheckpoint::open(signed().text(), &other_key).unwrap_err();
    assert_eq!(refused, CheckpointError::Signatures(0));
}

#[test]
fn other_spellings_are_refused() {
    let signed = signed();
    let good = signed.text();
    let line = good.lines().last().unwrap();
    let root = good.lines().nth(2).unwrap();
    let spellings = [
        String::new(),
        good.replace("70000", "070000"),
        good.replace("70000", "+70000"),
        good.replace("70000", "7 0000"),
        good.replace(root, &root.replace('=', "")),
        good.replace(root, &format!("{root}\nan extension")),
        good.replace("\n\n", "\n"),
        good.replace("\n\n", "\n\n\n"),
        good.trim_end().to_owned(),
        format!("{good}\n"),
        format!("{good}{line}\n"),
        format!("{good}— short AAAA\n"),
        format!("{good}— a+b AAAAAAAA\n"),
        format!("{good}no dash AAAAAAAA\n"),
        good.replace('\n', "\r\n"),
        format!("{good}{}", "— w AAAAAAAA\n".repeat(6000)),
    ];
    for spelling in spellings {
        assert!(SignedCheckpoint::open(&spelling, &identity()).is_err(), "{spelling:.400}");
    }
}

proptest! {
    #[test]
    fn no_altered_byte_goes_unseen(at in any::<prop::sample::Index>(), flip in 1_u8..128) {
        let mut bytes = signed().text().as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        if let Ok(text) = String::from_utf8(bytes) {
            prop_assert!(SignedCheckpoint::open(&text, &identity()).is_err());
        }
    }
}

/// The line of a witness, made here from the words of the specification.
fn by_hand(witness: &ledger::signing::VerifierKey, time: u64) -> String {
    let body = signed().text().split_once("\n\n").unwrap().0.to_owned();
    let message = format!("cosignature/v1\ntime {time}\n{body}\n");
    let signature = key(7).sign(message.as_bytes());
    let id = witness.id().to_be_bytes();
    let bytes = [&id[..], &time.to_be_bytes(), signature.as_bytes()].concat();
    assert_eq!(bytes.len(), 76);
    format!("— {} {}", witness.name(), STANDARD.encode(bytes))
}

#[test]
fn a_cosignature_is_the_line_of_the_specification() {
    let witness = witness_key(&digest(0), "north", key(7).public()).unwrap();
    assert_eq!(witness.name(), format!("counterfoil/{}/north", digest(0)));
    let made = signed().cosign(&identity(), &witness, &key(7), 1_679_315_147).unwrap();
    assert_eq!(made.line().to_string(), by_hand(&witness, 1_679_315_147));
    let note = signed().with_cosignature(&identity(), &witness, made.line()).unwrap();
    let read = SignedCheckpoint::open(note.text(), &identity()).unwrap();
    let found = read.cosignature(&identity(), &witness).unwrap().unwrap();
    assert_eq!((found.time(), read.head()), (1_679_315_147, signed().head()));
    // A later one by the same witness takes its place.
    let later = NoteSignature::parse(&by_hand(&witness, 1_679_315_148)).unwrap();
    let note = note.with_cosignature(&identity(), &witness, &later).unwrap();
    assert_eq!(note.other_signatures(), [later]);
}

#[test]
fn a_cosignature_of_another_head_time_key_or_name_is_refused() {
    let witness = witness_key(&digest(0), "north", key(7).public()).unwrap();
    let bad = |line: &NoteSignature| {
        let refused = signed().with_cosignature(&identity(), &witness, line).unwrap_err();
        assert!(matches!(refused, CheckpointError::BadCosignature(_)), "{refused}");
    };
    let head = Head { size: 70_001, root: digest(1) };
    let other = SignedCheckpoint::sign(&digest(0), head, &key(9)).unwrap();
    bad(other.cosign(&identity(), &witness, &key(7), 5).unwrap().line());
    bad(signed().cosign(&identity(), &witness, &key(6), 5).unwrap().line());
    let south = witness_key(&digest(0), "south", key(7).public()).unwrap();
    bad(signed().cosign(&identity(), &south, &key(7), 5).unwrap().line());
    let good = signed().cosign(&identity(), &witness, &key(7), 5).unwrap();
    for at in 0..72 {
        let mut bytes = good.line().bytes().to_vec();
        bytes[at] ^= 1;
        let id = witness.id().to_be_bytes();
        let line = format!("— {} {}", witness.name(), STANDARD.encode([&id[..], &bytes].concat()));
        bad(&NoteSignature::parse(&line).unwrap());
    }
}

#[test]
fn a_cosignature_has_a_time_that_the_format_can_hold() {
    let witness = witness_key(&digest(0), "north", key(7).public()).unwrap();
    let cosign = |time| signed().cosign(&identity(), &witness, &key(7), time);
    for time in [1, u64::MAX >> 1] {
        let line = cosign(time).unwrap().line().clone();
        assert_eq!(line.to_string(), by_hand(&witness, time));
        signed().with_cosignature(&identity(), &witness, &line).unwrap();
    }
    for time in [0, 1 << 63, u64::MAX] {
        assert_eq!(cosign(time), Err(CheckpointError::Time(time)));
        // Signed well, by a witness that follows another specification.
        let line = NoteSignature::parse(&by_hand(&witness, time)).unwrap();
        let refused = signed().with_cosignature(&identity(), &witness, &line).unwrap_err();
        assert!(matches!(refused, CheckpointError::BadCosignature(_)), "{refused}");
    }
}

#[test]
fn each_size_of_a_log_has_one_key() {
    let mut keys = LogKeys::new(identity());
    keys.change(4, key(10).public());
    keys.change(6, key(11).public());
    // A leaf before the newest key's says nothing new.
    keys.change(5, key(12).public());
    for (size, expected) in [(1, 9), (4, 9), (5, 10), (6, 10), (7, 11), (u64::MAX, 11)] {
        assert_eq!(keys.at(size).key, key(expected).public(), "{size}");
        let head = Head { size, root: digest(1) };
        for signer in 9..12 {
            let note = SignedCheckpoint::sign(&digest(0), head, &key(signer)).unwrap();
            assert_eq!(keys.open(note.text()).is_ok(), signer == expected, "{size} by {signer}");
        }
    }
    assert_eq!(keys.newest(), keys.at(7));
    assert_eq!(keys.iter().count(), 3);
}
