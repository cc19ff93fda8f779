//! What an auditor reads of the tasks, from the sums alone.

use audit::RoundMetrics;
use ledger::record::Body;
use round::Plan;

use crate::world::{BANKS, Story, World, institution};

const ASKED: &str = "share = 0.3\nmeasures = [{ query-loss = { max = 2.0 } }, { clipped = {} }, \
                     { norm-histogram = { edges = [0.1, 0.2] } }]";
const PILOT: &str = "share = 1.0\nmeasures = [{ norm-histogram = { edges = [0.1, 0.2] } }]";

fn play(story: Story, metrics: &'static str) -> World {
    World::play(Story { metrics: Some(metrics), ..story })
}

fn plan(world: &World) -> Plan {
    let proposed = world.leaves.iter().find_map(|leaf| {
        let Body::PlanProposed(proposed) = leaf.body() else { return None };
        Some(proposed.plan.text().to_owned())
    });
    Plan::parse(proposed.expect("a plan").as_bytes()).expect("a plan")
}

/// The sum of each closed round, as the operator recorded it, over the banks that were there.
fn recorded(world: &World) -> Vec<RoundMetrics> {
    let plan = plan(world);
    let closed = world.leaves.iter().filter_map(|leaf| {
        let Body::Closed(closed) = leaf.body() else { return None };
        Some(closed)
    });
    let estimates = |closed: &ledger::record::Closed| {
        let bytes = world.blobs.get(&closed.aggregate).expect("a sum");
        let words = bytes.as_chunks::<8>().0;
        let sum: Vec<i64> = words.iter().map(|word| i64::from_le_bytes(*word)).collect();
        let there = BANKS.map(institution);
        let there: Vec<_> = there.iter().filter(|name| closed.survivors.contains(*name)).collect();
        let estimates = plan.estimates(there, &sum).expect("estimates");
        RoundMetrics { round: closed.round, estimates }
    };
    closed.map(estimates).collect()
}

#[test]
fn every_round_is_replayed_and_its_metrics_reported() {
    for metrics in [ASKED, PILOT] {
        let world = play(Story { absent: true, ..Story::default() }, metrics);
        let report = world.export().verify();
        assert_eq!(report.finding, None);
        assert_eq!(report.models_replayed, 4);
        let [run] = report.runs.as_slice() else { panic!("one run") };
        assert_eq!(run.metrics, recorded(&world));
        assert_eq!(run.metrics.len(), 3);
        let errors: Vec<f64> = run
            .metrics
            .iter()
            .map(|round| round.estimates.norm_histogram.as_ref().expect("named").standard_error)
            .collect();
        let [first, second, third] = errors.as_slice() else { panic!("three rounds") };
        assert!((first - second).abs() < 1e-15, "the same banks");
        assert!(third > second, "two banks have less noise, but fewer tasks");
    }
}

#[test]
fn a_plan_that_measures_nothing_has_no_metrics_in_its_report() {
    let report = World::play(Story::default()).export().verify();
    assert!(report.runs.iter().all(|run| run.metrics.is_empty()));
}

#[test]
fn a_pilot_leaves_the_model_as_it_is() {
    let world = play(Story::default(), PILOT);
    let models: Vec<_> = world
        .leaves
        .iter()
        .filter_map(|leaf| {
            let Body::Model(model) = leaf.body() else { return None };
            Some((model.theta, model.master))
        })
        .collect();
    assert_eq!(models.len(), 4);
    assert!(models.iter().all(|model| *model == models[0]));
    assert_eq!(plan(&world).contribution_dimension(), 3);
}

#[test]
fn lies_about_metrics_are_lies_about_the_sum() {
    let lie = |story| play(story, PILOT).export().code();
    assert_eq!(lie(Story { sum_error: 1, ..Story::default() }), 6);
    assert_eq!(lie(Story { excess: 1 << 30, ..Story::default() }), 6);
    assert_eq!(lie(Story { short: true, ..Story::default() }), 6);
}

#[test]
fn a_missing_vector_leaves_the_recorded_sum_to_be_read() {
    let mut world = play(Story::default(), ASKED);
    let vector = world.leaves.iter().find_map(|leaf| {
        let Body::Accepted(contribution) = leaf.body() else { return None };
        Some(contribution.vector)
    });
    let expected = recorded(&world);
    world.blobs.remove(&vector.expect("a contribution"));
    let report = world.export().verify();
    assert_eq!(report.exit_code(), 9);
    assert_eq!(report.runs[0].metrics, expected);
    let sum = world.leaves.iter().find_map(|leaf| {
        let Body::Closed(closed) = leaf.body() else { return None };
        Some(closed.aggregate)
    });
    world.blobs.remove(&sum.expect("a closed round"));
    let report = world.export().verify();
    assert_eq!(report.exit_code(), 9);
    assert_eq!(report.runs[0].metrics, expected[1..]);
}
