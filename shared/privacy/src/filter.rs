//! The lifetime gate: one Rényi filter at one order fixed at birth.

use crate::certificate::rdp_epsilon;
use crate::convert::{epsilon_at, overhead};
use crate::pair::parts;
use crate::rdp::composed;
use crate::{Delta, Epsilon, Order, PrivacyError, PrivacyEvent};

/// A charge was refused because the budget would not hold it. Nothing is spent.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("the charge of {cost} on top of {spent} exceeds the budget of {budget} at order {order}")]
pub struct FilterExceeded {
    /// The charge that was refused.
    pub cost: f64,
    /// What had been spent before it.
    pub spent: f64,
    /// The budget.
    pub budget: f64,
    /// The order of all three.
    pub order: f64,
}

/// A cap (ε, δ) on everything a population ever pays, as a budget of Rényi divergence at one order.
///
/// Charges may be chosen adaptively, from all earlier releases: the filter admits one only if the sum at the fixed order stays
/// within the budget, and then everything admitted is (ε, δ)-private ([Feldman & Zrnic 2021], theorem 4.3; [Haney et al. 2023]
/// for concurrent runs). Choosing the order by later charges would void the theorem, so the order belongs to the cap.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Filter {
    epsilon: Epsilon,
    delta: Delta,
    order: Order,
    budget: f64,
}

impl Filter {
    /// The filter of the cap (`epsilon`, `delta`) at `order`. Its budget is ε − ln(1−1/α) + ln(δα)/(α−1), rounded down.
    ///
    /// # Errors
    ///
    /// [`PrivacyError::NoBudget`] if the conversion alone uses up the cap at this order.
    pub fn new(epsilon: Epsilon, delta: Delta, order: Order) -> Result<Self, PrivacyError> {
        let overhead = overhead(order, delta);
        let rounding = 1e-13 * (1.0 + epsilon.get() + overhead.abs());
        let budget = epsilon.get() - overhead - rounding;
        if budget > 0.0 && budget.is_finite() {
            Ok(Self { epsilon, delta, order, budget })
        } else {
            Err(PrivacyError::NoBudget {
                epsilon: epsilon.get(),
                delta: delta.get(),
                order: order.get(),
            })
        }
    }

    /// The cap's ε.
    pub const fn epsilon(&self) -> Epsilon {
        self.epsilon
    }

    /// The cap's δ.
    pub const fn delta(&self) -> Delta {
        self.delta
    }

    /// The order of every charge.
    pub const fn order(&self) -> Order {
        self.order
    }

    /// All that may ever be spent, in Rényi divergence at the order.
    pub const fn budget(&self) -> f64 {
        self.budget
    }

    /// What `event` costs, `count` included, rounded up.
    ///
    /// # Errors
    ///
    /// [`PrivacyError::NotFinite`] if no finite divergence can be proved.
    pub fn cost(&self, event: &PrivacyEvent) -> Result<f64, PrivacyError> {
        composed(core::slice::from_ref(event), self.order)
    }

    /// The new cumulative spending, rounded up, if `cost` fits on top of `spent`.
    ///
    /// # Errors
    ///
    /// [`FilterExceeded`] if it does not fit, or if either is negative or not a number.
    pub fn admit(&self, spent: f64, cost: f64) -> Result<f64, FilterExceeded> {
        let sum = if cost == 0.0 { spent } else { (spent + cost).next_up() };
        if spent >= 0.0 && cost >= 0.0 && sum <= self.budget {
            Ok(sum)
        } else {
            Err(FilterExceeded { cost, spent, budget: self.budget, order: self.order.get() })
        }
    }

    /// The ε at the cap's δ of `cumulative` spending at the order; 0 before the first charge.
    pub fn spent_epsilon(&self, cumulative: f64) -> f64 {
        epsilon_at(cumulative, self.order, self.delta)
    }

    /// The order to fix at birth: the best for the `events` that are expected.
    ///
    /// # Errors
    ///
    /// [`PrivacyError::NotFinite`] if no order gives a finite bound, and if no event is expected there is no best order:
    /// [`PrivacyError::OutOfRange`].
    pub fn best_order(events: &[PrivacyEvent], delta: Delta) -> Result<Order, PrivacyError> {
        if events.iter().all(|event| event.count == 0) {
            return Err(PrivacyError::OutOfRange {
                quantity: "number of expected events",
                expected: "at least 1",
                value: 0.0,
            });
        }
        rdp_epsilon(&parts(events)?, delta).map(|(order, _)| order)
    }
}
