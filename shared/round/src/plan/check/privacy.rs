//! The guarantee: the mechanism must give it, for every institution, by the accountant that ships.

use privacy::{
    Certificate, Delta, Epsilon, Grid, PrivacyError, PublicBound, check_delta, epsilon,
    loss_predictor, noise_scale,
};

use super::{name, positive, require};
use crate::layout::Layout;
use crate::plan::{PlanError, PlanText};

/// What a plan's privacy is predicted to cost in quality.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PredictedCost {
    /// ρ = Δ·√(B·d) / (μ(ε,δ)·M): at most .1 has cost at most .011 AUC where it was measured. Metrics
    /// shorten the gradient and not the noise, so a share s of them divides by √(1 − s²); infinite in
    /// a pilot, which learns nothing.
    pub rho: f64,
}

impl PredictedCost {
    /// Above this, a plan deserves a warning.
    pub const WARN_ABOVE: f64 = 0.1;

    /// True if the plan deserves a warning.
    pub fn warns(self) -> bool {
        self.rho > Self::WARN_ABOVE
    }
}

/// The certificate of the whole run, once everything holds.
pub(super) fn check(text: &PlanText) -> Result<Certificate, PlanError> {
    let spec = &text.privacy;
    name("privacy.unit", &spec.unit)?;
    positive("privacy.noise_multiplier", spec.noise_multiplier)?;
    positive("privacy.clip_norm", spec.clip_norm)?;
    require((16..=20).contains(&spec.grid_bits), "privacy.grid_bits", || {
        format!("expected 16 to 20, got {}", spec.grid_bits)
    })?;
    require(
        spec.sampling_rate > 0.0 && spec.sampling_rate <= 1.0,
        "privacy.sampling_rate",
        || format!("expected more than 0 and at most 1, got {}", spec.sampling_rate),
    )?;
    let delta = Delta::new(spec.delta).map_err(rule("privacy.delta"))?;
    let target = Epsilon::new(spec.epsilon).map_err(rule("privacy.epsilon"))?;
    let parameters = Layout::of(text.data.features.len(), &text.model).dimension();
    let dimension = text.metrics.contribution_dimension(parameters);
    for participant in &text.cohort {
        check_delta(delta, participant.declared_units).map_err(rule("privacy.delta"))?;
        text.public_bound(participant.tasks, dimension).map_err(rule("privacy.grid_bits"))?;
    }
    let event = text.event(text.rounds).map_err(rule("privacy"))?;
    let certificate = epsilon(&[event], delta).map_err(rule("privacy"))?;
    require(certificate.epsilon_upper <= target.get(), "privacy.epsilon", || {
        format!(
            "{} rounds with this noise cost {:.6}, more than the {} that the plan promises",
            text.rounds,
            certificate.epsilon_upper,
            target.get()
        )
    })?;
    Ok(certificate)
}

impl PlanText {
    /// The bound on the contribution of an institution with `tasks` tasks.
    pub(crate) fn public_bound(
        &self,
        tasks: u32,
        dimension: usize,
    ) -> Result<PublicBound, PrivacyError> {
        let spec = &self.privacy;
        let scale =
            noise_scale(privacy::NoiseMultiplier::new(spec.noise_multiplier)?, spec.grid_bits)?;
        PublicBound::new(spec.grid_bits, u64::from(tasks), scale, dimension)
    }

    /// The grid that contributions lie on.
    pub(crate) fn grid(&self) -> Result<Grid, PrivacyError> {
        Grid::new(privacy::ClipNorm::new(self.privacy.clip_norm)?, self.privacy.grid_bits)
    }

    /// What the plan predicts of its own quality.
    pub(crate) fn predicted_cost(&self) -> Result<PredictedCost, PrivacyError> {
        let spec = &self.privacy;
        let tasks = self.cohort.iter().map(|p| u64::from(p.tasks)).sum();
        let rho = loss_predictor(
            self.task_change(),
            self.cohort.len() as u64,
            Layout::of(self.data.features.len(), &self.model).dimension() as u64,
            Epsilon::new(spec.epsilon)?,
            Delta::new(spec.delta)?,
            tasks,
        );
        Ok(PredictedCost { rho: rho / self.metrics.gradient_share() })
    }
}

fn rule(key: &'static str) -> impl Fn(PrivacyError) -> PlanError {
    move |error| PlanError::Rule { key: key.to_owned(), what: error.to_string() }
}
