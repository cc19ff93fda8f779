//! The bound on one task's contribution at every length and magnitude that a gradient can have.
//!
//! Gradients are drawn from a seed, not element by element: a million numbers are nothing that one shrinks.

use privacy::{ClipNorm, Grid, Outcome};
use proptest::prelude::*;

const LONGEST: usize = 1_000_000;
/// Beyond this the square of a coordinate is no number, and the gradient counts as one that is not finite.
const SQUARE_OVERFLOWS: f64 = 1.35e154;

/// What a gradient is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Shape {
    /// Magnitudes from 1e-320 to 1e308.
    Wild,
    /// Magnitudes whose squares are numbers.
    Moderate,
    /// One coordinate far above the bound, the others so small that their squares are lost beside its.
    OneHuge,
    /// All alike, with a fraction of a step: truncation takes the same from each.
    Equal,
    /// A norm within some units of the last place of the bound.
    OnTheBound,
    /// One coordinate of nearly the whole bound, and the rest of the bound in steps of just over one each: rounding in the norm's
    /// sum hides them.
    Steps,
    /// Numbers below the smallest normal one, and zeros of both signs.
    Subnormal,
}

const SHAPES: [Shape; 7] = [
    Shape::Wild,
    Shape::Moderate,
    Shape::OneHuge,
    Shape::Equal,
    Shape::OnTheBound,
    Shape::Steps,
    Shape::Subnormal,
];
const CLIPS: [f64; 9] = [1e-18, 1e-6, 1e-3, 0.1, 1.0, 3.7, 1e3, 1e6, 1e18];

/// SplitMix64.
struct Numbers(u64);

impl Numbers {
    fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In [0, 1).
    fn fraction(&mut self) -> f64 {
        f64::from(u32::try_from(self.word() >> 32).unwrap()) / 4_294_967_296.0
    }

    /// In (−1, 1).
    fn signed(&mut self) -> f64 {
        if self.word() & 1 == 0 { self.fraction() } else { -self.fraction() }
    }

    /// Of a magnitude between two powers of ten.
    fn magnitude(&mut self, from: f64, to: f64) -> f64 {
        // In two factors, since 10⁻³²⁰ is no product of normal numbers.
        let power = from + (to - from) * self.fraction();
        let sign = if self.word() & 1 == 0 { 1.0 } else { -1.0 };
        sign * 10f64.powf(power / 2.0) * 10f64.powf(power / 2.0)
    }
}

/// A gradient for one grid.
#[derive(Clone, Copy, Debug)]
struct Draw {
    shape: Shape,
    length: usize,
    seed: u64,
    clip: f64,
    bits: u32,
}

impl Draw {
    fn grid(self) -> Grid {
        Grid::new(ClipNorm::new(self.clip).unwrap(), self.bits).unwrap()
    }

    fn gradient(self) -> Vec<f64> {
        let mut numbers = Numbers(self.seed);
        let clip = self.clip;
        let mut drawn = |draw: &mut dyn FnMut(&mut Numbers) -> f64| {
            (0..self.length).map(|_| draw(&mut numbers)).collect::<Vec<f64>>()
        };
        match self.shape {
            Shape::Wild => drawn(&mut |n| n.magnitude(-320.0, 308.0)),
            Shape::Moderate => drawn(&mut |n| clip * n.magnitude(-3.0, 3.0)),
            Shape::Subnormal => drawn(&mut |n| n.signed() * f64::MIN_POSITIVE * 1e-3),
            Shape::OneHuge => {
                let mut gradient = drawn(&mut |n| clip * 1e-9 * n.signed());
                let place = usize::try_from(numbers.word() % self.length as u64).unwrap();
                gradient[place] = clip * numbers.magnitude(0.0, 130.0);
                gradient
            }
            Shape::Equal => {
                let step = clip / f64::from(1u32 << self.bits);
                let value = step * (numbers.fraction() * 4.0 + 0.5);
                vec![value; self.length]
            }
            Shape::OnTheBound => {
                let direction = drawn(&mut Numbers::signed);
                let norm = norm(&direction).max(f64::MIN_POSITIVE);
                // Some units in the last place to either side.
                let ulps = (numbers.signed() * 6.0).round() * f64::EPSILON / 2.0;
                direction.iter().map(|x| x / norm * clip * (1.0 + ulps)).collect()
            }
            Shape::Steps => {
                let radius = f64::from(1u32 << self.bits);
                let step = clip / radius * (1.0 + 1e-15) * (1.0 + 3.0 * numbers.fraction().round());
                let mut gradient = vec![step; self.length];
                gradient[0] = step * (radius - 1.0);
                gradient
            }
        }
    }
}

/// ‖x‖, scaled and summed with compensation: apart from the code under test.
fn norm(gradient: &[f64]) -> f64 {
    let largest = gradient.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    if largest == 0.0 {
        return 0.0;
    }
    let (mut sum, mut lost) = (0.0, 0.0);
    for x in gradient {
        let term = (x / largest) * (x / largest) - lost;
        let next = sum + term;
        lost = (next - sum) - term;
        sum = next;
    }
    largest * f64::sqrt(sum)
}

/// Σx², in integers.
fn square(vector: &[i64]) -> u128 {
    vector.iter().map(|x| u128::from(x.unsigned_abs()) * u128::from(x.unsigned_abs())).sum()
}

#[expect(clippy::cast_possible_truncation, reason = "a gradient in f32 is what is wanted")]
fn narrow(gradient: &[f64]) -> Vec<f32> {
    gradient.iter().map(|&x| x as f32).collect()
}

#[expect(clippy::cast_precision_loss, reason = "lengths and integers far below 2^53")]
const fn real(integer: i64) -> f64 {
    integer as f64
}

fn draws(lengths: impl Strategy<Value = usize>) -> impl Strategy<Value = Draw> {
    let clips = prop::sample::select(CLIPS.to_vec());
    (prop::sample::select(SHAPES.to_vec()), lengths, any::<u64>(), clips, 16..=20u32)
        .prop_map(|(shape, length, seed, clip, bits)| Draw { shape, length, seed, clip, bits })
}

/// Lengths from 1 to 1,000,000, each order of magnitude as likely as the others.
fn long() -> impl Strategy<Value = usize> {
    let orders = prop::sample::select(vec![300, 3_000, 30_000, 300_000]);
    prop_oneof![
        4 => orders.prop_flat_map(|least: usize| least..=(10 * least).min(LONGEST)),
        1 => Just(LONGEST),
    ]
}

/// What holds of every vector whatever.
fn bounded<F: Copy + Into<f64>>(draw: Draw, gradient: &[F]) -> Result<(), TestCaseError> {
    let (vector, outcome) = draw.grid().integers(gradient);
    prop_assert_eq!(vector.len(), gradient.len());
    prop_assert!(square(&vector) <= 1 << (2 * draw.bits), "{}", square(&vector));
    let finite = gradient.iter().all(|&x| x.into().is_finite());
    prop_assert!(finite || outcome == Outcome::Zeroed);
    prop_assert!(outcome != Outcome::Zeroed || vector.iter().all(|&x| x == 0));
    let mut sum = vec![7; gradient.len()];
    prop_assert_eq!(draw.grid().contribute(gradient, &mut sum), outcome);
    prop_assert!(sum.iter().zip(&vector).all(|(sum, x)| *sum == x + 7));
    Ok(())
}

/// What a vector is good for: toward zero, by less than a step a coordinate, and never thrown away without need.
///
/// Truncation takes at most √d of the norm's 2ᵇ steps. So what is above the bound keeps (1 − 10⁻³)·C as long as d < 4ᵇ/10⁶:
/// 4,294 coordinates with 16 bits, 1,099,510 with 20.
fn useful<F: Copy + Into<f64>>(draw: Draw, gradient: &[F]) -> Result<(), TestCaseError> {
    let gradient: Vec<f64> = gradient.iter().map(|&x| x.into()).collect();
    if gradient.iter().any(|x| x.is_nan() || x.abs() >= SQUARE_OVERFLOWS / 1e3) {
        return Ok(());
    }
    let (vector, outcome) = draw.grid().integers(&gradient);
    let (radius, norm) = (f64::from(1u32 << draw.bits), norm(&gradient));
    prop_assert!(outcome != Outcome::Zeroed);
    let factor = radius / norm.max(draw.clip);
    let doubt = 1.0 + 1e-9;
    let twice = if outcome == Outcome::Rescaled { 2.0 } else { 1.0 };
    for (&x, &g) in vector.iter().zip(&gradient) {
        let (x, exact) = (real(x), g * factor);
        prop_assert!(x.abs() <= exact.abs() * doubt && x * g >= 0.0, "{x} {exact}");
        prop_assert!(x.abs() > exact.abs() / doubt - twice - 1e-3, "{x} {exact}");
    }
    if norm > draw.clip * doubt {
        prop_assert_eq!(outcome, Outcome::Clipped);
        let least = radius / doubt - real(i64::try_from(gradient.len()).unwrap()).sqrt();
        prop_assert!(least < 0.0 || wide(square(&vector)).sqrt() >= least);
    }
    if norm < draw.clip / doubt {
        prop_assert!(outcome == Outcome::Kept);
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "below 2^41")]
const fn wide(integer: u128) -> f64 {
    integer as f64
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn no_gradient_of_any_magnitude_leaves_the_ball(draw in draws(1..300usize)) {
        let gradient = draw.gradient();
        bounded(draw, &gradient)?;
        bounded(draw, &narrow(&gradient))?;
    }

    #[test]
    fn what_is_not_finite_adds_zero_wherever_it_stands(
        draw in draws(1..300usize),
        place in any::<prop::sample::Index>(),
        bad in prop::sample::select(vec![f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY]),
    ) {
        let mut gradient = draw.gradient();
        let place = place.index(gradient.len());
        gradient[place] = bad;
        bounded(draw, &gradient)?;
        bounded(draw, &narrow(&gradient))?;
    }

    #[test]
    fn a_finite_gradient_keeps_its_direction_and_its_length_up_to_the_bound(draw in draws(1..300usize)) {
        let gradient = draw.gradient();
        useful(draw, &gradient)?;
        useful(draw, &narrow(&gradient))?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn no_gradient_of_a_million_coordinates_leaves_the_ball_and_none_is_wasted(draw in draws(long())) {
        let gradient = draw.gradient();
        bounded(draw, &gradient)?;
        useful(draw, &gradient)?;
        let gradient = narrow(&gradient);
        bounded(draw, &gradient)?;
        useful(draw, &gradient)?;
    }
}

#[test]
fn a_million_small_coordinates_are_neither_lost_nor_let_out() {
    // Their norm is just above the bound, each one just below one and a half steps: truncation takes a third of each.
    for bits in 16..=20u32 {
        let clip = 1.0;
        let value = clip * (1.0 + 1e-6) / f64::sqrt(real(1_000_000));
        let grid = Grid::new(ClipNorm::new(clip).unwrap(), bits).unwrap();
        let (vector, outcome) = grid.integers(&vec![value; LONGEST]);
        assert_eq!(outcome, Outcome::Clipped);
        let each = i64::from(1u32 << bits) * 999_999 / 1_000_000_000;
        assert!(vector.iter().all(|&x| x == each), "{bits}: {} and {each}", vector[0]);
    }
}

#[test]
fn a_norm_whose_rounding_is_as_large_as_it_gets_is_shortened_once() {
    // One coordinate of 2²⁰−1 steps and 2²¹ of one step, times 1000: each small square is rounded off by .45 of a last digit, so
    // the norm in f64 reads low by 5e-11, and only a factor rounded down by more than that keeps the integers within the bound.
    let clip = (6000.45f64 / 8192.0).sqrt();
    let unit = 1000.0 * clip / f64::from(1u32 << 20) * (1.0 + 1e-15);
    let mut gradient = vec![unit; (1 << 21) + 1];
    gradient[0] = unit * f64::from((1u32 << 20) - 1);
    let grid = Grid::new(ClipNorm::new(clip).unwrap(), 20).unwrap();
    let (vector, outcome) = grid.integers(&gradient);
    assert_eq!(outcome, Outcome::Clipped);
    assert!(square(&vector) <= 1 << 40);
}

#[test]
fn a_gradient_whose_square_is_no_number_adds_zero() {
    let grid = Grid::new(ClipNorm::new(1.0).unwrap(), 16).unwrap();
    for finite in [SQUARE_OVERFLOWS, -1e200, f64::MAX, f64::MIN] {
        let (vector, outcome) = grid.integers(&[1.0, finite]);
        assert_eq!((vector.as_slice(), outcome), (&[0, 0][..], Outcome::Zeroed), "{finite:e}");
    }
    let (vector, outcome) = grid.integers(&[1e100, 1.3e154]);
    assert_eq!((vector.as_slice(), outcome), (&[0, 65_535][..], Outcome::Clipped));
    // No f32 is that large: a gradient in f32 that is finite is never thrown away.
    assert_eq!(grid.integers(&[f32::MAX, f32::MIN]).1, Outcome::Clipped);
}

#[test]
fn zeros_and_subnormal_numbers_are_small_and_nothing_else() {
    for clip in [1e-18, 1e-6, 1.0, 1e18] {
        let grid = Grid::new(ClipNorm::new(clip).unwrap(), 20).unwrap();
        let small = [0.0, -0.0, 5e-324, -5e-324, f64::MIN_POSITIVE, -1e-310];
        assert_eq!(grid.integers(&small), (vec![0; 6], Outcome::Kept));
        let (vector, outcome) = grid.integers(&[5e-324, -0.0, -2.0 * clip]);
        assert_eq!((vector.as_slice(), outcome), (&[0, 0, -1_048_575][..], Outcome::Clipped));
    }
}
