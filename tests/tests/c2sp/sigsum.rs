//! A sigsum log: their verifier on signatures and proofs of ours, and our code on a log with real witnesses.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledger::checkpoint::{Cosignature, NoteSignature};
use ledger::digest::{Digest, sha256};
use ledger::signing::{Algorithm, PublicKey, Signature, VerifierKey};
use ledger::tree::{LeafHashes, inclusion_proof, leaf_hash, root_at, verify_inclusion};
use sigsum::policy::{Policy, SIGSUM_TEST_2025_3};
use sigsum::{Hash, SigsumSignature};

use crate::oracle::{LOG, NORTH, SOUTH, ours};

/// The example in the documentation of the crate sigsum 0.3: "Hello, Sigsum!" in the log of February 2026 with eight witnesses.
const SIGNER: &str = "99ed58583e8750b20548e69df4a4e1a592379a9a66c51cd32e42fbe4e1bde78a";
const LOG_KEY_HASH: &str = "1643169b32bef33a3f54f8a353b87c475d19b6223cbb106390d10a29978e1cba";
const PROOF: &str = include_str!("hello.sigsum-proof");

/// The keys of witnesses that the policy `sigsum-test-2025-3` names, and of its logs.
const WITNESSES: [(&str, &str); 8] = [
    ("poc.sigsum.org/nisse", "1c25f8a44c635457e2e391d1efbca7d4c2951a0aef06225a881e46b98962ac6c"),
    ("rgdd.se/poc-witness", "28c92a5a3a054d317c86fc2eeb6a7ab2054d6217100d0be67ded5b74323c5806"),
    (
        "witness1.smartit.nu/witness1",
        "f4855a0f46e8a3e23bb40faf260ee57ab8a18249fa402f2ca2d28a60e1a3130e",
    ),
    (
        "witness.navigli.sunlight.geomys.org",
        "dcbf728e02d479f5a7e20dc09adf525833ed6e797526517aeb07fc6854849fc6",
    ),
    ("remora.n621.de", "ebcdeb78e7fdb2ef9227b2c1ef11e94600b55b4d6d9a57877e31ee89e59adc36"),
    ("witness.stagemole.eu", "4a921b7caef58ae670cdc11ef4184f1c058f7b9259a9107a969f69fa54aa496f"),
    (
        "tillitis.se/test-witness-1",
        "636582aec12f32c18a21733db9e3f718058ee7aaec6dbe4eb81781e0f4300c6e",
    ),
    (
        "transparency.dev/DEV:witness-little-garden",
        "2b6eb0ec483503544cde4e8fc1ce6d1921db21dffccc186865f808f7625443cc",
    ),
];
const LOGS: [&str; 2] = [
    "4644af2abd40f4895a003bca350f9d5912ab301a49c77f13e5b6d905c20a5fe6",
    "47e481606d8acba747a6b053d6c2d191605fb122175d410a1202a91430abce39",
];

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn public(hex: &str) -> PublicKey {
    let bytes: [u8; 32] = bytes(hex).try_into().unwrap();
    bytes.into()
}

/// What sigsum logs sign: a checkpoint whose origin names the key.
fn body(key_hash: &Digest, size: u64, root: &Digest) -> String {
    format!("sigsum.org/v1/tree/{key_hash}\n{size}\n{}\n", STANDARD.encode(root.as_bytes()))
}

fn leaf(message: &[u8], signature: &Signature, key_hash: &Digest) -> Vec<u8> {
    let checksum = sha256(sha256(message).as_bytes());
    [checksum.as_bytes().as_slice(), signature.as_bytes(), key_hash.as_bytes()].concat()
}

/// The values of the lines `name=…`.
fn values<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    text.lines().filter_map(move |line| line.strip_prefix(name)?.strip_prefix('='))
}

#[test]
fn a_log_with_eight_real_witnesses_is_verified_by_us() {
    let message = b"Hello, Sigsum!\n";
    // First by them.
    let signature = SigsumSignature::from_ascii(PROOF).unwrap();
    let signer = sigsum::PublicKey::from(*public(SIGNER).as_bytes());
    sigsum::verify(&Hash::new(message), &signature, &[signer], &SIGSUM_TEST_2025_3).unwrap();

    let value = |name: &'static str| values(PROOF, name).next().unwrap();
    let key_hash: Digest = LOG_KEY_HASH.parse().unwrap();
    let (size, root): (u64, Digest) =
        (value("size").parse().unwrap(), value("root_hash").parse().unwrap());
    let body = body(&key_hash, size, &root);
    let log = LOGS.map(public).into_iter().find(|key| sha256(key.as_bytes()) == key_hash).unwrap();
    let log_signature = Signature::try_from(bytes(value("signature")).as_slice()).unwrap();
    log.verify(body.as_bytes(), &log_signature).unwrap();

    let mut cosigned = 0;
    for line in values(PROOF, "cosignature") {
        let mut parts = line.split(' ');
        let key_hash: Digest = parts.next().unwrap().parse().unwrap();
        let time: u64 = parts.next().unwrap().parse().unwrap();
        let signature = bytes(parts.next().unwrap());
        let (name, key) = WITNESSES
            .iter()
            .map(|(name, key)| (*name, public(key)))
            .find(|(_, key)| sha256(key.as_bytes()) == key_hash)
            .unwrap();
        let witness = VerifierKey::new(name, Algorithm::CosignatureV1, key).unwrap();
        let line = |time: u64| {
            let id = witness.id().to_be_bytes();
            let bytes = [&id[..], &time.to_be_bytes(), &signature].concat();
            NoteSignature::parse(&format!("— {name} {}", STANDARD.encode(bytes))).unwrap()
        };
        let read = Cosignature::verify(&body, &witness, &line(time)).unwrap();
        assert_eq!(read.time(), 1_770_193_051);
        assert!(Cosignature::verify(&body, &witness, &line(time + 1)).is_err());
        assert!(
            Cosignature::verify(&body.replace("\n381382\n", "\n381383\n"), &witness, &line(time))
                .is_err()
        );
        cosigned += 1;
    }
    assert_eq!(cosigned, 8);

    let mut leaf_line = value("leaf").split(' ');
    let signer_hash: Digest = leaf_line.next().unwrap().parse().unwrap();
    assert_eq!(sha256(public(SIGNER).as_bytes()), signer_hash);
    let signature = Signature::try_from(bytes(leaf_line.next().unwrap()).as_slice()).unwrap();
    let hash = leaf_hash(&leaf(message, &signature, &signer_hash));
    let proof: Vec<Digest> = values(PROOF, "node_hash").map(|hash| hash.parse().unwrap()).collect();
    let index = value("leaf_index").parse().unwrap();
    verify_inclusion(index, size, &root, &hash, &proof).unwrap();
    assert!(verify_inclusion(index - 1, size, &root, &hash, &proof).is_err());
    assert!(verify_inclusion(index, size + 1, &root, &hash, &proof[1..]).is_err());
}

/// A sigsum log with our tree, our proof, our log's signature and our witnesses' cosignatures, as a file; `time` of the second witness.
fn ours_as_sigsum(count: usize, index: usize, time: u64) -> String {
    let signer = ours([3; 32]);
    let (signer_hash, key_hash) =
        (sha256(signer.public().as_bytes()), sha256(ours(LOG).public().as_bytes()));
    let checksum = sha256(sha256(b"ours").as_bytes());
    let signed = [b"sigsum.org/v1/tree-leaf\0".as_slice(), checksum.as_bytes()].concat();
    let leaf_signature = signer.sign(&signed);
    let mut hashes: Vec<Digest> =
        (0..count).map(|at| leaf_hash(at.to_string().as_bytes())).collect();
    hashes[index] = leaf_hash(&leaf(b"ours", &leaf_signature, &signer_hash));
    let (size, index) = (u64::try_from(count).unwrap(), u64::try_from(index).unwrap());
    let root = root_at(&LeafHashes(&hashes), size).unwrap();
    let body = body(&key_hash, size, &root);
    let mut lines = vec![
        "version=2".to_owned(),
        format!("log={key_hash}"),
        format!("leaf={signer_hash} {}", hex(leaf_signature.as_bytes())),
        String::new(),
        format!("size={size}"),
        format!("root_hash={root}"),
        format!("signature={}", hex(ours(LOG).sign(body.as_bytes()).as_bytes())),
    ];
    for (seed, time) in [(NORTH, 1_770_000_000), (SOUTH, time)] {
        let key = ours(seed);
        let witness = VerifierKey::new("w", Algorithm::CosignatureV1, key.public()).unwrap();
        let made = Cosignature::sign(&body, &witness, &key, time).unwrap();
        let (key_hash, signature) =
            (sha256(key.public().as_bytes()), hex(&made.line().bytes()[8..]));
        lines.push(format!("cosignature={key_hash} {} {signature}", made.time()));
    }
    lines.extend([String::new(), format!("leaf_index={index}")]);
    let proof = inclusion_proof(&LeafHashes(&hashes), index, size).unwrap();
    lines.extend(proof.iter().map(|hash| format!("node_hash={hash}")));
    lines.join("\n") + "\n"
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|half| char::from_digit(half.into(), 16))
        .collect()
}

fn they_take(text: &str, quorum: u8) -> Result<(), String> {
    let policy = format!(
        "log {}\nwitness n {}\nwitness s {}\ngroup both {quorum} n s\nquorum both\n",
        ours(LOG).public(),
        ours(NORTH).public(),
        ours(SOUTH).public()
    );
    let policy = Policy::parse(&policy).unwrap();
    let signer = sigsum::PublicKey::from(*ours([3; 32]).public().as_bytes());
    let signature = SigsumSignature::from_ascii(text).map_err(|error| error.to_string())?;
    sigsum::verify(&Hash::new(b"ours"), &signature, &[signer], &policy)
        .map_err(|error| error.to_string())
}

#[test]
fn our_signatures_cosignatures_and_proofs_are_verified_by_them() {
    for (count, index) in [(1, 0), (2, 1), (5, 4), (300, 17), (300, 299), (513, 512), (1024, 700)] {
        let text = ours_as_sigsum(count, index, 1_770_000_001);
        they_take(&text, 2).unwrap();
        // Every line but that of the version counts.
        for (at, line) in text.lines().enumerate().filter(|(_, line)| line.contains('=')) {
            let last = changed_at_its_end(line);
            let changed: Vec<String> = text
                .lines()
                .enumerate()
                .map(|(other, line)| if other == at { last.clone() } else { line.to_owned() })
                .collect();
            assert!(they_take(&(changed.join("\n") + "\n"), 2).is_err(), "{count} {index}: {line}");
        }
    }
    // A quorum counts witnesses, not lines.
    let text = ours_as_sigsum(3, 1, 1_770_000_001);
    let south = values(&text, "cosignature").nth(1).unwrap().to_owned();
    let without = text.replace(&format!("cosignature={south}\n"), "");
    assert_eq!(they_take(&without, 2).unwrap_err(), "verify error: not enough valid cosignatures");
    they_take(&without, 1).unwrap();
}

/// The line with another last digit.
fn changed_at_its_end(line: &str) -> String {
    let (rest, last) = line.split_at(line.len() - 1);
    format!("{rest}{}", if last == "1" { "2" } else { "1" })
}
