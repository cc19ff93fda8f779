//! The lifetime cap: set by the policy, lowered by it, raised only by a signed act.

use ledger::population::Cap;
use ledger::record::Text;
use ledger::time::Timestamp;
use privacy::{Delta, Epsilon, Filter, Order, PrivacyEvent};

use super::Population;
use crate::ClientError;
use crate::policy::PopulationRules;

/// How the ledger's cap stands to the policy's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CapStanding {
    /// They are the same.
    Same,
    /// There is none yet: its order waits for a first plan.
    Waits,
    /// The policy names more than the ledger holds; what the ledger holds is kept until it is raised.
    PolicyAbove {
        /// The ε that holds.
        held: f64,
    },
}

impl Population {
    /// Sets the cap that the policy names if there is none, and lowers it to the policy's. A cap above the ledger's is not taken
    /// over: see [`Population::raise_cap`]. `expected` are the events that the order is chosen for where the policy leaves it
    /// open; without them such a cap waits.
    ///
    /// The order is fixed by the cap before the charge that comes after it, from public parameters
    /// alone, so the filter's theorem holds.
    ///
    /// # Errors
    ///
    /// [`ClientError::Privacy`] if the cap leaves no budget, [`ClientError::Budget`] if the policy
    /// changes the order or the delta of a cap that stands, or the ledger's error.
    pub fn keep_cap(
        &mut self,
        rules: &PopulationRules,
        expected: Option<&PrivacyEvent>,
        at: Timestamp,
    ) -> Result<CapStanding, ClientError> {
        self.refresh()?;
        match self.cap_of(rules, expected, at) {
            // Another node has set the first cap meanwhile, at another order: that one stands.
            Err(ClientError::Budget(_)) if rules.order.is_none() => {
                self.refresh()?;
                self.cap_of(rules, expected, at)
            }
            kept => kept,
        }
    }

    fn cap_of(
        &mut self,
        rules: &PopulationRules,
        expected: Option<&PrivacyEvent>,
        at: Timestamp,
    ) -> Result<CapStanding, ClientError> {
        let delta = Delta::new(rules.delta)?;
        let standing = self.ledger.state().cap().cloned();
        let order = match (&standing, rules.order, expected) {
            (_, Some(order), _) => Order::new(order)?,
            (Some(cap), None, _) => Order::new(cap.order())?,
            (None, None, Some(event)) => Filter::best_order(&[*event], delta)?,
            (None, None, None) => return Ok(CapStanding::Waits),
        };
        let Some(held) = standing else {
            self.set_cap(rules, order, "from the policy", at)?;
            return Ok(CapStanding::Same);
        };
        must_keep_filter(&held, rules, order)?;
        if rules.epsilon > held.epsilon() {
            return Ok(CapStanding::PolicyAbove { held: held.epsilon() });
        }
        if rules.epsilon < held.epsilon() {
            self.set_cap(rules, order, "lowered by the policy", at)?;
        }
        Ok(CapStanding::Same)
    }

    /// Raises the cap to the policy's, which must be `epsilon`: an act of the bank, recorded with its reason. Earlier caps stay
    /// visible.
    ///
    /// # Errors
    ///
    /// [`ClientError::Budget`] if there is no cap, it is not below `epsilon`, or the policy names another; or the ledger's error.
    pub fn raise_cap(
        &mut self,
        rules: &PopulationRules,
        epsilon: f64,
        reason: &str,
        at: Timestamp,
    ) -> Result<(), ClientError> {
        self.refresh()?;
        let refuse = |why: String| Err(ClientError::Budget(why));
        let Some(held) = self.ledger.state().cap().cloned() else {
            return refuse("expected a cap to raise, none is set yet".to_owned());
        };
        if epsilon.to_bits() != rules.epsilon.to_bits() {
            let named = rules.epsilon;
            return refuse(format!("expected the policy's epsilon of {named}, got {epsilon}"));
        }
        if epsilon <= held.epsilon() {
            let held = held.epsilon();
            return refuse(format!("expected an epsilon above the cap of {held}, got {epsilon}"));
        }
        if reason.trim().is_empty() {
            return refuse("expected a reason: who decided it, and why".to_owned());
        }
        let order = Order::new(rules.order.unwrap_or(held.order()))?;
        must_keep_filter(&held, rules, order)?;
        self.set_cap(rules, order, reason, at)
    }

    /// The filter of the cap that stands.
    ///
    /// # Errors
    ///
    /// [`ClientError::Budget`] if there is no cap.
    pub fn filter(&self) -> Result<Filter, ClientError> {
        let cap = self.ledger.state().cap();
        let cap = cap.ok_or_else(|| ClientError::Budget("no cap is set yet".to_owned()))?;
        let (epsilon, delta) = (Epsilon::new(cap.epsilon())?, Delta::new(cap.delta())?);
        Ok(Filter::new(epsilon, delta, Order::new(cap.order())?)?)
    }

    fn set_cap(
        &mut self,
        rules: &PopulationRules,
        order: Order,
        reason: &str,
        at: Timestamp,
    ) -> Result<(), ClientError> {
        let (epsilon, delta) = (Epsilon::new(rules.epsilon)?, Delta::new(rules.delta)?);
        let filter = Filter::new(epsilon, delta, order)?;
        let wrong = |error: ledger::record::RecordError| ClientError::Budget(error.to_string());
        let reason = Text::new(reason).map_err(wrong)?;
        let cap = Cap::new(rules.epsilon, rules.delta, order.get(), filter.budget(), reason);
        self.ledger.set_cap(at, cap.map_err(wrong)?).map_err(ClientError::ledger)
    }
}

fn must_keep_filter(held: &Cap, rules: &PopulationRules, order: Order) -> Result<(), ClientError> {
    let same = |a: f64, b: f64| a.to_bits() == b.to_bits();
    if same(held.delta(), rules.delta) && same(held.order(), order.get()) {
        return Ok(());
    }
    Err(ClientError::Budget(format!(
        "expected the policy to keep delta {} and order {}, which are fixed for life, got {} and {}",
        held.delta(),
        held.order(),
        rules.delta,
        order
    )))
}
