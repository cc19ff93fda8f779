//! What holds whatever is asked for, in whatever order and at whatever time.

use std::collections::{BTreeMap, BTreeSet};

use ledger::digest::sha256;
use ledger::record::{Body, Canonical, Contribution, Fault, Institution, Leaf, RunId};
use ledger::time::Timestamp;
use proptest::prelude::*;
use round::decide::NewModel;
use round::outer::{Master, Scale};
use round::{Request, State, apply, decide};

use crate::support::*;

const NAMES: [&str; 6] = [A, B, C, D, AUDITOR, STRANGER];
const PLANS: [Plan; 4] = [Plan::Example, Plan::Second, Plan::Foreign, Plan::WithDogwood];

/// One thing that somebody tries.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    Contribute {
        who: usize,
        round: Option<u32>,
        wrong: Wrong,
    },
    Convict {
        who: usize,
        fault: Fault,
        wrong: Wrong,
    },
    Close {
        round: u32,
        survivors: Vec<bool>,
    },
    CloseRight,
    Begin,
    Tick,
    Propose(usize),
    Approve {
        who: usize,
        plan: usize,
    },
    Admit(usize),
    Revoke(usize),
    Abandon,
    Pause(bool),
    Recall(u32),
    Decide {
        who: usize,
        number: u32,
    },
    Rotate(usize),
    Report {
        who: usize,
        sizes: (u64, u64),
        fork: u64,
        next: bool,
    },
    ChangeLogKey(Vec<bool>),
    /// Something that was asked for before, word for word.
    Again(usize),
}

fn wrong() -> impl Strategy<Value = Wrong> {
    prop_oneof![
        8 => Just(Wrong::Nothing),
        3 => Just(Wrong::Vector),
        1 => Just(Wrong::Model),
        1 => Just(Wrong::Plan),
        1 => Just(Wrong::Charge),
        1 => Just(Wrong::Run),
        1 => Just(Wrong::Signature),
        1 => (0u32..4).prop_map(Wrong::Round),
    ]
}

fn action() -> impl Strategy<Value = Action> {
    let who = || prop_oneof![9 => 0usize..3, 2 => 3usize..6];
    let round = prop_oneof![4 => Just(None), 1 => (0u32..3).prop_map(Some)];
    let fault = prop_oneof![Just(Fault::Equivocation), Just(Fault::OutOfBound)];
    prop_oneof![
        16 => (who(), round, wrong()).prop_map(|(who, round, wrong)| {
            Action::Contribute { who, round, wrong }
        }),
        2 => (who(), fault, wrong()).prop_map(|(who, fault, wrong)| {
            Action::Convict { who, fault, wrong }
        }),
        2 => (0u32..3, prop::collection::vec(any::<bool>(), 4))
            .prop_map(|(round, survivors)| Action::Close { round, survivors }),
        6 => Just(Action::CloseRight),
        3 => Just(Action::Begin),
        6 => Just(Action::Tick),
        1 => (0usize..4).prop_map(Action::Propose),
        3 => (who(), 0usize..2).prop_map(|(who, plan)| Action::Approve { who, plan }),
        1 => (0usize..6).prop_map(Action::Admit),
        1 => who().prop_map(Action::Revoke),
        1 => Just(Action::Abandon),
        2 => any::<bool>().prop_map(Action::Pause),
        1 => (0u32..3).prop_map(Action::Recall),
        1 => (who(), 0u32..3).prop_map(|(who, number)| Action::Decide { who, number }),
        1 => who().prop_map(Action::Rotate),
        1 => prop::collection::vec(any::<bool>(), 5).prop_map(Action::ChangeLogKey),
        2 => (who(), 1u64..4, 0u64..3, 0u64..4, any::<bool>()).prop_map(|(who, small, more, fork, next)| {
            Action::Report { who, sizes: (small, small + more), fork, next }
        }),
        5 => any::<prop::sample::Index>().prop_map(|i| Action::Again(i.index(1 << 20))),
    ]
}

/// Actions, each with the milliseconds on the clock; clocks may jump, also backwards.
pub(crate) fn schedule() -> impl Strategy<Value = Vec<(u64, Action)>> {
    let step = prop_oneof![4 => 0i64..4_000, 2 => 8_000i64..32_000, 1 => -20_000i64..0];
    prop::collection::vec((step, action()), 1..40).prop_map(|steps| {
        let mut now = 0i64;
        let at = |(step, action): (i64, Action)| {
            now = (now + step).max(0);
            (now.unsigned_abs(), action)
        };
        steps.into_iter().map(at).collect()
    })
}

/// Plays a schedule from an open round on. `each` sees the state before, the moment and the request.
pub(crate) fn run(schedule: &[(u64, Action)], each: impl Fn(&State, Timestamp, &Request)) -> World {
    let mut world = World::running();
    world.play(&[(0, propose(Plan::Second))]);
    let mut asked: Vec<Request> = vec![];
    for (now, action) in schedule {
        let Some(request) = request(&world, action, &asked) else { continue };
        let at = Timestamp::from_millis(*now);
        each(&world.state, at, &request);
        asked.push(request.clone());
        // A refusal is an answer like any other.
        let _refused = world.submit(at, request);
    }
    world
}

fn request(world: &World, action: &Action, asked: &[Request]) -> Option<Request> {
    let name = |who: usize| NAMES.get(who).copied().unwrap_or(A);
    let plan = |plan: usize| PLANS.get(plan).copied().unwrap_or(Plan::Example);
    Some(match action {
        Action::Contribute { who, round, wrong } => world.contribute(name(*who), *round, *wrong),
        Action::Convict { who, fault, wrong } => {
            let Request::Contribute(contribution, signature) =
                world.contribute(name(*who), None, *wrong)
            else {
                return None;
            };
            let detail = "checked".to_owned();
            Request::Convict { fault: *fault, contribution, signature, detail }
        }
        Action::Close { round, survivors } => {
            let chosen = NAMES.iter().zip(survivors).filter(|(_, there)| **there);
            world.close(*round, &chosen.map(|(name, _)| *name).collect::<Vec<_>>())
        }
        Action::CloseRight => {
            let round = world.state.round()?;
            let names: Vec<&str> = round.accepted.keys().map(Institution::as_str).collect();
            world.close(round.number, &names)
        }
        Action::Begin => Request::Begin(world.model(0)),
        Action::Tick => Request::Tick,
        Action::Propose(number) => Request::Propose(plan(*number).bytes()),
        Action::Approve { who, plan: number } => World::approve(name(*who), plan(*number).digest()),
        Action::Admit(who) => Request::Admit(member(name(*who))),
        Action::Revoke(who) => {
            Request::Revoke { institution: institution(name(*who)), reason: "left".to_owned() }
        }
        Action::Abandon => {
            Request::Abandon { run: *world.runs.last()?, reason: "enough".to_owned() }
        }
        Action::Pause(paused) => Request::Pause {
            run: world.newest_run(),
            paused: *paused,
            reason: "looked at".to_owned(),
        },
        Action::Recall(from) => Request::Recall {
            run: world.newest_run(),
            from: *from,
            reason: "wrong data".to_owned(),
        },
        Action::Decide { who, number } => World::decide(name(*who), *number),
        Action::Report { who, sizes, fork, next } => {
            World::report(name(*who), *sizes, *fork, *next)
        }
        Action::Rotate(who) => Request::Rotate(rotated(name(*who))),
        Action::ChangeLogKey(signs) => {
            let signers = NAMES.iter().zip(signs).filter(|(_, signs)| **signs);
            let signers: Vec<_> = signers.map(|(name, _)| *name).collect();
            let lost = signs.last().copied().unwrap_or(false);
            Request::ChangeLogKey(log_key(&signers, world.state.size, lost))
        }
        Action::Again(number) => asked.get(number % asked.len().max(1))?.clone(),
    })
}

/// Each leaf with the state before it and after it.
pub(crate) fn replay(leaves: &[Leaf]) -> Vec<(State, &Leaf, State)> {
    let mut state = State::empty();
    let step = |leaf| {
        let before = state.clone();
        state = apply(before.clone(), leaf).expect("what was decided follows");
        (before, leaf, state.clone())
    };
    leaves.iter().map(step).collect()
}

fn accepted(leaves: &[Leaf]) -> impl Iterator<Item = &Contribution> {
    leaves.iter().filter_map(|leaf| match leaf.body() {
        Body::Accepted(contribution) => Some(contribution),
        _ => None,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn a_bank_is_accepted_at_most_once_a_round(schedule in schedule()) {
        let world = run(&schedule, |_, _, _| {});
        let mut seen = BTreeSet::new();
        for c in accepted(&world.leaves) {
            prop_assert!(seen.insert((c.run, c.round, &c.institution)), "{} twice", c.institution);
        }
    }

    #[test]
    fn the_survivors_are_exactly_the_accepted(schedule in schedule()) {
        let world = run(&schedule, |_, _, _| {});
        for leaf in &world.leaves {
            let Body::Closed(closed) = leaf.body() else { continue };
            let counted: BTreeSet<Institution> = accepted(&world.leaves)
                .filter(|c| (c.run, c.round) == (closed.run, closed.round))
                .map(|c| c.institution.clone())
                .collect();
            prop_assert_eq!(&closed.survivors, &counted);
            prop_assert!(counted.len() >= 2, "a quorum");
        }
    }

    #[test]
    fn the_log_folds_into_the_live_state(schedule in schedule()) {
        let world = run(&schedule, |_, _, _| {});
        let folded = world.leaves.iter().try_fold(State::empty(), apply);
        prop_assert_eq!(folded.expect("what was decided follows"), world.state);
    }

    #[test]
    fn time_never_goes_back(schedule in schedule()) {
        let world = run(&schedule, |_, _, _| {});
        prop_assert!(world.leaves.is_sorted_by_key(Leaf::at));
    }

    #[test]
    fn an_extension_keeps_the_round_and_everything_accepted(schedule in schedule()) {
        let world = run(&schedule, |_, _, _| {});
        for (before, leaf, after) in replay(&world.leaves) {
            let Body::Extended(extended) = leaf.body() else { continue };
            let (before_model, after_model) = (model(&before), model(&after));
            let (before, after) = (before.round().expect("open"), after.round().expect("open"));
            prop_assert_eq!((&before.accepted, before.number), (&after.accepted, after.number));
            prop_assert_eq!((&before.cohort, before_model), (&after.cohort, after_model));
            prop_assert!(before.deadline <= leaf.at() && before.accepted.len() < 2);
            prop_assert_eq!(after.deadline, leaf.at().plus_millis(10_000));
            prop_assert_eq!((extended.deadline, before.extensions + 1), (after.deadline, after.extensions));
            prop_assert!(after.extensions <= 2);
        }
    }

    /// Nobody is convicted by heads of one history, by a key that never was the log's, or twice by one pair.
    #[test]
    fn a_recorded_contradiction_convicts_a_key_of_the_log_once(schedule in schedule()) {
        let world = run(&schedule, |_, _, _| {});
        let mut pairs = BTreeSet::new();
        for (before, leaf, after) in replay(&world.leaves) {
            let Body::Contradiction(found) = leaf.body() else { continue };
            prop_assert_eq!(found.verify(&GENESIS), Ok(()));
            let consortium = before.consortium.as_ref().expect("founded");
            prop_assert!(consortium.log_keys.iter().any(|(_, key)| key == found.log_key));
            prop_assert!(pairs.insert(found.pair()));
            prop_assert_eq!((before.convicted(found), after.convicted(found)), (None, Some(before.size)));
        }
    }

    #[test]
    fn deciding_changes_nothing_and_gives_the_same_again(schedule in schedule()) {
        run(&schedule, |state, at, request| {
            let before = state.clone();
            let first = decide(state, at, request.clone());
            assert_eq!(*state, before);
            assert_eq!(first, decide(state, at, request.clone()));
        });
    }

    #[test]
    fn a_request_that_was_answered_is_recorded_no_second_time(schedule in schedule()) {
        let mut world = run(&schedule, |_, _, _| {});
        for leaf in world.leaves.clone() {
            let at = world.state.at;
            let again = match leaf.body() {
                Body::Accepted(c) => Request::Contribute(c.clone(), *leaf.signature()),
                Body::Approval(a) => Request::Approve(a.clone(), *leaf.signature()),
                Body::PlanProposed(p) => Request::Propose(p.plan.text().as_bytes().to_vec()),
                Body::Evidence(e) => Request::Contribute(e.contribution.clone(), e.signature),
                _ => continue,
            };
            // Evidence is no answer: a wrong contribution may be accepted where nothing else was.
            let evidence = matches!(leaf.body(), Body::Evidence(e) if e.fault == Fault::OutOfBound);
            let gave = decide(&world.state, at, again).unwrap_or_default();
            prop_assert!(gave.is_empty() || evidence, "{:?} gave {gave:?}", leaf.body());
        }
        world.leaves.clear();
    }

    #[test]
    fn a_run_spends_one_fresh_signature_of_each_bank_in_its_plan(schedule in schedule()) {
        let mut world = run(&schedule, |_, _, _| {});
        // Whatever happened: does anybody get a plan to run a second time?
        for plan in [Plan::Example, Plan::Second] {
            world.play(&[(0, abandon()), (0, propose(plan))]);
            world.play(&[A, B, C].map(|name| (0, approve(name, plan))));
        }
        let mut spent = BTreeSet::new();
        let mut plans = BTreeSet::new();
        for leaf in &world.leaves {
            let Body::RunStarted(started) = leaf.body() else { continue };
            prop_assert!(plans.insert(started.plan), "a plan runs once");
            let mut signers = BTreeMap::new();
            for index in &started.approvals {
                prop_assert!(spent.insert(*index), "a signature is spent once");
                let body = usize::try_from(*index).ok().and_then(|i| world.leaves.get(i)).map(Leaf::body);
                let Some(Body::Approval(approval)) = body else { panic!("{index} is no approval") };
                prop_assert_eq!(approval.plan, started.plan);
                signers.insert(approval.institution.as_str(), index);
            }
            prop_assert!([A, B, C].iter().all(|name| signers.contains_key(name)));
        }
    }

    #[test]
    fn evidence_names_each_wrong_contribution_once(schedule in schedule()) {
        let world = run(&schedule, |_, _, _| {});
        let mut seen = BTreeSet::new();
        for (before, leaf, _) in replay(&world.leaves) {
            let Body::Evidence(evidence) = leaf.body() else { continue };
            let digest = sha256(&evidence.contribution.encode());
            prop_assert!(seen.insert(digest));
            prop_assert!(before.accepted(&evidence.contribution).is_none());
            if evidence.fault == Fault::Equivocation {
                let (run, round) = (evidence.contribution.run, evidence.contribution.round);
                let mut others = accepted(&world.leaves)
                    .filter(|c| (c.run, c.round) == (run, round) && c.institution == evidence.institution);
                prop_assert!(others.next().is_some(), "the other half is in the log");
            }
        }
    }

    #[test]
    fn a_record_with_one_field_changed_does_not_follow(schedule in schedule()) {
        let world = run(&schedule, |_, _, _| {});
        for (before, leaf, _) in replay(&world.leaves) {
            assert_no_mutant_follows(&before, leaf);
        }
    }

    #[test]
    fn the_order_of_arrival_changes_no_byte_of_the_model(
        vectors in prop::collection::vec(prop::collection::vec(any::<i32>(), 6), 3),
        first in Just(vec![0usize, 1, 2]).prop_shuffle(),
        second in Just(vec![0usize, 1, 2]).prop_shuffle(),
    ) {
        prop_assert_eq!(train(&vectors, &first), train(&vectors, &second));
    }
}

/// The example story holds every kind of record, so every mutation is tried at least once.
#[test]
fn every_kind_of_record_is_refused_with_one_field_changed() {
    let mut world = World::running();
    world.play(&[
        (1, contribute(A)),
        (2, contribute_wrong(A, Wrong::Vector)),
        (3, convict(C, Fault::OutOfBound, Wrong::Vector)),
        (20, tick()),
        (21, contribute(B)),
        (30, close(0, &[A, B])),
        (31, contribute(A)),
        (32, contribute(B)),
        (33, contribute(C)),
        (34, close(1, &[A, B, C])),
        (35, recall(1)),
        (35, propose(Plan::Second)),
        (36, approve(A, Plan::Second)),
        (37, approve(B, Plan::Second)),
        (38, approve(C, Plan::Second)),
        (39, pause(true)),
        (39, abandon()),
        (41, decide_as(AUDITOR, 0)),
        (41, report(AUDITOR, (3, 5), 2, false)),
        (42, change_log_key(&[A, B, C], false)),
        (43, rotate(D)),
        (44, revoke(D)),
    ]);
    let kinds: BTreeSet<&str> =
        world.leaves.iter().map(|l| ledger::record::Payload::kind(l.body())).collect();
    assert_eq!(kinds.len(), 18, "{kinds:?}");
    for (before, leaf, _) in replay(&world.leaves) {
        assert_no_mutant_follows(&before, leaf);
    }
}

fn assert_no_mutant_follows(before: &State, leaf: &Leaf) {
    let refused = |what: &str, mutant: &Leaf| {
        let outcome = apply(before.clone(), mutant);
        assert!(
            outcome.is_err(),
            "{what} changed, and the record still follows: {:?}",
            mutant.body()
        );
    };
    for (what, body) in mutations(leaf.body()) {
        refused(what, &resign(leaf.at(), body));
    }
    for (what, mutant) in forged(leaf) {
        refused(what, &mutant);
    }
    if before.at > Timestamp::default() {
        let earlier = Timestamp::from_millis(before.at.as_millis() - 1);
        refused("at", &resign(earlier, leaf.body().clone()));
    }
    if matches!(leaf.body(), Body::RoundOpened(_) | Body::Extended(_)) {
        refused("at", &resign(leaf.at().plus_millis(1), leaf.body().clone()));
    }
    // The record itself, after itself.
    if let Ok(after) = apply(before.clone(), leaf) {
        let outcome = apply(after, leaf);
        assert!(outcome.is_err(), "{:?} follows twice", leaf.body());
    }
}

fn model(state: &State) -> Option<round::state::ModelRef> {
    state.run()?.model
}

/// One round over `vectors`, which arrive in `order`: what Closed and Model say, and θ and its master.
fn train(vectors: &[Vec<i32>], order: &[usize]) -> (Vec<Body>, Vec<u8>, Vec<u8>) {
    let mut world = World::running();
    let mut sum = vec![0i64; 6];
    let mut arrived = vec![];
    for (&who, at) in order.iter().zip(1u64..) {
        let (Some(vector), Some(name)) = (vectors.get(who), NAMES.get(who)) else { continue };
        let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
        let Request::Contribute(mut contribution, _) = world.contribute(name, None, Wrong::Nothing)
        else {
            continue;
        };
        contribution.vector = sha256(&bytes);
        let signature = KEYS.record(name).sign_body("accepted", &GENESIS, &contribution.encode());
        let request = Request::Contribute(contribution, signature);
        world.submit(Timestamp::from_millis(at), request).expect("in time and right");
        sum.iter_mut().zip(vector).for_each(|(sum, x)| *sum += i64::from(*x));
        arrived.push(institution(name));
    }
    let run: RunId = *world.runs.last().expect("a run");
    let plan = world.state.plan_of(&run).expect("its plan");
    let initialization = &plan.text().model.initialization;
    let weights = round::initialization::initial_weights(plan.layout(), initialization);
    let mut master = Master::new(weights, &plan.text().optimizer);
    master.step(&sum, Scale::of(plan, &arrived));
    let (theta, master) = (master.theta_bytes(), master.to_bytes());
    let aggregate: Vec<u8> = sum.iter().flat_map(|x| x.to_le_bytes()).collect();
    let close = Request::Close {
        round: 0,
        survivors: arrived.into_iter().collect(),
        aggregate: sha256(&aggregate),
        model: NewModel { run, theta: sha256(&theta), master: sha256(&master) },
    };
    let leaves = world.submit(Timestamp::from_millis(9), close).expect("the whole cohort is there");
    let strip = |leaf: &Leaf| match leaf.body().clone() {
        Body::Closed(closed) => Some(Body::Closed(closed)),
        Body::Model(model) => Some(Body::Model(model)),
        _ => None,
    };
    (leaves.iter().filter_map(strip).collect(), theta, master)
}
