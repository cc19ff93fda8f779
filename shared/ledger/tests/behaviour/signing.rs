use ledger::record::{Body, Leaf, Payload as _, Record};
use ledger::signing::{
    Algorithm, KeyError, Pkcs8, PublicKey, SigningKey, VerifierKey, VerifierKeyError,
    domain_message,
};
use ledger::time::Timestamp;

use crate::fixture::{bodies, digest, key};

#[test]
fn a_signature_holds_for_one_kind_one_log_and_one_body() {
    let all = bodies();
    let kinds: Vec<&str> = all.iter().map(Body::kind).collect();
    let (public, body) = (key(1).public(), b"the same bytes");
    for kind in &kinds {
        let signature = key(1).sign_body(kind, &digest(0), body);
        public.verify_body(kind, &digest(0), body, &signature).unwrap();
        assert!(public.verify_body(kind, &digest(1), body, &signature).is_err());
        assert!(public.verify_body(kind, &digest(0), b"other bytes", &signature).is_err());
        assert!(key(2).public().verify_body(kind, &digest(0), body, &signature).is_err());
        for other in kinds.iter().filter(|other| *other != kind) {
            assert!(public.verify_body(other, &digest(0), body, &signature).is_err());
        }
    }
}

#[test]
fn the_message_is_the_one_of_the_format() {
    let expected = [b"counterfoil/v1/round-opened\0".as_slice(), &[0; 32], b"body"].concat();
    assert_eq!(domain_message("round-opened", &ledger::digest::Digest::ZERO, b"body"), expected);
}

#[test]
fn only_leaf_0_is_signed_over_zero() {
    let sign = |body: Body| -> Leaf {
        let record = Record { at: Timestamp::default(), author: key(1).public(), body };
        record.sign(&key(1), &digest(5)).unwrap()
    };
    let (genesis, approval) = (sign(bodies().remove(0)), sign(bodies().remove(4)));
    genesis.verify_signature(&digest(6)).unwrap();
    approval.verify_signature(&digest(5)).unwrap();
    assert!(approval.verify_signature(&digest(6)).is_err());
    assert!(approval.verify_signature(&ledger::digest::Digest::ZERO).is_err());
}

/// The example of the signed-note specification: its key and the note it signs.
#[test]
fn the_verifier_key_of_the_specification_is_read_and_written() {
    let text = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    let parsed: VerifierKey = text.parse().unwrap();
    assert_eq!(parsed.to_string(), text);
    assert_eq!((parsed.name(), parsed.id()), ("example.com/foo", 0x530d_903a));
    assert_eq!(parsed.algorithm(), Algorithm::Ed25519);
}

#[test]
fn verifier_keys_spelled_otherwise_are_refused() {
    let good =
        VerifierKey::new("a", Algorithm::CosignatureV1, key(1).public()).unwrap().to_string();
    let wrong_id = good.replacen("a+", "b+", 1);
    assert!(matches!(wrong_id.parse::<VerifierKey>(), Err(VerifierKeyError::Id { .. })));
    for bad in ["", "a", "a+b", "a+00000000+", &good.to_uppercase(), &format!("{good}=")] {
        assert!(bad.parse::<VerifierKey>().is_err(), "{bad}");
    }
    for name in ["", "a b", "a+b", "a\n"] {
        assert!(VerifierKey::new(name, Algorithm::Ed25519, key(1).public()).is_err());
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test may ask the system for randomness")]
fn keys_survive_their_file_and_are_never_printed() {
    let random = ring::rand::SystemRandom::new();
    let (made, pkcs8) = SigningKey::generate(&random).unwrap();
    let pem = pkcs8.to_pem();
    assert!(pem.lines().all(|line| line.len() <= 64));
    let read = SigningKey::from_pkcs8(Pkcs8::from_pem(&pem).unwrap().as_der()).unwrap();
    assert_eq!(read.public(), made.public());
    assert_eq!(format!("{pkcs8:?}"), "Pkcs8(secret)");
    assert_eq!(format!("{made:?}"), format!("SigningKey(secret, public {})", made.public()));
    assert_eq!(Pkcs8::from_pem("nothing").unwrap_err(), KeyError::NotPem);
    assert_eq!(SigningKey::from_pkcs8(b"nothing").unwrap_err(), KeyError::NotEd25519);
}

#[test]
fn bytes_that_are_no_key_verify_nothing() {
    let signature = key(1).sign(b"x");
    assert!(PublicKey::from_bytes([0xff; 32]).verify(b"x", &signature).is_err());
}
