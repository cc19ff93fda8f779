use super::draw::Draw;
use super::mean;

/// How many resamples the bootstrap takes.
const RESAMPLES: usize = 2_000;

/// The percentile bootstrap interval of the mean ([Efron 1979]): what lies between the 2.5th and the
/// 97.5th percentile of the means of resamples with replacement.
pub(super) fn interval95(
    values: &[f64],
    draw: &mut Draw,
) -> Result<[f64; 2], privacy::SourceExhausted> {
    let mut means = Vec::with_capacity(RESAMPLES);
    let mut resample = Vec::with_capacity(values.len());
    for _ in 0..RESAMPLES {
        resample.clear();
        for _ in values {
            resample.extend(values.get(draw.below(values.len())?));
        }
        means.push(mean(&resample));
    }
    means.sort_by(f64::total_cmp);
    let percentile = |place: usize| means.get(place).copied().unwrap_or(f64::NAN);
    let tail = RESAMPLES / 40;
    Ok([percentile(tail), percentile(RESAMPLES - 1 - tail)])
}
