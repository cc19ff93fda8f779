//! What several runs, and several institutions, cost together.

use ledger::record::Body;
use privacy::{Certificate, Delta, PrivacyEvent, TaskChange, epsilon};
use round::Plan;

use crate::world::{BANKS, HONEST, Story, World};

/// The plans of a world, in the order in which they were proposed.
fn plans(world: &World) -> Vec<Plan> {
    let proposed = world.leaves.iter().filter_map(|leaf| {
        let Body::PlanProposed(proposed) = leaf.body() else { return None };
        Some(Plan::parse(proposed.plan.text().as_bytes()).expect("a plan"))
    });
    proposed.collect()
}

/// Three contributions to the honest run under a task change.
fn figure(change: TaskChange) -> Certificate {
    let plans = plans(&HONEST);
    let plan = plans.first().expect("a plan");
    let event = PrivacyEvent { change, count: 3, ..plan.event() };
    epsilon(&[event], plan.delta()).expect("certified")
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * b
}

#[test]
fn all_runs_together_cost_what_their_contributions_cost() {
    let world = World::play(Story { repeats: 1, absent: true, ..Story::default() });
    let report = world.export().verify();
    assert_eq!(report.finding, None);
    assert_eq!((report.runs.len(), report.models_replayed), (2, 8));
    assert_eq!(report.institutions.len(), 2 * BANKS.len());
    let totals: Vec<_> =
        report.totals.iter().map(|t| (t.name.as_str(), t.runs, t.rounds)).collect();
    assert_eq!(totals, [("alder", 2, 6), ("birch", 2, 6), ("cedar", 2, 4)]);
    let plans = plans(&world);
    for (total, count) in report.totals.iter().zip([3, 3, 2]) {
        let events: Vec<_> =
            plans.iter().map(|plan| PrivacyEvent { count, ..plan.event() }).collect();
        let together = epsilon(&events, Delta::new(5e-7).expect("in range")).expect("certified");
        assert!(close(total.epsilon.upper, together.epsilon_upper), "{total:?}");
        assert!(close(total.delta, 5e-7), "the least of both");
        let alone = report.institutions.iter().filter(|i| i.name == total.name);
        assert!(alone.clone().all(|run| run.epsilon.upper < total.epsilon.upper));
    }
}

#[test]
fn one_run_costs_together_what_it_costs_alone() {
    let report = HONEST.export().verify();
    for (total, institution) in report.totals.iter().zip(&report.institutions) {
        assert_eq!((&total.name, total.epsilon), (&institution.name, institution.epsilon));
    }
}

#[test]
fn the_other_unit_relation_stands_beside() {
    for institution in HONEST.export().verify().institutions {
        let beside = institution.beside.expect("a figure");
        assert_eq!(
            (beside.relation.as_str(), beside.task_change.as_str()),
            ("replace-one", "two-contents")
        );
        let two_contents = figure(TaskChange::TwoContentsChange);
        assert!(close(beside.epsilon.upper, two_contents.epsilon_upper));
        assert!(beside.epsilon.upper > institution.epsilon.upper, "two contents are more than one");
    }
}

#[test]
fn somebody_at_several_institutions_pays_the_sum_of_the_largest() {
    let report = World::play(Story { absent: true, ..Story::default() }).export().verify();
    let [alder, birch, cedar] = report.totals.as_slice() else { panic!("three banks") };
    let [two, three] = report.shared.as_slice() else { panic!("two figures") };
    assert_eq!((two.banks, three.banks), (2, 3));
    assert!(close(two.epsilon_upper, alder.epsilon.upper + birch.epsilon.upper));
    assert!(close(three.epsilon_upper, two.epsilon_upper + cedar.epsilon.upper));
    assert!(close(two.delta, 2e-6) && close(three.delta, 3e-6));
}

#[test]
fn evidence_is_reported_and_charges_nobody() {
    let report = World::play(Story { equivocates: true, ..Story::default() }).export().verify();
    assert_eq!(report.finding, None);
    let [conviction] = report.evidence.as_slice() else { panic!("one conviction") };
    assert_eq!(
        (conviction.institution.as_str(), conviction.fault.as_str()),
        ("cedar", "equivocation")
    );
    assert_eq!(conviction.round, 1);
    assert!(report.institutions.iter().all(|institution| institution.rounds == 3));
}
