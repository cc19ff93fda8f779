//! Three banks' own ledgers against the log, true and false.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use audit::{Fault, Options, Reconciliation};
use ledger::checkpoint::SignedCheckpoint;
use ledger::digest::{Digest, sha256};
use ledger::memory::{MemoryBlobs, MemoryLog};
use ledger::population::{
    Cap, Opened, PopulationLedger, Released, ReserveOutcome, ReserveRequest, RunTerms, Sketch,
    UnitRelation, blinded_head,
};
use ledger::record::{Body, Contribution, Text};
use ledger::signing::SigningKey;
use ledger::time::Timestamp;
use privacy::{Delta, Epsilon, Filter, Order, PrivacyEvent};
use round::Plan;
use tempfile::TempDir;

use crate::world::{BANKS, Export, HONEST, KEYS, Story, World, institution};

const AT: Timestamp = Timestamp::from_millis(5);

/// What cedar's ledger, or the operator's log, does otherwise. The round is always 1.
#[expect(clippy::struct_excessive_bools, reason = "each is a lie of its own, and some go together")]
#[derive(Clone, Copy, Default)]
struct Lies {
    /// The ledger has no charge for the round.
    hides: bool,
    /// The ledger reserved the round and did not release it.
    unreleased: bool,
    /// The ledger released another vector than was sent.
    other_vector: bool,
    /// The ledger released what it says was computed from another model.
    other_model: bool,
    /// The header commits to a head that the ledger never had.
    other_head: bool,
    /// Nothing is written down about receipts.
    silent: bool,
    /// The ledger says that the record of the round is one leaf further.
    other_leaf: bool,
    /// The ledger says that the receipt of round 2 is that of round 1.
    other_receipt: bool,
    /// Alder's key has signed for the ledger.
    other_key: bool,
    /// The ledger is enrolled in another consortium alone, and charged what was sent here for that.
    elsewhere: bool,
    /// The ledger is shared with another consortium, where the bank has another name, and charged for it too.
    shared: bool,
    /// The ledger is another population's, which released the same rounds.
    second_population: bool,
    /// The log's sum of the round is wrong by one.
    false_sum: bool,
    /// The log leaves out cedar's contribution to round 2.
    omitted: bool,
}

/// The ledger's own key, which is none of the roster's.
fn ledger_key(bank: usize) -> Arc<SigningKey> {
    static OWN: LazyLock<Vec<Arc<SigningKey>>> = LazyLock::new(|| {
        let own = || SigningKey::generate(&ring::rand::SystemRandom::new()).expect("a key").0;
        BANKS.iter().map(|_| Arc::new(own())).collect()
    });
    Arc::clone(OWN.get(bank).expect("a bank"))
}

struct Bank {
    ledger: PopulationLedger<MemoryLog>,
    released: Vec<(u32, Released)>,
}

/// The contribution of `bank` to `round` in the honest log, with its leaf.
fn contribution(world: &World, bank: usize, round: u32) -> Option<(usize, Contribution)> {
    let name = institution(BANKS.get(bank).expect("a bank"));
    world.leaves.iter().enumerate().find_map(|(index, leaf)| {
        let Body::Accepted(sent) = leaf.body() else { return None };
        (sent.institution == name && sent.round == round).then(|| (index, sent.clone()))
    })
}

fn plan() -> Plan {
    let proposed = HONEST.leaves.iter().find_map(|leaf| {
        let Body::PlanProposed(proposed) = leaf.body() else { return None };
        Some(proposed.plan.clone())
    });
    Plan::parse(proposed.expect("a plan").text().as_bytes()).expect("a plan")
}

impl Bank {
    /// The ledger of `bank` with all three rounds charged and released.
    fn charged(bank: usize, lies: Lies) -> Self {
        let plan = plan();
        let event = |count| PrivacyEvent { count, ..plan.event() };
        let delta = Delta::new(1e-6).expect("in range");
        let filter = Filter::new(
            Epsilon::new(8.0).expect("in range"),
            delta,
            Order::new(9.5).expect("in range"),
        );
        let filter = filter.expect("a filter");
        let whole = privacy::epsilon(&[event(3)], delta).expect("a figure").epsilon_upper;
        let record_key = KEYS.record.get(if lies.other_key { 0 } else { bank }).expect("a bank");
        let name = institution(BANKS.get(bank).expect("a bank"));
        let opened = Opened {
            institution: if lies.shared { institution("holding") } else { name.clone() },
            population: Text::new("cards").expect("a name"),
            unit: Text::new("customer").expect("a name"),
            relation: UnitRelation::AddRemove,
            nonce: [if lies.second_population { 2 } else { 1 }; 32],
            sketch: Sketch::default(),
        };
        let store = MemoryLog::new(MemoryBlobs::new());
        let mut ledger =
            PopulationLedger::register(store, ledger_key(bank), AT, opened, &[]).expect("a ledger");
        let elsewhere = sha256(b"elsewhere");
        let consortium = if lies.elsewhere { elsewhere } else { HONEST.genesis() };
        ledger.enroll(AT, consortium, &name, record_key).expect("enrolled");
        let cap = Cap::new(8.0, 1e-6, 9.5, filter.budget(), Text::default()).expect("a cap");
        ledger.set_cap(AT, cap).expect("capped");
        if lies.shared {
            let other_key = KEYS.record.first().expect("a key");
            ledger.enroll(AT, elsewhere, &institution("holding"), other_key).expect("enrolled");
            let (_, sent) = contribution(&HONEST, bank, 0).expect("it was accepted");
            let request = ReserveRequest {
                consortium: elsewhere,
                run: sent.run,
                round: 0,
                plan: sent.plan,
                model: sent.model,
                charge: sent.charge,
                rdp: filter.cost(&event(1)).expect("a cost"),
                terms: RunTerms::new(3, whole, 1e-6, 5.0).expect("terms"),
            };
            ledger.reserve(AT, request).expect("charged");
        }
        let mut released = vec![];
        for round in (0..3).filter(|round| !(lies.hides && *round == 1)) {
            let (_, sent) = contribution(&HONEST, bank, round).expect("it was accepted");
            let other = lies.other_model && round == 1;
            let request = ReserveRequest {
                consortium,
                run: sent.run,
                round,
                plan: sent.plan,
                model: if other { sha256(b"another") } else { sent.model },
                charge: sent.charge,
                rdp: filter.cost(&event(1)).expect("a cost"),
                terms: RunTerms::new(3, whole, 1e-6, 5.0).expect("terms"),
            };
            let ReserveOutcome::Compute(reservation) =
                ledger.reserve(AT, request).expect("charged")
            else {
                unreachable!("a new round")
            };
            if lies.unreleased && round == 1 {
                continue;
            }
            let vector = HONEST.blobs.get(&sent.vector).expect("a vector").clone();
            let vector =
                if lies.other_vector && round == 1 { vec![0; vector.len()] } else { vector };
            let blobs = ledger.store().blobs().clone();
            released
                .push((round, ledger.release(AT, &reservation, vector, &blobs).expect("released")));
        }
        Self { ledger, released }
    }

    fn heads(&self, bank: usize, lies: Lies, into: &mut BTreeMap<(usize, u32), Digest>) {
        let opened = self.ledger.opened_heads().expect("heads");
        for (opened, (round, _)) in opened.iter().zip(&self.released) {
            let head = blinded_head(&opened.nonce, &opened.head);
            let other = lies.other_head && *round == 1;
            into.insert((bank, *round), if other { sha256(b"never") } else { head });
        }
    }

    fn acknowledge(&mut self, bank: usize, world: &World, lies: Lies) {
        for (round, released) in &self.released {
            let of = if lies.other_receipt && *round == 2 { 1 } else { *round };
            let (index, _) = contribution(world, bank, *round).expect("it was accepted");
            let (proved, _) = contribution(world, bank, of).expect("it was accepted");
            let receipt = world.receipt(proved, world.leaves.len()).to_text();
            let shift = u64::from(lies.other_leaf && *round == 1);
            let index = u64::try_from(index).expect("small") + shift;
            self.ledger
                .acknowledge(AT, released, index, sha256(receipt.as_bytes()))
                .expect("noted");
        }
    }

    fn export(&self, place: &Path) {
        let heads: Vec<_> = self
            .ledger
            .opened_heads()
            .expect("heads")
            .iter()
            .map(|opened| {
                serde_json::json!({
                    "reservation": opened.reservation,
                    "size": opened.head.size,
                    "root": opened.head.root.to_string(),
                    "nonce": Digest::from_bytes(opened.nonce).to_string(),
                })
            })
            .collect();
        let heads = serde_json::to_vec(&serde_json::json!({ "heads": heads })).expect("json");
        let genesis = self.ledger.identity().genesis;
        let key = self.ledger.key();
        let checkpoint = SignedCheckpoint::sign(&genesis, self.ledger.head(), key).expect("signed");
        let leaves = audit::export::leaves_of(self.ledger.store());
        audit::export::write_population(place, leaves, checkpoint.text(), &heads).expect("written");
    }
}

/// Both sides on disk, and cedar's receipts.
struct Sides {
    folder: TempDir,
    export: Export,
    ledgers: Vec<PathBuf>,
    receipts: Vec<PathBuf>,
}

fn sides(lies: Lies) -> Sides {
    let honest = |bank| if bank == 2 { lies } else { Lies::default() };
    let mut banks: Vec<Bank> = (0..3).map(|bank| Bank::charged(bank, honest(bank))).collect();
    let mut heads = BTreeMap::new();
    for (bank, ledger) in banks.iter().enumerate() {
        ledger.heads(bank, honest(bank), &mut heads);
    }
    let world = World::play_with(Story::default(), heads.clone());
    let folder = tempfile::tempdir().expect("a folder");
    for (bank, ledger) in banks.iter_mut().enumerate() {
        if !honest(bank).silent {
            ledger.acknowledge(bank, &world, honest(bank));
        }
    }
    let ledgers: Vec<_> = BANKS.iter().map(|name| folder.path().join(name)).collect();
    banks.iter().zip(&ledgers).for_each(|(bank, place)| bank.export(place));
    let receipts = (0..3).map(|round| {
        let (index, _) = contribution(&world, 2, round).expect("it was accepted");
        let path = folder.path().join(format!("{round}.receipt"));
        std::fs::write(&path, world.receipt(index, world.leaves.len()).to_text()).expect("written");
        path
    });
    let receipts = receipts.collect();
    let told = if lies.omitted {
        World::play_with(Story { absent: true, ..Story::default() }, heads)
    } else if lies.false_sum {
        World::play_with(Story { sum_error: 1, ..Story::default() }, heads)
    } else {
        world
    };
    Sides { folder, export: told.export(), ledgers, receipts }
}

impl Sides {
    fn reconcile(&self, receipts: &[PathBuf]) -> Reconciliation {
        let options =
            Options { genesis: Some(HONEST.genesis()), receipts: receipts.to_vec(), policy: None };
        audit::reconcile(&self.export.path, &options, &self.ledgers)
    }
}

/// Each difference as "bank, round: kind".
fn differences(of: &Reconciliation) -> Vec<String> {
    let name = |of: &audit::Difference| {
        let round = of.round.map_or("-".to_owned(), |round| round.to_string());
        format!("{}, {round}: {}", of.institution, of.kind.as_str())
    };
    of.differences.iter().map(name).collect()
}

#[test]
fn true_ledgers_and_the_log_agree() {
    let sides = sides(Lies::default());
    for receipts in [&[][..], &sides.receipts] {
        let both = sides.reconcile(receipts);
        assert!(both.reconciled, "{:?}", both.finding);
        assert!(both.differences.is_empty(), "{:?}", both.differences);
        assert_eq!((both.runs.len(), both.exit_code()), (3, 0));
        for run in &both.runs {
            assert_eq!((run.charged, run.released, run.accepted), (3, 3, 3));
            assert_eq!(run.epsilon_acknowledged, Some(run.epsilon_charged));
        }
    }
    assert_eq!(sides.reconcile(&sides.receipts).receipts, 3);
}

#[test]
fn every_difference_has_a_name_a_party_and_a_code() {
    let lie = Lies::default();
    let wrong: [(Lies, &str, Fault, u8); 10] = [
        (Lies { hides: true, ..lie }, "accepted-without-release", Fault::Bank, 6),
        (Lies { unreleased: true, ..lie }, "accepted-without-release", Fault::Bank, 6),
        (Lies { other_vector: true, ..lie }, "other-contribution", Fault::Bank, 6),
        (Lies { other_model: true, ..lie }, "other-contribution", Fault::Bank, 6),
        (Lies { other_head: true, ..lie }, "head-not-committed", Fault::Bank, 6),
        (Lies { other_leaf: true, ..lie }, "other-leaf", Fault::BankOrOperator, 6),
        (Lies { other_receipt: true, ..lie }, "receipt-of-another-record", Fault::Bank, 6),
        (Lies { other_key: true, ..lie }, "other-key", Fault::Bank, 6),
        (Lies { elsewhere: true, ..lie }, "other-key", Fault::Bank, 6),
        (Lies { omitted: true, ..lie }, "receipt-not-in-log", Fault::Operator, 7),
    ];
    for (lies, kind, fault, code) in wrong {
        let sides = sides(lies);
        // A receipt of another head of the same log is a finding of its own.
        let shown = if lies.omitted { &sides.receipts[2..] } else { &sides.receipts[..] };
        let both = sides.reconcile(shown);
        let named: Vec<_> = both.differences.iter().filter(|of| of.kind.as_str() == kind).collect();
        let [difference] = named.as_slice() else { panic!("{kind}: {:?}", differences(&both)) };
        assert_eq!((difference.fault, difference.institution.as_str()), (fault, "cedar"), "{kind}");
        let round = if lies.other_receipt || lies.omitted { 2 } else { 1 };
        let of_a_round = !lies.other_key && !lies.elsewhere;
        assert_eq!(difference.round, of_a_round.then_some(round), "{kind}");
        assert_eq!(both.exit_code(), code, "{kind}: {:?}", differences(&both));
        assert!(!both.reconciled && difference.wrong);
    }
}

#[test]
fn a_ledger_that_is_shared_with_another_consortium_agrees_with_each_log() {
    let sides = sides(Lies { shared: true, ..Lies::default() });
    let both = sides.reconcile(&sides.receipts);
    assert!(both.reconciled, "{:?}", both.finding);
    assert!(both.differences.is_empty(), "{:?}", both.differences);
    let names: Vec<_> = both.runs.iter().map(|run| run.institution.as_str()).collect();
    assert_eq!(names, BANKS, "by the names that this log knows");
    // What is charged elsewhere is in the ledger, apart.
    let report = audit::verify_population(&sides.ledgers[2], None);
    assert!(report.verified, "{:?}", report.finding);
    assert_eq!((report.consortia.len(), report.runs.len()), (2, 2));
    let here = HONEST.genesis().to_string();
    let [here, there] = [true, false].map(|is| {
        report.consortia.iter().find(|of| (of.consortium == here) == is).expect("enrolled")
    });
    assert_eq!((&*here.institution, &*there.institution), ("cedar", "holding"));
    assert!(there.spent_alone > 0.0 && there.spent_alone < here.spent_alone);
    assert!(here.spent_alone < report.spent, "the cap is for both together");
}

#[test]
fn a_release_without_a_receipt_is_nobodys_fault() {
    let sides = sides(Lies { silent: true, ..Lies::default() });
    let both = sides.reconcile(&[]);
    assert_eq!(both.exit_code(), 0);
    let names = differences(&both);
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(names.iter().all(|name| name.ends_with("accepted-not-acknowledged")), "{names:?}");
    let sides = Sides { ..self::sides(Lies { silent: true, omitted: true, ..Lies::default() }) };
    let both = sides.reconcile(&[]);
    assert_eq!(both.exit_code(), 0);
    assert!(differences(&both).contains(&"cedar, 2: released-without-accepted".to_owned()));
    let cedar = both.runs.iter().find(|run| run.institution == "cedar").expect("a run");
    assert_eq!((cedar.charged, cedar.accepted), (3, 2));
    let acknowledged = cedar.epsilon_acknowledged.expect("a figure");
    assert!(cedar.epsilon_charged.lower > acknowledged.upper, "charged is more");
}

#[test]
fn a_banks_word_without_its_receipt_proves_nothing() {
    let sides = sides(Lies { omitted: true, ..Lies::default() });
    let both = sides.reconcile(&[]);
    assert_eq!(both.exit_code(), 9);
    assert_eq!(differences(&both), ["cedar, 2: acknowledged-not-in-log"]);
    let both = sides.reconcile(&sides.receipts[2..]);
    assert_eq!(differences(&both), ["cedar, 2: receipt-not-in-log"]);
}

#[test]
fn two_copies_of_one_ledger_must_continue_one_another() {
    let mut one = sides(Lies { silent: true, ..Lies::default() });
    let other = sides(Lies { silent: true, other_vector: true, ..Lies::default() });
    let longer = sides(Lies::default());
    // An older copy beside a newer one says nothing new.
    one.ledgers.push(longer.ledgers[2].clone());
    let both = one.reconcile(&[]);
    assert_eq!((both.exit_code(), differences(&both).len()), (0, 0), "{:?}", differences(&both));
    one.ledgers[3] = other.ledgers[2].clone();
    let both = one.reconcile(&[]);
    let fork = "cedar, -: ledger-forked".to_owned();
    assert!(differences(&both).contains(&fork), "{:?}", differences(&both));
    assert_eq!(both.exit_code(), 8);
}

#[test]
fn a_round_is_released_from_one_population_alone() {
    let mut one = sides(Lies { silent: true, ..Lies::default() });
    let second = sides(Lies { silent: true, second_population: true, ..Lies::default() });
    one.ledgers.push(second.ledgers[2].clone());
    let both = one.reconcile(&[]);
    assert_eq!(both.exit_code(), 6);
    let twice = differences(&both).into_iter().filter(|name| name.ends_with("released-twice"));
    assert_eq!(twice.count(), 3, "{:?}", differences(&both));
}

#[test]
fn a_receipt_decides_which_leaf_it_is() {
    let sides = sides(Lies { other_leaf: true, ..Lies::default() });
    assert_eq!(differences(&sides.reconcile(&[])), ["cedar, 1: other-leaf"]);
    let shown = differences(&sides.reconcile(&sides.receipts));
    assert_eq!(shown, ["cedar, 1: receipt-of-another-record", "cedar, 1: other-leaf"]);
}

#[test]
fn a_log_that_does_not_verify_is_not_compared() {
    let false_sum = sides(Lies { hides: true, false_sum: true, ..Lies::default() });
    let both = false_sum.reconcile(&[]);
    assert_eq!((both.exit_code(), both.differences.len(), both.runs.len()), (6, 0, 0));
    let sides = sides(Lies { hides: true, ..Lies::default() });
    // A missing blob is no obstacle, and no excuse.
    let blob = sides.export.files().into_iter().find(|name| name.starts_with("blob/"));
    sides.export.remove(&blob.expect("a blob"));
    let both = sides.reconcile(&[]);
    assert!(both.missing.is_some());
    assert_eq!((both.exit_code(), both.differences.len()), (6, 1));
}

#[test]
fn a_side_that_does_not_verify_is_not_compared() {
    let sides = sides(Lies::default());
    let heads = sides.ledgers[0].join("heads.json");
    let text = std::fs::read_to_string(&heads).expect("text");
    std::fs::write(&heads, text.replacen("\"size\":5", "\"size\":4", 1)).expect("written");
    let both = sides.reconcile(&[]);
    let finding = both.finding.as_ref().expect("a finding");
    assert_eq!((both.exit_code(), both.differences.len()), (6, 0));
    assert!(finding.place.contains("alder") && finding.place.contains("heads.json"), "{finding}");
    assert_eq!(
        audit::reconcile(&sides.folder.path().join("no"), &Options::default(), &[]).exit_code(),
        5
    );
}
