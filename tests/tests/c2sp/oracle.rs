//! Keys that both sides have, and the others' signers and verifiers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledger::checkpoint::{LogIdentity, SignedCheckpoint, witness_key};
use ledger::digest::{Digest, sha256};
use ledger::signing::{SigningKey, VerifierKey};
use ledger::tree::Head;
use signed_note::{
    Signature, Signer as _, StandardSigner, StandardVerifier, Verifier, VerifierList, key_id,
};

/// Our key with this seed.
pub(crate) fn ours(seed: [u8; 32]) -> SigningKey {
    let prefix = "302e020100300506032b657004220420";
    let der: Vec<u8> = (0..prefix.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&prefix[at..at + 2], 16).unwrap())
        .chain(seed)
        .collect();
    SigningKey::from_pkcs8(&der).unwrap()
}

/// Their signer with the same seed, under `name`.
pub(crate) fn theirs(seed: [u8; 32], name: &str) -> StandardSigner {
    let public = [&[1_u8][..], ours(seed).public().as_bytes()].concat();
    let secret = STANDARD.encode([&[1_u8][..], &seed].concat());
    StandardSigner::new(&format!("PRIVATE+KEY+{name}+{:08x}+{secret}", key_id(name, &public)))
        .unwrap()
}

/// Seeds of the log and of two witnesses.
pub(crate) const LOG: [u8; 32] = [9; 32];
pub(crate) const NORTH: [u8; 32] = [7; 32];
pub(crate) const SOUTH: [u8; 32] = [8; 32];

pub(crate) fn genesis() -> Digest {
    sha256(b"leaf 0")
}

pub(crate) fn identity() -> LogIdentity {
    LogIdentity { genesis: genesis(), key: ours(LOG).public() }
}

pub(crate) fn checkpoint(head: Head) -> SignedCheckpoint {
    SignedCheckpoint::sign(&genesis(), head, &ours(LOG)).unwrap()
}

pub(crate) fn witness(name: &str, seed: [u8; 32]) -> VerifierKey {
    witness_key(&genesis(), name, ours(seed).public()).unwrap()
}

/// What tlog-cosignature has a witness sign, in the words of the specification.
fn cosigned(time: u64, body: &[u8]) -> Vec<u8> {
    [format!("cosignature/v1\ntime {time}\n").as_bytes(), body].concat()
}

/// A cosignature by their Ed25519, in their note: signature type 0x04.
pub(crate) fn cosignature(name: &str, seed: [u8; 32], time: u64, body: &[u8]) -> Signature {
    let material = [&[4_u8][..], ours(seed).public().as_bytes()].concat();
    let signature = theirs(seed, name).sign(&cosigned(time, body)).unwrap();
    let bytes = [&time.to_be_bytes()[..], &signature].concat();
    Signature::new(name.to_owned(), key_id(name, &material), bytes).unwrap()
}

/// Whoever verifies such a witness by their Ed25519.
struct CosignatureVerifier {
    name: String,
    id: u32,
    key: StandardVerifier,
}

impl Verifier for CosignatureVerifier {
    fn name(&self) -> &str {
        &self.name
    }

    fn key_id(&self) -> u32 {
        self.id
    }

    fn verify(&self, body: &[u8], signature: &[u8]) -> bool {
        let Some((time, signature)) = signature.split_first_chunk::<8>() else { return false };
        self.key.verify(&cosigned(u64::from_be_bytes(*time), body), signature)
    }
}

/// Their verifiers for `keys` of ours, each read by them from its text.
pub(crate) fn verifiers(keys: &[VerifierKey]) -> VerifierList {
    let one = |key: &VerifierKey| -> Box<dyn Verifier> {
        let text = key.to_string();
        let mut parts = text.splitn(3, '+');
        let (name, id) = (parts.next().unwrap().to_owned(), parts.next().unwrap());
        let material = STANDARD.decode(parts.next().unwrap()).unwrap();
        let id = u32::from_str_radix(id, 16).unwrap();
        assert_eq!(id, key_id(&name, &material));
        if material[0] == 1 {
            return Box::new(StandardVerifier::new(&text).unwrap());
        }
        assert_eq!(material[0], 4);
        let plain = [&[1_u8][..], &material[1..]].concat();
        let plain = format!("{name}+{:08x}+{}", key_id(&name, &plain), STANDARD.encode(&plain));
        Box::new(CosignatureVerifier { name, id, key: StandardVerifier::new(&plain).unwrap() })
    };
    VerifierList::new(keys.iter().map(one).collect())
}
