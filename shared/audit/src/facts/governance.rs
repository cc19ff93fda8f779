//! What was decided beside plans and the roster.

use ledger::record::{Body, Leaf, Payload as _};
use serde::Serialize;

/// A pause, a recall, a decision, or a change or a contradiction of the log's key.
#[derive(Debug, Serialize)]
pub struct GovernanceFacts {
    /// The leaf.
    pub leaf: u64,
    /// When.
    pub at_ms: u64,
    /// The record's kind.
    pub kind: &'static str,
    /// The member who decided or handed it in; the operator if none is named.
    pub by: Option<String>,
    /// The run or the digest that it is about, in hex.
    pub about: Option<String>,
    /// What it says.
    pub text: String,
}

impl GovernanceFacts {
    /// What a leaf says of it, if it is of such a kind.
    pub(super) fn of(leaf: u64, record: &Leaf) -> Option<Self> {
        let (by, about, text) = match record.body() {
            Body::Paused(paused) => {
                let what = if paused.paused { "paused" } else { "resumed" };
                (None, Some(paused.run.to_string()), format!("{what}: {}", paused.reason))
            }
            Body::Recalled(recalled) => {
                let text =
                    format!("models from {} on withdrawn: {}", recalled.from, recalled.reason);
                (None, Some(recalled.run.to_string()), text)
            }
            Body::Decision(decision) => {
                let about = decision.about.map(|digest| digest.to_string());
                (Some(decision.institution.to_string()), about, decision.text.to_string())
            }
            Body::LogKey(record) => {
                let how =
                    if record.handover.is_some() { "handed over" } else { "the old one lost" };
                let signed: Vec<_> = record.approvals.keys().map(ToString::to_string).collect();
                let change = &record.change;
                let text = format!(
                    "the log's key is {}, {how}, signed by {}: {}",
                    change.new_key,
                    signed.join(", "),
                    change.reason
                );
                (None, Some(change.anchor.root.to_string()), text)
            }
            Body::Contradiction(found) => {
                let (smaller, larger) = (found.smaller.head, found.larger.head);
                let text = format!(
                    "the log's key {} signed two histories: heads of {} and {} records that exclude each other",
                    found.log_key, smaller.size, larger.size
                );
                (Some(found.institution.to_string()), Some(smaller.root.to_string()), text)
            }
            Body::Genesis(_)
            | Body::Member(_)
            | Body::PlanProposed(_)
            | Body::Approval(_)
            | Body::RunStarted(_)
            | Body::RoundOpened(_)
            | Body::Accepted(_)
            | Body::Extended(_)
            | Body::Closed(_)
            | Body::Model(_)
            | Body::Abandoned(_)
            | Body::RunFinished(_)
            | Body::Evidence(_) => return None,
        };
        let (at_ms, kind) = (record.at().as_millis(), record.body().kind());
        Some(Self { leaf, at_ms, kind, by, about, text })
    }
}
