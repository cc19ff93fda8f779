//! No pair of neighbours in the plane is told apart better than the bound says: numerical divergences of random pairs.

use privacy::{Order, TaskChange, rdp};
use proptest::prelude::*;

use crate::event;

type Point = [f64; 2];

/// A mixture of Gaussians in the plane: weights and means.
type Cloud = Vec<(f64, Point)>;

fn density(cloud: &Cloud, noise: f64, z: Point) -> f64 {
    cloud.iter().fold(0.0, |sum, &(weight, mean)| {
        let square = (z[0] - mean[0]).powi(2) + (z[1] - mean[1]).powi(2);
        sum + weight * (-square / (2.0 * noise * noise)).exp()
    })
}

/// D_α(P‖Q) by the trapezoid rule on a square grid, good to about 10⁻⁹.
fn divergence(p: &Cloud, q: &Cloud, noise: f64, order: f64) -> f64 {
    let reach = (2.0 * order * 2.0 + 8.0 * noise) / noise;
    let step = 0.2;
    #[expect(clippy::cast_possible_truncation, reason = "a few hundred")]
    let nodes = (reach / step) as i32;
    let place = |i: i32| f64::from(i) * step * noise;
    let mut sum = 0.0;
    for i in -nodes..=nodes {
        for j in -nodes..=nodes {
            let z = [place(i), place(j)];
            let (at_p, at_q) = (density(p, noise, z), density(q, noise, z));
            if at_p > 0.0 && at_q > 0.0 {
                sum += at_q * (order * (at_p / at_q).ln()).exp();
            }
        }
    }
    (sum * step * step / core::f64::consts::TAU).ln() / (order - 1.0)
}

/// A point of the closed unit disk, half of the time on its rim.
fn disk() -> impl Strategy<Value = Point> {
    (0.0..core::f64::consts::TAU, prop_oneof![Just(1.0), 0.0..1.0f64])
        .prop_map(|(angle, radius)| [radius * angle.cos(), radius * angle.sin()])
}

fn one_task(rate: f64, x: Point) -> Cloud {
    vec![(1.0 - rate, [0.0, 0.0]), (rate, x)]
}

fn two_tasks(rate: f64, x: Point, y: Point) -> Cloud {
    let (absent, both) = (1.0 - rate, [x[0] + y[0], x[1] + y[1]]);
    vec![(absent * absent, [0.0, 0.0]), (rate * absent, x), (rate * absent, y), (rate * rate, both)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn one_changing_task_never_exceeds_the_antipodal_pair(
        x in disk(), y in disk(), rate in 0.01..0.95f64, noise in 0.7..3.0f64,
        order in prop::sample::select(vec![1.3, 2.0, 3.7]),
    ) {
        let found = divergence(&one_task(rate, x), &one_task(rate, y), noise, order);
        let event = event(noise, rate, 1, TaskChange::ContentChanges);
        let bound = rdp(&event, Order::new(order).unwrap()).unwrap();
        prop_assert!(found <= bound + 1e-9, "{} {}", found, bound);
    }

    #[test]
    fn two_changing_tasks_never_exceed_the_antipodal_pair(
        x in (disk(), disk()), y in (disk(), disk()), rate in 0.01..0.95f64, noise in 0.9..3.0f64,
        order in prop::sample::select(vec![1.3, 2.0]),
    ) {
        let (p, q) = (two_tasks(rate, x.0, x.1), two_tasks(rate, y.0, y.1));
        let found = divergence(&p, &q, noise, order);
        let event = event(noise, rate, 1, TaskChange::TwoContentsChange);
        let bound = rdp(&event, Order::new(order).unwrap()).unwrap();
        prop_assert!(found <= bound + 1e-9, "{} {}", found, bound);
    }

    #[test]
    fn one_appearing_task_never_exceeds_the_bound_either_way(
        x in disk(), rate in 0.01..0.95f64, noise in 0.7..3.0f64,
        order in prop::sample::select(vec![1.3, 2.0, 3.7]),
    ) {
        let (with, without) = (one_task(rate, x), vec![(1.0, [0.0, 0.0])]);
        let event = event(noise, rate, 1, TaskChange::Appears);
        let bound = rdp(&event, Order::new(order).unwrap()).unwrap();
        prop_assert!(divergence(&with, &without, noise, order) <= bound + 1e-9);
        prop_assert!(divergence(&without, &with, noise, order) <= bound + 1e-9);
    }
}

#[test]
fn the_bound_is_the_antipodal_pairs_divergence() {
    let (p, q) = (one_task(0.3, [0.6, 0.8]), one_task(0.3, [-0.6, -0.8]));
    let event = event(1.1, 0.3, 1, TaskChange::ContentChanges);
    for order in [1.3, 2.0, 3.7] {
        let found = divergence(&p, &q, 1.1, order);
        let figure = rdp(&event, Order::new(order).unwrap()).unwrap();
        assert!((found / figure - 1.0).abs() < 1e-8, "{order}: {found} {figure}");
    }
}
