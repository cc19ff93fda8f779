//! Which pair on the line stands for which event; docs/privacy.md proves each.

mod binomial;
mod line;

pub(crate) use line::{Line, Mass, Noise};

use crate::special::real;
use crate::{Mechanism, PrivacyError, PrivacyEvent, TaskChange};

/// Rounding of a few products.
const ROUNDING: f64 = 1e-15;
/// The most sampled tasks that may change at once; each adds a component to the pair.
const COMPONENTS_MAX: u64 = 1000;

/// Releases of one kind.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) count: u64,
    /// The pair above: with these weights, and known to the adversary, one of these lines.
    pub(crate) dominating: Vec<(f64, Line)>,
    /// A pair that neighbours do attain, where it is not the one above.
    pub(crate) attained: Option<Line>,
}

impl Part {
    pub(crate) fn is_symmetric(&self) -> bool {
        self.dominating.iter().all(|(_, line)| line.is_symmetric())
            && self.attained.as_ref().is_none_or(Line::is_symmetric)
    }

    /// The shift in standard deviations, if this is one Gaussian release without sampling.
    pub(crate) fn gaussian_shift(&self) -> Option<f64> {
        let [(_, line)] = self.dominating.as_slice() else { return None };
        match line.sides() {
            (Noise::Gaussian, [(_, p)], [(_, q)]) if self.count == 1 => Some(p - q),
            _ => None,
        }
    }

    /// The least and the greatest loss, where they are taken with positive probability.
    pub(crate) fn atoms(&self) -> Option<(f64, f64)> {
        self.dominating.first().and_then(|(_, line)| line.atoms())
    }
}

/// The parts of `events`; all Gaussians without sampling become one.
pub(crate) fn parts(events: &[PrivacyEvent]) -> Result<Vec<Part>, PrivacyError> {
    let mut parts: Vec<Part> = Vec::new();
    let mut square = 0.0;
    for event in events.iter().filter(|event| event.count > 0) {
        match shift_without_sampling(event) {
            Some(shift) => square += real(event.count) * shift * shift,
            None => parts.push(part(event)?),
        }
    }
    if square > 0.0 {
        // Gaussians compose to one whose shift is the root of the squares' sum. Mirrored halves are the same pair.
        let shift = libm::sqrt(square) * (1.0 + 1e-15);
        let line = Line::changing(Noise::Gaussian, 1, 1.0, 0.5 * shift);
        parts.push(Part { count: 1, dominating: vec![(1.0, line)], attained: None });
    }
    Ok(parts)
}

/// How far one release moves Gaussian noise, in its standard deviations, if nothing is left to chance.
fn shift_without_sampling(event: &PrivacyEvent) -> Option<f64> {
    let sampled = event.mechanism.sampling_rate().get() < 1.0;
    let tasks = event.mechanism.tasks_per_unit();
    match event.mechanism {
        Mechanism::Gaussian { noise_multiplier } => {
            Some(event.change.sensitivity() / noise_multiplier.get())
        }
        Mechanism::PoissonGaussian { noise_multiplier, .. }
        | Mechanism::GroupPoissonGaussian { noise_multiplier, .. }
            if !sampled =>
        {
            Some(event.change.sensitivity() * f64::from(tasks) / noise_multiplier.get())
        }
        Mechanism::PoissonGaussian { .. }
        | Mechanism::GroupPoissonGaussian { .. }
        | Mechanism::TruncatedPoissonGaussian { .. }
        | Mechanism::Laplace { .. }
        | Mechanism::PoissonLaplace { .. } => None,
    }
}

fn part(event: &PrivacyEvent) -> Result<Part, PrivacyError> {
    let rate = event.mechanism.sampling_rate().get();
    let shift = 1.0 / event.mechanism.noise().get();
    let tasks = event.mechanism.tasks_per_unit();
    let noise = match event.mechanism {
        Mechanism::Laplace { .. } | Mechanism::PoissonLaplace { .. } => Noise::Laplace,
        Mechanism::Gaussian { .. }
        | Mechanism::PoissonGaussian { .. }
        | Mechanism::GroupPoissonGaussian { .. }
        | Mechanism::TruncatedPoissonGaussian { .. } => Noise::Gaussian,
    };
    if let Mechanism::TruncatedPoissonGaussian { units, max_batch, .. } = event.mechanism {
        return truncated(event, rate, shift, units.get(), max_batch.get());
    }
    let components = match event.change {
        TaskChange::TwoContentsChange => u64::from(tasks) * 2,
        TaskChange::Appears | TaskChange::ContentChanges => u64::from(tasks),
    };
    if components > COMPONENTS_MAX && rate < 1.0 {
        return Err(PrivacyError::OutOfRange {
            quantity: "number of sampled tasks that change",
            expected: "at most 1000",
            value: real(components),
        });
    }
    let line = match (event.change, noise) {
        (TaskChange::Appears, _) => Line::appearing(noise, tasks, rate, shift),
        (TaskChange::ContentChanges, _) => Line::changing(noise, tasks, rate, shift),
        (TaskChange::TwoContentsChange, Noise::Gaussian) => {
            Line::changing(noise, 2 * tasks, rate, shift)
        }
        (TaskChange::TwoContentsChange, Noise::Laplace) if rate >= 1.0 => {
            Line::changing(noise, 1, 1.0, 2.0 * shift)
        }
        (TaskChange::TwoContentsChange, Noise::Laplace) => {
            return Err(PrivacyError::NotProved {
                event: "sampled Laplace noise under two-contents",
            });
        }
    };
    Ok(Part { count: event.count, dominating: vec![(1.0, line)], attained: None })
}

/// A batch of at most `max_batch`, the drawn ones beyond it left out at random.
///
/// With probability w the others alone fill the batch. Given the others' batch without one of them, the changing task then takes
/// that one's place with probability q′ (2C at most); else it is added as usual. Revealing which is the case only helps. What is
/// attained is the case where all others contribute zero.
fn truncated(
    event: &PrivacyEvent,
    rate: f64,
    shift: f64,
    units: u64,
    max_batch: u64,
) -> Result<Part, PrivacyError> {
    let line: fn(Noise, u32, f64, f64) -> Line = match event.change {
        TaskChange::Appears => Line::appearing,
        TaskChange::ContentChanges => Line::changing,
        TaskChange::TwoContentsChange => {
            return Err(PrivacyError::NotProved { event: "a truncated batch under two-contents" });
        }
    };
    let lines = |rate: f64, shift: f64| line(Noise::Gaussian, 1, rate, shift);
    let full = binomial::tail(units - 1, rate, max_batch);
    if full.upper <= 0.0 {
        let dominating = vec![(1.0, lines(rate, shift))];
        return Ok(Part { count: event.count, dominating, attained: None });
    }
    // P(drawn and kept, while the others fill the batch): given how many are drawn, which are kept is a fair choice among them.
    let over = binomial::tail(units, rate, max_batch + 1);
    let share = real(max_batch) / real(units);
    let displaced = if full.lower > 0.0 {
        (over.upper * share * (1.0 + ROUNDING) / full.lower).clamp(f64::MIN_POSITIVE, rate)
    } else {
        rate
    };
    let taken = rate * (1.0 - full.upper) + over.lower * share * (1.0 - ROUNDING);
    Ok(Part {
        count: event.count,
        dominating: vec![
            (1.0 - full.lower, lines(rate, shift)),
            (full.upper, lines(displaced, 2.0 * shift)),
        ],
        attained: Some(lines(taken.clamp(f64::MIN_POSITIVE, rate), shift)),
    })
}
