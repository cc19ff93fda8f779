use privacy::{
    DiscreteGaussian, Keystream, RandomSource, RoundedGaussian, SamplingRate, SourceExhausted,
    bernoulli,
};
use zeroize::Zeroizing;

/// The upper tail of the normal distribution, by its series or continued fraction: independent of the crate's own.
fn normal_cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x / core::f64::consts::SQRT_2)
}

fn draws(scale: u64, seed: u8, count: usize) -> Vec<i64> {
    let sampler = RoundedGaussian::new(scale).unwrap();
    let mut source = Keystream::from_seed(&Zeroizing::new([seed; 32]));
    (0..count).map(|_| sampler.sample(&mut source).unwrap()).collect()
}

#[expect(clippy::cast_precision_loss, reason = "noise far below 2^53")]
fn real(value: i64) -> f64 {
    value as f64
}

#[test]
fn moments_are_those_of_the_rounded_normal() {
    const COUNT: u32 = 400_000;
    for (scale, seed) in [(1u64, 1), (7, 2), (1 << 16, 3), (1 << 31, 4)] {
        let s = real(i64::try_from(scale).unwrap());
        let scaled: Vec<f64> =
            draws(scale, seed, COUNT as usize).into_iter().map(|k| real(k) / s).collect();
        let moment = |p: i32| scaled.iter().map(|x| x.powi(p)).sum::<f64>() / f64::from(COUNT);
        let n = f64::from(COUNT).sqrt();
        // Rounding adds 1/12 of a squared step (Sheppard); five standard errors each.
        let variance = 1.0 + 1.0 / (12.0 * s * s);
        assert!(moment(1).abs() < 5.0 * variance.sqrt() / n, "{scale}: mean {}", moment(1));
        assert!((moment(2) - variance).abs() < 5.0 * 1.5 * variance / n, "{scale}: {}", moment(2));
        assert!(moment(3).abs() < 5.0 * 4.5 / n, "{scale}: third moment {}", moment(3));
        if scale > 1 {
            assert!(
                (moment(4) - 3.0).abs() < 5.0 * 10.0 / n + 1.0 / (s * s),
                "{scale}: {}",
                moment(4)
            );
        }
    }
}

/// Σ(observed − expected)²/expected over cells, and the number of cells.
fn chi_square(draws: &[i64], probability: impl Fn(i64) -> f64, reach: i64) -> (f64, f64) {
    let total = real(i64::try_from(draws.len()).unwrap());
    let mut sum = 0.0;
    for k in -reach..=reach {
        let observed = draws.iter().filter(|&&x| x.clamp(-reach, reach) == k).count();
        let expected = total * probability(k);
        sum += (real(i64::try_from(observed).unwrap()) - expected).powi(2) / expected;
    }
    (sum, real(2 * reach))
}

#[test]
fn small_scales_have_the_exact_distribution() {
    for (scale, reach, seed) in [(1u64, 3i64, 11), (2, 7, 12), (5, 18, 13)] {
        let s = real(i64::try_from(scale).unwrap());
        let above = |edge: f64| normal_cdf(-edge / s);
        let probability = |k: i64| {
            if k.abs() == reach {
                above(real(reach) - 0.5)
            } else {
                above(real(k.abs()) - 0.5) - above(real(k.abs()) + 0.5)
            }
        };
        let (found, freedom) = chi_square(&draws(scale, seed, 400_000), probability, reach);
        assert!(found < freedom + 5.0 * (2.0 * freedom).sqrt(), "{scale}: {found} on {freedom}");
    }
}

#[test]
fn within_a_standard_deviation_the_density_is_smooth_across_cells() {
    // 64 equal slices of probability at a large scale: a wrong cell weight or acceptance shows here.
    let scale = 1i64 << 24;
    let mut counts = [0u32; 64];
    for k in draws(1 << 24, 21, 640_000) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 63")]
        let slice = (normal_cdf(real(k) / real(scale)) * 64.0) as usize;
        counts[slice.min(63)] += 1;
    }
    let found: f64 = counts.iter().map(|&n| (f64::from(n) - 10_000.0).powi(2) / 10_000.0).sum();
    assert!(found < 63.0 + 5.0 * 126f64.sqrt(), "{found}");
}

#[test]
fn coins_fall_as_often_as_they_should() {
    for rate in [0.5, 0.05, 1e-3, 0.999] {
        let mut source = Keystream::from_seed(&Zeroizing::new([31; 32]));
        let exact = SamplingRate::new(rate).unwrap();
        let heads = (0..400_000).filter(|_| bernoulli(&mut source, exact).unwrap()).count();
        let expected = 400_000.0 * rate;
        let deviation = (real(i64::try_from(heads).unwrap()) - expected).abs();
        assert!(deviation < 5.0 * (expected * (1.0 - rate)).sqrt(), "{rate}: {heads}");
    }
}

/// Gives the words of a script, then fails.
struct Script(Vec<u64>);

impl RandomSource for Script {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), SourceExhausted> {
        if self.0.is_empty() {
            return Err(SourceExhausted);
        }
        bytes.copy_from_slice(&self.0.remove(0).to_le_bytes());
        Ok(())
    }
}

#[test]
fn a_certain_task_needs_no_coin() {
    assert_eq!(bernoulli(&mut Script(vec![]), SamplingRate::ALL), Ok(true));
}

#[test]
fn an_exhausted_source_is_an_error_never_a_number() {
    let sampler = RoundedGaussian::new(10).unwrap();
    for length in 0..3 {
        assert_eq!(sampler.sample(&mut Script(vec![1 << 62; length])), Err(SourceExhausted));
    }
    assert_eq!(sampler.add_to(&mut [0], &mut Script(vec![])), Err(SourceExhausted));
    assert_eq!(sampler.add_to(&mut [], &mut Script(vec![])), Ok(()));
}

#[test]
fn a_draw_on_the_edge_of_two_integers_reads_more_digits() {
    // s = 3 in the first cell: 3x/4 + ½ reaches 1 where x = 2/3, whose digits are 1010… without end. Words: the sign and cell,
    // the fraction, the coin, and as many more of the fraction as agree with 2/3.
    let sampler = RoundedGaussian::new(3).unwrap();
    let two_thirds = 0xAAAA_AAAA_AAAA_AAAA;
    let draw = |words: &[u64]| sampler.sample(&mut Script(words.to_vec()));
    assert_eq!(draw(&[0, two_thirds, 0]), Err(SourceExhausted), "one word cannot decide");
    assert_eq!(draw(&[0, two_thirds, 0, two_thirds]), Err(SourceExhausted), "nor can two");
    assert_eq!(draw(&[0, two_thirds, 0, two_thirds, two_thirds - 1]), Ok(0));
    assert_eq!(draw(&[0, two_thirds, 0, two_thirds, two_thirds + 1]), Ok(1));
    assert_eq!(draw(&[1, two_thirds, 0, two_thirds + 1]), Ok(-1));
    assert_eq!(draw(&[1, two_thirds, 0, 0]), Ok(0));
    assert_eq!(draw(&[0, two_thirds + 1, 0]), Ok(1));
}

#[test]
fn scales_beyond_the_range_are_refused() {
    for scale in [0, (1 << 31) + 1, u64::MAX] {
        assert!(RoundedGaussian::new(scale).is_err());
    }
}

/// The discrete Gaussian's probabilities in 50-digit arithmetic.
const DISCRETE: &str = include_str!("../golden/discrete_gaussian.json");

/// A χ² of n draws sees, with probability above 0.999 at five standard deviations, any distribution whose own χ² distance from the
/// truth, Σ(p−q)²/q, is above about 10√(2·cells)/n: at n = 10⁶ and 81 cells, 1.3e-4. A scale off by one part in a hundred is 2e-4.
#[test]
fn the_discrete_gaussian_has_the_exact_distribution() {
    let golden: serde_json::Value = serde_json::from_str(DISCRETE).unwrap();
    for record in golden["records"].as_array().unwrap() {
        let scale = record["scale"].as_u64().unwrap();
        let table: Vec<f64> = record["probabilities"]
            .as_array()
            .unwrap()
            .iter()
            .map(|p| p.as_str().unwrap().parse().unwrap())
            .collect();
        let reach = i64::try_from(table.len()).unwrap() - 1;
        let at = |k: i64| table[usize::try_from(k.abs()).unwrap()];
        let inner: f64 = (1 - reach..reach).map(at).sum();
        // The last cell on either side holds all that is beyond.
        let probability = |k: i64| if k.abs() == reach { 0.5 * (1.0 - inner) } else { at(k) };
        let sampler = DiscreteGaussian::new(scale).unwrap();
        let mut source = Keystream::from_seed(&Zeroizing::new([21; 32]));
        let draws: Vec<i64> =
            (0..1_000_000).map(|_| sampler.sample(&mut source).unwrap()).collect();
        let (found, freedom) = chi_square(&draws, probability, reach);
        assert!(found < freedom + 5.0 * (2.0 * freedom).sqrt(), "{scale}: {found} on {freedom}");
        let wrong = |k: i64| {
            let spread = |k: i64| {
                (-real(k * k) / (2.0 * (real(i64::try_from(scale).unwrap()) * 1.02).powi(2))).exp()
            };
            spread(k) / (-4 * reach..=4 * reach).map(spread).sum::<f64>()
        };
        let (seen, _) = chi_square(&draws, wrong, reach - 1);
        assert!(
            seen > freedom + 5.0 * (2.0 * freedom).sqrt(),
            "{scale}: blind to two parts in a hundred"
        );
    }
}

#[test]
fn large_discrete_scales_have_their_moments() {
    const COUNT: u32 = 200_000;
    for scale in [1_u64 << 16, 1 << 20, 1 << 24] {
        let sampler = DiscreteGaussian::new(scale).unwrap();
        let mut source = Keystream::from_seed(&Zeroizing::new([22; 32]));
        let s = real(i64::try_from(scale).unwrap());
        let draws: Vec<f64> =
            (0..COUNT).map(|_| real(sampler.sample(&mut source).unwrap()) / s).collect();
        let moment = |p: i32| draws.iter().map(|x| x.powi(p)).sum::<f64>() / f64::from(COUNT);
        let n = f64::from(COUNT).sqrt();
        assert!(moment(1).abs() < 5.0 / n, "{scale}: {}", moment(1));
        assert!((moment(2) - 1.0).abs() < 5.0 * 1.5 / n, "{scale}: {}", moment(2));
        assert!((moment(4) - 3.0).abs() < 5.0 * 10.0 / n, "{scale}: {}", moment(4));
    }
}

#[test]
fn the_same_seed_draws_the_same_noise_on_every_machine() {
    let mut source = Keystream::from_seed(&Zeroizing::new([42; 32]));
    let rounded = RoundedGaussian::new(1000).unwrap();
    let found: Vec<i64> = (0..8).map(|_| rounded.sample(&mut source).unwrap()).collect();
    assert_eq!(found, ROUNDED);
    let mut source = Keystream::from_seed(&Zeroizing::new([42; 32]));
    let discrete = DiscreteGaussian::new(1000).unwrap();
    let found: Vec<i64> = (0..8).map(|_| discrete.sample(&mut source).unwrap()).collect();
    assert_eq!(found, DISCRETELY);
}

/// What the two samplers draw from the seed of 42s at scale 1000: bytes that change are a change of the mechanism.
const ROUNDED: [i64; 8] = [1095, -167, 49, -980, 1369, -177, 1747, 1121];
const DISCRETELY: [i64; 8] = [-353, 1006, -146, 494, -565, 1289, -1105, 219];

#[test]
fn discrete_scales_beyond_the_range_are_refused() {
    for scale in [0, (1 << 24) + 1, u64::MAX] {
        assert!(DiscreteGaussian::new(scale).is_err(), "{scale}");
    }
}
