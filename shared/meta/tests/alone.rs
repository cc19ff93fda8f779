//! A task's integers are a function of the meta-initialization and of this task alone: not of the tasks beside it, of where a
//! micro-batch ends, or of how many threads there are.

#![expect(clippy::unwrap_used, reason = "a failed set-up fails the test")]

use std::sync::LazyLock;

use meta::{EpisodeShape, Examples, GradientLearner, MetaLearner, Task, TaskKey};
use privacy::{ClipNorm, Grid};
use proptest::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use round::metrics::Encoding;
use round::plan::{Activation, Family, Head, Initialization, LearnerSpec, LossSpec, ModelSpec};

const FEATURES: usize = 3;
const CLASSES: u32 = 3;
/// Sizes on both sides of a micro-batch of 256, and beyond two.
const SIZES: [usize; 6] = [1, 7, 255, 256, 257, 600];
const THREADS: [usize; 4] = [1, 2, 3, 8];

static POOLS: LazyLock<Vec<ThreadPool>> = LazyLock::new(|| {
    let pool = |threads| ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    THREADS.into_iter().map(pool).collect()
});

/// One kind of learner.
#[derive(Clone, Debug)]
struct Kind {
    family: Family,
    head: Head,
    hidden: Vec<u32>,
    activation: Activation,
    /// The longest inner step: one binds always, the other never.
    step_max: f64,
}

fn kinds() -> impl Strategy<Value = Kind> {
    let families = [Family::Maml, Family::Fomaml, Family::Fedsgd];
    let heads = [Head::Binary {}, Head::Classes { count: CLASSES }, Head::Regression {}];
    (
        prop::sample::select(families.to_vec()),
        prop::sample::select(heads.to_vec()),
        prop::sample::select(vec![vec![], vec![5], vec![4, 3]]),
        prop::sample::select(vec![Activation::Relu, Activation::Tanh]),
        prop::sample::select(vec![0.05, 1e3]),
    )
        .prop_map(|(family, head, hidden, activation, step_max)| Kind {
            family,
            head,
            hidden,
            activation,
            step_max,
        })
}

impl Kind {
    fn learner(&self) -> GradientLearner {
        let model = ModelSpec {
            head: self.head,
            hidden: self.hidden.clone(),
            activation: self.activation,
            initialization: Initialization { seed: 0, scale: 0.0 },
        };
        let zero_step = self.family == Family::Fedsgd;
        let steps = LearnerSpec {
            family: self.family,
            inner_steps: if zero_step { 0 } else { 2 },
            inner_rate: 0.3,
            inner_step_norm_max: self.step_max,
            adaptation_steps: vec![0],
            adaptation_rate: 0.3,
        };
        let loss = match self.head {
            Head::Binary {} => LossSpec::LogLoss { class_weights: vec![0.6, 2.2] },
            Head::Classes { .. } => LossSpec::LogLoss { class_weights: vec![0.7, 2.0, 1.1] },
            Head::Regression {} => LossSpec::SquaredError {},
        };
        let support_share = if zero_step { 0.0 } else { 0.5 };
        let shape = EpisodeShape { features: FEATURES, nominal_units: 4, support_share };
        meta::learner(&model, &steps, &loss, shape).unwrap()
    }
}

/// SplitMix64: what is shrunk is the seed, not a thousand rows.
struct Numbers(u64);

impl Numbers {
    fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.word() % bound as u64).unwrap()
    }

    /// In (−2, 2), but once in forty what no task should hold.
    fn feature(&mut self) -> f32 {
        match self.below(200) {
            0 => f32::NAN,
            1 => f32::INFINITY,
            2 => 1e30,
            3 => -0.0,
            4 => 1e-42,
            _ => f32::from(u16::try_from(self.word() >> 48).unwrap()) / 16_384.0 - 2.0,
        }
    }

    fn label(&mut self, head: Head) -> f32 {
        let class = f32::from(u8::try_from(self.below(2)).unwrap());
        match head {
            Head::Binary {} => class,
            Head::Classes { .. } => class + f32::from(u8::try_from(self.below(2)).unwrap()),
            Head::Regression {} => self.feature(),
        }
    }

    fn examples(&mut self, head: Head) -> Examples {
        let rows = self.below(5);
        let features = (0..rows * FEATURES).map(|_| self.feature()).collect();
        let labels = (0..rows).map(|_| self.label(head)).collect();
        Examples::new(FEATURES, features, labels).unwrap()
    }

    fn task(&mut self, head: Head) -> Task {
        let key = TaskKey([u8::try_from(self.below(256)).unwrap(); 32]);
        Task { key, support: self.examples(head), query: self.examples(head) }
    }
}

/// A learner in front of a meta-initialization and a grid.
struct Engine {
    learner: GradientLearner,
    theta: Vec<f32>,
    encoding: Encoding,
}

impl Engine {
    fn new(kind: &Kind, numbers: &mut Numbers) -> Self {
        let learner = kind.learner();
        let weight = |n: &mut Numbers| f32::from(u8::try_from(n.below(200)).unwrap()) / 100.0 - 1.0;
        let theta: Vec<f32> = (0..learner.dimension()).map(|_| weight(numbers)).collect();
        let grid = Grid::new(ClipNorm::new(0.7).unwrap(), 18).unwrap();
        let encoding = Encoding::of_gradients(grid, theta.len());
        Self { learner, theta, encoding }
    }

    fn sum<'a>(&self, pool: usize, tasks: impl Iterator<Item = &'a Task> + Send) -> Vec<i64> {
        let mut tasks = tasks.cloned();
        let sum = POOLS[pool]
            .install(|| self.learner.clipped_sum(&self.theta, &mut tasks, &self.encoding))
            .unwrap();
        sum.sum
    }
}

fn added(parts: &[Vec<i64>], length: usize) -> Vec<i64> {
    let mut sum = vec![0; length];
    for part in parts {
        sum.iter_mut().zip(part).for_each(|(s, x)| *s += x);
    }
    sum
}

fn difference(with: &[i64], without: &[i64]) -> Vec<i64> {
    with.iter().zip(without).map(|(a, b)| a - b).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn a_task_adds_the_integers_that_it_has_alone_to_any_batch_on_any_number_of_threads(
        kind in kinds(),
        size in prop::sample::select(SIZES.to_vec()),
        seed in any::<u64>(),
    ) {
        let mut numbers = Numbers(seed);
        let engine = Engine::new(&kind, &mut numbers);
        let mut tasks: Vec<Task> = (0..size).map(|_| numbers.task(kind.head)).collect();
        let alone: Vec<Vec<i64>> = tasks.iter().map(|task| engine.sum(0, [task].into_iter())).collect();
        prop_assert!(alone.iter().all(|x| square(x) <= 1 << 36));
        let whole = added(&alone, engine.learner.dimension());
        for (pool, threads) in THREADS.into_iter().enumerate() {
            // Another order each time.
            for last in (1..tasks.len()).rev() {
                tasks.swap(last, numbers.below(last + 1));
            }
            prop_assert_eq!(&engine.sum(pool, tasks.iter()), &whole, "{} threads", threads);
        }
    }

    #[test]
    fn a_task_that_joins_or_leaves_a_batch_moves_the_sum_by_its_own_integers(
        kind in kinds(),
        size in prop::sample::select(SIZES.to_vec()),
        seed in any::<u64>(),
        places in prop::collection::vec(any::<prop::sample::Index>(), 3),
        pools in (0..THREADS.len(), 0..THREADS.len()),
    ) {
        let mut numbers = Numbers(seed);
        let engine = Engine::new(&kind, &mut numbers);
        let tasks: Vec<Task> = (0..size).map(|_| numbers.task(kind.head)).collect();
        let with = engine.sum(pools.0, tasks.iter());
        for place in places {
            let gone = place.index(tasks.len());
            let others = tasks.iter().enumerate().filter(|(at, _)| *at != gone).map(|(_, task)| task);
            let without = engine.sum(pools.1, others);
            let alone = engine.sum(pools.0, [&tasks[gone]].into_iter());
            prop_assert_eq!(difference(&with, &without), alone);
        }
    }
}

/// Σx², in integers.
fn square(vector: &[i64]) -> i128 {
    vector.iter().map(|&x| i128::from(x) * i128::from(x)).sum()
}

#[test]
fn the_sum_of_a_large_batch_is_exact_beyond_the_precision_of_floats() {
    // 600 equal tasks, each at the bound: the sum is 600 times what one adds, to the last bit.
    for family in [Family::Maml, Family::Fomaml, Family::Fedsgd] {
        let (head, hidden) = (Head::Regression {}, vec![5]);
        let kind = Kind { family, head, hidden, activation: Activation::Tanh, step_max: 1.0 };
        let engine = Engine::new(&kind, &mut Numbers(5));
        let rows = Examples::new(FEATURES, vec![0.3, -0.7, 1.1], vec![50.0]).unwrap();
        let task = Task { key: TaskKey([0; 32]), support: rows.clone(), query: rows };
        let alone = engine.sum(0, [&task].into_iter());
        assert!(alone.iter().any(|x| x.abs() > 1 << 15 && x % 2 != 0));
        let six_hundred: Vec<i64> = alone.iter().map(|x| 600 * x).collect();
        for pool in 0..THREADS.len() {
            assert_eq!(engine.sum(pool, std::iter::repeat_n(&task, 600)), six_hundred);
        }
    }
}
