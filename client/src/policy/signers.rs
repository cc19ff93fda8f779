use std::collections::BTreeMap;

use ledger::record::{Institution, QuorumRule};
use ledger::signing::PublicKey;

use super::{Policy, Verdict};

impl Policy {
    /// What the policy says of those who signed a run's plan.
    ///
    /// The bank's own signature, by its own key, must be among them. If the policy names members,
    /// only their keys count, and more than the consortium's fraction of those named must have
    /// signed: an operator's invented members prove nothing.
    pub fn check_signers(
        &self,
        signers: &BTreeMap<Institution, PublicKey>,
        institution: &Institution,
        key: &PublicKey,
        quorum: QuorumRule,
    ) -> Vec<Verdict> {
        let signed: Vec<&str> = signers.keys().map(Institution::as_str).collect();
        let own = signers.get(institution) == Some(key);
        let limit = format!("signed by {institution} with its own key");
        let mut verdicts = vec![Verdict::new("approvals.own", signed.join(", "), limit, own)];
        if let Some(members) = &self.consortium.members {
            verdicts.push(pinned(members, signers, quorum));
        }
        verdicts
    }
}

fn pinned(
    members: &BTreeMap<String, String>,
    signers: &BTreeMap<Institution, PublicKey>,
    quorum: QuorumRule,
) -> Verdict {
    let counts = |(name, key): &(&Institution, &PublicKey)| {
        members.get(name.as_str()).is_some_and(|pinned| *pinned == key.to_string())
    };
    let count = signers.iter().filter(counts).count();
    let value = format!("{count} of the {} members that are named", members.len());
    let limit = format!("at least {} of them", quorum.least(members.len()));
    Verdict::new("consortium.members", value, limit, quorum.is_met(count, members.len()))
}
