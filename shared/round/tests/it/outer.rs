//! The outer update and the first model, against formulas written down a second time.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use proptest::prelude::*;
use round::Plan;
use round::initialization::initial_weights;
use round::layout::{Layer, Layout};
use round::outer::{Master, Scale};
use round::plan::{Activation, Head, Initialization, ModelSpec, OptimizerSpec};

use crate::support::{EXAMPLE, institution};

/// Parsed once: the accountant takes its time.
static PLAN: LazyLock<Plan> =
    LazyLock::new(|| Plan::parse(EXAMPLE.as_bytes()).expect("the example is a plan"));

/// All three banks of the example: 200 + 150 + 100 tasks.
fn scale() -> Scale {
    Scale::of(&PLAN, [institution("alder"), institution("birch"), institution("cedar")].iter())
}

/// The gradient by docs/protocol.md: sum · (C / 2^b) / (q · tasks).
fn gradient(sum: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "sums here are small")]
    let sum = sum as f64;
    (sum * (0.5 / 262_144.0)) / (0.2 * 450.0)
}

const SGD: OptimizerSpec = OptimizerSpec::Sgd { learning_rate: 0.5 };
const MOMENTUM: OptimizerSpec = OptimizerSpec::Momentum { learning_rate: 0.5, momentum: 0.9 };
const ADAM: OptimizerSpec =
    OptimizerSpec::Adam { learning_rate: 0.01, beta1: 0.9, beta2: 0.99, epsilon: 1e-3 };
const YOGI: OptimizerSpec =
    OptimizerSpec::Yogi { learning_rate: 0.01, beta1: 0.9, beta2: 0.99, epsilon: 1e-3 };

/// One weight after all its sums: each optimizer in a straight line, by docs/protocol.md.
fn alone(spec: OptimizerSpec, start: f64, sums: &[i64]) -> f64 {
    let (mut w, mut m, mut v) = (start, 0.0, 0.0);
    let (mut p1, mut p2) = (1.0, 1.0);
    for g in sums.iter().copied().map(gradient) {
        match spec {
            OptimizerSpec::Sgd { learning_rate } => w -= learning_rate * g,
            OptimizerSpec::Momentum { learning_rate, momentum } => {
                m = momentum * m + g;
                w -= learning_rate * m;
            }
            OptimizerSpec::Adam { learning_rate, beta1, beta2, epsilon }
            | OptimizerSpec::Yogi { learning_rate, beta1, beta2, epsilon } => {
                p1 *= beta1;
                p2 *= beta2;
                m = beta1 * m + (1.0 - beta1) * g;
                let s = g * g;
                v = match spec {
                    OptimizerSpec::Adam { .. } => beta2 * v + (1.0 - beta2) * s,
                    _ if v > s => v - (1.0 - beta2) * s,
                    _ if v < s => v + (1.0 - beta2) * s,
                    _ => v,
                };
                w -= learning_rate * (m / (1.0 - p1)) / ((v / (1.0 - p2)).sqrt() + epsilon);
            }
        }
    }
    w
}

proptest! {
    #[test]
    fn each_optimizer_does_what_the_documents_say_to_the_bit(
        starts in prop::collection::vec(-2.0f64..2.0, 4),
        rounds in prop::collection::vec(prop::collection::vec(-900_000_000i64..900_000_000, 4), 0..6),
    ) {
        for spec in [SGD, MOMENTUM, ADAM, YOGI] {
            let mut master = Master::new(starts.clone(), &spec);
            for sums in &rounds {
                master.step(sums, scale());
            }
            for (i, (&start, &got)) in starts.iter().zip(master.weights()).enumerate() {
                let sums: Vec<i64> = rounds.iter().filter_map(|r| r.get(i).copied()).collect();
                prop_assert_eq!(alone(spec, start, &sums).to_bits(), got.to_bits(), "{:?}", spec);
            }
        }
    }

    #[test]
    fn a_master_blob_read_back_goes_on_with_the_same_bits(
        starts in prop::collection::vec(-2.0f64..2.0, 3),
        rounds in prop::collection::vec(prop::collection::vec(-900_000_000i64..900_000_000, 3), 1..6),
        stop in 0usize..6,
    ) {
        for spec in [SGD, MOMENTUM, ADAM, YOGI] {
            let (mut straight, mut resumed) =
                (Master::new(starts.clone(), &spec), Master::new(starts.clone(), &spec));
            for (round, sums) in rounds.iter().enumerate() {
                if round == stop {
                    resumed = Master::from_bytes(&resumed.to_bytes(), 3, &spec).expect("its own bytes");
                }
                straight.step(sums, scale());
                resumed.step(sums, scale());
            }
            prop_assert_eq!(straight.to_bytes(), resumed.to_bytes());
        }
    }
}

/// Printed by tests/reference/outer.py, with numpy.
#[test]
fn adam_and_yogi_agree_with_numpy() {
    let sums = [[1_000_000, -2_000_000, 0], [5_000_000, 300_000, -1], [-700_000, 0, 9_000_000]];
    let golden = [
        (ADAM, [0.476_332_977_389_546_5, -0.230_753_524_117_250_4, 0.993_697_656_931_032_3]),
        (YOGI, [0.476_362_924_409_417_7, -0.230_818_119_632_617_42, 0.993_697_656_931_032_3]),
    ];
    for (spec, expected) in golden {
        let mut master = Master::new(vec![0.5, -0.25, 1.0], &spec);
        for sums in &sums {
            master.step(sums, scale());
        }
        assert_eq!(master.weights(), expected, "{spec:?}");
    }
}

#[test]
fn the_scale_counts_the_declared_tasks_of_the_survivors_only() {
    let step = |names: &[&str]| {
        let survivors: Vec<_> = names.iter().map(|name| institution(name)).collect();
        let mut master = Master::new(vec![0.0], &OptimizerSpec::Sgd { learning_rate: 1.0 });
        master.step(&[1 << 18], Scale::of(&PLAN, &survivors));
        master.weights().to_vec()
    };
    assert_eq!(step(&["alder"]), [-0.5 / (0.2 * 200.0)]);
    assert_eq!(step(&["alder", "cedar"]), [-0.5 / (0.2 * 300.0)]);
    assert_eq!(step(&["alder", "weasel"]), [-0.5 / (0.2 * 200.0)], "a stranger declares no task");
}

#[test]
fn a_master_blob_of_another_length_is_refused() {
    for (spec, numbers) in [(SGD, 3), (MOMENTUM, 6), (ADAM, 11), (YOGI, 11)] {
        let bytes = Master::new(vec![1.0; 3], &spec).to_bytes();
        assert_eq!(bytes.len(), 8 * numbers, "{spec:?}");
        let mut long = bytes.clone();
        long.push(0);
        for wrong in [&long[..], &bytes[..bytes.len() - 1], &bytes[..bytes.len() - 8], &[]] {
            let error = Master::from_bytes(wrong, 3, &spec).expect_err("another length");
            assert_eq!((error.expected, error.got), (8 * numbers, wrong.len()));
        }
        assert!(Master::from_bytes(&bytes, 4, &spec).is_err());
    }
}

#[test]
fn theta_is_the_nearest_f32_little_endian_and_the_master_f64() {
    let master = Master::new(vec![0.1, -1.5], &SGD);
    assert_eq!(master.theta_bytes(), [0xcd, 0xcc, 0xcc, 0x3d, 0, 0, 0xc0, 0xbf]);
    assert_eq!(master.to_bytes(), [0.1f64.to_le_bytes(), (-1.5f64).to_le_bytes()].concat());
}

/// SplitMix64 as its authors run it, one draw after the other; the crate draws by index.
fn sequential(seed: u64, count: usize) -> Vec<u64> {
    let mut state = seed;
    let next = |_| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    (0..count).map(next).collect()
}

#[test]
fn the_first_model_can_be_drawn_from_the_documents_alone() {
    let initialization = Initialization { seed: 7, scale: 0.25 };
    let head = Head::Classes { count: 2 };
    let model = ModelSpec { head, hidden: vec![4], activation: Activation::Tanh, initialization };
    let layout = Layout::of(3, &model);
    let layers =
        [Layer { offset: 0, inputs: 3, outputs: 4 }, Layer { offset: 16, inputs: 4, outputs: 2 }];
    assert_eq!((layout.layers(), layout.dimension()), (&layers[..], 26));

    let draws = sequential(7, 26);
    // Index → fan-in, for the kernels; everything else is a bias.
    let kernels: BTreeMap<usize, f64> =
        (0..12).map(|i| (i, 3.0)).chain((16..24).map(|i| (i, 4.0))).collect();
    let expected: Vec<f64> = draws
        .iter()
        .enumerate()
        .map(|(i, draw)| {
            #[expect(clippy::cast_precision_loss, reason = "53 bits")]
            let u = (draw >> 11) as f64 / 2f64.powi(53);
            kernels.get(&i).map_or(0.0, |n: &f64| 0.25 / n.sqrt() * (2.0 * u - 1.0))
        })
        .collect();
    let weights = initial_weights(&layout, &initialization);
    assert_eq!(weights, expected);
    assert!(
        weights
            .iter()
            .zip(0..)
            .all(|(w, i)| { w.abs() <= kernels.get(&i).map_or(0.0, |n| 0.25 / n.sqrt()) })
    );

    let zero = initial_weights(&layout, &Initialization { seed: 7, scale: 0.0 });
    assert!(zero.iter().all(|w| *w == 0.0));
    let other = initial_weights(&layout, &Initialization { seed: 8, scale: 0.25 });
    assert_ne!(weights, other);
}
