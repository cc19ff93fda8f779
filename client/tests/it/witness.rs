//! Banks witness the log for one another.

use client::mirror::Mirror;
use client::witness::Witness;
use client::{ClientError, clock};
use ledger::checkpoint::{LogKeys, NoteSignature, SignedCheckpoint, witness_key};
use ledger::digest::Digest;
use ledger::log_store::LogStore as _;
use ledger::memory::MemoryLog;
use ledger::record::LeafBytes;
use ledger::signing::SigningKey;
use ledger::tree::Head;

use crate::coordinator::{Core, Fake};
use crate::plans;
use crate::world::{Bank, finished};

/// Two banks and one outside the cohort, and an open run that asks for two witnesses.
async fn with_stranger() -> (Fake, [Bank; 2], Bank) {
    let fake = Fake::start().await;
    let stranger = Bank::new("stranger");
    stranger.join(&fake).await.unwrap();
    let banks = [Bank::joined(&fake, "north").await, Bank::joined(&fake, "south").await];
    let text = plans::text(&fake.genesis(), &["north", "south"], 2, "asap")
        .replace("witness_quorum = 0", "witness_quorum = 2")
        .replace("\nquorum = 1\n", "\nquorum = 2\n");
    let digest = ledger::digest::sha256(text.as_bytes());
    fake.ask(round::Request::Propose(text.into_bytes())).unwrap();
    for bank in &banks {
        bank.sign(&fake, digest);
    }
    (fake, banks, stranger)
}

async fn witnessed_run() -> (Fake, [Bank; 2]) {
    let (fake, banks, _) = with_stranger().await;
    (fake, banks)
}

/// The checkpoint of the whole log with what the banks handed in for it.
fn cosigned(core: &Core, by: &[&str]) -> String {
    let size = core.log.head().size;
    let mut note = core.checkpoint();
    let log = core.identity();
    for (name, of, line) in &core.cosigned {
        if by.contains(&name.as_str()) && *of == size {
            let line = NoteSignature::parse(line).unwrap();
            note = note.with_cosignature(&log, &core.witness(name), &line).unwrap();
        }
    }
    note.text().to_owned()
}

fn has_cosigned(core: &Core, name: &str) -> bool {
    let opened = core.state.round().map(|round| round.opened);
    core.cosigned.iter().any(|(by, size, _)| by == name && Some(*size) > opened)
}

fn both(core: &Core) -> bool {
    has_cosigned(core, "north") && has_cosigned(core, "south")
}

/// A cosignature of the log's head by `key` in the name of `name`.
fn forged(core: &Core, name: &str, key: &SigningKey) -> NoteSignature {
    let witness = witness_key(&core.genesis, name, key.public()).unwrap();
    core.checkpoint().cosign(&core.identity(), &witness, key, 1_700_000_000).unwrap().line().clone()
}

/// Waits until the node has seen what it was sent so far: a record is added, and it verifies that too.
async fn has_seen_all(fake: &Fake, bank: &Bank) {
    fake.advance_ms(4_000_000);
    fake.ask(round::Request::Tick).unwrap();
    let size = fake.core().log.head().size;
    bank.until_status(|status| status.verified_records == size).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_round_is_entered_once_enough_banks_witness_it() {
    let (fake, [north, south]) = witnessed_run().await;
    let (first, second) = (north.run(), south.run());
    fake.until(both).await;
    // One witness is not enough, whichever it is.
    {
        let mut core = fake.core();
        core.notes = vec![cosigned(&core, &["south"])];
    }
    has_seen_all(&fake, &north).await;
    assert_eq!(north.until(|_| true).await.charges.len(), 0);
    fake.core().follow_up = true;
    fake.tell();
    fake.until(finished).await;
    first.end().await.unwrap();
    second.end().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_cosignature_of_a_bank_of_the_cohort_counts_for_nothing() {
    let (fake, [north, south], stranger) = with_stranger().await;
    let (first, second) = (north.run(), south.run());
    fake.until(both).await;
    {
        let mut core = fake.core();
        let alone = cosigned(&core, &["north"]);
        let honest = SignedCheckpoint::open(&alone, &core.identity()).unwrap();
        let keys = stranger.keys();
        let mut notes = vec![alone.clone()];
        // A member outside the cohort; another's key under the name; a key that no member has; the name alone.
        let member = forged(&core, "stranger", &keys.cosign);
        let other = forged(&core, "south", &keys.cosign);
        let record = forged(&core, "south", &south.keys().record);
        for line in [member, other, record] {
            notes.push(format!("{}{line}\n", honest.text()));
        }
        let line = core.cosigned.iter().rev().find(|(by, ..)| by == "south").unwrap().2.clone();
        let renamed = line.replace("/south ", "/north ");
        notes.push(format!("{}{renamed}\n", core.checkpoint().text()));
        core.notes = notes;
    }
    has_seen_all(&fake, &north).await;
    assert_eq!(north.until(|_| true).await.charges.len(), 0);
    assert!(fake.core().vectors.is_empty());
    first.end().await.unwrap();
    second.end().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_witnessed_checkpoint_of_another_history_ends_the_node() {
    let (fake, [north, _south]) = witnessed_run().await;
    let node = north.run();
    fake.until(|core| has_cosigned(core, "north")).await;
    {
        let mut core = fake.core();
        let head = Head { root: Digest::from_bytes([5; 32]), ..core.log.head() };
        let split = core.sign(head);
        core.notes = vec![split.text().to_owned()];
    }
    fake.tell();
    assert!(matches!(node.ended().await, Err(ClientError::Tampered(_))));
    assert!(matches!(north.run().ended().await, Err(ClientError::Tampered(_))), "it stays so");
}

fn copy(bank: &Bank, core: &Core, size: u64) -> Mirror<MemoryLog> {
    let mut mirror = Mirror::open(
        MemoryLog::default(),
        core.identity(),
        bank.institution(),
        bank.keys().record.public(),
    )
    .unwrap();
    let mut log = MemoryLog::default();
    let leaves = core.log.leaves(0..size).unwrap();
    log.append(&Head::empty(), &leaves, &[]).unwrap();
    let checkpoint = core.sign(log.head());
    mirror.take(leaves.into_iter().map(LeafBytes::into_vec), Some(checkpoint.text())).unwrap();
    mirror
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_witness_cosigns_nothing_that_its_last_cosignature_does_not_lead_to() {
    let (fake, [north, _south]) = witnessed_run().await;
    let core = fake.core();
    let (key, log) = (north.keys().cosign, core.identity());
    let open =
        || Witness::open(&north.state, &LogKeys::new(log), &north.institution(), &key).unwrap();
    let cosign = |witness: &mut Witness, size| {
        witness.cosign(&copy(&north, &core, size), &key, clock::now())
    };
    assert_eq!(cosign(&mut open(), 3).unwrap().unwrap().size, 3);
    // The copy of the log is lost, or put back: nothing is cosigned until it holds the newest again.
    assert_eq!(cosign(&mut open(), 2).unwrap(), None);
    assert_eq!(cosign(&mut open(), 3).unwrap().unwrap().size, 3);
    let all = core.log.head().size;
    assert_eq!(cosign(&mut open(), all).unwrap().unwrap().size, all);
    // A copy of another history, as long or longer, is proof.
    let other = core.sign(Head { size: 3, root: Digest::from_bytes([6; 32]) });
    std::fs::write(
        north.path().join("cosigned.log"),
        serde_json::to_string(other.text()).unwrap() + "\n",
    )
    .unwrap();
    assert!(matches!(cosign(&mut open(), all), Err(ClientError::Tampered(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_torn_line_was_never_cosigned_and_a_whole_one_must_be_read() {
    let (fake, [north, _south]) = witnessed_run().await;
    let core = fake.core();
    let (key, log) = (north.keys().cosign, core.identity());
    let open = || Witness::open(&north.state, &LogKeys::new(log), &north.institution(), &key);
    let path = north.path().join("cosigned.log");
    let first = open().unwrap().cosign(&copy(&north, &core, 2), &key, clock::now()).unwrap();
    assert_eq!(first.unwrap().size, 2);
    let whole = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{whole}{}", &whole[..whole.len() / 2])).unwrap();
    assert_eq!(
        open().unwrap().cosign(&copy(&north, &core, 2), &key, clock::now()).unwrap().unwrap().size,
        2
    );
    assert_eq!(std::fs::read_to_string(&path).unwrap(), whole);
    std::fs::write(&path, format!("{whole}{}\n", &whole[..whole.len() / 2])).unwrap();
    assert!(matches!(open(), Err(ClientError::Damaged { .. })));
}
