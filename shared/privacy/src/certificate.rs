//! What a set of events guarantees: an interval, never a bare number.

use core::fmt;
use core::str::FromStr;

use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Serialize, Serializer};

use crate::convert::{best_order, epsilon_at};
use crate::pair::{Part, parts};
use crate::pld::{self, Interval};
use crate::rdp::sum;
use crate::{Delta, Epsilon, Order, PrivacyError, PrivacyEvent, TaskChange};

/// How an upper bound is proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// The distribution of the privacy loss, composed with every error on the safe side.
    Pld,
    /// Rényi divergences added up and converted at the best order.
    Rdp,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pld => "pld",
            Self::Rdp => "rdp",
        })
    }
}

impl FromStr for Method {
    type Err = PrivacyError;

    fn from_str(name: &str) -> Result<Self, PrivacyError> {
        match name {
            "pld" => Ok(Self::Pld),
            "rdp" => Ok(Self::Rdp),
            _ => Err(PrivacyError::UnknownName { notion: "method", expected: "pld, rdp" }),
        }
    }
}

/// The ε of a set of events at one δ, between two proved bounds.
///
/// It speaks for events fixed in advance. A lifetime over adaptively chosen events is the business of [`Filter`](crate::Filter).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Certificate {
    /// No smaller ε is true of the pair of neighbours that the events are charged for.
    pub epsilon_lower: f64,
    /// The events are (this ε, δ)-differentially private.
    pub epsilon_upper: f64,
    /// The δ of both.
    pub delta: Delta,
    /// The task change that the events speak of; `None` if there are no events or they differ.
    pub change: Option<TaskChange>,
    /// The order at which the upper bound was converted, where the method is [`Method::Rdp`].
    pub order: Option<Order>,
    /// How the upper bound was proved.
    pub method: Method,
}

impl Certificate {
    /// Whether the bounds are within 0.001, or a part in a thousand, of one another.
    ///
    /// Where they are not, the mesh that would bring them there does not fit in memory, or the pair that is proved to dominate is not
    /// known to be attained.
    pub fn is_tight(&self) -> bool {
        Interval { lower: self.epsilon_lower, upper: self.epsilon_upper }.is_tight()
    }
}

impl Serialize for Certificate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let interval = Interval { lower: self.epsilon_lower, upper: self.epsilon_upper };
        let mut fields = serializer.serialize_struct("Certificate", 6)?;
        fields.serialize_field("epsilon", &interval)?;
        fields.serialize_field("delta", &self.delta)?;
        fields.serialize_field("change", &self.change)?;
        fields.serialize_field("method", &self.method)?;
        fields.serialize_field("order", &self.order)?;
        fields.serialize_field("tight", &self.is_tight())?;
        fields.end()
    }
}

/// The certificate of `events` at `delta`, by privacy loss distributions. No events: ε = 0.
///
/// Every error of the computation has its term, so both bounds are proved; the mesh is refined until they are near. Where it cannot be,
/// the bound by Rényi divergences stands in if it is the lower one, and the method says so.
///
/// ```
/// use privacy::*;
/// let mechanism = Mechanism::PoissonGaussian {
///     noise_multiplier: NoiseMultiplier::new(1.0)?,
///     sampling_rate: SamplingRate::new(0.01)?,
/// };
/// let event = PrivacyEvent { mechanism, change: TaskChange::Appears, count: 1000 };
/// let certificate = epsilon(&[event], Delta::new(1e-5)?)?;
/// assert!(certificate.epsilon_lower <= 1.8283 && 1.8280 <= certificate.epsilon_upper);
/// assert!(certificate.is_tight());
/// # Ok::<(), PrivacyError>(())
/// ```
///
/// # Errors
///
/// [`PrivacyError::NotFinite`] if no bound is finite, [`PrivacyError::NotProved`] if no pair is known to dominate an event.
pub fn epsilon(events: &[PrivacyEvent], delta: Delta) -> Result<Certificate, PrivacyError> {
    epsilon_by(Method::Pld, events, delta)
}

/// The certificate of `events` at `delta` by one method; [`Method::Rdp`] gives no lower bound but 0.
///
/// # Errors
///
/// As [`epsilon()`].
pub fn epsilon_by(
    method: Method,
    events: &[PrivacyEvent],
    delta: Delta,
) -> Result<Certificate, PrivacyError> {
    let change = common_change(events);
    let certificate = |found: Interval, method, order| Certificate {
        epsilon_lower: found.lower,
        epsilon_upper: found.upper,
        delta,
        change,
        order,
        method,
    };
    if events.iter().all(|event| event.count == 0) {
        return Ok(certificate(Interval { lower: 0.0, upper: 0.0 }, method, None));
    }
    let parts = parts(events)?;
    if method == Method::Pld
        && let Some(shift) = pld::gaussian_alone(&parts)
    {
        return Ok(certificate(pld::gaussian_epsilon(shift, delta), method, None));
    }
    let rdp = rdp_epsilon(&parts, delta);
    let by_rdp = |lower| {
        let (order, upper) = rdp?;
        Ok(certificate(Interval { lower, upper }, Method::Rdp, Some(order)))
    };
    if method == Method::Rdp {
        return by_rdp(0.0);
    }
    let (tilt, rough) = rdp.map_or((1.0, 1.0), |(order, upper)| (order.get() - 1.0, upper));
    match pld::epsilon(&parts, delta.get(), rough, tilt) {
        Ok(found) if rdp.is_ok_and(|(_, upper)| upper < found.upper) => by_rdp(found.lower),
        Ok(found) => Ok(certificate(found, method, None)),
        Err(error) if is_out_of_reach(error) => by_rdp(0.0),
        Err(error) => Err(error),
    }
}

/// The δ at which `events` are (`epsilon`, δ)-private, between two proved bounds; the upper one is at most 1.
///
/// By Rényi divergences δ = exp((α−1)(ρ − ε + ln(1−1/α)))/α at the best order ([Canonne, Kamath & Steinke 2020], proposition 12).
///
/// # Errors
///
/// As [`epsilon()`].
pub fn delta(
    method: Method,
    events: &[PrivacyEvent],
    epsilon: Epsilon,
) -> Result<Interval, PrivacyError> {
    if events.iter().all(|event| event.count == 0) {
        return Ok(Interval { lower: 0.0, upper: 0.0 });
    }
    let parts = parts(events)?;
    if method == Method::Pld
        && let Some(shift) = pld::gaussian_alone(&parts)
    {
        return Ok(pld::gaussian_delta(shift, epsilon));
    }
    let (order, by_rdp) = rdp_delta(&parts, epsilon)?;
    let rough = Interval { lower: 0.0, upper: by_rdp };
    if method == Method::Rdp {
        return Ok(rough);
    }
    match pld::delta(&parts, epsilon.get(), by_rdp, order.get() - 1.0) {
        Ok(found) => Ok(Interval { lower: found.lower, upper: found.upper.min(by_rdp) }),
        Err(error) if is_out_of_reach(error) => Ok(rough),
        Err(error) => Err(error),
    }
}

/// Whether a loss distribution has no answer to so large a question, while Rényi divergences may have one.
const fn is_out_of_reach(error: PrivacyError) -> bool {
    matches!(
        error,
        PrivacyError::TooFine | PrivacyError::DeltaTooSmall { .. } | PrivacyError::NotFinite { .. }
    )
}

/// The order that converts best, and the proved ε there.
pub(crate) fn rdp_epsilon(parts: &[Part], delta: Delta) -> Result<(Order, f64), PrivacyError> {
    best_order(|order| {
        let epsilon = epsilon_at(sum(parts, order)?, order, delta);
        if epsilon.is_finite() {
            Ok(epsilon)
        } else {
            Err(PrivacyError::NotFinite { figure: "epsilon" })
        }
    })
}

fn rdp_delta(parts: &[Part], epsilon: Epsilon) -> Result<(Order, f64), PrivacyError> {
    let (order, log_delta) = best_order(|order| {
        let alpha = order.get();
        let exponent = sum(parts, order)? - epsilon.get() + libm::log1p(-1.0 / alpha);
        Ok((alpha - 1.0) * exponent - libm::log(alpha))
    })?;
    Ok((order, (libm::exp(log_delta) * (1.0 + 1e-10)).min(1.0)))
}

/// The change of all events that are run, if they share one.
fn common_change(events: &[PrivacyEvent]) -> Option<TaskChange> {
    let mut changes = events.iter().filter(|event| event.count > 0).map(|event| event.change);
    let first = changes.next()?;
    changes.all(|change| change == first).then_some(first)
}
