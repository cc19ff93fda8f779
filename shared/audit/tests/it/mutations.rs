//! Every way to change an export of a thousand records by one byte, one record, one signature or one cut.
//!
//! The long runs go through all of them and print how many there were; CI goes through a sample.
//!
//! ```sh
//! cargo test --release -p audit --test it mutations -- --ignored --nocapture
//! ```

use std::convert::Infallible;
use std::sync::LazyLock;

use audit::{Options, export, verify};
use ledger::checkpoint::{LogIdentity, SignedCheckpoint, witness_key};
use ledger::log_store::LogStore as _;
use ledger::memory::{MemoryBlobs, MemoryLog};
use ledger::record::{Body, Leaf};
use ledger::tree::inclusion_proof;

use crate::world::{BANKS, Export, KEYS, Story, World};

/// A log of 1,000 records and more: three banks, forty runs of three rounds.
static THOUSAND: LazyLock<World> =
    LazyLock::new(|| World::play(Story { repeats: 39, ..Story::default() }));

/// The receipt for the newest record of [`THOUSAND`], which the log had under its full size.
static NEWEST: LazyLock<String> = LazyLock::new(|| {
    let size = THOUSAND.leaves.len();
    THOUSAND.receipt(size - 1, size).to_text()
});

/// The whole export, its checkpoint cosigned by all.
fn whole() -> Export {
    let export = THOUSAND.export();
    let log = LogIdentity { genesis: THOUSAND.genesis(), key: KEYS.log.public() };
    let text = String::from_utf8(export.read("checkpoint")).expect("text");
    let mut note = SignedCheckpoint::open(&text, &log).expect("a checkpoint");
    for (name, key) in BANKS.iter().zip(&KEYS.cosign) {
        let witness = witness_key(&log.genesis, name, key.public()).expect("a name");
        let line = note.cosign(&log, &witness, key, 1_700_000_000).expect("a time");
        note = note.with_cosignature(&log, &witness, line.line()).expect("valid");
    }
    export.write("checkpoint", note.text().as_bytes());
    export
}

/// Other leaves, newly signed by the log's key as a dishonest operator would, with the code that the auditor ends with. Without
/// blobs: where nothing else is wrong, that is 9.
fn code_of(leaves: &[Leaf], receipt: Option<&str>) -> u8 {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("export");
    let mut log = MemoryLog::new(MemoryBlobs::new());
    let bytes: Vec<_> = leaves.iter().map(|leaf| leaf.bytes().clone()).collect();
    let head = log.append(&log.head(), &bytes, &[]).expect("memory");
    let genesis = leaves.first().expect("a leaf").digest();
    let checkpoint = SignedCheckpoint::sign(&genesis, head, &KEYS.log).expect("a checkpoint");
    let bytes = bytes.into_iter().map(Ok::<_, Infallible>);
    export::write(&path, bytes, checkpoint.text(), |_| Ok(None)).expect("written");
    let mut options = Options::default();
    if let Some(receipt) = receipt {
        options.receipts = vec![folder.path().join("receipt")];
        std::fs::write(folder.path().join("receipt"), receipt).expect("written");
    }
    verify(&path, &options).exit_code()
}

fn leaf(index: usize) -> &'static Leaf {
    THOUSAND.leaves.get(index).expect("a leaf")
}

fn dropped(index: usize) -> (u8, u8) {
    let mut leaves = THOUSAND.leaves.clone();
    leaves.remove(index);
    let code = code_of(&leaves, None);
    (code, if matches!(leaf(index).body(), Body::Accepted(_)) { 7 } else { 6 })
}

fn doubled(index: usize) -> (u8, u8) {
    let mut leaves = THOUSAND.leaves.clone();
    leaves.insert(index, leaf(index).clone());
    (code_of(&leaves, None), 6)
}

fn reordered(index: usize) -> (u8, u8) {
    let mut leaves = THOUSAND.leaves.clone();
    leaves.swap(index, index + 1);
    // A round closed before its last contribution leaves that one out.
    let early = matches!(leaf(index + 1).body(), Body::Closed(_));
    (code_of(&leaves, None), if early { 7 } else { 6 })
}

fn signatures_swapped(index: usize) -> (u8, u8) {
    let mut leaves = THOUSAND.leaves.clone();
    for (at, from) in [(index, index + 1), (index + 1, index)] {
        let record = leaf(at).record().clone();
        let signature = *leaf(from).signature();
        *leaves.get_mut(at).expect("a leaf") = record.with_signature(signature).expect("a leaf");
    }
    (code_of(&leaves, None), 6)
}

/// A log cut to `size` records is an older log, which a receipt for a later record shows.
fn cut(size: usize) -> (u8, u8) {
    let leaves = THOUSAND.leaves.get(..size).expect("within");
    (code_of(leaves, Some(&NEWEST)), 7)
}

type Change = fn(usize) -> (u8, u8);

/// Each change of records, by name, with the numbers that it can be made at.
fn changes() -> [(&'static str, Change, std::ops::Range<usize>); 5] {
    let records = THOUSAND.leaves.len();
    [
        ("records dropped", dropped, 1..records - 1),
        ("records doubled", doubled, 1..records),
        ("neighbours swapped", reordered, 1..records - 1),
        ("signatures swapped between neighbours", signatures_swapped, 0..records - 1),
        ("cuts of the log, against the newest receipt", cut, 1..records),
    ]
}

/// Flips one bit of byte `at`; which one depends on the place.
fn flipped(export: &Export, name: &str, at: usize) -> u8 {
    export.code_with_flip(name, at, 1 << (at % 8))
}

fn file_cut(export: &Export, name: &str, length: usize) -> u8 {
    let whole = export.read(name);
    export.write(name, whole.get(..length).expect("within"));
    let code = export.code();
    export.write(name, &whole);
    code
}

/// Numbers that are the same in every run ([Steele et al. 2014], SplitMix64).
fn draws(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed;
    move |below| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let below = u64::try_from(below).expect("small");
        usize::try_from((mixed ^ (mixed >> 31)) % below).expect("small")
    }
}

#[test]
fn a_sample_of_flipped_bytes_and_cut_files_is_found() {
    assert!(THOUSAND.leaves.len() >= 1000);
    let (export, mut draw) = (whole(), draws(1));
    assert_eq!(export.code(), 0);
    let files = export.files();
    // The checkpoint and the leaves come often, as they hold the most bytes or the most meaning.
    let tiles: Vec<_> = files.iter().filter(|name| !name.starts_with("blob/")).collect();
    for round in 0..60 {
        let name =
            if round % 3 == 0 { &files[draw(files.len())] } else { tiles[draw(tiles.len())] };
        let length = export.read(name).len();
        assert_eq!(flipped(&export, name, draw(length)), 6, "a byte of {name}");
        assert_eq!(file_cut(&export, name, draw(length)), 6, "{name} cut");
    }
    assert_eq!(export.code(), 0, "and it is whole again");
}

#[test]
fn a_sample_of_changed_records_is_found_with_the_right_code() {
    let mut draw = draws(2);
    for (what, change, range) in changes() {
        for _ in 0..8 {
            let index = range.start + draw(range.len());
            let (code, expected) = change(index);
            assert_eq!(code, expected, "{what}, record {index}, {:?}", leaf(index).body());
        }
    }
}

#[test]
#[ignore = "minutes: every byte"]
fn every_flipped_byte_and_every_cut_file_is_found() {
    let export = whole();
    let (mut bytes, mut cuts) = (0_u64, 0_u64);
    let files = export.files();
    for name in &files {
        let length = export.read(name).len();
        for at in 0..length {
            assert_eq!(flipped(&export, name, at), 6, "{name}, byte {at}");
            bytes += 1;
        }
        for at in [0, length / 2, length - 1] {
            assert_eq!(file_cut(&export, name, at), 6, "{name} cut to {at}");
            cuts += 1;
        }
    }
    println!("{} records, {} files", THOUSAND.leaves.len(), files.len());
    println!("{bytes} bytes flipped, one bit each: all found, exit 6");
    println!("{cuts} files cut: all found, exit 6");
}

#[test]
#[ignore = "minutes: every record"]
fn every_changed_record_is_found_with_the_right_code() {
    for (what, change, range) in changes() {
        let mut by_code = [0_u64; 10];
        for index in range.clone() {
            let (code, expected) = change(index);
            assert_eq!(code, expected, "{what}, record {index}");
            if let Some(count) = by_code.get_mut(usize::from(code)) {
                *count += 1;
            }
        }
        let counts = by_code.iter().enumerate().filter(|(_, count)| **count > 0);
        let counts: Vec<_> = counts.map(|(code, count)| format!("{count} exit {code}")).collect();
        println!("{} {what}: all found, {}", range.len(), counts.join(", "));
    }
}

#[test]
#[ignore = "minutes: every receipt"]
fn every_receipt_proves_its_record_and_shows_its_absence() {
    let size = THOUSAND.leaves.len();
    let (log, head) = {
        let mut log = MemoryLog::new(MemoryBlobs::new());
        let leaves: Vec<_> = THOUSAND.leaves.iter().map(|leaf| leaf.bytes().clone()).collect();
        let head = log.append(&log.head(), &leaves, &[]).expect("memory");
        (log, head)
    };
    let checkpoint = SignedCheckpoint::sign(&THOUSAND.genesis(), head, &KEYS.log);
    let checkpoint = checkpoint.expect("a checkpoint").text().to_owned();
    for index in 1..size {
        let number = u64::try_from(index).expect("small");
        let proof = inclusion_proof(&log, number, head.size).expect("a proof");
        let leaf = leaf(index).bytes().clone();
        let receipt =
            ledger::receipt::Receipt { index: number, leaf, proof, checkpoint: checkpoint.clone() };
        let text = receipt.to_text();
        let without = THOUSAND.leaves.get(..index).expect("within");
        assert_eq!(code_of(without, Some(&text)), 7, "record {index} is not there");
        assert_eq!(code_of(&THOUSAND.leaves, Some(&text)), 9, "record {index}, no blobs");
    }
    println!("{} receipts against the log cut before their record: all found, exit 7", size - 1);
}
