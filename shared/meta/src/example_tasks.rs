//! Small tasks and learners for the tests beside the maths.
#![expect(clippy::cast_possible_truncation, reason = "examples are f32")]

use crate::learner::{EpisodeShape, GradientLearner, learner};
use crate::{Examples, Task, TaskKey};
use round::plan::{Activation, Family, Head, Initialization, LearnerSpec, LossSpec, ModelSpec};

pub(crate) const FEATURES: usize = 3;

/// Numbers that look random: SplitMix64 mapped to (−1, 1).
pub(crate) fn numbers(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        f64::from(u32::try_from(z >> 33).unwrap()) / f64::from(1_u32 << 30) - 1.0
    }
}

pub(crate) fn examples(head: Head, rows: usize, seed: u64) -> Examples {
    let mut next = numbers(seed);
    let features = (0..rows * FEATURES).map(|_| next() as f32).collect();
    let label = |x: f64| match head {
        Head::Binary {} => f64::from(u8::from(x > 0.0)),
        Head::Classes { count } => (f64::midpoint(x, 1.0) * f64::from(count)).floor(),
        Head::Regression {} => 2.0 * x,
    };
    let labels = (0..rows).map(|_| label(next()) as f32).collect();
    Examples::new(FEATURES, features, labels).unwrap()
}

pub(crate) fn task(head: Head, seed: u64) -> Task {
    let key = TaskKey([u8::try_from(seed % 256).unwrap(); 32]);
    Task { key, support: examples(head, 5, seed), query: examples(head, 7, seed + 1000) }
}

/// A learner of the family over the network, with the largest inner step.
pub(crate) fn build(
    family: Family,
    head: Head,
    hidden: &[u32],
    activation: Activation,
    norm_max: f64,
) -> GradientLearner {
    let initialization = Initialization { seed: 0, scale: 1.0 };
    let model = ModelSpec { head, hidden: hidden.to_vec(), activation, initialization };
    let steps = LearnerSpec {
        family,
        inner_steps: if family == Family::Fedsgd { 0 } else { 3 },
        inner_rate: 0.3,
        inner_step_norm_max: norm_max,
        adaptation_steps: vec![0, 1],
        adaptation_rate: 0.3,
    };
    let loss = match head {
        Head::Binary {} => LossSpec::LogLoss { class_weights: vec![0.7, 2.0] },
        Head::Classes { .. } => LossSpec::LogLoss { class_weights: vec![0.7, 2.0, 1.1] },
        Head::Regression {} => LossSpec::SquaredError {},
    };
    let support_share = if family == Family::Fedsgd { 0.0 } else { 0.4 };
    let shape = EpisodeShape { features: FEATURES, nominal_units: 12, support_share };
    learner(&model, &steps, &loss, shape).unwrap()
}

/// Every head, depth and guard that the mathematics is checked at.
pub(crate) fn cases() -> Vec<(Head, &'static [u32], f64)> {
    let heads = [Head::Binary {}, Head::Classes { count: 3 }, Head::Regression {}];
    let shapes: [&[u32]; 3] = [&[], &[4], &[4, 2]];
    let mut all = Vec::new();
    for head in heads {
        for hidden in shapes {
            // The first never binds, the second binds at every step.
            all.extend([(head, hidden, 1e3), (head, hidden, 0.05)]);
        }
    }
    all
}

pub(crate) fn weights(count: usize, seed: u64) -> Vec<f64> {
    let mut next = numbers(seed);
    (0..count).map(|_| 0.8 * next()).collect()
}

/// The gradient of `f` at `at` by central differences.
pub(crate) fn differences(at: &[f64], f: &dyn Fn(&[f64]) -> f64) -> Vec<f64> {
    const STEP: f64 = 1e-5;
    let moved = |index: usize, by: f64| {
        let mut x = at.to_vec();
        x[index] += by;
        f(&x)
    };
    (0..at.len()).map(|i| (moved(i, STEP) - moved(i, -STEP)) / (2.0 * STEP)).collect()
}

/// ‖a − b‖ / ‖b‖
pub(crate) fn relative(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let square = |x: f64| x * x;
    let difference: f64 = a.iter().zip(b).map(|(a, b)| square(a - b)).sum();
    (difference / b.iter().copied().map(square).sum::<f64>()).sqrt()
}
