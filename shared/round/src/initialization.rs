//! The first meta-initialization, drawn from the plan alone.
//!
//! The stream is SplitMix64 as a counter: draw i is mix(seed + (i + 1)·γ) [Steele, Lea & Flood 2014,
//! figure 15], so that anybody can draw any weight without the ones before it. It is public: it
//! chooses a starting point and protects nothing.

use crate::layout::Layout;
use crate::plan::Initialization;

const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// The weights that a run starts from, in f64, as long as the layout's dimension.
///
/// Weight i of a layer with fan-in n is scale/√n · (2u − 1) with u = ⌊draw i / 2¹¹⌋ · 2⁻⁵³, where i is
/// the weight's index in the flat vector; biases are zero.
pub fn initial_weights(layout: &Layout, spec: &Initialization) -> Vec<f64> {
    let mut weights = vec![0.0; layout.dimension()];
    for layer in layout.layers() {
        let bound = spec.scale / fan_in(layer.inputs).sqrt();
        let kernel = weights.iter_mut().enumerate().skip(layer.offset);
        for (index, weight) in kernel.take(layer.inputs * layer.outputs) {
            *weight = bound * (2.0 * unit_draw(spec.seed, index as u64) - 1.0);
        }
    }
    weights
}

#[expect(clippy::cast_precision_loss, reason = "a width is far below 2^53")]
fn fan_in(inputs: usize) -> f64 {
    inputs.max(1) as f64
}

/// Uniform on the multiples of 2⁻⁵³ in [0, 1).
#[expect(clippy::cast_precision_loss, reason = "the value has 53 bits")]
fn unit_draw(seed: u64, index: u64) -> f64 {
    let draw = mix(seed.wrapping_add(GAMMA.wrapping_mul(index.wrapping_add(1))));
    (draw >> 11) as f64 / 9_007_199_254_740_992.0
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published outputs of SplitMix64 from seed 1234567.
    #[test]
    fn the_stream_is_splitmix64() {
        let draws: Vec<u64> =
            (0..5u64).map(|i| mix(1_234_567u64.wrapping_add(GAMMA.wrapping_mul(i + 1)))).collect();
        assert_eq!(
            draws,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423,
                4_593_380_528_125_082_431,
                16_408_922_859_458_223_821
            ]
        );
    }
}
