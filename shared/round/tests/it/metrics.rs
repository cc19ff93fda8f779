//! Metrics beside gradients: within one bound, read back right, and nothing to the model.

use std::sync::LazyLock;

use privacy::{ClipNorm, Grid, Keystream, Outcome, RoundedGaussian};
use proptest::prelude::*;
use round::Plan;
use round::metrics::{Encoding, Histogram, NoQuantile};
use round::outer::{Master, Scale};
use round::plan::{Measure, MetricsSpec, OptimizerSpec};
use zeroize::Zeroizing;

use crate::support::{institution, with};

const ASKED: &str = "share = 0.3\nmeasures = [{ query-loss = { max = 2.0 } }, { clipped = {} }, \
                     { norm-histogram = { edges = [0.1, 0.2, 0.5] } }]";
const PILOT: &str = "share = 1.0\nmeasures = [{ norm-histogram = { edges = [0.1, 0.2, 0.5] } }]";

fn plan(metrics: &str) -> Plan {
    let text = with("share = 0.0\nmeasures = []", metrics);
    Plan::parse(text.as_bytes()).expect("a plan")
}

/// Parsed once: the accountant takes its time.
static MEASURED: LazyLock<Plan> = LazyLock::new(|| plan(ASKED));

fn measures() -> impl Strategy<Value = Vec<Measure>> {
    let edges = prop::sample::select(vec![vec![0.5], vec![1e-300, 0.01, 0.1, 1.0, 1e200]]);
    let max = prop::sample::select(vec![1e-12, 1.0, 40.0, 1e300]);
    (any::<[bool; 3]>(), edges, max).prop_map(|(named, edges, max)| {
        let all =
            [Measure::QueryLoss { max }, Measure::Clipped {}, Measure::NormHistogram { edges }];
        all.into_iter().zip(named).filter_map(|(measure, named)| named.then_some(measure)).collect()
    })
}

fn encoding(
    clip: f64,
    bits: u32,
    parameters: usize,
    share: f64,
    measures: Vec<Measure>,
) -> Encoding {
    let grid = Grid::new(ClipNorm::new(clip).expect("positive"), bits).expect("a grid");
    Encoding::new(grid, parameters, MetricsSpec { share, measures })
}

fn alone(encoding: &Encoding, gradient: &[f64], loss: Option<f64>) -> (Vec<i64>, Outcome) {
    let mut sum = vec![0; encoding.dimension()];
    let outcome = encoding.contribute(gradient, loss, &mut sum);
    (sum, outcome)
}

fn square(vector: &[i64]) -> i128 {
    vector.iter().map(|x| i128::from(*x).pow(2)).sum()
}

fn norm(vector: &[f64]) -> f64 {
    vector.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// The steps of the grid that a measure's largest value is, by docs/protocol.md.
fn steps(share: f64, bits: u32, measures: usize) -> f64 {
    let measures = f64::from(u32::try_from(measures).expect("few"));
    (share * f64::from(1u32 << bits) / measures.sqrt() - 0.5).floor()
}

#[expect(clippy::cast_precision_loss, reason = "sums here are small")]
fn real(x: i64) -> f64 {
    x as f64
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn no_task_whatever_leaves_the_ball_and_one_that_fails_adds_zero(
        gradient in prop::collection::vec(prop::num::f64::ANY, 0..12),
        loss in prop::option::of(prop::num::f64::ANY),
        measures in measures(),
        share in prop::sample::select(vec![0.01, 0.3, 0.999, 1.0]),
        bits in 16..=20u32,
        clip in prop::sample::select(vec![1e-18, 0.1, 3.7, 1e18]),
    ) {
        let share = if measures.is_empty() { 0.0 } else { share };
        let asks = measures.iter().any(|m| matches!(m, Measure::QueryLoss { .. }));
        let encoding = encoding(clip, bits, gradient.len(), share, measures);
        let (sum, outcome) = alone(&encoding, &gradient, loss);
        prop_assert!(square(&sum) <= 1 << (2 * bits), "{sum:?}");
        let fails = !norm(&gradient).is_finite() || (asks && loss.is_some_and(f64::is_nan));
        prop_assert_eq!(outcome == Outcome::Zeroed, fails);
        prop_assert!(!fails || sum.iter().all(|x| *x == 0));
    }

    #[test]
    fn gradients_of_every_length_leave_the_measures_whole(
        direction in prop::collection::vec(-1.0..1.0f64, 1..40),
        length in prop::sample::select(vec![0.0, 1e-9, 0.5, 0.94, 0.99, 1.0, 1.1, 1e6, 1e100]),
        loss in prop::sample::select(vec![-1.0, 0.0, 0.3, 1.0, 1.9, 2.0, 7.0, f64::INFINITY]),
        share in prop::sample::select(vec![0.05, 0.3, 0.8]),
        bits in 16..=20u32,
    ) {
        let edges = [0.1, 0.47, 0.5, 1e5];
        let measures = vec![
            Measure::Clipped {},
            Measure::NormHistogram { edges: edges.to_vec() },
            Measure::QueryLoss { max: 2.0 },
        ];
        let whole = steps(share, bits, 3);
        let encoding = encoding(0.5, bits, direction.len(), share, measures);
        let unit = 0.5 / f64::from(1u32 << bits);
        prop_assume!(norm(&direction) > 0.1);
        let by = 0.5 * length / norm(&direction);
        let gradient: Vec<f64> = direction.iter().map(|x| x * by).collect();
        let (sum, _) = alone(&encoding, &gradient, Some(loss));
        prop_assert!(square(&sum) <= 1 << (2 * bits));

        let (own, metrics) = sum.split_at(gradient.len());
        let metrics: Vec<f64> = metrics.iter().copied().map(real).collect();
        let clip = 0.5 * (1.0 - share * share).sqrt();
        let flag = |holds: bool| if holds { whole } else { 0.0 };
        let place = edges.iter().filter(|edge| norm(&gradient) > **edge).count();
        let mut expected = vec![flag(norm(&gradient) > clip)];
        expected.extend((0..5).map(|bin| flag(bin == place)));
        expected.push((whole * loss.clamp(0.0, 2.0) / 2.0).round());
        prop_assert_eq!(metrics, expected);

        // The gradient is what it is without metrics, or shortened to what they leave of the norm.
        let factor = if norm(&gradient) > clip { clip / norm(&gradient) } else { 1.0 };
        for (x, g) in own.iter().zip(&gradient) {
            let expected = g * factor / unit;
            prop_assert!((real(*x) - expected).abs() <= 1.0 + 1e-6, "{x} for {expected}");
        }
        let length = own.iter().map(|x| real(*x).powi(2)).sum::<f64>().sqrt() * unit;
        prop_assert!(length <= clip * (1.0 + 1e-9));
    }
}

#[test]
fn an_empty_query_measures_nothing() {
    let encoding = MEASURED.encoding();
    assert_eq!(alone(encoding, &[0.0; 6], None), (vec![0; 12], Outcome::Kept));
}

/// Three tasks, no noise: what is estimated is what they are, over the tasks expected of the survivors.
#[test]
fn estimates_without_noise_are_the_tasks_over_those_expected() {
    let tasks = [([0.0; 6], 0.5), ([0.06; 6], 1.0), ([3.0; 6], 9.0)];
    let mut sum = vec![0; MEASURED.contribution_dimension()];
    for (gradient, loss) in tasks {
        MEASURED.encoding().contribute(&gradient, Some(loss), &mut sum);
    }
    let survivors = [institution("alder"), institution("cedar")];
    let found = MEASURED.estimates(&survivors, &sum).expect("estimates");
    let expected = 0.2 * 300.0;
    let whole = steps(0.3, 18, 3);
    let error = 3.0 * 262_144.0 * 2_f64.sqrt() / (whole * expected);
    let near = |a: f64, b: f64| (a - b).abs() < 1e-12;

    let loss = found.query_loss.expect("named");
    assert!((loss.value - (0.5 + 1.0 + 2.0) / expected).abs() < 2.0 / whole / expected);
    assert!(near(loss.standard_error, 2.0 * error), "{loss:?}");
    let clipped = found.clipped.expect("named");
    assert!(near(clipped.value, 1.0 / expected) && near(clipped.standard_error, error));
    let histogram = found.norm_histogram.expect("named");
    assert_eq!(histogram.edges, [0.1, 0.2, 0.5]);
    for (share, count) in histogram.shares.iter().zip([1.0, 1.0, 0.0, 1.0]) {
        assert!(near(*share, count / expected), "{histogram:?}");
    }
    assert!(near(histogram.standard_error, error));

    assert!(MEASURED.estimates(&survivors, &sum[1..]).is_none());
    assert!(MEASURED.estimates(&survivors, &[sum.clone(), vec![0]].concat()).is_none());
    let nothing = plan("share = 0.0\nmeasures = []");
    assert!(nothing.estimates(&survivors, &[0; 6]).is_none());
}

/// 400 rounds of two banks, each with its own noise: the spread is the standard error.
#[test]
fn the_standard_error_is_that_of_the_noise() {
    let survivors = [institution("alder"), institution("birch")];
    let gaussian = RoundedGaussian::new(3 << 18).expect("a scale");
    let mut source = Keystream::from_seed(&Zeroizing::new([5; 32]));
    let mut still = vec![0; MEASURED.contribution_dimension()];
    for _ in 0..40 {
        MEASURED.encoding().contribute(&[0.06; 6], Some(1.0), &mut still);
    }
    let truth = MEASURED.estimates(&survivors, &still).expect("estimates");
    let truth = truth.clipped.expect("named").value;
    let errors = (0..400).map(|_| {
        let mut sum = still.clone();
        for _ in &survivors {
            gaussian.add_to(&mut sum, &mut source).expect("a stream without an end");
        }
        let found = MEASURED.estimates(&survivors, &sum).expect("estimates");
        let clipped = found.clipped.expect("named");
        (clipped.value - truth) / clipped.standard_error
    });
    let errors: Vec<f64> = errors.collect();
    let mean = errors.iter().sum::<f64>() / 400.0;
    let spread = (errors.iter().map(|e| e * e).sum::<f64>() / 400.0).sqrt();
    // Five standard deviations of each.
    assert!(mean.abs() < 0.25 && (spread - 1.0).abs() < 0.18, "{mean} {spread}");
}

const OPTIMIZERS: [OptimizerSpec; 3] = [
    OptimizerSpec::Sgd { learning_rate: 0.5 },
    OptimizerSpec::Momentum { learning_rate: 0.5, momentum: 0.9 },
    OptimizerSpec::Adam { learning_rate: 0.01, beta1: 0.9, beta2: 0.99, epsilon: 1e-3 },
];

#[test]
fn the_next_model_does_not_depend_on_the_metrics_and_a_pilot_moves_nothing() {
    let pilot = plan(PILOT);
    assert_eq!((pilot.dimension(), pilot.contribution_dimension()), (6, 4));
    let gradient = [5_000, -7, 0, 123_456, 9, -1];
    for spec in OPTIMIZERS {
        let start = || Master::new(vec![0.25; 6], &spec);
        let mut plain = start();
        plain.step(&gradient, Scale::of(&MEASURED, MEASURED.cohort()));
        for metrics in [[0; 6], [i64::MAX; 6], [-3, 1, 4, -1, 5, 9]] {
            let sum = [gradient, metrics].concat();
            let mut master = start();
            let scale = Scale::of(&MEASURED, MEASURED.cohort());
            master.step(MEASURED.encoding().gradient(&sum), scale);
            assert_eq!(master.to_bytes(), plain.to_bytes());
        }
        let mut still = start();
        still.step(pilot.encoding().gradient(&[7, 8, 9, 10]), Scale::of(&pilot, pilot.cohort()));
        assert_eq!(still.to_bytes(), start().to_bytes());
    }
}

#[test]
fn metrics_cost_no_epsilon_but_length() {
    let plain = plan("share = 0.0\nmeasures = []");
    let pilot = plan(PILOT);
    let alder = institution("alder");
    for (other, dimension) in [(&*MEASURED, 12), (&pilot, 4)] {
        assert_eq!((other.event(), other.charge()), (plain.event(), plain.charge()));
        assert_eq!(other.spent(2), plain.spent(2));
        let bound = other.public_bound(&alder).expect("in the plan");
        assert_eq!((bound.dimension(), other.contribution_dimension()), (dimension, dimension));
    }
    let ratio = MEASURED.predicted_cost().rho / plain.predicted_cost().rho;
    assert!((ratio - 1.0 / 0.91_f64.sqrt()).abs() < 1e-12);
    assert!(pilot.predicted_cost().rho.is_infinite());
    let told = [&plain, &*MEASURED, &pilot].map(|plan| plan.metrics_price().to_string());
    let expected = [
        "none",
        "query-loss, clipped, norm-histogram for 0.3 of the clip norm: \
         gradients are clipped to 0.476970 instead of 0.5",
        "norm-histogram alone, a pilot: no gradient is sent and the model stays",
    ];
    assert_eq!(told, expected);
}

fn histogram(shares: &[f64], error: f64) -> Histogram {
    let edges = (1..shares.len()).map(|edge| f64::from(u32::try_from(edge).expect("few")));
    Histogram::new(edges.collect(), shares.to_vec(), error)
}

#[test]
fn a_quantile_is_the_first_edge_that_reaches_it() {
    let of = |wanted: f64| histogram(&[0.1, 0.2, 0.1, 0.1], 0.001).quantile(wanted);
    let edge = |wanted: f64| of(wanted).map(|quantile| quantile.edge);
    assert_eq!([edge(0.1), edge(0.2), edge(0.21)], [Ok(1.0), Ok(1.0), Ok(2.0)]);
    assert_eq!([edge(0.59), edge(0.61), edge(0.79)], [Ok(2.0), Ok(3.0), Ok(3.0)]);
    let beyond = of(0.81).expect_err("above the last edge");
    assert!(matches!(beyond, NoQuantile::Beyond { edge: 3.0, .. }));
    for wrong in [0.0, 1.0, -1.0, f64::NAN] {
        assert!(matches!(of(wrong), Err(NoQuantile::Part(_))));
    }
    let drowned = histogram(&[0.1, 0.2, 0.1, 0.1], 0.07).quantile(0.5);
    assert!(matches!(drowned, Err(NoQuantile::Noise { .. })), "{drowned:?}");
    let negative = histogram(&[-0.1, 0.0], 0.0).quantile(0.5);
    assert!(matches!(negative, Err(NoQuantile::Noise { .. })));
}

/// 4000 noised copies: the part reached at the first edge spreads as the quantile says.
#[test]
fn the_error_of_a_quantile_is_that_of_the_noise() {
    let (shares, error) = ([0.3, 0.2, 0.2, 0.2], 0.01);
    let said = histogram(&shares, error).quantile(0.3).expect("the first edge");
    let scale = 1u32 << 16;
    let gaussian = RoundedGaussian::new(u64::from(scale)).expect("a scale");
    let mut source = Keystream::from_seed(&Zeroizing::new([6; 32]));
    let mut square = 0.0;
    for _ in 0..4000 {
        let mut noise = vec![0; 4];
        gaussian.add_to(&mut noise, &mut source).expect("a stream without an end");
        let noised: Vec<f64> = shares
            .iter()
            .zip(&noise)
            .map(|(share, k)| share + error * real(*k) / f64::from(scale))
            .collect();
        let reached = noised[0] / noised.iter().sum::<f64>();
        square += (reached - said.reached).powi(2);
    }
    let spread = (square / 4000.0).sqrt();
    // Five standard deviations of an estimate of a standard deviation.
    assert!((spread / said.standard_error - 1.0).abs() < 0.06, "{spread} for {said:?}");
}

#[test]
fn the_mean_of_rounds_has_the_error_of_a_mean() {
    let rounds = [histogram(&[0.2, 0.4], 0.03), histogram(&[0.4, 0.0], 0.04)];
    let mean = Histogram::mean(&rounds.each_ref()).expect("a mean");
    assert!((mean.shares[0] - 0.3).abs() < 1e-12 && (mean.shares[1] - 0.2).abs() < 1e-12);
    assert!((mean.standard_error - 0.025).abs() < 1e-12);
    assert_eq!(Histogram::mean(&[]), None);
    let other = histogram(&[0.2, 0.4, 0.1], 0.03);
    assert_eq!(Histogram::mean(&[&rounds[0], &other]), None);
}
