//! What each page says.

mod approvals;
mod budgets;
mod evidence;
mod health;
mod public;
mod record;
mod runs;

pub(super) use approvals::approvals;
pub(super) use budgets::budgets;
pub(super) use evidence::{Found, evidence, found_by, listed, nothing, record};
pub(super) use health::{Now, health};
pub(super) use public::public;
pub(super) use runs::{run, runs};

use privacy::{Method, PrivacyEvent};
use round::Plan;

/// The command that computes the ε of `rounds` rounds again, from parameters alone.
fn epsilon_command(plan: &Plan, rounds: u32, method: Method) -> String {
    let event = PrivacyEvent { count: u64::from(rounds), ..plan.event() };
    let events = serde_json::to_string(&[event]).unwrap_or_default();
    let delta = plan.delta().get();
    format!("echo '{events}' |\n    counterfoil-audit epsilon --delta {delta:e} --method {method}")
}

/// The command that computes everything again from the log itself.
fn verify_command(genesis: &str) -> String {
    format!(
        "counterfoil-coordinator export DIR        # the operator\n\
         counterfoil-audit verify DIR --genesis {genesis} --json"
    )
}
