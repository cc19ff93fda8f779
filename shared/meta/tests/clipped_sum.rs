//! What a bank's sum of clipped vectors depends on, and what it does not.

#![expect(clippy::unwrap_used, reason = "a failed set-up fails the test")]

use meta::{EpisodeShape, Examples, GradientLearner, LearnerError, MetaLearner, Task, TaskKey};
use privacy::{ClipNorm, Grid};
use proptest::prelude::*;
use round::metrics::Encoding;
use round::plan::{
    Activation, Family, Head, Initialization, LearnerSpec, LossSpec, Measure, MetricsSpec,
    ModelSpec,
};

const FEATURES: usize = 6;

fn learner(family: Family, hidden: &[u32]) -> GradientLearner {
    let model = ModelSpec {
        head: Head::Binary {},
        hidden: hidden.to_vec(),
        activation: Activation::Tanh,
        initialization: Initialization { seed: 0, scale: 0.0 },
    };
    let steps = LearnerSpec {
        family,
        inner_steps: if family == Family::Fedsgd { 0 } else { 2 },
        inner_rate: 0.2,
        inner_step_norm_max: 1.0,
        adaptation_steps: vec![0],
        adaptation_rate: 0.2,
    };
    let loss = LossSpec::LogLoss { class_weights: vec![0.6, 2.2] };
    let support_share = if family == Family::Fedsgd { 0.0 } else { 0.5 };
    let shape = EpisodeShape { features: FEATURES, nominal_units: 8, support_share };
    meta::learner(&model, &steps, &loss, shape).unwrap()
}

fn grid() -> Grid {
    Grid::new(ClipNorm::new(0.1).unwrap(), 18).unwrap()
}

/// Gradients alone; gradients beside every measure; a pilot without a gradient.
fn asked() -> impl Strategy<Value = MetricsSpec> {
    let edges = vec![0.01, 0.05, 0.1, 0.2, 1.0];
    let loss = Measure::QueryLoss { max: 1.5 };
    let norm = Measure::NormHistogram { edges };
    let all = vec![loss.clone(), Measure::Clipped {}, norm.clone()];
    prop_oneof![
        Just(MetricsSpec { share: 0.0, measures: vec![] }),
        Just(MetricsSpec { share: 0.3, measures: all }),
        Just(MetricsSpec { share: 1.0, measures: vec![norm, loss] }),
    ]
}

fn encoding(learner: &GradientLearner, asked: MetricsSpec) -> Encoding {
    Encoding::new(grid(), learner.dimension(), asked)
}

fn gradients(learner: &GradientLearner) -> Encoding {
    Encoding::of_gradients(grid(), learner.dimension())
}

/// One task's integers by itself.
fn alone(learner: &GradientLearner, encoding: &Encoding, task: &Task) -> Vec<i64> {
    let mut sum = vec![0; encoding.dimension()];
    let judged = learner.judge(&theta(learner), task, true).unwrap();
    let loss = (!task.query.is_empty()).then_some(judged.query_loss);
    encoding.contribute(&judged.gradient, loss, &mut sum);
    sum
}

fn theta(learner: &GradientLearner) -> Vec<f32> {
    (0_u16..).take(learner.dimension()).map(|k| (f32::from(k % 17) - 8.0) / 20.0).collect()
}

type Drawn = Vec<([f32; FEATURES], bool)>;

fn drawn() -> impl Strategy<Value = Drawn> {
    prop::collection::vec((prop::array::uniform6(-2_f32..2.0), any::<bool>()), 0..7)
}

fn examples(rows: &Drawn) -> Examples {
    let features = rows.iter().flat_map(|(x, _)| *x).collect();
    let labels = rows.iter().map(|(_, y)| f32::from(u8::from(*y))).collect();
    Examples::new(FEATURES, features, labels).unwrap()
}

/// No `Debug` shows a task, so cases are wrapped.
#[derive(Clone)]
struct Tasks(Vec<Task>);

impl core::fmt::Debug for Tasks {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} tasks", self.0.len())
    }
}

fn tasks(count: impl Into<prop::collection::SizeRange>) -> impl Strategy<Value = Tasks> {
    prop::collection::vec((drawn(), drawn()), count).prop_map(|pairs| {
        let task = |(support, query): (Drawn, Drawn)| Task {
            key: TaskKey([0; 32]),
            support: examples(&support),
            query: examples(&query),
        };
        Tasks(pairs.into_iter().map(task).collect())
    })
}

fn families() -> impl Strategy<Value = Family> {
    prop_oneof![Just(Family::Maml), Just(Family::Fomaml), Just(Family::Fedsgd)]
}

fn sum(learner: &GradientLearner, tasks: &[Task], encoding: &Encoding, threads: usize) -> Vec<i64> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let theta = theta(learner);
    let mut tasks = tasks.iter().cloned();
    pool.install(|| learner.clipped_sum(&theta, &mut tasks, encoding)).unwrap().sum
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_task_adds_the_same_integers_whatever_the_others_the_order_and_the_threads(
        family in families(),
        asked in asked(),
        all in tasks(2..600),
        turn in any::<prop::sample::Index>(),
        threads in 1_usize..4,
    ) {
        let learner = learner(family, &[5]);
        let encoding = encoding(&learner, asked);
        let Tasks(mut all) = all;
        let mut each = vec![0; encoding.dimension()];
        for task in &all {
            let own = alone(&learner, &encoding, task);
            prop_assert!(own.iter().map(|x| i128::from(*x).pow(2)).sum::<i128>() <= 1 << 36);
            each.iter_mut().zip(own).for_each(|(sum, x)| *sum += x);
        }
        prop_assert_eq!(&sum(&learner, &all, &encoding, 1), &each);
        let by = turn.index(all.len());
        all.rotate_left(by);
        prop_assert_eq!(&sum(&learner, &all, &encoding, threads), &each);
    }

    #[test]
    fn a_task_that_fails_adds_zero_and_disturbs_nobody(
        family in families(),
        asked in asked(),
        good in tasks(1..20),
        bad in prop_oneof![
            Just(f32::NAN), Just(f32::INFINITY), Just(f32::NEG_INFINITY), Just(f32::MAX),
        ],
        label in prop_oneof![Just(0.5_f32), Just(f32::NAN), Just(-1.0), Just(2.0)],
        place in any::<prop::sample::Index>(),
        in_label in any::<bool>(),
    ) {
        let learner = learner(family, &[5]);
        let encoding = encoding(&learner, asked);
        let expected = sum(&learner, &good.0, &encoding, 2);
        let features = if in_label { vec![0.0; FEATURES] } else { vec![bad; FEATURES] };
        let spoiled = Examples::new(FEATURES, features, vec![if in_label { label } else { 1.0 }]);
        let spoiled = spoiled.unwrap();
        let mut tasks = good.0;
        let at = place.index(tasks.len() + 1);
        let query = spoiled.clone();
        tasks.insert(at, Task { key: TaskKey([1; 32]), support: spoiled, query });
        let got = learner.clipped_sum(&theta(&learner), &mut tasks.into_iter(), &encoding).unwrap();
        if in_label || bad.is_nan() {
            prop_assert_eq!(got.failed, 1);
            prop_assert_eq!(got.sum, expected);
        } else {
            // Whatever an infinite or huge value does to its own task, the bound holds for it.
            let square: i128 =
                got.sum.iter().zip(&expected).map(|(a, b)| i128::from(a - b).pow(2)).sum();
            prop_assert!(square <= 1 << 36);
        }
    }
}

#[test]
fn an_empty_sample_is_a_full_sized_zero() {
    let learner = learner(Family::Fomaml, &[]);
    let nothing = &mut std::iter::empty();
    let got = learner.clipped_sum(&theta(&learner), nothing, &gradients(&learner)).unwrap();
    assert_eq!((got.sum, got.failed), (vec![0; FEATURES + 1], 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_task_without_a_query_adds_zero_and_measures_nothing(
        family in families(), asked in asked(), support in drawn(),
    ) {
        let learner = learner(family, &[5]);
        let encoding = encoding(&learner, asked);
        let (support, query) = (examples(&support), Examples::none(FEATURES));
        let empty = Task { key: TaskKey([0; 32]), support, query };
        prop_assert_eq!(sum(&learner, &[empty], &encoding, 1), vec![0; encoding.dimension()]);
    }
}

/// Every measure against the same thing computed from the gradient and, by hand, from the rows.
#[test]
fn the_measures_are_those_of_the_task() {
    let learner = learner(Family::Fedsgd, &[]);
    let edges = vec![0.01, 0.05, 0.1, 0.2, 1.0];
    let measures = vec![
        Measure::QueryLoss { max: 1.5 },
        Measure::Clipped {},
        Measure::NormHistogram { edges: edges.clone() },
    ];
    let encoding = encoding(&learner, MetricsSpec { share: 0.3, measures });
    let steps = (0.3 * 2_f64.powi(18) / 3_f64.sqrt() - 0.5).floor();
    let theta = theta(&learner);
    for scale in [0.01_f32, 0.3, 1.0, 2.0] {
        let row: Vec<f32> = (0..6_u8).map(|k| scale * (f32::from(k) - 2.0)).collect();
        let query = Examples::new(FEATURES, row.clone(), vec![1.0]).unwrap();
        let task = Task { key: TaskKey([0; 32]), support: Examples::none(FEATURES), query };
        let norm =
            learner.meta_gradient(&theta, &task).unwrap().iter().map(|x| x * x).sum::<f64>().sqrt();
        let f = row.iter().zip(&theta).map(|(x, w)| f64::from(x * w)).sum::<f64>()
            + f64::from(theta[FEATURES]);
        let loss: f64 = 2.2 * (1.0 + (-f).exp()).ln() / 8.0;
        let own = alone(&learner, &encoding, &task);
        let [loss_steps, clipped, histogram @ ..] = &own[FEATURES + 1..] else { panic!("metrics") };
        let expected = (loss / 1.5 * steps).min(steps);
        #[expect(clippy::cast_precision_loss, reason = "below 2^18")]
        let got = *loss_steps as f64;
        assert!((got - expected).abs() <= 1.0, "{got} for {expected}");
        let flag = |holds: bool| if holds { steps } else { 0.0 };
        #[expect(clippy::cast_precision_loss, reason = "below 2^18")]
        let flags: Vec<f64> = histogram.iter().chain([clipped]).map(|x| *x as f64).collect();
        let place = edges.iter().filter(|edge| norm > **edge).count();
        let expected: Vec<f64> = (0..6).map(|bin| flag(bin == place)).collect();
        assert_eq!(flags[..6], expected, "norm {norm}");
        assert_eq!(flags[6..], [flag(norm > 0.1 * 0.91_f64.sqrt())], "norm {norm}");
    }
}

#[test]
fn an_encoding_for_another_model_is_refused() {
    let learner = learner(Family::Fomaml, &[]);
    let other = Encoding::of_gradients(grid(), FEATURES);
    let refused = learner.clipped_sum(&theta(&learner), &mut std::iter::empty(), &other);
    assert!(matches!(refused, Err(LearnerError::WeightCount { expected: 7, got: 6 })));
}

#[test]
fn a_wide_network_gives_the_same_bits_on_any_number_of_threads() {
    let learner = learner(Family::Maml, &[96, 64]);
    let rows = 40_u16;
    let features = (0..rows * 6).map(|k| f32::from(k % 23) / 11.0 - 1.0).collect::<Vec<_>>();
    let labels = (0..rows).map(|k| f32::from(k % 2)).collect::<Vec<_>>();
    let examples = Examples::new(FEATURES, features, labels).unwrap();
    let task = Task { key: TaskKey([0; 32]), support: examples.clone(), query: examples };
    let vector = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| learner.meta_gradient(&theta(&learner), &task)).unwrap()
    };
    let bits = |v: Vec<f64>| v.into_iter().map(f64::to_bits).collect::<Vec<_>>();
    let one = bits(vector(1));
    assert_eq!(bits(vector(2)), one);
    assert_eq!(bits(vector(5)), one);
}

#[test]
fn a_meta_initialization_that_cannot_be_used_is_refused_before_a_task_is_taken() {
    let learner = learner(Family::Fomaml, &[]);
    let mut taken = 0;
    let mut tasks = std::iter::from_fn(|| {
        taken += 1;
        None
    });
    let encoding = gradients(&learner);
    let short = learner.clipped_sum(&[0.0; FEATURES], &mut tasks, &encoding);
    assert!(matches!(short, Err(LearnerError::WeightCount { expected: 7, got: 6 })));
    let mut theta = vec![0.0; FEATURES + 1];
    theta[3] = f32::INFINITY;
    let infinite = learner.clipped_sum(&theta, &mut tasks, &encoding);
    assert!(matches!(infinite, Err(LearnerError::WeightNotFinite { index: 3 })));
    assert_eq!(taken, 0);
}
