//! What the log says, gathered for a report: who, what they signed, when, and which models came of it.

mod governance;

use std::collections::BTreeMap;

pub use governance::GovernanceFacts;
use ledger::digest::Digest;
use ledger::record::{Body, Leaf, Member, MemberKeys, Payload as _, Role};
use ledger::signing::Signature;
use round::Plan;
use round::plan::PlanText;
use serde::Serialize;

/// What the log says, leaf by leaf. Every record's signature has been verified.
#[derive(Debug, Default, Serialize)]
pub struct Facts {
    /// The consortium's name.
    pub consortium: String,
    /// The operator's record key, in hex.
    pub operator_key: String,
    /// The key that signs the log's newest heads, in hex.
    pub log_key: String,
    /// When the first and the last record were written, in milliseconds since 1970 by the operator's clock.
    pub first_ms: u64,
    /// See `first_ms`.
    pub last_ms: u64,
    /// The roster's history, in the order of the log.
    pub roster: Vec<RosterChange>,
    /// Every plan that was proposed.
    pub plans: Vec<PlanFacts>,
    /// Every run that was started.
    pub runs: Vec<RunFacts>,
    /// Pauses, recalls, decisions and changes of the log's key, in the order of the log.
    pub governance: Vec<GovernanceFacts>,
    /// Every model that was recorded.
    pub models: Vec<ModelFacts>,
    /// How many records of each kind there are.
    pub kinds: BTreeMap<&'static str, u64>,
}

/// An institution joins, leaves or changes keys.
#[derive(Debug, Serialize)]
pub struct RosterChange {
    /// The leaf.
    pub leaf: u64,
    /// When.
    pub at_ms: u64,
    /// Who.
    pub institution: String,
    /// "bank" or "auditor" if it joined.
    pub role: Option<&'static str>,
    /// The keys that it proved to hold; none if it was revoked.
    pub keys: Option<Keys>,
    /// Why it was revoked, if it was.
    pub revoked: Option<String>,
}

/// The keys of a member, in hex.
#[derive(Debug, Serialize)]
pub struct Keys {
    /// It signs approvals and contributions.
    pub record: String,
    /// It cosigns heads.
    pub cosign: String,
    /// SHA-256 of the TLS key.
    pub tls_sha256: String,
}

/// A plan and who signed it.
#[derive(Debug, Serialize)]
pub struct PlanFacts {
    /// SHA-256 of its bytes, in hex.
    pub digest: String,
    /// The leaf that proposed it.
    pub leaf: u64,
    /// When.
    pub at_ms: u64,
    /// Its exact bytes.
    #[serde(skip)]
    pub text: String,
    /// What it says.
    #[serde(skip)]
    pub parsed: Option<PlanText>,
    /// Who signed it.
    pub approvals: Vec<ApprovalFacts>,
}

/// A member's signature on a plan.
#[derive(Debug, Serialize)]
pub struct ApprovalFacts {
    /// Who signed.
    pub institution: String,
    /// The leaf.
    pub leaf: u64,
    /// When.
    pub at_ms: u64,
    /// The key, in hex.
    pub key: String,
    /// The signature over `counterfoil/v1/approval` ‖ 0x00 ‖ genesis digest ‖ body, in hex.
    pub signature: String,
}

/// A run.
#[derive(Debug, Serialize)]
pub struct RunFacts {
    /// Its identity, in hex.
    pub id: String,
    /// The digest of its plan, in hex.
    pub plan: String,
    /// The leaf that started it.
    pub leaf: u64,
    /// When.
    pub at_ms: u64,
    /// The leaves of the approvals that it spent.
    pub approvals: Vec<u64>,
    /// Why it was abandoned, if it was.
    pub abandoned: Option<String>,
}

/// A model.
#[derive(Debug, Serialize)]
pub struct ModelFacts {
    /// The run, in hex.
    pub run: String,
    /// Its number.
    pub index: u32,
    /// The leaf.
    pub leaf: u64,
    /// SHA-256 of the weights, in hex.
    pub theta: String,
    /// SHA-256 of the master state, in hex.
    pub master: String,
}

impl Facts {
    /// Takes down what a leaf says, which follows from those before it.
    pub(crate) fn see(&mut self, index: u64, leaf: &Leaf) {
        let at_ms = leaf.at().as_millis();
        if index == 0 {
            self.first_ms = at_ms;
        }
        self.last_ms = at_ms;
        *self.kinds.entry(leaf.body().kind()).or_default() += 1;
        match leaf.body() {
            Body::Genesis(genesis) => {
                self.consortium = genesis.name.to_string();
                self.operator_key = genesis.operator_key.to_string();
                self.log_key = genesis.log_key.to_string();
            }
            Body::Member(Member::Added(added)) => {
                self.holds(index, at_ms, &added.keys, Some(added.role));
            }
            Body::Member(Member::Rotated(rotated)) => {
                self.holds(index, at_ms, &rotated.keys, None);
            }
            Body::Member(Member::Revoked(revoked)) => self.roster.push(RosterChange {
                leaf: index,
                at_ms,
                institution: revoked.institution.to_string(),
                role: None,
                keys: None,
                revoked: Some(revoked.reason.to_string()),
            }),
            Body::PlanProposed(proposed) => self.plans.push(PlanFacts {
                digest: proposed.plan.digest().to_string(),
                leaf: index,
                at_ms,
                text: proposed.plan.text().to_owned(),
                parsed: Plan::parse(proposed.plan.text().as_bytes()).ok().map(|p| p.text().clone()),
                approvals: Vec::new(),
            }),
            Body::Approval(approval) => {
                let facts = ApprovalFacts {
                    institution: approval.institution.to_string(),
                    leaf: index,
                    at_ms,
                    key: leaf.author().to_string(),
                    signature: hex(leaf.signature()),
                };
                // The same bytes may be proposed again; the signature is on the latest.
                if let Some(plan) = self.plan_mut(&approval.plan) {
                    plan.approvals.push(facts);
                }
            }
            Body::RunStarted(started) => self.runs.push(RunFacts {
                id: ledger::record::RunId::derive(&started.plan, index).to_string(),
                plan: started.plan.to_string(),
                leaf: index,
                at_ms,
                approvals: started.approvals.iter().copied().collect(),
                abandoned: None,
            }),
            Body::Model(model) => self.models.push(ModelFacts {
                run: model.run.to_string(),
                index: model.index,
                leaf: index,
                theta: model.theta.to_string(),
                master: model.master.to_string(),
            }),
            Body::Abandoned(abandoned) => {
                if let Some(run) = self.runs.last_mut() {
                    run.abandoned = Some(abandoned.reason.to_string());
                }
            }
            Body::RoundOpened(_)
            | Body::Accepted(_)
            | Body::Extended(_)
            | Body::Closed(_)
            | Body::RunFinished(_)
            | Body::Evidence(_)
            | Body::Paused(_)
            | Body::Recalled(_)
            | Body::Decision(_)
            | Body::Contradiction(_) => {}
            Body::LogKey(record) => self.log_key = record.change.new_key.to_string(),
        }
        self.governance.extend(GovernanceFacts::of(index, leaf));
    }

    /// The plan with this digest.
    pub fn plan(&self, digest: &str) -> Option<&PlanFacts> {
        self.plans.iter().rev().find(|plan| plan.digest == digest)
    }

    /// What the plan of this run says.
    pub fn plan_of(&self, run: &str) -> Option<&PlanText> {
        let run = self.runs.iter().find(|of| of.id == run)?;
        self.plan(&run.plan)?.parsed.as_ref()
    }

    fn plan_mut(&mut self, digest: &Digest) -> Option<&mut PlanFacts> {
        let digest = digest.to_string();
        self.plans.iter_mut().rev().find(|plan| plan.digest == digest)
    }

    fn holds(&mut self, leaf: u64, at_ms: u64, keys: &MemberKeys, role: Option<Role>) {
        self.roster.push(RosterChange {
            leaf,
            at_ms,
            institution: keys.institution.to_string(),
            role: role.map(Role::as_str),
            keys: Some(Keys {
                record: keys.record_key.to_string(),
                cosign: keys.cosign_key.to_string(),
                tls_sha256: keys.tls_key_digest.to_string(),
            }),
            revoked: None,
        });
    }
}

fn hex(signature: &Signature) -> String {
    signature.as_bytes().iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// A time in the log as `2026-11-25 07:09:01 UTC`.
///
/// Days are counted in eras of 400 years from 1 March ([Hinnant, "chrono-compatible low-level date algorithms"], civil_from_days).
pub(crate) fn utc(at_ms: u64) -> String {
    let seconds = at_ms / 1000;
    let (days, rest) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{date:02} {hour:02}:{minute:02}:{second:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::utc;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_399, "2000-02-28 23:59:59 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_798_761_599, "2026-12-31 23:59:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
        ] {
            assert_eq!(utc(seconds * 1000), text);
        }
    }
}
