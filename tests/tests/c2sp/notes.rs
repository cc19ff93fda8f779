//! Verifier keys, checkpoints and cosignatures.

use ledger::checkpoint::{LogIdentity, NoteSignature, SignedCheckpoint};
use ledger::digest::{Digest, sha256};
use ledger::signing::{Algorithm, VerifierKey};
use ledger::tree::Head;
use proptest::prelude::*;
use signed_note::{Note, StandardVerifier, Verifier as _};
use tlog_tiles::Checkpoint;

use crate::oracle::{
    LOG, NORTH, SOUTH, checkpoint, cosignature, identity, ours, theirs, verifiers, witness,
};

/// The note as they verify it with all of `keys`: how many signatures are good, how many unknown.
fn verified(text: &[u8], keys: &[VerifierKey]) -> Option<(usize, usize)> {
    let (good, unknown) = Note::from_bytes(text).ok()?.verify(&verifiers(keys)).ok()?;
    Some((good.len(), unknown.len()))
}

/// The checkpoint as both read it: origin, size and root, with the log's and north's signatures.
fn theirs_read(text: &[u8]) -> Option<(String, u64, [u8; 32])> {
    let keys = [identity().verifier_key().ok()?, witness("north", NORTH)];
    if verified(text, &keys)? != (2, 0) {
        return None;
    }
    let note = Note::from_bytes(text).ok()?;
    let read = Checkpoint::from_bytes(note.text()).ok()?;
    let ours = read.extension().is_empty() && read.origin() == identity().origin();
    ours.then(|| (read.origin().to_owned(), read.size(), read.hash().0))
}

fn we_read(text: &[u8]) -> Option<(String, u64, [u8; 32])> {
    let read = SignedCheckpoint::open(std::str::from_utf8(text).ok()?, &identity()).ok()?;
    let cosigned = read.cosignature(&identity(), &witness("north", NORTH)).ok()??;
    let one = read.other_signatures() == std::slice::from_ref(cosigned.line());
    one.then(|| (identity().origin(), read.head().size, *read.head().root.as_bytes()))
}

/// What we write with our log's and witness's keys.
fn written(head: Head, time: u64) -> SignedCheckpoint {
    let north = witness("north", NORTH);
    let line = checkpoint(head).cosign(&identity(), &north, &ours(NORTH), time).unwrap();
    checkpoint(head).with_cosignature(&identity(), &north, line.line()).unwrap()
}

/// What they write with the same keys.
fn written_by_them(head: Head, time: u64) -> Vec<u8> {
    let hash = tlog_tiles::Hash(*head.root.as_bytes());
    let body = Checkpoint::new(&identity().origin(), head.size, hash, "").unwrap().to_bytes();
    let mut note = Note::new(&body, &[]).unwrap();
    note.add_sigs(&[&theirs(LOG, &identity().origin())]).unwrap();
    let line = cosignature(witness("north", NORTH).name(), NORTH, time, &body);
    let text = note.to_bytes();
    [text.as_slice(), &line.to_bytes()].concat()
}

fn heads() -> impl Strategy<Value = Head> {
    (any::<u64>(), any::<[u8; 32]>())
        .prop_map(|(size, root)| Head { size, root: Digest::from_bytes(root) })
}

proptest! {
    #[test]
    fn a_cosigned_checkpoint_is_the_same_bytes_whoever_writes_it(head in heads(), time in 1..=u64::MAX >> 1) {
        let (we, they) = (written(head, time), written_by_them(head, time));
        prop_assert_eq!(we.text().as_bytes(), they.as_slice());
        let expected = Some((identity().origin(), head.size, *head.root.as_bytes()));
        prop_assert_eq!(theirs_read(&they), expected.clone());
        prop_assert_eq!(we_read(&they), expected);
    }

    #[test]
    fn a_changed_byte_is_refused_by_both(at in any::<prop::sample::Index>(), flip in 1_u8..=255) {
        let mut bytes = written(Head { size: 70_000, root: sha256(b"root") }, 1_700_000_000).text().as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        prop_assert_eq!(theirs_read(&bytes), None);
        prop_assert_eq!(we_read(&bytes), None);
    }

    /// Lines doubled, dropped, swapped or cut anywhere: we never take what they refuse.
    #[test]
    fn what_they_refuse_we_refuse(from in 0_usize..7, to in 0_usize..7, cut in any::<prop::sample::Index>(), how in 0_u8..4) {
        let text = written(Head { size: 5, root: sha256(b"root") }, 3).text().to_owned();
        let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
        let (from, to) = (from % lines.len(), to % lines.len());
        let changed = match how {
            0 => { lines.insert(to, lines[from]); lines.concat() }
            1 => { lines.remove(from); lines.concat() }
            2 => { lines.swap(from, to); lines.concat() }
            _ => String::from_utf8_lossy(&text.as_bytes()[..cut.index(text.len())]).into_owned(),
        };
        if let Some(read) = we_read(changed.as_bytes()) {
            prop_assert_eq!(theirs_read(changed.as_bytes()), Some(read));
        }
    }

    #[test]
    fn verifier_keys_are_the_same_text_whoever_writes_them(seed in any::<[u8; 32]>(), name in "[!-*,-~äλ中]{1,40}") {
        let public = *ours(seed).public().as_bytes();
        let log = VerifierKey::new(name.as_str(), Algorithm::Ed25519, public.into()).unwrap();
        let read = StandardVerifier::new(&log.to_string()).unwrap();
        prop_assert_eq!((read.name(), read.key_id()), (log.name(), log.id()));
        prop_assert_eq!(log.to_string().parse::<VerifierKey>().unwrap(), log.clone());
        let cosigner = VerifierKey::new(name.as_str(), Algorithm::CosignatureV1, public.into()).unwrap();
        prop_assert_eq!(cosigner.id(), signed_note::key_id(&name, &[&[4][..], &public].concat()));
        prop_assert_eq!(cosigner.to_string().parse::<VerifierKey>().unwrap(), cosigner);
    }

    /// A key by their generator, under any text as its name: both take it or neither does.
    #[test]
    fn both_take_the_same_names(name in "\\PC{0,6}|[a\u{1}\t\n\u{7f}\u{85}\u{a0}\u{2028} +]{0,4}") {
        // A key name with control characters would make a note that both refuse.
        let they = signed_note::is_key_name_valid(&name) && name.chars().all(|c| c >= ' ');
        prop_assert_eq!(VerifierKey::new(name, Algorithm::Ed25519, ours(LOG).public()).is_ok(), they);
    }
}

#[test]
fn signatures_of_unknown_keys_are_passed_over_by_both() {
    let head = Head { size: 3, root: sha256(b"root") };
    let mut text = written(head, 9).text().to_owned();
    // More than the 16 that everybody must accept, of every length, some with the name of a known key and some with its id.
    for other in 0..32_u8 {
        let id = if other % 2 == 0 { witness("north", NORTH).id() } else { 5 };
        let name = if other % 2 == 0 { "w.example" } else { "counterfoil" };
        let signature = vec![other; 1 + 70 * usize::from(other)];
        let line = signed_note::Signature::new(format!("{name}/{other}"), id, signature).unwrap();
        text.push_str(std::str::from_utf8(&line.to_bytes()).unwrap());
    }
    let keys = [identity().verifier_key().unwrap(), witness("north", NORTH)];
    assert_eq!(verified(text.as_bytes(), &keys), Some((2, 32)));
    let read = SignedCheckpoint::open(&text, &identity()).unwrap();
    assert_eq!((read.head(), read.other_signatures().len()), (head, 33));
    read.cosignature(&identity(), &keys[1]).unwrap().unwrap();
    // Sixteen of the longest type that is assigned, ML-DSA-44.
    let mut text = checkpoint(head).text().to_owned();
    for other in 0..16_u8 {
        let line = signed_note::Signature::new(format!("w.example/{other}"), 6, vec![1; 2428]);
        text.push_str(std::str::from_utf8(&line.unwrap().to_bytes()).unwrap());
    }
    assert_eq!(SignedCheckpoint::open(&text, &identity()).unwrap().other_signatures().len(), 16);
}

#[test]
fn a_second_witness_and_another_log_key_are_told_apart_by_both() {
    let head = Head { size: 3, root: sha256(b"root") };
    let south = witness("south", SOUTH);
    let line = checkpoint(head).cosign(&identity(), &south, &ours(SOUTH), 4).unwrap();
    let both = written(head, 4).with_cosignature(&identity(), &south, line.line()).unwrap();
    let log = identity().verifier_key().unwrap();
    let all = [log.clone(), witness("north", NORTH), south.clone()];
    assert_eq!(verified(both.text().as_bytes(), &all), Some((3, 0)));
    // South's name with north's key: another id, so nobody's signature.
    let impostor = witness("south", NORTH);
    assert_eq!(verified(both.text().as_bytes(), &[log, impostor.clone()]), Some((1, 2)));
    assert_eq!(both.cosignature(&identity(), &impostor), Ok(None));
    let other = LogIdentity { key: ours(SOUTH).public(), ..identity() };
    assert_eq!(verified(both.text().as_bytes(), &[other.verifier_key().unwrap()]), None);
    assert!(SignedCheckpoint::open(both.text(), &other).is_err());
    // Their line, taken by us as a further one.
    let body = format!("{}\n", both.text().split_once("\n\n").unwrap().0);
    let theirs = cosignature(south.name(), SOUTH, 8, body.as_bytes()).to_bytes();
    let theirs = std::str::from_utf8(&theirs).unwrap().trim_end().to_owned();
    let theirs = NoteSignature::parse(&theirs).unwrap();
    let newer = both.with_cosignature(&identity(), &south, &theirs).unwrap();
    assert_eq!(newer.cosignature(&identity(), &south).unwrap().unwrap().time(), 8);
}

/// The example of the signed-note specification, key and note.
#[test]
fn the_example_of_signed_note_is_verified_by_both() {
    let key = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    let body = "This is an example message.\n";
    let line = "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=";
    let ours: VerifierKey = key.parse().unwrap();
    assert_eq!((ours.id(), ours.to_string().as_str()), (0x530d_903a, key));
    let text = format!("{body}\n{line}\n");
    assert_eq!(verified(text.as_bytes(), std::slice::from_ref(&ours)), Some((1, 0)));
    let line = NoteSignature::parse(line).unwrap();
    assert_eq!((line.name(), line.id()), (ours.name(), ours.id()));
    let signature = line.bytes().try_into().unwrap();
    ours.key().verify(body.as_bytes(), &signature).unwrap();
    assert!(ours.key().verify(b"This is another message.\n", &signature).is_err());
}

/// The keys of two witnesses that run: the ids are by their operators.
#[test]
fn the_keys_of_witnesses_that_run_are_read_and_written() {
    let text = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2";
    let key: VerifierKey = text.parse().unwrap();
    assert_eq!((key.algorithm(), key.id()), (Algorithm::CosignatureV1, 0xda77_ade7));
    assert_eq!(key.to_string(), text);
    assert_eq!(key_in_their_policy(&key), key.key().to_string());
    for wrong in [text.replacen("da77", "da78", 1), text.replacen(".de", ".dk", 1)] {
        assert!(wrong.parse::<VerifierKey>().is_err(), "{wrong}");
    }
}

/// The key in hex, as their parser reads it.
fn key_in_their_policy(key: &VerifierKey) -> String {
    let policy = format!("log {}\nquorum none\n", key.key());
    let policy = sigsum::Policy::parse(&policy).unwrap();
    format!("{:x}", policy.logs().next().unwrap().pubkey)
}

/// The first two examples of tlog-checkpoint and tlog-cosignature: their shape; their keys are not published.
#[test]
fn the_example_of_tlog_cosignature_is_read_by_both() {
    let text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\
        — example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n\
        — witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";
    assert_eq!(ledger::checkpoint::claimed_size(text), Ok(20_852_163));
    let refused = SignedCheckpoint::open(text, &identity()).unwrap_err();
    assert!(refused.to_string().contains("example.com/behind-the-sofa"), "{refused}");
    let note = Note::from_bytes(text.as_bytes()).unwrap();
    assert_eq!(Checkpoint::from_bytes(note.text()).unwrap().size(), 20_852_163);
    let line = NoteSignature::parse(text.lines().last().unwrap()).unwrap();
    assert_eq!(line.bytes()[..8], 1_679_315_147_u64.to_be_bytes());
    assert_eq!(line.bytes().len(), 72);
}
