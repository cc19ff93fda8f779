//! Rules of a plan that need no accountant.

use crate::special::real;
use crate::{Delta, Epsilon, PrivacyError, TaskChange, gaussian_mu};

/// Checks that δ is at most 1/(10 × `declared_units`), so that giving away one unit in full is not "private".
///
/// # Errors
///
/// [`PrivacyError::DeltaTooLarge`] with the limit; no units at all allow no δ.
pub fn check_delta(delta: Delta, declared_units: u64) -> Result<(), PrivacyError> {
    let limit = if declared_units == 0 { 0.0 } else { 1.0 / (10.0 * real(declared_units)) };
    if delta.get() <= limit {
        Ok(())
    } else {
        Err(PrivacyError::DeltaTooLarge { delta: delta.get(), units: declared_units, limit })
    }
}

/// The predicted cost of privacy, ρ = Δ·√(B·d)/(μ·M): the noise on the average over B banks of M `tasks` each, against a
/// contribution of norm C, when a run spends (ε, δ) at each bank.
///
/// Δ is the [sensitivity](TaskChange::sensitivity) over C, d the dimension and μ the Gaussian-DP parameter of (ε, δ). A figure
/// of at most 0.1 cost at most .011 AUC in simulations; it is a rule of thumb, not a bound.
pub fn loss_predictor(
    change: TaskChange,
    banks: u64,
    dimension: u64,
    epsilon: Epsilon,
    delta: Delta,
    tasks: u64,
) -> f64 {
    let noise = change.sensitivity() / gaussian_mu(epsilon, delta);
    noise * libm::sqrt(real(banks) * real(dimension)) / real(tasks)
}
