//! From a plan to the learner that it describes, and from bytes to a meta-initialization.

use meta::{EpisodeShape, GradientLearner, LearnerError, MetaLearner as _, learner};
use round::plan::Plan;

/// The learner that a plan describes.
///
/// # Errors
///
/// [`LearnerError::Unsupported`] for a combination that cannot work; all of it is public.
pub fn learner_of(plan: &Plan) -> Result<GradientLearner, LearnerError> {
    let text = plan.text();
    let shape = EpisodeShape {
        features: text.data.features.len(),
        nominal_units: text.tasks.nominal_units,
        support_share: text.tasks.support_share,
    };
    learner(&text.model, &text.learner, &text.loss, shape)
}

/// The weights in a blob (f32 little-endian), if they fit the learner and are finite.
///
/// # Errors
///
/// [`LearnerError::WeightCount`] or [`LearnerError::WeightNotFinite`].
pub fn theta_of(bytes: &[u8], learner: &GradientLearner) -> Result<Vec<f32>, LearnerError> {
    let (words, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() {
        let (expected, got) = (learner.dimension(), bytes.len().div_ceil(4));
        return Err(LearnerError::WeightCount { expected, got });
    }
    let theta: Vec<f32> = words.iter().copied().map(f32::from_le_bytes).collect();
    learner.check_theta(&theta)?;
    Ok(theta)
}
