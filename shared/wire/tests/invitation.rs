//! Invitations: one line that comes back whole, or not at all.
#![expect(clippy::unwrap_used, reason = "a test says what went wrong by failing")]

use wire::{Error, Identity, Invitation, Role, invitation::Token};

fn north() -> Invitation {
    let identity = Identity::new([0xa1; 32], Role::Bank, "north").unwrap();
    Invitation::new("coordinator.example:7443", [0xb2; 32], identity, Token::from_bytes([0xc3; 32]))
        .unwrap()
}

#[test]
fn an_invitation_comes_back_whole() {
    let text = north().to_text();
    assert!(text.starts_with("counterfoil1:"));
    assert_eq!(text.parse::<Invitation>().unwrap(), north());
    assert_eq!(format!("\n  {} \n", *text).parse::<Invitation>().unwrap(), north());
}

#[test]
fn a_cut_or_changed_invitation_is_refused_without_showing_it() {
    let text = north().to_text();
    for end in 0..text.len() {
        let refused = text.get(..end).unwrap().parse::<Invitation>().unwrap_err();
        assert!(matches!(refused, Error::Invitation(_)), "{refused}");
        assert!(!refused.to_string().contains("c3c3"), "{refused}");
    }
    assert!(format!("{}x", *text).parse::<Invitation>().is_err());
}

#[test]
fn only_banks_and_auditors_are_invited_and_only_to_an_address() {
    let token = || Token::from_bytes([1; 32]);
    let as_role = |role| Identity::new([0; 32], role, "north").unwrap();
    for role in [Role::Operator, Role::Coordinator] {
        assert!(Invitation::new("a:1", [0; 32], as_role(role), token()).is_err());
    }
    for endpoint in ["", "a", "a:", ":1", "a:0", "a:65536", "a b:1", "a/b:1", "u@a:1"] {
        let refused = Invitation::new(endpoint, [0; 32], as_role(Role::Bank), token());
        assert!(refused.is_err(), "{endpoint}");
    }
    assert!(Invitation::new("[::1]:7443", [0; 32], as_role(Role::Auditor), token()).is_ok());
}

#[test]
fn a_printed_invitation_shows_no_secret() {
    let shown = format!("{:?} {:?}", north(), north().token());
    assert!(!shown.contains("195") && !shown.to_lowercase().contains("c3"), "{shown}");
}
