//! What a set of events guarantees: an interval, never a bare number.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::convert::{best_order, epsilon_at};
use crate::rdp::{Rdp, composed};
use crate::{Delta, Epsilon, Order, PrivacyError, PrivacyEvent, TaskChange, distinguish};

/// How the upper bound was proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Rényi divergences added up and converted at the best order.
    Rdp,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rdp => "rdp",
        })
    }
}

/// The ε of a set of events at one δ, between two proved bounds.
///
/// It speaks for events fixed in advance: the order is chosen for them. A lifetime over adaptively chosen events is the
/// business of [`Filter`](crate::Filter).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Certificate {
    /// No smaller ε is true: a test on the released sums tells some neighbours apart this well.
    pub epsilon_lower: f64,
    /// The events are (this ε, δ)-differentially private.
    pub epsilon_upper: f64,
    /// The ε if the pair believed to be the worst is the worst; `None` where it is proved and `epsilon_upper` is the figure.
    pub conjectured: Option<f64>,
    /// The δ of all three.
    pub delta: Delta,
    /// The task change that the events speak of; `None` if there are no events or they differ.
    pub change: Option<TaskChange>,
    /// The order at which the upper bound was converted; `None` if there are no events.
    pub order: Option<Order>,
    /// How the upper bound was proved.
    pub method: Method,
}

/// The certificate of `events` at `delta`.
///
/// The upper bound adds Rényi divergences and converts at the best real order. The lower bound is the best over the single
/// events of an explicit test (a part of a release can be told apart no better than the whole, so the best part is a valid
/// bound). No events: ε = 0.
///
/// ```
/// use privacy::*;
/// let mechanism = Mechanism::PoissonGaussian {
///     noise_multiplier: NoiseMultiplier::new(1.0)?,
///     sampling_rate: SamplingRate::new(0.01)?,
/// };
/// let event = PrivacyEvent { mechanism, change: TaskChange::Appears, count: 1000 };
/// let certificate = epsilon(&[event], Delta::new(1e-5)?)?;
/// assert!(certificate.epsilon_lower <= 1.8282 && 1.8282 <= certificate.epsilon_upper);
/// # Ok::<(), PrivacyError>(())
/// ```
///
/// # Errors
///
/// [`PrivacyError::NotFinite`] if no order gives a finite bound.
pub fn epsilon(events: &[PrivacyEvent], delta: Delta) -> Result<Certificate, PrivacyError> {
    let Some(first) = events.iter().find(|event| event.count > 0) else {
        return Ok(Certificate {
            epsilon_lower: 0.0,
            epsilon_upper: 0.0,
            conjectured: None,
            delta,
            change: None,
            order: None,
            method: Method::Rdp,
        });
    };
    let (order, upper) = epsilon_upper(events, delta)?;
    let proved = events.iter().all(|event| {
        event.change == TaskChange::Appears || event.mechanism.sampling_rate().get() >= 1.0
    });
    let conjectured = if proved {
        None
    } else {
        let figure = |rdp: Rdp| rdp.conjectured;
        Some(converted(events, delta, figure)?.1.min(upper))
    };
    Ok(Certificate {
        epsilon_lower: events
            .iter()
            .map(|event| distinguish::epsilon_lower(event, delta))
            .fold(0.0, f64::max),
        epsilon_upper: upper,
        conjectured,
        delta,
        change: events.iter().all(|event| event.change == first.change).then_some(first.change),
        order: Some(order),
        method: Method::Rdp,
    })
}

/// The δ at which `events` are (`epsilon`, δ)-private, an upper bound, at most 1:
/// δ = exp((α−1)(ρ − ε + ln(1−1/α)))/α at the best order ([Canonne, Kamath & Steinke 2020], proposition 12).
///
/// # Errors
///
/// [`PrivacyError::NotFinite`] if no order gives a finite bound.
pub fn delta(events: &[PrivacyEvent], epsilon: Epsilon) -> Result<f64, PrivacyError> {
    if events.iter().all(|event| event.count == 0) {
        return Ok(0.0);
    }
    let log_delta = |order: Order| {
        let rho = composed(events, order)?.upper;
        let alpha = order.get();
        let exponent = rho - epsilon.get() + libm::log1p(-1.0 / alpha);
        Ok((alpha - 1.0) * exponent - libm::log(alpha))
    };
    let (_, least) = best_order(log_delta)?;
    Ok((libm::exp(least) * (1.0 + 1e-10)).min(1.0))
}

/// The order that converts best, and the proved ε there.
pub(crate) fn epsilon_upper(
    events: &[PrivacyEvent],
    delta: Delta,
) -> Result<(Order, f64), PrivacyError> {
    converted(events, delta, |rdp| rdp.upper)
}

fn converted(
    events: &[PrivacyEvent],
    delta: Delta,
    figure: impl Fn(Rdp) -> f64,
) -> Result<(Order, f64), PrivacyError> {
    best_order(|order| {
        let rdp = composed(events, order)?;
        let epsilon = epsilon_at(figure(rdp), order, delta);
        if epsilon.is_finite() {
            Ok(epsilon)
        } else {
            Err(PrivacyError::NotFinite { figure: "epsilon" })
        }
    })
}
