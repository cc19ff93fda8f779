//! What comes back from a snapshot, and what does not.

use proptest::prelude::*;
use round::snapshot::SNAPSHOT_VERSION;
use round::{SnapshotError, State, apply};

use crate::properties::{replay, run, schedule};
use crate::support::*;

/// A state with something of everything: revoked members, an ended run, a plan that waits, evidence.
fn rich() -> State {
    let mut world = World::running();
    world.play(&[
        (1, contribute(A)),
        (2, contribute(B)),
        (30, close(0, &[A, B])),
        (31, abandon()),
        (32, propose(Plan::Second)),
        (33, approve(A, Plan::Second)),
        (34, approve(B, Plan::Second)),
        (35, approve(C, Plan::Second)),
        (36, begin()),
        (37, contribute(A)),
        (38, contribute_wrong(A, Wrong::Vector)),
        (39, propose(Plan::WithDogwood)),
        (40, approve(D, Plan::WithDogwood)),
        (41, revoke(C)),
        (42, report(A, (3, 5), 2, false)),
        (43, report(AUDITOR, (4, 4), 1, false)),
    ]);
    let consortium = world.state.consortium.as_ref().expect("founded");
    let run = consortium.run.as_ref().expect("the second run is open");
    assert!(!run.evidence.is_empty() && !run.latest.is_empty() && world.state.round().is_some());
    assert_eq!((consortium.proposals.len(), consortium.ended.len()), (1, 1));
    assert_eq!(consortium.convicted.values().flatten().count(), 2);
    world.state
}

/// An error, or another state; never a panic, and never the same state from other bytes.
fn assert_noticed(state: &State, damaged: &[u8]) {
    if let Ok(read) = State::from_snapshot(damaged) {
        assert_ne!(read, *state);
        assert_eq!(read.to_snapshot(), damaged, "one encoding");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn every_state_comes_back_and_leads_to_the_same_end(
        schedule in schedule(),
        begin in any::<prop::sample::Index>(),
    ) {
        let world = run(&schedule, |_, _, _| {});
        let states: Vec<State> =
            replay(&world.leaves).into_iter().map(|(_, _, after)| after).collect();
        for state in &states {
            let read = State::from_snapshot(&state.to_snapshot());
            prop_assert_eq!(read.as_ref(), Ok(state));
        }
        let begin = begin.index(states.len());
        let read = states.get(begin).map(|s| State::from_snapshot(&s.to_snapshot()));
        let read = read.expect("a state").expect("its own encoding");
        let end = world.leaves.iter().skip(begin + 1).try_fold(read, apply);
        prop_assert_eq!(end.expect("the rest follows"), world.state);
    }
}

#[test]
fn the_empty_state_comes_back() {
    assert_eq!(State::from_snapshot(&State::empty().to_snapshot()), Ok(State::empty()));
}

#[test]
fn a_snapshot_depends_on_nothing_but_the_state() {
    let state = rich();
    let read = State::from_snapshot(&state.to_snapshot()).expect("its own encoding");
    assert_eq!(read.to_snapshot(), state.to_snapshot());
}

#[test]
fn every_truncated_snapshot_is_refused() {
    let bytes = rich().to_snapshot();
    for length in 0..bytes.len() {
        let cut = bytes.get(..length).expect("shorter");
        assert!(State::from_snapshot(cut).is_err(), "{length} of {} bytes", bytes.len());
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    let state = rich();
    let bytes = state.to_snapshot();
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        if let Some(byte) = damaged.get_mut(at) {
            *byte ^= 1 << (at % 8);
        }
        assert_noticed(&state, &damaged);
    }
}

#[test]
fn bytes_after_the_state_are_refused() {
    let mut bytes = rich().to_snapshot();
    bytes.push(0);
    assert_eq!(State::from_snapshot(&bytes), Err(SnapshotError::Trailing(1)));
}

#[test]
fn another_version_is_refused() {
    let mut bytes = State::empty().to_snapshot();
    let next = SNAPSHOT_VERSION + 1;
    bytes.splice(..4, next.to_be_bytes());
    assert_eq!(State::from_snapshot(&bytes), Err(SnapshotError::Version(next)));
}

#[test]
fn a_plan_that_nobody_names_is_refused() {
    // Version, size and time; one plan; no consortium.
    let plan = Plan::Example.bytes();
    let mut bytes = State::empty().to_snapshot();
    bytes.truncate(20);
    bytes.extend(1u32.to_be_bytes());
    bytes.extend(u32::try_from(plan.len()).expect("short").to_be_bytes());
    bytes.extend(plan);
    bytes.push(0);
    let refused = State::from_snapshot(&bytes);
    assert!(matches!(refused, Err(SnapshotError::NotCanonical(_))), "{refused:?}");
}

/// Two entries of a map in the wrong order say the same, and so only one order is read.
#[test]
fn entries_in_another_order_are_refused() {
    let state = rich();
    let mut swapped = state.to_snapshot();
    let name = |name: &str| [&[0, 0, 0, 5], name.as_bytes()].concat();
    for (from, to) in [(A, "aspen"), (B, A), ("aspen", B)] {
        let (from, to) = (name(from), name(to));
        let at = swapped.windows(9).position(|window| window == from).expect("in the roster");
        swapped.splice(at..at + 9, to);
    }
    let refused = State::from_snapshot(&swapped);
    assert!(matches!(refused, Err(SnapshotError::NotCanonical(_))), "{refused:?}");
}
