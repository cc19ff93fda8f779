use std::sync::Arc;

use ledger::digest::{Digest, sha256};
use ledger::log_store::{BlobStore as _, LogStore as _};
use ledger::memory::{Crash, CrashPoint, MemoryBlobs, MemoryLog};
use ledger::population::{
    Cap, Enrolled, Entry, LedgerError, OpenWork, Opened, OpenedHead, PopulationLedger, Recomputed,
    ReleasedEntry, Reservation, ReserveOutcome, ReserveRequest, Reserved, RunTerms, Sketch,
    SketchKey, UnitRelation, Violation, blinded_head,
};
use ledger::record::{Charge, Leaf, Record, TaskChange, Text};
use ledger::time::Timestamp;
use ledger::tree::{Head, root_at};

use crate::fixture::{digest, key, name, run};

pub(crate) type Ledger = PopulationLedger<MemoryLog>;

pub(crate) fn opened(ids: &[&str]) -> Opened {
    Opened {
        institution: name("bank-a"),
        population: Text::new("cards").unwrap(),
        unit: Text::new("customer").unwrap(),
        relation: UnitRelation::AddRemove,
        nonce: [1; 32],
        sketch: Sketch::of(&SketchKey::new(&[3; 32]), ids, 64),
    }
}

pub(crate) fn at(ms: u64) -> Timestamp {
    Timestamp::from_millis(ms)
}

pub(crate) fn cap(budget: f64) -> Cap {
    Cap::new(3.0, 1e-6, 8.5, budget, Text::default()).unwrap()
}

/// A hundred rounds that cost ε = 2 in all, at a bank that lets a run cost `epsilon_max`.
pub(crate) fn terms(epsilon_max: f64) -> RunTerms {
    RunTerms::new(100, 2.0, 1e-6, epsilon_max).unwrap()
}

pub(crate) fn request(round: u32, rdp: f64) -> ReserveRequest {
    ReserveRequest {
        consortium: digest(0),
        run: run(),
        round,
        plan: digest(1),
        model: digest(2),
        charge: Charge::new(1.5, 0.25, TaskChange::Content).unwrap(),
        rdp,
        terms: terms(3.0),
    }
}

pub(crate) fn ledger() -> Ledger {
    let store = MemoryLog::new(MemoryBlobs::new());
    let key = Arc::new(key(1));
    let mut ledger =
        PopulationLedger::register(store, key, at(1), opened(&["a", "b"]), &[]).unwrap();
    ledger.set_cap(at(2), cap(1.0)).unwrap();
    enroll(&mut ledger);
    ledger
}

/// The bank's record key in the tests' consortium says whose ledger it is.
fn enroll(ledger: &mut Ledger) {
    ledger.enroll(at(2), digest(0), &name("bank-a"), &key(7)).unwrap();
}

pub(crate) fn reopen(ledger: Ledger) -> Ledger {
    PopulationLedger::open(ledger.into_store().reopen(), Arc::new(key(1))).unwrap()
}

fn blobs(ledger: &Ledger) -> MemoryBlobs {
    ledger.store().blobs().clone()
}

fn compute(outcome: ReserveOutcome) -> Reservation {
    match outcome {
        ReserveOutcome::Compute(reservation) => reservation,
        other => unreachable!("expected a fresh reservation, got {other:?}"),
    }
}

fn violation<T: std::fmt::Debug, E: std::fmt::Debug>(
    refused: Result<T, LedgerError<E>>,
) -> Violation {
    match refused.unwrap_err() {
        LedgerError::Refused(violation) => violation,
        other => unreachable!("expected a refusal, got {other:?}"),
    }
}

#[test]
fn a_round_is_charged_released_and_acknowledged_once() {
    let mut ledger = ledger();
    let blobs = blobs(&ledger);
    let reservation = compute(ledger.reserve(at(3), request(0, 0.25)).unwrap());
    let released = ledger.release(at(4), &reservation, b"noised".to_vec(), &blobs).unwrap();
    assert_eq!(*released.vector(), sha256(b"noised"));
    ledger.acknowledge(at(5), &released, 17, digest(9)).unwrap();
    let size = ledger.head().size;
    // Retries write nothing.
    ledger.release(at(6), &reservation, b"noised".to_vec(), &blobs).unwrap();
    ledger.acknowledge(at(6), &released, 17, digest(10)).unwrap();
    assert!(matches!(
        ledger.reserve(at(6), request(0, 0.25)).unwrap(),
        ReserveOutcome::Released(again) if again.vector() == released.vector()
    ));
    assert_eq!(ledger.head().size, size);
    assert_eq!(ledger.state().spent().to_bits(), 0.25_f64.to_bits());
    assert!(ledger.open_work(&digest(0)).is_empty());
    assert_eq!(
        violation(ledger.acknowledge(at(7), &released, 18, digest(9))),
        Violation::OtherReceipt { expected: 17, found: 18 }
    );
}

#[test]
fn other_bytes_for_a_released_round_are_refused() {
    let mut ledger = ledger();
    let blobs = blobs(&ledger);
    let reservation = compute(ledger.reserve(at(3), request(0, 0.25)).unwrap());
    ledger.release(at(4), &reservation, b"noised".to_vec(), &blobs).unwrap();
    let refused = violation(ledger.release(at(4), &reservation, b"other".to_vec(), &blobs));
    assert!(matches!(refused, Violation::AlreadyReleased { .. }));
    assert_eq!(blobs.get(&sha256(b"other")), Ok(None));
    let refused = violation(ledger.void(at(5), reservation.index(), Text::default()));
    assert!(matches!(refused, Violation::AlreadyReleased { .. }));
}

#[test]
fn a_round_is_charged_for_one_plan_and_one_model() {
    let mut ledger = ledger();
    compute(ledger.reserve(at(3), request(0, 0.25)).unwrap());
    let other_plan = ReserveRequest { plan: digest(7), ..request(0, 0.25) };
    let other_model = ReserveRequest { model: digest(7), ..request(0, 0.25) };
    for other in [other_plan, other_model] {
        assert_eq!(violation(ledger.reserve(at(4), other)), Violation::OtherRelease(3));
    }
}

#[test]
fn the_budget_holds_to_the_last_bit() {
    let mut ledger = ledger();
    compute(ledger.reserve(at(3), request(0, 0.75)).unwrap());
    let beyond = 0.25_f64.next_up();
    let refused = violation(ledger.reserve(at(4), request(1, beyond)));
    assert_eq!(refused, Violation::OverBudget { spent: 0.75, rdp: beyond, budget: 1.0 });
    compute(ledger.reserve(at(5), request(1, 0.25)).unwrap());
    // Smaller than the spacing of doubles at 1: rounding to nearest would lose it.
    let refused = violation(ledger.reserve(at(6), request(2, 1e-300)));
    assert!(matches!(refused, Violation::OverBudget { .. }));
}

#[test]
fn a_run_costs_what_its_plan_says_in_every_round_and_no_more_than_the_bank_lets_it() {
    let mut ledger = ledger();
    let dear = ReserveRequest { terms: terms(1.9), ..request(0, 0.25) };
    let refused = violation(ledger.reserve(at(3), dear));
    assert_eq!(refused, Violation::OverRunCap { epsilon: 2.0, epsilon_max: 1.9 });
    let beyond = ledger.reserve(at(3), request(100, 0.25));
    assert_eq!(violation(beyond), Violation::BeyondPlan { rounds: 100, round: 100 });

    compute(ledger.reserve(at(3), request(0, 0.25)).unwrap());
    let cheaper = RunTerms::new(100, 1.0, 1e-6, 3.0).unwrap();
    let longer = RunTerms::new(101, 2.0, 1e-6, 3.0).unwrap();
    let surer = RunTerms::new(100, 2.0, 1e-7, 3.0).unwrap();
    let quieter = Charge::new(1.25, 0.25, TaskChange::Content).unwrap();
    for other in [
        ReserveRequest { terms: cheaper, ..request(1, 0.25) },
        ReserveRequest { terms: longer, ..request(1, 0.25) },
        ReserveRequest { terms: surer, ..request(1, 0.25) },
        ReserveRequest { charge: quieter, ..request(1, 0.25) },
        ReserveRequest { plan: digest(7), ..request(1, 0.25) },
    ] {
        assert_eq!(violation(ledger.reserve(at(4), other)), Violation::OtherTerms(3));
    }
    // Given back or not, the run began with these terms.
    ledger.void(at(5), 3, Text::default()).unwrap();
    let other = ReserveRequest { terms: cheaper, ..request(0, 0.25) };
    assert_eq!(violation(ledger.reserve(at(6), other)), Violation::OtherTerms(3));
    // The bank's own cap may change, and holds from then on.
    compute(
        ledger.reserve(at(7), ReserveRequest { terms: terms(2.0), ..request(1, 0.25) }).unwrap(),
    );
    let lowered = ReserveRequest { terms: terms(1.5), ..request(2, 0.25) };
    assert!(matches!(violation(ledger.reserve(at(8), lowered)), Violation::OverRunCap { .. }));
}

#[test]
fn terms_that_are_no_terms_are_refused() {
    for (rounds, epsilon, delta, epsilon_max) in [
        (0, 1.0, 1e-6, 1.0),
        (1, -0.5, 1e-6, 1.0),
        (1, 1.0, 1e-6, 0.0),
        (1, f64::NAN, 1e-6, 1.0),
        (1, f64::INFINITY, 1e-6, f64::INFINITY),
        (1, 1.0, 1.0, 1.0),
        (1, 1.0, 0.0, 1.0),
        (1, 1.0, 1e-6, f64::NAN),
    ] {
        assert!(RunTerms::new(rounds, epsilon, delta, epsilon_max).is_err(), "{epsilon} {delta}");
    }
}

#[test]
fn charges_that_are_no_charge_are_refused() {
    let mut ledger = ledger();
    for rdp in [0.0, -0.5, f64::NAN, f64::INFINITY] {
        let refused = ledger.reserve(at(3), request(0, rdp));
        assert!(matches!(violation(refused), Violation::NotPositive(_)), "{rdp}");
    }
    assert_eq!(ledger.head().size, 3);
}

#[test]
fn nothing_is_charged_before_a_cap_and_no_cap_changes_the_filter() {
    let store = MemoryLog::default();
    let mut ledger =
        PopulationLedger::register(store, Arc::new(key(1)), at(1), opened(&["a"]), &[]).unwrap();
    enroll(&mut ledger);
    assert_eq!(violation(ledger.reserve(at(2), request(0, 0.1))), Violation::NoCap);
    ledger.set_cap(at(3), cap(1.0)).unwrap();
    let text = Text::default;
    for changed in [
        Cap::new(3.0, 1e-6, 9.0, 1.0, text()).unwrap(),
        Cap::new(3.0, 1e-5, 8.5, 1.0, text()).unwrap(),
    ] {
        assert_eq!(violation(ledger.set_cap(at(4), changed)), Violation::CapChangesFilter);
    }
    ledger.set_cap(at(5), Cap::new(5.0, 1e-6, 8.5, 2.0, text()).unwrap()).unwrap();
    let budgets: Vec<f64> = ledger.state().caps().iter().map(|(_, cap)| cap.budget()).collect();
    assert_eq!(budgets, [1.0, 2.0]);
}

#[test]
fn an_interrupted_computation_starts_again_twice_and_then_stays_charged() {
    let mut ledger = ledger();
    compute(ledger.reserve(at(3), request(0, 0.25)).unwrap());
    for attempt in 1..=2 {
        ledger = reopen(ledger);
        let again = match ledger.reserve(at(4), request(0, 0.25)).unwrap() {
            ReserveOutcome::Interrupted(again) => again,
            other => unreachable!("expected an interrupted computation, got {other:?}"),
        };
        assert_eq!(ledger.recompute(at(5), &again).unwrap().attempt(), attempt);
    }
    ledger = reopen(ledger);
    assert!(ledger.open_work(&digest(0)).is_empty());
    assert_eq!(violation(ledger.reserve(at(6), request(0, 0.25))), Violation::Exhausted(3));
    assert_eq!(ledger.state().spent().to_bits(), 0.25_f64.to_bits());
    // Only an operator gives it back.
    ledger.void(at(7), 3, Text::new("agreed with the auditor").unwrap()).unwrap();
    assert_eq!(ledger.state().spent().to_bits(), 0.0_f64.to_bits());
    compute(ledger.reserve(at(8), request(0, 0.25)).unwrap());
}

#[test]
fn an_earlier_computation_cannot_release_once_a_later_one_began() {
    let mut ledger = ledger();
    let blobs = blobs(&ledger);
    let first = compute(ledger.reserve(at(3), request(0, 0.25)).unwrap());
    let OpenWork::Recompute(again) = ledger.open_work(&digest(0)).remove(0) else {
        unreachable!("nothing was released");
    };
    let second = ledger.recompute(at(4), &again).unwrap();
    let refused = violation(ledger.release(at(5), &first, b"stale".to_vec(), &blobs));
    assert_eq!(refused, Violation::Superseded(3));
    ledger.release(at(6), &second, b"noised".to_vec(), &blobs).unwrap();
}

#[test]
fn a_stopped_ledger_lets_nothing_out_even_after_a_restart() {
    let mut ledger = ledger();
    let blobs = blobs(&ledger);
    let sent = compute(ledger.reserve(at(3), request(0, 0.25)).unwrap());
    ledger.release(at(4), &sent, b"noised".to_vec(), &blobs).unwrap();
    let open = compute(ledger.reserve(at(5), request(1, 0.25)).unwrap());
    ledger.stop(at(6), Text::new("told to").unwrap()).unwrap();
    ledger = reopen(ledger);
    assert!(ledger.open_work(&digest(0)).is_empty());
    for round in 0..3 {
        let refused = violation(ledger.reserve(at(7), request(round, 0.25)));
        assert!(matches!(refused, Violation::Stopped(_)));
    }
    for (token, bytes) in [(&open, b"fresh!"), (&sent, b"noised")] {
        let refused = violation(ledger.release(at(7), token, bytes.to_vec(), &blobs));
        assert!(matches!(refused, Violation::Stopped(_)));
    }
    ledger.resume(at(8), Text::default()).unwrap();
    assert_eq!(ledger.open_work(&digest(0)).len(), 2);
    assert_eq!(violation(ledger.resume(at(9), Text::default())), Violation::NotStopped);
}

/// The crash table of the module's documentation, row by row.
#[test]
fn a_restart_finds_what_the_crash_table_says() {
    use CrashPoint::{AfterDurable, BeforeDurable};
    for (after_appends, point, expected) in [
        (0, BeforeDurable, "nothing"),
        (0, AfterDurable, "recompute"),
        (1, BeforeDurable, "recompute"),
        (1, AfterDurable, "resend"),
        (2, BeforeDurable, "resend"),
        (2, AfterDurable, "nothing"),
    ] {
        let base = ledger();
        let mut store = base.into_store();
        store.crash(Crash { after_appends, point });
        let mut ledger = PopulationLedger::open(store, Arc::new(key(1))).unwrap();
        let blobs = blobs(&ledger);
        let round = |ledger: &mut Ledger| -> Result<(), LedgerError<_>> {
            let reservation = compute(ledger.reserve(at(3), request(0, 0.25))?);
            let released = ledger.release(at(4), &reservation, b"noised".to_vec(), &blobs)?;
            ledger.acknowledge(at(5), &released, 1, digest(1))
        };
        assert!(matches!(round(&mut ledger), Err(LedgerError::Store(_))));
        // Until it is opened again it refuses everything, also what would be lawful.
        assert!(matches!(ledger.set_cap(at(6), cap(2.0)), Err(LedgerError::Poisoned)));
        let ledger = reopen(ledger);
        let found = match ledger.open_work(&digest(0)).as_slice() {
            [] => "nothing",
            [OpenWork::Recompute(_)] => "recompute",
            [OpenWork::Resend(released)] => {
                assert_eq!(blobs.get(released.vector()).unwrap().unwrap(), b"noised");
                "resend"
            }
            more => unreachable!("one round, {more:?}"),
        };
        assert_eq!(found, expected, "{after_appends} {point:?}");
    }
}

#[test]
fn a_contribution_is_the_same_however_often_it_is_asked_for() {
    let mut ledger = ledger();
    let blobs = blobs(&ledger);
    let reservation = compute(ledger.reserve(at(3), request(0, 0.25)).unwrap());
    let released = ledger.release(at(4), &reservation, b"noised".to_vec(), &blobs).unwrap();
    let (before, nonce) =
        (ledger.contribution(&released).unwrap(), ledger.head_nonce(released.index()));
    let head = ledger.head();
    compute(ledger.reserve(at(5), request(1, 0.25)).unwrap());
    ledger = reopen(ledger);
    let OpenWork::Resend(again) = ledger.open_work(&digest(0)).remove(0) else {
        unreachable!("the round was released");
    };
    assert_eq!(ledger.contribution(&again).unwrap(), before);
    assert_eq!(before.ledger_head, blinded_head(&nonce, &head));
    let opened = ledger.opened_heads().unwrap();
    assert_eq!(opened, [OpenedHead { reservation: released.index(), head, nonce }]);
}

#[test]
fn a_bank_clock_that_runs_back_stops_nothing() {
    let mut ledger = ledger();
    compute(ledger.reserve(at(1000), request(0, 0.25)).unwrap());
    compute(ledger.reserve(at(10), request(1, 0.25)).unwrap());
    let ledger = reopen(ledger);
    assert_eq!(ledger.state().last(), at(1000));
}

#[test]
fn overlapping_populations_are_refused() {
    let key = || Arc::new(key(1));
    let known = opened(&["a", "b", "c"]).sketch;
    let overlapping = PopulationLedger::register(
        MemoryLog::default(),
        key(),
        at(1),
        opened(&["x", "c", "y"]),
        std::slice::from_ref(&known),
    );
    assert_eq!(violation(overlapping), Violation::Overlaps);
    let apart = opened(&["x", "y"]);
    PopulationLedger::register(MemoryLog::default(), key(), at(1), apart, &[known]).unwrap();
}

#[test]
fn a_sketch_is_a_function_of_the_set_and_the_key() {
    let key = SketchKey::new(&[1; 32]);
    let one = Sketch::of(&key, ["a", "b", "c", "d"], 2);
    assert_eq!(one, Sketch::of(&key, ["d", "a", "a", "c", "b"], 2));
    assert_eq!(one.to_bytes().len(), 16);
    let other = SketchKey::new(&[2; 32]);
    assert!(!one.overlaps(&Sketch::of(&other, ["a", "b", "c", "d"], 4)));
    assert_eq!(format!("{key:?}"), "SketchKey(secret)");
}

#[test]
fn tokens_of_another_ledger_are_refused() {
    let (mut one, store) = (ledger(), MemoryLog::default());
    let other_population = Opened { nonce: [9; 32], ..opened(&["z"]) };
    let mut other =
        PopulationLedger::register(store, Arc::new(key(1)), at(1), other_population, &[]).unwrap();
    other.set_cap(at(2), cap(1.0)).unwrap();
    enroll(&mut other);
    let token = compute(one.reserve(at(3), request(0, 0.25)).unwrap());
    compute(other.reserve(at(3), request(0, 0.25)).unwrap());
    let blobs = blobs(&other);
    let refused = violation(other.release(at(4), &token, b"noised".to_vec(), &blobs));
    assert_eq!(refused, Violation::OtherLedger);
}

#[test]
fn a_ledger_that_lost_its_tail_or_belongs_to_another_is_not_opened() {
    let mut ledger = ledger();
    compute(ledger.reserve(at(3), request(0, 0.25)).unwrap());
    let head = ledger.head();
    ledger.confirm(&Head { size: 2, root: root_at(ledger.store(), 2).unwrap() }).unwrap();
    let longer = Head { size: head.size + 1, root: head.root };
    assert!(matches!(ledger.confirm(&longer), Err(LedgerError::RolledBack(_))));
    let forked = Head { size: 2, root: digest(5) };
    assert!(matches!(ledger.confirm(&forked), Err(LedgerError::RolledBack(_))));

    // A store that was cut back, but kept the checkpoint of the longer log.
    let whole = ledger.into_store();
    let text = whole.checkpoint().unwrap().unwrap();
    let mut cut = MemoryLog::default();
    cut.append(&Head::empty(), &whole.leaves(0..2).unwrap(), &[]).unwrap();
    let identity = ledger::checkpoint::LogIdentity {
        genesis: Leaf::<Entry>::decode(whole.leaf(0).unwrap().unwrap().as_slice())
            .unwrap()
            .digest(),
        key: key(1).public(),
    };
    let kept = ledger::checkpoint::SignedCheckpoint::open(&text, &identity).unwrap();
    cut.put_checkpoint(&kept).unwrap();
    let refused = PopulationLedger::open(cut, Arc::new(key(1))).unwrap_err();
    assert!(matches!(refused, LedgerError::RolledBack(_)));

    let refused = PopulationLedger::open(whole, Arc::new(key(2))).unwrap_err();
    assert!(matches!(refused, LedgerError::Refused(Violation::WrongAuthor)));
    let empty = PopulationLedger::open(MemoryLog::default(), Arc::new(key(1))).unwrap_err();
    assert!(matches!(empty, LedgerError::Refused(Violation::NotOpened)));
}

#[test]
fn large_bytes_are_durable_before_the_record_that_names_them() {
    let mut ledger = ledger();
    // Blobs beside the log, as files are.
    let files = MemoryBlobs::new();
    let reservation = compute(ledger.reserve(at(3), request(0, 0.25)).unwrap());
    let bytes = vec![7_u8; 70_000];
    let released = ledger.release(at(4), &reservation, bytes.clone(), &files).unwrap();
    assert_eq!(files.get(released.vector()), Ok(Some(bytes)));
    let nowhere: Option<Vec<u8>> = ledger.store().blobs().get(released.vector()).unwrap();
    assert_eq!(nowhere, None);
    assert_ne!(*released.vector(), Digest::ZERO);
}

/// A reader of a ledger has only the fold: it must refuse what an honest ledger never writes.
#[test]
fn the_fold_alone_refuses_what_an_honest_ledger_never_writes() {
    let mut ledger = ledger();
    let blobs = blobs(&ledger);
    let reservation = compute(ledger.reserve(at(3), request(0, 0.25)).unwrap());
    compute(ledger.reserve(at(3), request(1, 0.25)).unwrap());
    ledger.release(at(4), &reservation, b"noised".to_vec(), &blobs).unwrap();
    let entry = |body: Entry| Record { at: at(5), author: key(1).public(), body };
    let charge = |round, cumulative_rdp| {
        entry(Reserved { request: request(round, 0.25), cumulative_rdp }.into())
    };
    let release = |reservation| entry(ReleasedEntry { reservation, vector: digest(8) }.into());
    let again = |reservation| entry(Recomputed { reservation }.into());
    let state = ledger.state();

    let (twice, vector) = (state.check(&release(3)), sha256(b"noised"));
    assert_eq!(twice, Err(Violation::AlreadyReleased { reservation: 3, vector }));
    assert_eq!(state.check(&charge(1, 0.75)), Err(Violation::AlreadyReserved(4)));
    let understated = Violation::Cumulative { expected: 0.75, found: 0.5 };
    assert_eq!(state.check(&charge(2, 0.5)), Err(understated));
    assert_eq!(state.check(&release(9)), Err(Violation::NoReservation(9)));
    let early = Record { at: at(2), ..release(4) };
    let runs_back = Violation::TimeRunsBack { last: at(4), found: at(2) };
    assert_eq!(state.check(&early), Err(runs_back));
    let stranger = Record { author: key(2).public(), ..release(4) };
    assert_eq!(state.check(&stranger), Err(Violation::WrongAuthor));
    assert_eq!(state.check(&entry(opened(&["q"]).into())), Err(Violation::AlreadyOpened));
    state.check(&release(4)).unwrap();

    ledger.stop(at(5), Text::default()).unwrap();
    for refused in [release(4), again(4), charge(2, 0.75)] {
        assert!(matches!(ledger.state().check(&refused), Err(Violation::Stopped(_))));
    }
}

#[test]
fn a_ledger_is_charged_only_for_consortia_whose_record_key_has_signed_for_it() {
    let mut ledger = ledger();
    let elsewhere = || ReserveRequest { consortium: digest(5), ..request(0, 0.25) };
    let refused = violation(ledger.reserve(at(3), elsewhere()));
    assert_eq!(refused, Violation::NotEnrolled(digest(5)));
    ledger.enroll(at(4), digest(5), &name("bank-b"), &key(8)).unwrap();
    let blobs = blobs(&ledger);
    let reservation = compute(ledger.reserve(at(5), elsewhere()).unwrap());
    let released = ledger.release(at(6), &reservation, b"noised".to_vec(), &blobs).unwrap();
    let sent = ledger.contribution(&released).unwrap();
    assert_eq!(sent.institution, name("bank-b"), "by its name there");
    // The one budget, and each consortium's own work.
    compute(ledger.reserve(at(7), request(0, 0.5)).unwrap());
    let refused = violation(ledger.reserve(at(8), request(1, 0.5)));
    assert_eq!(refused, Violation::OverBudget { spent: 0.75, rdp: 0.5, budget: 1.0 });
    assert!(matches!(&*ledger.open_work(&digest(5)), [OpenWork::Resend(_)]));
    assert!(matches!(&*ledger.open_work(&digest(0)), [OpenWork::Recompute(_)]));
    assert!(ledger.open_work(&digest(6)).is_empty());
    let shares = [0, 5].map(|of| ledger.state().spent_for(&digest(of)).to_bits());
    assert_eq!(shares, [0.5_f64.to_bits(), 0.25_f64.to_bits()]);
}

#[test]
fn a_consortium_is_enrolled_once_a_key_and_never_under_another_name() {
    let mut ledger = ledger();
    let size = ledger.head().size;
    ledger.enroll(at(3), digest(0), &name("bank-a"), &key(7)).unwrap();
    assert_eq!(ledger.head().size, size, "what is signed is not signed again");
    let renamed = violation(ledger.enroll(at(4), digest(0), &name("bank-z"), &key(9)));
    assert_eq!(renamed, Violation::AlreadyEnrolled(digest(0)));
    ledger.enroll(at(5), digest(0), &name("bank-a"), &key(9)).unwrap();
    let held = ledger.state().enrolled()[&digest(0)].clone();
    assert_eq!((held.record_key, ledger.state().enrolled().len()), (key(9).public(), 1));

    // A reader refuses a statement for another ledger, consortium or name, and the same one again.
    let own = ledger.identity().genesis;
    let entry =
        |enrolled: Enrolled| Record { at: at(6), author: key(1).public(), body: enrolled.into() };
    let signed = |of: &Digest| Enrolled::sign(of, digest(6), name("bank-a"), &key(7));
    let state = ledger.state();
    state.check(&entry(signed(&own))).unwrap();
    let forged = [
        signed(&digest(4)),
        Enrolled { consortium: digest(7), ..signed(&own) },
        Enrolled { institution: name("bank-b"), ..signed(&own) },
        Enrolled { record_key: key(8).public(), ..signed(&own) },
    ];
    for forged in forged {
        assert_eq!(state.check(&entry(forged)), Err(Violation::NotSignedFor));
    }
    let again = Enrolled::sign(&own, digest(0), name("bank-a"), &key(9));
    assert_eq!(state.check(&entry(again)), Err(Violation::AlreadyEnrolled(digest(0))));
}
