//! The protocol, told. Times are seconds; deadlines are 20 s, extensions 10 s, at most two.

use insta::assert_snapshot;
use ledger::record::{Body, Fault, Leaf, Member};
use ledger::time::Timestamp;
use round::decide::{Work, wake, work};
use round::{Violation, apply};

use crate::support::*;

#[test]
fn a_consortium_is_founded_and_a_run_goes_to_its_end() {
    let mut world = World::empty();
    assert_snapshot!(world.play(&[
        (0, tick()),
        (0, found()),
        (1, found()),
        (1, admit(A)),
        (2, admit(B)),
        (3, admit(C)),
        (4, admit(AUDITOR)),
        (5, propose(Plan::Example)),
        (6, approve(A, Plan::Example)),
        (7, approve(B, Plan::Example)),
        (8, approve(C, Plan::Example)),
        (9, begin()),
        (10, contribute(A)),
        (11, contribute(B)),
        (12, contribute(C)),
        (13, close(0, &[A, B, C])),
        (14, contribute(C)),
        (33, contribute(A)),
        (33, tick()),
        (34, close(1, &[A, C])),
        (99, tick()),
    ]), @"
         0 tick                          -> refused: there is no consortium yet
         0 found                         -> Genesis{orchard}
         1 found                         -> refused: the consortium is founded already
         1 admit(alder)                  -> Member{bank alder}
         2 admit(birch)                  -> Member{bank birch}
         3 admit(cedar)                  -> Member{bank cedar}
         4 admit(owl)                    -> Member{auditor owl}
         5 propose(Example)              -> PlanProposed
         6 approve(alder, Example)       -> Approval{alder}
         7 approve(birch, Example)       -> Approval{birch}
         8 approve(cedar, Example)       -> Approval{cedar}, RunStarted{spends {6, 7, 8}}
         9 begin                         -> Model{0}, RoundOpened{0: alder, birch, cedar; until 29}
        10 contribute(alder)             -> Accepted{alder}
        11 contribute(birch)             -> Accepted{birch}
        12 contribute(cedar)             -> Accepted{cedar}
        13 close(0: alder, birch, cedar) -> Closed{alder, birch, cedar}, Model{1}, RoundOpened{1: alder, birch, cedar; until 33}
        14 contribute(cedar)             -> Accepted{cedar}
        33 contribute(alder)             -> Accepted{alder}
        33 tick                          -> nothing new
        34 close(1: alder, cedar)        -> Closed{alder, cedar}, Model{2}, RunFinished{2}
        99 tick                          -> nothing new
    ");
    assert!(world.state.consortium.is_some_and(|c| c.ended.values().all(|ending| ending.finished)));
}

#[test]
fn a_late_contribution_is_refused_and_the_quorum_released() {
    assert_snapshot!(play(&[
        (4, contribute(A)),
        (5, contribute(B)),
        (20, close(0, &[A, B])),
        (22, contribute_to(0, C)),
    ]), @"
         4 contribute(alder)          -> Accepted{alder}
         5 contribute(birch)          -> Accepted{birch}
        20 close(0: alder, birch)     -> Closed{alder, birch}, Model{1}, RoundOpened{1: alder, birch, cedar; until 40}
        22 contribute(cedar, round 0) -> refused: too late: round 0 is closed; the log's last record is of 20000
    ");
}

#[test]
fn a_round_without_quorum_goes_on_with_what_it_has_and_charges_nobody_again() {
    let mut world = World::running();
    assert_snapshot!(world.play(&[
        (4, contribute(A)),
        (20, tick()),
        (20, tick()),
        (21, contribute(A)),
        (25, contribute(B)),
        (26, close(0, &[A, B])),
        (30, close(0, &[A, B])),
    ]), @"
         4 contribute(alder)      -> Accepted{alder}
        20 tick                   -> Extended{0; until 30}
        20 tick                   -> nothing new
        21 contribute(alder)      -> nothing new
        25 contribute(birch)      -> Accepted{birch}
        26 close(0: alder, birch) -> refused: the round cannot be closed with these contributions now
        30 close(0: alder, birch) -> Closed{alder, birch}, Model{1}, RoundOpened{1: alder, birch, cedar; until 50}
    ");
    assert_eq!(accepted_by(&world, A), 1);
}

#[test]
fn when_the_extensions_are_used_up_only_the_operator_can_end_the_run() {
    let mut world = World::running();
    assert_snapshot!(world.play(&[
        (4, contribute(A)),
        (20, tick()),
        (30, tick()),
        (40, tick()),
        (900, tick()),
        (900, close(0, &[A])),
    ]), @"
          4 contribute(alder) -> Accepted{alder}
         20 tick              -> Extended{0; until 30}
         30 tick              -> Extended{0; until 40}
         40 tick              -> nothing new
        900 tick              -> nothing new
        900 close(0: alder)   -> refused: the round cannot be closed with these contributions now
    ");
    assert_eq!(wake(&world.state), None, "time alone brings nothing any more");
    assert_snapshot!(world.play(&[
        (901, abandon()),
        (902, abandon()),
        (903, contribute(B)),
        (904, contribute_to(0, A)),
    ]), @"
        901 abandon                    -> Abandoned
        902 abandon                    -> nothing new
        903 contribute(birch)          -> refused: too late: round 0 is closed; the log's last record is of 901000
        904 contribute(alder, round 0) -> refused: too late: round 0 is closed; the log's last record is of 901000
    ");
}

#[test]
fn a_bank_may_still_bring_the_quorum_after_the_last_extension() {
    assert_snapshot!(play(&[
        (4, contribute(A)),
        (20, tick()),
        (30, tick()),
        (41, contribute(B)),
        (41, close(0, &[A, B])),
    ]), @"
         4 contribute(alder)      -> Accepted{alder}
        20 tick                   -> Extended{0; until 30}
        30 tick                   -> Extended{0; until 40}
        41 contribute(birch)      -> Accepted{birch}
        41 close(0: alder, birch) -> Closed{alder, birch}, Model{1}, RoundOpened{1: alder, birch, cedar; until 61}
    ");
}

#[test]
fn a_retry_is_answered_by_the_first_record_also_after_the_close() {
    let mut world = World::running();
    assert_snapshot!(world.play(&[
        (4, contribute(A)),
        (5, contribute(A)),
        (6, contribute(B)),
        (20, close(0, &[A, B])),
        (21, contribute_to(0, A)),
        (22, contribute(B)),
        (23, contribute(A)),
        (40, close(1, &[A, B])),
        (41, contribute_to(1, A)),
    ]), @"
         4 contribute(alder)          -> Accepted{alder}
         5 contribute(alder)          -> nothing new
         6 contribute(birch)          -> Accepted{birch}
        20 close(0: alder, birch)     -> Closed{alder, birch}, Model{1}, RoundOpened{1: alder, birch, cedar; until 40}
        21 contribute(alder, round 0) -> nothing new
        22 contribute(birch)          -> Accepted{birch}
        23 contribute(alder)          -> Accepted{alder}
        40 close(1: alder, birch)     -> Closed{alder, birch}, Model{2}, RunFinished{2}
        41 contribute(alder, round 1) -> nothing new
    ");
    assert_eq!(accepted_by(&world, A), 2);
}

#[test]
fn a_second_different_contribution_becomes_evidence_once() {
    assert_snapshot!(play(&[
        (4, contribute(A)),
        (5, contribute_wrong(A, Wrong::Vector)),
        (6, contribute_wrong(A, Wrong::Vector)),
        (7, contribute_wrong(A, Wrong::Charge)),
        (8, contribute(A)),
        (9, contribute(B)),
        (20, close(0, &[A, B])),
        (21, contribute_wrong_to(0, A, Wrong::Plan)),
    ]), @"
         4 contribute(alder)                      -> Accepted{alder}
         5 contribute(alder, wrong Vector)        -> Evidence{equivocation by alder}
         6 contribute(alder, wrong Vector)        -> refused: alder has signed wrong contributions to this run; they are on record
         7 contribute(alder, wrong Charge)        -> Evidence{equivocation by alder}
         8 contribute(alder)                      -> nothing new
         9 contribute(birch)                      -> Accepted{birch}
        20 close(0: alder, birch)                 -> Closed{alder, birch}, Model{1}, RoundOpened{1: alder, birch, cedar; until 40}
        21 contribute(alder, round 0, wrong Plan) -> Evidence{equivocation by alder}
    ");
}

#[test]
fn nobody_is_convicted_of_what_it_did_not_do() {
    assert_snapshot!(play(&[
        (3, convict(A, Fault::Equivocation, Wrong::Nothing)),
        (4, contribute(A)),
        (5, convict(A, Fault::Equivocation, Wrong::Nothing)),
        (6, convict(A, Fault::OutOfBound, Wrong::Nothing)),
        (7, convict(B, Fault::OutOfBound, Wrong::Signature)),
        (8, convict(B, Fault::OutOfBound, Wrong::Model)),
        (9, convict(D, Fault::OutOfBound, Wrong::Nothing)),
        (10, convict(B, Fault::OutOfBound, Wrong::Nothing)),
        (11, convict(B, Fault::OutOfBound, Wrong::Nothing)),
    ]), @"
         3 convict(alder, equivocation, Nothing)   -> refused: alder has signed no other contribution to this round
         4 contribute(alder)                       -> Accepted{alder}
         5 convict(alder, equivocation, Nothing)   -> nothing new
         6 convict(alder, out-of-bound, Nothing)   -> nothing new
         7 convict(birch, out-of-bound, Signature) -> refused: expected a valid signature of accepted, got one that does not verify
         8 convict(birch, out-of-bound, Model)     -> refused: the contribution's model is not that of the open round
         9 convict(dogwood, out-of-bound, Nothing) -> refused: dogwood is not in the cohort of this round
        10 convict(birch, out-of-bound, Nothing)   -> Evidence{out-of-bound by birch}
        11 convict(birch, out-of-bound, Nothing)   -> refused: birch has signed wrong contributions to this run; they are on record
    ");
}

#[test]
fn a_bank_put_out_during_a_round_is_not_waited_for_and_what_it_gave_stays() {
    assert_snapshot!(play(&[
        (4, contribute(A)),
        (5, contribute(B)),
        (6, revoke(B)),
        (7, revoke(C)),
        (7, revoke(C)),
        (8, contribute(C)),
        (9, contribute(B)),
        (10, close(0, &[A, B])),
        (11, contribute(A)),
        (30, tick()),
    ]), @"
         4 contribute(alder)      -> Accepted{alder}
         5 contribute(birch)      -> Accepted{birch}
         6 revoke(birch)          -> Revoked{birch}
         7 revoke(cedar)          -> Revoked{cedar}
         7 revoke(cedar)          -> nothing new
         8 contribute(cedar)      -> refused: cedar is not an active bank of this consortium
         9 contribute(birch)      -> nothing new
        10 close(0: alder, birch) -> Closed{alder, birch}, Model{1}, RoundOpened{1: alder; until 30}
        11 contribute(alder)      -> Accepted{alder}
        30 tick                   -> Extended{1; until 40}
    ");
}

#[test]
fn a_plan_for_another_consortium_is_refused() {
    assert_snapshot!(play(&[(1, propose(Plan::Foreign))]), @"
          1 propose(Foreign) -> refused: the plan names another consortium
    ");
}

#[test]
fn the_signature_of_somebody_put_out_does_not_count() {
    let mut world = founded();
    assert_snapshot!(world.play(&[
        (1, propose(Plan::Example)),
        (2, approve(A, Plan::Example)),
        (3, approve(B, Plan::Example)),
        (4, revoke(D)),
        (5, approve(D, Plan::Example)),
        (6, approve(AUDITOR, Plan::Example)),
        (7, approve(STRANGER, Plan::Example)),
        (8, revoke(A)),
        (9, approve(C, Plan::Example)),
        (10, propose(Plan::Example)),
        (11, admit(A)),
    ]), @"
         1 propose(Example)          -> PlanProposed
         2 approve(alder, Example)   -> Approval{alder}
         3 approve(birch, Example)   -> Approval{birch}
         4 revoke(dogwood)           -> Revoked{dogwood}
         5 approve(dogwood, Example) -> refused: dogwood is not an active bank of this consortium
         6 approve(owl, Example)     -> refused: owl is not an active bank of this consortium
         7 approve(weasel, Example)  -> refused: weasel is not an active bank of this consortium
         8 revoke(alder)             -> Revoked{alder}
         9 approve(cedar, Example)   -> refused: no such plan waits for signatures
        10 propose(Example)          -> refused: the plan names alder, who is not an active bank of this consortium
        11 admit(alder)              -> refused: alder is in the roster already, with other keys or put out
    ");
}

#[test]
fn a_second_run_waits_for_the_first_to_end() {
    let mut world = World::running();
    assert_snapshot!(world.play(&[
        (1, propose(Plan::Second)),
        (1, propose(Plan::Second)),
        (2, approve(A, Plan::Second)),
        (3, approve(B, Plan::Second)),
        (4, approve(C, Plan::Second)),
        (5, tick()),
        (6, abandon()),
    ]), @"
        1 propose(Second)        -> PlanProposed
        1 propose(Second)        -> nothing new
        2 approve(alder, Second) -> Approval{alder}
        3 approve(birch, Second) -> Approval{birch}
        4 approve(cedar, Second) -> Approval{cedar}
        5 tick                   -> nothing new
        6 abandon                -> Abandoned
    ");
    assert_eq!(wake(&world.state), Some(world.state.at), "the second run can start now");
    assert_snapshot!(world.play(&[(7, tick()), (8, begin()), (9, contribute(A))]), @"
        7 tick              -> RunStarted{spends {14, 15, 16}}
        8 begin             -> Model{0}, RoundOpened{0: alder, birch, cedar; until 28}
        9 contribute(alder) -> Accepted{alder}
    ");
}

#[test]
fn a_plan_runs_once_and_must_be_renamed_and_signed_again_to_run_again() {
    assert_snapshot!(play(&[
        (1, propose(Plan::Example)),
        (2, abandon()),
        (3, propose(Plan::Example)),
        (4, propose(Plan::Second)),
        (5, approve(A, Plan::Second)),
        (6, approve(B, Plan::Second)),
        (7, approve(C, Plan::Second)),
    ]), @"
        1 propose(Example)       -> refused: the plan is that of run #0; give it another name to have it signed again
        2 abandon                -> Abandoned
        3 propose(Example)       -> refused: the plan is that of run #0; give it another name to have it signed again
        4 propose(Second)        -> PlanProposed
        5 approve(alder, Second) -> Approval{alder}
        6 approve(birch, Second) -> Approval{birch}
        7 approve(cedar, Second) -> Approval{cedar}, RunStarted{spends {15, 16, 17}}
    ");
}

#[test]
fn a_signature_whose_answer_was_lost_is_answered_again_also_when_it_started_the_run() {
    let mut world = founded();
    assert_snapshot!(world.play(&[
        (1, propose(Plan::Example)),
        (2, approve(A, Plan::Example)),
        (2, approve(A, Plan::Example)),
        (3, approve(B, Plan::Example)),
        (4, approve(C, Plan::Example)),
        (5, approve(C, Plan::Example)),
        (6, abandon()),
        (7, approve(C, Plan::Example)),
        (8, approve(D, Plan::Example)),
    ]), @"
        1 propose(Example)          -> PlanProposed
        2 approve(alder, Example)   -> Approval{alder}
        2 approve(alder, Example)   -> nothing new
        3 approve(birch, Example)   -> Approval{birch}
        4 approve(cedar, Example)   -> Approval{cedar}, RunStarted{spends {7, 8, 9}}
        5 approve(cedar, Example)   -> nothing new
        6 abandon                   -> Abandoned
        7 approve(cedar, Example)   -> nothing new
        8 approve(dogwood, Example) -> refused: no such plan waits for signatures
    ");
}

#[test]
fn a_plan_needs_every_bank_that_it_names_and_more_than_half_of_all() {
    let mut world = founded();
    assert_snapshot!(world.play(&[
        (1, propose(Plan::Example)),
        (2, approve(D, Plan::Example)),
        (3, approve(A, Plan::Example)),
        (4, approve(B, Plan::Example)),
        (5, tick()),
        (6, approve(C, Plan::Example)),
    ]), @"
        1 propose(Example)          -> PlanProposed
        2 approve(dogwood, Example) -> Approval{dogwood}
        3 approve(alder, Example)   -> Approval{alder}
        4 approve(birch, Example)   -> Approval{birch}
        5 tick                      -> nothing new
        6 approve(cedar, Example)   -> Approval{cedar}, RunStarted{spends {7, 8, 9, 10}}
    ");
}

#[test]
fn a_contribution_must_say_what_the_plan_and_the_log_say() {
    assert_snapshot!(play(&[
        (1, contribute_wrong(A, Wrong::Charge)),
        (1, contribute_wrong(A, Wrong::Model)),
        (1, contribute_wrong(A, Wrong::Plan)),
        (1, contribute_wrong(A, Wrong::Run)),
        (1, contribute_wrong(A, Wrong::Round(1))),
        (1, contribute_wrong(A, Wrong::Signature)),
    ]), @"
        1 contribute(alder, wrong Charge)    -> refused: the contribution's charge is not that of the open round
        1 contribute(alder, wrong Model)     -> refused: the contribution's model is not that of the open round
        1 contribute(alder, wrong Plan)      -> refused: the contribution's plan is not that of the open round
        1 contribute(alder, wrong Run)       -> refused: run #other is not open
        1 contribute(alder, wrong Round(1))  -> refused: round 1 is not open
        1 contribute(alder, wrong Signature) -> refused: expected a valid signature of accepted, got one that does not verify
    ");
}

#[test]
fn only_the_banks_of_the_cohort_contribute() {
    assert_snapshot!(play(&[
        (1, contribute(STRANGER)),
        (2, contribute(AUDITOR)),
        (3, contribute(D)),
    ]), @"
        1 contribute(weasel)  -> refused: weasel is not an active bank of this consortium
        2 contribute(owl)     -> refused: owl is not an active bank of this consortium
        3 contribute(dogwood) -> refused: dogwood is not in the cohort of this round
    ");
}

#[test]
fn a_whole_cohort_closes_before_the_deadline_and_a_part_does_not() {
    let mut world = World::running();
    assert_snapshot!(world.play(&[
        (1, contribute(A)),
        (2, contribute(B)),
        (3, close(0, &[A, B])),
        (4, contribute(C)),
        (5, close(0, &[A, B, C])),
    ]), @"
        1 contribute(alder)             -> Accepted{alder}
        2 contribute(birch)             -> Accepted{birch}
        3 close(0: alder, birch)        -> refused: the round cannot be closed with these contributions now
        4 contribute(cedar)             -> Accepted{cedar}
        5 close(0: alder, birch, cedar) -> Closed{alder, birch, cedar}, Model{1}, RoundOpened{1: alder, birch, cedar; until 25}
    ");
}

#[test]
fn a_sum_without_everything_accepted_is_stale() {
    assert_snapshot!(play(&[
        (1, contribute(A)),
        (2, contribute(B)),
        (20, contribute(C)),
        (20, close(0, &[A, B])),
        (20, close(0, &[A, B, D])),
        (20, close(1, &[A, B, C])),
        (20, begin()),
        (20, close(0, &[A, B, C])),
        (21, close(0, &[A, B, C])),
        (21, close(1, &[])),
    ]), @"
         1 contribute(alder)               -> Accepted{alder}
         2 contribute(birch)               -> Accepted{birch}
        20 contribute(cedar)               -> Accepted{cedar}
        20 close(0: alder, birch)          -> refused: the round cannot be closed with these contributions now
        20 close(0: alder, birch, dogwood) -> refused: the round cannot be closed with these contributions now
        20 close(1: alder, birch, cedar)   -> refused: round 1 is not open
        20 begin                           -> refused: the run waits for accepted, extended or closed
        20 close(0: alder, birch, cedar)   -> Closed{alder, birch, cedar}, Model{1}, RoundOpened{1: alder, birch, cedar; until 40}
        21 close(0: alder, birch, cedar)   -> refused: round 0 is not open
        21 close(1: )                      -> refused: the round cannot be closed with these contributions now
    ");
}

#[test]
fn members_join_only_between_runs() {
    assert_snapshot!(play(&[(1, admit(STRANGER)), (2, abandon()), (3, admit(STRANGER))]), @"
        1 admit(weasel) -> refused: institutions are admitted while no run is open; run #0 is
        2 abandon       -> Abandoned
        3 admit(weasel) -> Member{bank weasel}
    ");
}

#[test]
fn time_that_runs_backwards_stands_still() {
    let mut world = World::running();
    world.play(&[(9, contribute(A)), (3, contribute(B))]);
    let times: Vec<u64> = world.leaves.iter().rev().take(2).map(|l| l.at().as_millis()).collect();
    assert_eq!(times, [9000, 9000]);
}

#[test]
fn the_driver_is_told_what_is_due_and_when() {
    let mut world = World::empty();
    assert_eq!((wake(&world.state), work(&world.state, world.state.at)), (None, None));
    world = founded();
    world.play(&[(0, propose(Plan::Example))]);
    world.play(&[A, B, C].map(|name| (0, approve(name, Plan::Example))));
    assert!(matches!(work(&world.state, world.state.at), Some(Work::Initialize(_))));
    world.play(&[(0, begin())]);
    let due = Timestamp::from_millis(20_000);
    assert_eq!((wake(&world.state), work(&world.state, due)), (Some(due), None));
    world.play(&[(1, contribute(A)), (1, contribute(B))]);
    assert_eq!(work(&world.state, world.state.at), None);
    assert!(matches!(work(&world.state, due), Some(Work::Aggregate(_))));
    world.play(&[(2, contribute(C))]);
    assert!(matches!(work(&world.state, world.state.at), Some(Work::Aggregate(_))));
}

fn founded() -> World {
    let mut world = World::empty();
    world.play(&[(0, found())]);
    world.play(&[A, B, C, D, AUDITOR].map(|name| (0, admit(name))));
    world
}

fn accepted_by(world: &World, name: &str) -> usize {
    let bodies = world.leaves.iter().map(Leaf::body);
    let of = |body: &&Body| matches!(body, Body::Accepted(c) if c.institution.as_str() == name);
    bodies.filter(of).count()
}

#[test]
fn a_paused_run_closes_its_round_and_opens_no_other_until_it_is_resumed() {
    let mut world = World::running();
    assert_snapshot!(world.play(&[
        (1, pause(false)),
        (2, pause(true)),
        (3, pause(true)),
        (4, contribute(A)),
        (5, contribute(B)),
        (6, contribute(C)),
        (7, close(0, &[A, B, C])),
        (8, contribute_to(1, A)),
        (99, tick()),
        (100, pause(false)),
        (101, contribute(A)),
    ]), @"
      1 resume                        -> nothing new
      2 pause                         -> Paused
      3 pause                         -> nothing new
      4 contribute(alder)             -> Accepted{alder}
      5 contribute(birch)             -> Accepted{birch}
      6 contribute(cedar)             -> Accepted{cedar}
      7 close(0: alder, birch, cedar) -> Closed{alder, birch, cedar}, Model{1}
      8 contribute(alder, round 1)    -> refused: round 1 is not open
     99 tick                          -> nothing new
    100 resume                        -> Resumed, RoundOpened{1: alder, birch, cedar; until 120}
    101 contribute(alder)             -> Accepted{alder}
    ");
}

#[test]
fn models_of_an_ended_run_are_withdrawn_from_one_on() {
    let mut world = World::running();
    assert_snapshot!(world.play(&[
        (1, recall(0)),
        (4, contribute(A)),
        (5, contribute(B)),
        (6, contribute(C)),
        (7, close(0, &[A, B, C])),
        (8, abandon()),
        (9, recall(2)),
        (10, recall(1)),
        (11, recall(1)),
        (12, recall(0)),
    ]), @"
     1 recall(0)                     -> refused: the log would not hold it: run #0 has not ended
     4 contribute(alder)             -> Accepted{alder}
     5 contribute(birch)             -> Accepted{birch}
     6 contribute(cedar)             -> Accepted{cedar}
     7 close(0: alder, birch, cedar) -> Closed{alder, birch, cedar}, Model{1}, RoundOpened{1: alder, birch, cedar; until 27}
     8 abandon                       -> Abandoned
     9 recall(2)                     -> refused: the log would not hold it: recalled.from is not what follows from the log
    10 recall(1)                     -> Recalled{from 1}
    11 recall(1)                     -> nothing new
    12 recall(0)                     -> Recalled{from 0}
    ");
    let (run, consortium) = (world.newest_run(), world.state.consortium.unwrap());
    assert!(consortium.is_recalled(&run, 0) && consortium.is_recalled(&run, 1));
}

#[test]
fn a_decision_is_recorded_once_and_by_members_alone() {
    let mut world = World::running();
    assert_snapshot!(world.play(&[
        (1, decide_as(AUDITOR, 0)),
        (2, decide_as(AUDITOR, 0)),
        (3, decide_as(A, 1)),
        (3, decide_as(A, 0)),
        (4, decide_as(AUDITOR, 1)),
        (5, decide_as(AUDITOR, 0)),
        (6, decide_as(STRANGER, 0)),
        (7, revoke(B)),
        (8, decide_as(B, 0)),
    ]), @"
    1 decide(owl, 0)    -> Decision{owl 0}
    2 decide(owl, 0)    -> nothing new
    3 decide(alder, 1)  -> refused: the log would not hold it: decision.number is not what follows from the log
    3 decide(alder, 0)  -> Decision{alder 0}
    4 decide(owl, 1)    -> Decision{owl 1}
    5 decide(owl, 0)    -> refused: the log would not hold it: decision.number is not what follows from the log
    6 decide(weasel, 0) -> refused: weasel is not an active member of this consortium
    7 revoke(birch)     -> Revoked{birch}
    8 decide(birch, 0)  -> refused: birch is not an active member of this consortium
    ");
}

#[test]
fn keys_change_between_runs_with_the_consent_of_those_before() {
    let mut world = World::running();
    assert_snapshot!(world.play(&[
        (1, rotate(A)),
        (2, change_log_key(&[A, B, C], false)),
        (3, abandon()),
        (4, change_log_key(&[A, B], false)),
        (5, change_log_key(&[A, B, AUDITOR], false)),
        (6, change_log_key(&[A, B, C], true)),
        (7, change_log_key(&[A, B, C], true)),
        (8, rotate(A)),
        (9, rotate(A)),
        (10, rotate(B)),
        (11, rotate(STRANGER)),
        (12, decide_as(A, 0)),
    ]), @"
     1 rotate(alder)                                 -> refused: the log would not hold it: a run is open already
     2 log key(alder, birch, cedar)                  -> refused: the log would not hold it: a run is open already
     3 abandon                                       -> Abandoned
     4 log key(alder, birch)                         -> refused: the log would not hold it: a key of the log that no quorum of the banks signed
     5 log key(alder, birch, owl)                    -> refused: the log would not hold it: owl is not an active member, or not as a bank
     6 log key(alder, birch, cedar; the old is lost) -> LogKey
     7 log key(alder, birch, cedar; the old is lost) -> nothing new
     8 rotate(alder)                                 -> Rotated{alder}
     9 rotate(alder)                                 -> nothing new
    10 rotate(birch)                                 -> refused: the log would not hold it: birch brings a key that another member uses
    11 rotate(weasel)                                -> refused: the log would not hold it: weasel is not an active member, or not as a bank
    12 decide(alder, 0)                              -> refused: expected a valid signature of decision, got one that does not verify
    ");
    let consortium = world.state.consortium.unwrap();
    let brought = consortium.log_keys.iter().last().and_then(|(index, _)| index).unwrap();
    assert_eq!(consortium.log_keys.at(brought).key, consortium.genesis.log_key);
    assert_ne!(consortium.log_keys.at(brought + 1).key, consortium.genesis.log_key);
}

#[test]
fn a_key_of_the_log_follows_only_from_its_key_to_one_that_is_new_over_what_there_is() {
    let mut world = World::running();
    world.play(&[(1, abandon())]);
    let (state, size) = (world.state.clone(), world.state.size);
    let all = [A, B, C];
    let follows = |log_key| {
        let at = Timestamp::from_millis(2_000);
        apply(state.clone(), &resign(at, Body::LogKey(log_key)))
    };
    assert!(follows(handed_over([&KEYS.log, &KEYS.next_log], &all, size, false)).is_ok());
    for (wrong, what) in [
        (handed_over([&KEYS.next, &KEYS.next_log], &all, size, false), "log_key.old_key"),
        (handed_over([&KEYS.log, &KEYS.log], &all, size, false), "log_key.new_key"),
        (handed_over([&KEYS.log, KEYS.record(A)], &all, size, false), "log_key.new_key"),
        (handed_over([&KEYS.log, &KEYS.next_log], &all, size + 1, false), "log_key.size"),
        (handed_over([&KEYS.log, &KEYS.next_log], &all, 0, false), "log_key.size"),
    ] {
        let refused = follows(wrong).unwrap_err();
        assert_eq!(refused, Violation::Field { field: what });
    }
}

#[test]
fn a_round_that_is_opened_while_the_run_is_paused_does_not_follow() {
    let mut world = World::running();
    world.play(&[
        (2, pause(true)),
        (4, contribute(A)),
        (5, contribute(B)),
        (6, contribute(C)),
        (7, close(0, &[A, B, C])),
    ]);
    let paused = world.state.clone();
    world.play(&[(8, pause(false))]);
    let opened = world.leaves.last().unwrap();
    assert!(matches!(opened.body(), Body::RoundOpened(_)));
    let refused = apply(paused, opened).unwrap_err();
    assert_eq!(refused, Violation::Paused(world.newest_run()));
}

#[test]
fn a_change_to_the_same_keys_does_not_follow() {
    let mut world = World::running();
    world.play(&[(1, abandon())]);
    let same = Body::Member(Member::Rotated(unchanged(A)));
    let refused = apply(world.state, &resign(Timestamp::from_millis(2_000), same)).unwrap_err();
    assert_eq!(refused, Violation::Field { field: "member_rotated.keys" });
}

#[test]
fn a_key_of_the_log_that_signed_two_histories_is_convicted_by_whoever_has_the_heads() {
    let mut world = World::running();
    assert_snapshot!(world.play(&[
        (1, report(A, (3, 5), 2, false)),
        (2, report(A, (3, 5), 2, false)),
        (3, report(AUDITOR, (3, 5), 2, false)),
        (4, report(AUDITOR, (3, 5), 1, false)),
        (5, report(B, (4, 4), 3, false)),
        (6, report(B, (3, 5), 3, false)),
        (7, report(B, (3, 5), 2, true)),
        (8, report(STRANGER, (3, 6), 2, false)),
        (9, revoke(C)),
        (10, report(C, (3, 6), 2, false)),
        (11, abandon()),
        (12, change_log_key(&[A, B, D], true)),
        (13, report(B, (3, 6), 2, false)),
        (14, report(B, (3, 5), 2, true)),
    ]), @"
     1 report(alder: the key signed 3 and 5, parting at 2)      -> Contradiction{3 and 5, by alder}
     2 report(alder: the key signed 3 and 5, parting at 2)      -> nothing new
     3 report(owl: the key signed 3 and 5, parting at 2)        -> nothing new
     4 report(owl: the key signed 3 and 5, parting at 1)        -> Contradiction{3 and 5, by owl}
     5 report(birch: the key signed 4 and 4, parting at 3)      -> Contradiction{4 and 4, by birch}
     6 report(birch: the key signed 3 and 5, parting at 3)      -> refused: the log would not hold it: expected heads that exclude each other, got two of one history
     7 report(birch: the next key signed 3 and 5, parting at 2) -> refused: the log would not hold it: contradiction.log_key is not what follows from the log
     8 report(weasel: the key signed 3 and 6, parting at 2)     -> refused: weasel is not an active member of this consortium
     9 revoke(cedar)                                            -> Revoked{cedar}
    10 report(cedar: the key signed 3 and 6, parting at 2)      -> refused: cedar is not an active member of this consortium
    11 abandon                                                  -> Abandoned
    12 log key(alder, birch, dogwood; the old is lost)          -> LogKey
    13 report(birch: the key signed 3 and 6, parting at 2)      -> Contradiction{3 and 6, by birch}
    14 report(birch: the next key signed 3 and 5, parting at 2) -> Contradiction{3 and 5, by birch}
    ");
}

#[test]
fn who_has_a_stolen_key_cannot_fill_the_log_with_what_it_signs() {
    let mut world = World::running();
    let steps: Vec<_> = (0..17).map(|more| (1, report(A, (3, 5 + more), 2, false))).collect();
    let told = world.play(&steps);
    let (recorded, refused): (Vec<_>, Vec<_>) =
        told.lines().partition(|line| !line.contains("refused"));
    assert_eq!((recorded.len(), refused.len()), (16, 1));
    assert!(refused[0].ends_with("more than 16 contradictions of one key"), "{refused:?}");
    // The other key is another matter.
    world.play(&[(2, abandon()), (3, change_log_key(&[A, B, C], true))]);
    assert!(!world.play(&[(4, report(A, (3, 5), 2, true))]).contains("refused"));
}
