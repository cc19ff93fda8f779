use std::fmt;

use serde::Serialize;

/// What one rule says of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The rule, as the policy spells it.
    pub rule: &'static str,
    /// What the plan has.
    pub value: String,
    /// What the policy allows; "no rule" if it says nothing, and that refuses.
    pub limit: String,
    /// Whether the rule allows the plan.
    pub allowed: bool,
}

/// The rules that a plan breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRefusal(Vec<Verdict>);

impl Verdict {
    pub(super) fn new(
        rule: &'static str,
        value: impl fmt::Display,
        limit: impl fmt::Display,
        allowed: bool,
    ) -> Self {
        Self { rule, value: value.to_string(), limit: limit.to_string(), allowed }
    }

    /// The verdict of a rule that may be missing: a missing one refuses.
    pub(super) fn of<T>(
        rule: &'static str,
        value: impl fmt::Display,
        limit: Option<T>,
        show: impl FnOnce(&T) -> String,
        allows: impl FnOnce(&T) -> bool,
    ) -> Self {
        match limit {
            Some(limit) => {
                let allowed = allows(&limit);
                Self::new(rule, value, show(&limit), allowed)
            }
            None => Self::new(rule, value, "no rule", false),
        }
    }
}

impl PolicyRefusal {
    /// The refusals among `verdicts`, if there are any.
    ///
    /// # Errors
    ///
    /// The refusal.
    pub fn unless_all_allow(verdicts: &[Verdict]) -> Result<(), Self> {
        let refused: Vec<_> = verdicts.iter().filter(|v| !v.allowed).cloned().collect();
        if refused.is_empty() { Ok(()) } else { Err(Self(refused)) }
    }

    /// The rules that refuse.
    pub fn verdicts(&self) -> &[Verdict] {
        &self.0
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.allowed { "allowed" } else { "REFUSED" };
        write!(f, "{word}  {}: plan {}, policy {}", self.rule, self.value, self.limit)
    }
}

impl fmt::Display for PolicyRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the policy refuses:")?;
        self.0.iter().try_for_each(|v| {
            write!(f, " {} is {} where the policy says {};", v.rule, v.value, v.limit)
        })
    }
}

impl std::error::Error for PolicyRefusal {}
