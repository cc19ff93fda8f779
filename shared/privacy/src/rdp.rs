//! Rényi differential privacy of one release, for every way in which a unit can change the tasks.

use serde::{Deserialize, Serialize};

use crate::renyi::{Mixture, Tasks, divergence};
use crate::special::{least, real};
use crate::{Order, PrivacyError, PrivacyEvent, TaskChange};

/// Evaluations spent on the exponent of Hölder's inequality; every exponent is valid, the best is merely tight.
const EXPONENT_STEPS: u32 = 10;

/// The Rényi divergence that a release can cause at one order.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rdp {
    /// A proved upper bound, rounded up.
    pub upper: f64,
    /// The divergence of the pair believed to be the worst. Equal to `upper` where domination is proved.
    pub conjectured: f64,
}

impl Rdp {
    const ZERO: Self = Self { upper: 0.0, conjectured: 0.0 };

    const fn proved(value: f64) -> Self {
        Self { upper: value, conjectured: value }
    }
}

/// The Rényi divergence of one run of the event's mechanism, its `count` left aside, at `order`.
///
/// With z the noise multiplier, q the sampling rate, R = N(0, z²) and P = (1−q)R + qN(1, z²):
///
/// - *a task appears*: D_α(P‖R), which dominates both directions ([Mironov, Talwar & Zhang 2019], theorem 5);
/// - *its content changes*: the worst of (1−q)R + qN(x) against (1−q)R + qN(y) over ‖x‖, ‖y‖ ≤ 1 in ℝᵈ, bounded by the lesser of
///   Hölder's inequality through R and joint convexity (see [`weak_triangle`](self));
/// - *two contents change*: the same with two independent tasks on each side.
///
/// At q = 1 all three are exact: s²α/2z² with s the sensitivity 1, 2 or 4.
///
/// ```
/// use privacy::*;
/// let mechanism = Mechanism::Gaussian { noise_multiplier: NoiseMultiplier::new(2.0)? };
/// let event = PrivacyEvent { mechanism, change: TaskChange::ContentChanges, count: 1 };
/// let rdp = rdp(&event, Order::new(8.0)?)?;
/// assert!((rdp.upper - 4.0 * 8.0 / 8.0).abs() < 1e-9);
/// # Ok::<(), PrivacyError>(())
/// ```
///
/// # Errors
///
/// [`PrivacyError::NotFinite`] if the noise is so small that the divergence overflows.
pub fn rdp(event: &PrivacyEvent, order: Order) -> Result<Rdp, PrivacyError> {
    let noise = event.mechanism.noise_multiplier().get();
    let rate = event.mechanism.sampling_rate().get();
    let order = order.get();
    let worst = if rate >= 1.0 {
        let shift = event.change.sensitivity() / noise;
        Rdp::proved(0.5 * order * shift * shift * (1.0 + 1e-12))
    } else {
        match event.change {
            TaskChange::Appears => Rdp::proved(appears(Tasks::One, rate, noise, order)),
            TaskChange::ContentChanges => content_changes(Tasks::One, rate, noise, order),
            TaskChange::TwoContentsChange => content_changes(Tasks::Two, rate, noise, order),
        }
    };
    if worst.upper.is_finite() && worst.conjectured.is_finite() {
        Ok(worst)
    } else {
        Err(PrivacyError::NotFinite { figure: "rényi divergence" })
    }
}

/// The Rényi divergence of all `events` together at each of `orders`: divergences add up under composition.
///
/// # Errors
///
/// As [`rdp`].
pub fn rdp_curve(events: &[PrivacyEvent], orders: &[Order]) -> Result<Vec<Rdp>, PrivacyError> {
    orders.iter().map(|&order| composed(events, order)).collect()
}

/// The sum over `events`, each as often as it is run, rounded up.
pub(crate) fn composed(events: &[PrivacyEvent], order: Order) -> Result<Rdp, PrivacyError> {
    events.iter().filter(|event| event.count > 0).try_fold(Rdp::ZERO, |sum, event| {
        let one = rdp(event, order)?;
        let times = real(event.count);
        Ok(Rdp {
            upper: (sum.upper + (one.upper * times).next_up()).next_up(),
            conjectured: sum.conjectured + one.conjectured * times,
        })
    })
}

/// D_α of the tasks' mixture from R, the direction that dominates for one task.
fn appears(tasks: Tasks, rate: f64, noise: f64, order: f64) -> f64 {
    let with = Mixture::of_tasks(tasks, rate, 1.0 / noise);
    divergence(&with, &Mixture::standard(), order)
        .unwrap_or_else(|| with.convexity_bound(order, 1.0))
}

/// D_α of R from the tasks' mixture.
fn disappears(tasks: Tasks, rate: f64, noise: f64, order: f64) -> f64 {
    let with = Mixture::of_tasks(tasks, rate, 1.0 / noise);
    divergence(&Mixture::standard(), &with, order)
        .unwrap_or_else(|| with.convexity_bound(order, 1.0))
}

fn content_changes(tasks: Tasks, rate: f64, noise: f64, order: f64) -> Rdp {
    let plus = Mixture::of_tasks(tasks, rate, 1.0 / noise);
    let minus = Mixture::of_tasks(tasks, rate, -1.0 / noise);
    // Both sides drawn with one coin: either nothing differs, or Gaussians at most twice as far apart as one is from zero.
    let convexity = plus.convexity_bound(order, 2.0);
    let antipodal = divergence(&plus, &minus, order).unwrap_or(convexity);
    // No bound is below the divergence of a pair that exists: where convexity reaches it, the search has nothing to win.
    let upper = if convexity <= antipodal * (1.0 + 1e-4) {
        convexity
    } else {
        convexity.min(weak_triangle(tasks, rate, noise, order))
    };
    Rdp { upper, conjectured: antipodal.min(upper) }
}

/// D_α(P‖Q) through the pair with the tasks absent.
///
/// For 1/p + 1/p′ = 1 write PᵅQ^(1−α) = PᵅR^(1/p−α) · R^(α−1/p)Q^(1−α). Hölder's inequality gives
/// ∫PᵅQ^(1−α) ≤ (∫P^(pα)R^(1−pα))^(1/p) (∫RᵝQ^(1−β))^(1/p′) with β = p′(α−1/p) = p′(α−1)+1, so that
/// D_α(P‖Q) ≤ (α−1/p)/(α−1) · D_{pα}(P‖R) + D_β(R‖Q); [Mironov 2017], proposition 11, is p = 2. In ℝᵈ, P and Q mix Gaussians
/// whose means have bounded norms, and the mixtures on the line with those norms dominate them against R in both directions:
/// ∫P^αR^(1−α) and ∫R^αP^(1−α) are expectations of convex functions of P/R, which grow with every covariance ⟨xᵢ, xⱼ⟩ of the
/// exponents ([Kahane 1985]); docs/privacy.md writes it out.
fn weak_triangle(tasks: Tasks, rate: f64, noise: f64, order: f64) -> f64 {
    let bound = |log_excess: f64| {
        let p = 1.0 + libm::exp(log_excess);
        let conjugate = p / (p - 1.0);
        let first = (order - 1.0 / p) / (order - 1.0);
        first * appears(tasks, rate, noise, p * order)
            + disappears(tasks, rate, noise, conjugate * (order - 1.0) + 1.0)
    };
    least(-2.5, 2.5, EXPONENT_STEPS, bound).1 * (1.0 + 1e-12)
}
