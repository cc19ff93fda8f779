//! Writing plans: a draft made whole, with the noise that its promise needs.

use ledger::digest::Digest;
use privacy::{
    Delta, Epsilon, Mechanism, NoiseMultiplier, PrivacyEvent, SamplingRate, calibrate_noise,
};
use round::Plan;
use round::plan::{Participant, PlanText};
use serde::Deserialize;

use crate::error::Error;

/// What a new plan takes from its author instead of from the draft.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// The consortium it is for.
    pub consortium: Digest,
    /// Who trains; the draft's cohort if empty.
    pub cohort: Vec<Participant>,
    /// How many rounds; the draft's if none.
    pub rounds: Option<u32>,
    /// The promised ε; the draft's if none.
    pub epsilon: Option<f64>,
}

/// A plan like `draft` (the TOML of a plan, without consortium and noise), with the
/// least noise that keeps its promise by the accountant that ships.
///
/// # Errors
///
/// [`Error::Usage`] that names the key, what was expected and what came.
pub fn write(draft: &str, changes: &Changes) -> Result<Plan, Error> {
    let usage = |error: &dyn std::fmt::Display| Error::Usage(error.to_string());
    let mut text = complete(draft, changes)?;
    let spec = &text.privacy;
    let event = PrivacyEvent {
        mechanism: Mechanism::PoissonGaussian {
            noise_multiplier: NoiseMultiplier::new(1.0).map_err(|error| usage(&error))?,
            sampling_rate: SamplingRate::new(spec.sampling_rate).map_err(|error| usage(&error))?,
        },
        change: text.task_change(),
        count: u64::from(text.rounds),
    };
    let target = Epsilon::new(spec.epsilon).map_err(|error| usage(&error))?;
    let delta = Delta::new(spec.delta).map_err(|error| usage(&error))?;
    let noise = calibrate_noise(target, delta, &event).map_err(|error| usage(&error))?;
    text.privacy.noise_multiplier = noise.get();
    let written = toml::to_string(&text).map_err(|error| usage(&error))?;
    Plan::parse(written.as_bytes()).map_err(|error| usage(&error))
}

/// The draft with what its author leaves to this command filled in; the noise comes after.
fn complete(draft: &str, changes: &Changes) -> Result<PlanText, Error> {
    let usage = |error: &dyn std::fmt::Display| Error::Usage(error.to_string());
    let mut table: toml::Table = toml::from_str(draft).map_err(|error| usage(&error))?;
    table.insert("consortium".to_owned(), changes.consortium.to_string().into());
    if let Some(rounds) = changes.rounds {
        table.insert("rounds".to_owned(), i64::from(rounds).into());
    }
    if !changes.cohort.is_empty() {
        let cohort = toml::Value::try_from(&changes.cohort).map_err(|error| usage(&error))?;
        table.insert("cohort".to_owned(), cohort);
    }
    if let Some(privacy) = table.get_mut("privacy").and_then(toml::Value::as_table_mut) {
        // Calibrated once everything else is known.
        privacy.insert("noise_multiplier".to_owned(), 1.0.into());
        if let Some(epsilon) = changes.epsilon {
            privacy.insert("epsilon".to_owned(), epsilon.into());
        }
    }
    PlanText::deserialize(table).map_err(|error| usage(&error))
}

/// A plan in lines for people.
///
/// # Errors
///
/// [`Error::Usage`] if its cost cannot be certified; a checked plan's can.
pub fn describe(plan: &Plan) -> Result<String, Error> {
    let text = plan.text();
    let privacy = &text.privacy;
    let certificate = plan.spent(text.rounds).map_err(|error| Error::Usage(error.to_string()))?;
    let cost = plan.predicted_cost();
    let warning = if text.metrics.is_pilot() {
        "  nothing is trained"
    } else if cost.warns() {
        "  warning: above 0.1, privacy will cost quality"
    } else {
        ""
    };
    let cohort: Vec<String> = text
        .cohort
        .iter()
        .map(|p| {
            format!("{} ({} {}s, {} tasks)", p.institution, p.declared_units, privacy.unit, p.tasks)
        })
        .collect();
    Ok(format!(
        "plan        {}\ndigest      {}\nconsortium  {}\napplication {}, {} rounds, {} parameters\n\
         cohort      {}\nlearner     {:?}, {} inner steps\n\
         privacy     {} {}, relation {}, task change {}\n\
         mechanism   noise {:.4} x clip {}, sampling rate {}, grid 2^-{}\n\
         metrics     {}\n\
         costs       epsilon {:.4} to {:.4} at delta {:e} by {}; promised {}\n\
         predicted   rho {:.4}{warning}\n",
        text.name,
        plan.digest(),
        plan.consortium(),
        text.application,
        text.rounds,
        plan.dimension(),
        cohort.join(", "),
        text.learner.family,
        text.learner.inner_steps,
        "unit",
        privacy.unit,
        privacy.relation,
        text.task_change(),
        privacy.noise_multiplier,
        privacy.clip_norm,
        privacy.sampling_rate,
        privacy.grid_bits,
        plan.metrics_price(),
        certificate.epsilon_lower,
        certificate.epsilon_upper,
        privacy.delta,
        certificate.method,
        privacy.epsilon,
        cost.rho,
    ))
}
