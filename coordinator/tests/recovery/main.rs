//! What a start finds, with a snapshot that holds and with one that does not.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod support;

use coordinator::Error;
use coordinator::recovery::{Recovered, recover, snapshot};
use ledger::log_store::{LogStore, Snapshot};
use ledger::memory::MemoryLog;
use ledger::record::{Leaf, Role};
use ledger::signing::Signature;
use support::World;

/// The fold and the library as bytes: equal exactly if both are.
fn sealed(world: &World, recovered: &Recovered) -> Snapshot {
    let Recovered { state, library, .. } = recovered;
    snapshot::seal(&world.log, state, library, &world.genesis, &world.log_key).expect("sealed")
}

fn recovered(world: &World) -> Recovered {
    recover(&world.log, &[world.log_key.public()]).expect("the log follows")
}

/// Keeps a snapshot of all that is in the log.
fn keep(world: &mut World) -> Snapshot {
    let kept = sealed(world, &recovered(world));
    world.log.put_snapshot(&kept).expect("kept");
    kept
}

fn damaged<T: std::fmt::Debug>(outcome: &Result<T, Error>) -> bool {
    matches!(outcome, Err(Error::Damaged(_)))
}

/// Whatever is kept as a snapshot, the whole log is replayed and says what it says.
fn assert_left_aside(world: &mut World, kept: &Snapshot, what: &str) {
    let before = sealed(world, &recovered(world));
    world.log.put_snapshot(kept).expect("kept");
    let found = recovered(world);
    assert_eq!(found.covered, 0, "{what}");
    assert_eq!(sealed(world, &found), before, "{what}");
}

#[test]
fn recovery_from_a_snapshot_is_a_full_replay() {
    let mut world = World::founded([7; 32]);
    let steps: [fn(&mut World); 6] = [
        World::admit_banks,
        World::start_run,
        World::play_round,
        World::contribute_once,
        World::play_round,
        World::finish,
    ];
    let mut full = vec![sealed(&world, &recovered(&world))];
    for step in steps {
        step(&mut world);
        full.push(sealed(&world, &recovered(&world)));
    }
    let end = full.last().cloned().expect("an end");
    for kept in full {
        world.log.put_snapshot(&kept).expect("kept");
        let found = recovered(&world);
        assert_eq!((found.covered, found.scrub.size()), (kept.size, world.state.size));
        assert_eq!(sealed(&world, &found), end, "from {} leaves", kept.size);
        assert_eq!(found.state, world.state);
    }
}

#[test]
fn the_blobs_of_leaves_under_the_snapshot_stay_readable() {
    let mut world = World::founded([7; 32]);
    world.admit_banks();
    world.start_run();
    world.play_round();
    keep(&mut world);
    let found = recovered(&world);
    assert_eq!(found.covered, world.state.size);
    let (model, vector) = (World::theta(1), World::vector("alder", 0));
    assert!(found.library.readable(&model, Role::Bank));
    assert!(found.library.readable(&vector, Role::Auditor));
    assert!(!found.library.readable(&vector, Role::Bank));
}

#[test]
fn a_damaged_snapshot_is_left_aside() {
    let mut world = World::founded([7; 32]);
    world.admit_banks();
    let kept = keep(&mut world);
    let length = kept.bytes.len();
    for at in (0..length).step_by(7).chain(length - 64..length) {
        let mut flipped = kept.clone();
        if let Some(byte) = flipped.bytes.get_mut(at) {
            *byte ^= 1;
        }
        assert_left_aside(&mut world, &flipped, &format!("byte {at} of {length} flipped"));
    }
    for cut in [0, 1, 63, 64, 65, length - 65, length - 1] {
        let bytes = kept.bytes.get(..cut).expect("shorter").to_vec();
        let cut = Snapshot { size: kept.size, bytes };
        assert_left_aside(&mut world, &cut, "cut short");
    }
    let longer = Snapshot { bytes: [&kept.bytes[..], &[0]].concat(), ..kept };
    assert_left_aside(&mut world, &longer, "a byte more");
}

#[test]
fn a_snapshot_under_another_size_is_left_aside() {
    let mut world = World::founded([7; 32]);
    world.admit_banks();
    let kept = keep(&mut world);
    for size in [0, 1, kept.size - 1, kept.size + 1, i64::MAX.unsigned_abs()] {
        let moved = Snapshot { size, bytes: kept.bytes.clone() };
        assert_left_aside(&mut world, &moved, &format!("size {size}"));
    }
}

#[test]
fn a_snapshot_that_another_key_signed_is_left_aside() {
    let mut world = World::founded([7; 32]);
    world.admit_banks();
    let Recovered { state, library, .. } = recovered(&world);
    let stranger = &world.operator;
    let kept = snapshot::seal(&world.log, &state, &library, &world.genesis, stranger);
    assert_left_aside(&mut world, &kept.expect("sealed"), "signed by the operator");
}

#[test]
fn a_snapshot_of_another_log_is_left_aside() {
    let mut world = World::founded([7; 32]);
    let mut other = World::founded_with([8; 32], &world);
    world.admit_banks();
    other.admit_banks();
    assert_left_aside(&mut world, &keep(&mut other), "another genesis, the same log key");
}

#[test]
fn a_snapshot_of_another_history_is_left_aside() {
    let mut world = World::founded([7; 32]);
    let mut other = World::founded_with([7; 32], &world);
    assert_eq!(world.genesis, other.genesis);
    world.admit_banks();
    other.admit_banks();
    assert_left_aside(&mut world, &keep(&mut other), "other members' keys, the same size");
}

#[test]
fn the_scrub_finds_nothing_where_nothing_is() {
    let mut world = World::founded([7; 32]);
    world.admit_banks();
    world.start_run();
    world.play_round();
    keep(&mut world);
    world.play_round();
    let scrub = recovered(&world).scrub;
    scrub.run(|range| Ok(world.log.leaves(range).expect("read"))).expect("as the log says");
}

#[test]
fn without_a_snapshot_signatures_are_verified_behind_the_start() {
    let mut world = World::founded([7; 32]);
    world.admit_banks();
    let mut forged = MemoryLog::default();
    let leaves = world.log.leaves(0..world.state.size).expect("read");
    for (bytes, index) in leaves.into_iter().zip(0..) {
        let mut leaf = bytes;
        if index == 2 {
            let decoded: Leaf = Leaf::decode(leaf.as_slice()).expect("a record");
            let wrong = Signature::from_bytes([1; 64]);
            leaf = decoded.record().clone().with_signature(wrong).expect("short").into_bytes();
        }
        forged.append(&forged.head(), &[leaf], &[]).expect("appended");
    }
    let found = recover(&forged, &[world.log_key.public()]).expect("the rules hold");
    assert_eq!((found.covered, found.state.size), (0, world.state.size));
    let scrub = found.scrub;
    let outcome = scrub.run(|range| Ok(forged.leaves(range).expect("read")));
    assert!(damaged(&outcome), "{outcome:?}");
    let honest = recovered(&world).scrub;
    honest.run(|range| Ok(world.log.leaves(range).expect("read"))).expect("as the log says");
}

#[test]
fn the_scrub_finds_a_state_that_the_log_does_not_lead_to() {
    let mut world = World::founded([7; 32]);
    world.admit_banks();
    let mut wrong = recovered(&world);
    let members = wrong.state.consortium.as_mut().map(|c| &mut c.members).expect("founded");
    for member in members.values_mut() {
        member.role = Role::Auditor;
    }
    let kept = sealed(&world, &wrong);
    world.log.put_snapshot(&kept).expect("kept");
    let scrub = recovered(&world).scrub;
    let outcome = scrub.run(|range| Ok(world.log.leaves(range).expect("read")));
    assert!(damaged(&outcome), "{outcome:?}");
}

#[test]
fn the_scrub_finds_a_library_that_the_log_does_not_name() {
    let mut world = World::founded([7; 32]);
    world.admit_banks();
    world.start_run();
    world.play_round();
    let mut wrong = recovered(&world);
    wrong.library = coordinator::Library::default();
    let kept = sealed(&world, &wrong);
    world.log.put_snapshot(&kept).expect("kept");
    let scrub = recovered(&world).scrub;
    let outcome = scrub.run(|range| Ok(world.log.leaves(range).expect("read")));
    assert!(damaged(&outcome), "{outcome:?}");
}

#[test]
fn the_scrub_finds_leaves_that_are_not_those_of_the_root() {
    let mut world = World::founded([7; 32]);
    let mut other = World::founded_with([7; 32], &world);
    world.admit_banks();
    other.admit_banks();
    keep(&mut world);
    let scrub = recovered(&world).scrub;
    let outcome = scrub.run(|range| Ok(other.log.leaves(range).expect("read")));
    assert!(damaged(&outcome), "{outcome:?}");
    let outcome = scrub.run(|_| Ok(vec![]));
    assert!(damaged(&outcome), "{outcome:?}");
}
