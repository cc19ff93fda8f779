use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledger::checkpoint::{CheckpointError, LogIdentity, SignedCheckpoint};
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
