//! The state of a consortium: a fold over its log, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ledger::checkpoint::LogKeys;
use ledger::digest::{Digest, sha256};
use ledger::record::{
    Approval, Canonical, Contradicted, Contribution, Decision, Genesis, Institution, MemberKeys,
    Role, RunId,
};
use ledger::signing::PublicKey;
use ledger::time::Timestamp;

use crate::plan::Plan;

/// Everything that the log says so far.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    /// How many leaves were folded.
    pub size: u64,
    /// The time of the last leaf.
    pub at: Timestamp,
    /// The consortium; none before its Genesis.
    pub consortium: Option<Consortium>,
}

/// A consortium and what it is doing.
#[derive(Debug, Clone, PartialEq)]
pub struct Consortium {
    /// SHA-256 of leaf 0.
    pub digest: Digest,
    /// What leaf 0 says.
    pub genesis: Genesis,
    /// The keys that sign the log's checkpoints.
    pub log_keys: LogKeys,
    /// The roster, revoked members included: a name is never given twice.
    pub members: BTreeMap<Institution, Membership>,
    /// Plans that wait for signatures, by digest.
    pub proposals: BTreeMap<Digest, Proposal>,
    /// The run that is open; one at a time.
    pub run: Option<Run>,
    /// How each earlier run ended.
    pub ended: BTreeMap<RunId, Ending>,
    /// The keys of the log that signed two histories: for each pair of heads the leaf that has it on record.
    pub convicted: BTreeMap<PublicKey, BTreeMap<Digest, u64>>,
}

/// A member of the roster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// Bank or auditor.
    pub role: Role,
    /// The key that signs approvals and contributions.
    pub record_key: PublicKey,
    /// The key that cosigns checkpoints.
    pub cosign_key: PublicKey,
    /// SHA-256 of the TLS key.
    pub tls_key_digest: Digest,
    /// The leaf that admitted it.
    pub admitted: u64,
    /// The leaf that put it out; none while it is active.
    pub revoked: Option<u64>,
    /// The keys that it no longer uses, oldest first.
    pub retired: Vec<RetiredKeys>,
    /// How many decisions it has recorded.
    pub decisions: u32,
    /// The last of them: its leaf, and the digest of what it says.
    pub decided: Option<(u64, Digest)>,
}

/// The keys of a member until it changed one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetiredKeys {
    /// It signed approvals and contributions.
    pub record_key: PublicKey,
    /// It cosigned checkpoints.
    pub cosign_key: PublicKey,
    /// SHA-256 of the TLS key.
    pub tls_key_digest: Digest,
}

/// A plan that waits for signatures.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// The plan.
    pub plan: Arc<Plan>,
    /// Who signed, and the leaf of each signature.
    pub approvals: BTreeMap<Institution, u64>,
}

/// One approved plan, running.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// SHA-256(plan digest ‖ index of `RunStarted`).
    pub id: RunId,
    /// The plan.
    pub plan: Arc<Plan>,
    /// The newest meta-initialization; none until number 0 is recorded.
    pub model: Option<ModelRef>,
    /// What the run waits for.
    pub phase: Phase,
    /// Whether no further round is opened.
    pub paused: bool,
    /// The last accepted contribution of each institution in this run, open round included.
    pub latest: BTreeMap<Institution, AcceptedRef>,
    /// What each institution was convicted of: the digests of the contributions in the evidence.
    pub evidence: BTreeMap<Institution, BTreeSet<Digest>>,
    /// The approvals that the run spent: who signed, and the leaf of each signature.
    pub approvals: BTreeMap<Institution, u64>,
}

/// A meta-initialization by its number and digests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelRef {
    /// Its number: 0 is the plan's initialization, r + 1 comes from round r.
    pub index: u32,
    /// SHA-256 of the weights in f32.
    pub theta: Digest,
    /// SHA-256 of the master state in f64.
    pub master: Digest,
}

/// What a run waits for.
#[derive(Debug, Clone, PartialEq)]
pub enum Phase {
    /// The model with number 0.
    ExpectInitialModel,
    /// The opening of this round, or the end of the run when it was the last.
    ExpectRound(u32),
    /// Contributions.
    Open(Round),
    /// The model that follows from a closed round.
    ExpectModel(ClosedRound),
}

/// A round that takes contributions.
#[derive(Debug, Clone, PartialEq)]
pub struct Round {
    /// Its number, from 0.
    pub number: u32,
    /// The leaf that opened it.
    pub opened: u64,
    /// Who is expected.
    pub cohort: BTreeSet<Institution>,
    /// When it is due.
    pub deadline: Timestamp,
    /// How often it was extended.
    pub extensions: u32,
    /// What was accepted, by institution.
    pub accepted: BTreeMap<Institution, AcceptedRef>,
}

/// An accepted contribution.
#[derive(Debug, Clone, PartialEq)]
pub struct AcceptedRef {
    /// Its leaf.
    pub index: u64,
    /// What the institution signed.
    pub contribution: Contribution,
}

/// A round whose survivors and sum are fixed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedRound {
    /// Its number.
    pub number: u32,
    /// Whose contributions are in the sum, and the vector of each.
    pub survivors: BTreeMap<Institution, Digest>,
    /// SHA-256 of the sum.
    pub aggregate: Digest,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Ending {
    /// Its plan.
    pub plan: Arc<Plan>,
    /// Its last model, if it had one.
    pub model: Option<ModelRef>,
    /// True if every round was closed.
    pub finished: bool,
    /// The first of its models that is withdrawn.
    pub recalled: Option<u32>,
    /// The last accepted contribution of each institution.
    pub latest: BTreeMap<Institution, AcceptedRef>,
    /// The approvals that the run spent: who signed, and the leaf of each signature.
    pub approvals: BTreeMap<Institution, u64>,
}

impl State {
    /// The state before any leaf.
    pub fn empty() -> Self {
        Self::default()
    }

    /// The open run.
    pub fn run(&self) -> Option<&Run> {
        self.consortium.as_ref()?.run.as_ref()
    }

    /// The plan of a run, open or ended.
    pub fn plan_of(&self, id: &RunId) -> Option<&Arc<Plan>> {
        let consortium = self.consortium.as_ref()?;
        let open = consortium.run.as_ref().filter(|run| run.id == *id).map(|run| &run.plan);
        open.or_else(|| consortium.ended.get(id).map(|ending| &ending.plan))
    }

    /// The leaf of an accepted contribution, if it is the institution's last one in its run.
    pub fn accepted(&self, contribution: &Contribution) -> Option<u64> {
        let consortium = self.consortium.as_ref()?;
        let open = consortium.run.as_ref().filter(|run| run.id == contribution.run);
        let latest = match open {
            Some(run) => &run.latest,
            None => &consortium.ended.get(&contribution.run)?.latest,
        };
        let accepted = latest.get(&contribution.institution)?;
        (accepted.contribution == *contribution).then_some(accepted.index)
    }

    /// The leaf of a member's decision, if it is the member's last one.
    pub fn decided(&self, decision: &Decision) -> Option<u64> {
        let member = self.consortium.as_ref()?.members.get(&decision.institution)?;
        let (index, digest) = member.decided?;
        (digest == sha256(&decision.encode())).then_some(index)
    }

    /// The leaf that has this contradiction on record, whoever handed it in.
    pub fn convicted(&self, found: &Contradicted) -> Option<u64> {
        let convicted = &self.consortium.as_ref()?.convicted;
        convicted.get(&found.log_key)?.get(&found.pair()).copied()
    }

    /// The leaf of a member's signature on a plan, whether the plan still waits, runs or has run.
    pub fn approved(&self, approval: &Approval) -> Option<u64> {
        let consortium = self.consortium.as_ref()?;
        let waiting = consortium.proposals.get(&approval.plan).map(|p| &p.approvals);
        let running = || {
            let run = consortium.run.as_ref()?;
            (run.plan.digest() == approval.plan).then_some(&run.approvals)
        };
        let ended = || {
            let mut endings = consortium.ended.values();
            endings.find(|e| e.plan.digest() == approval.plan).map(|e| &e.approvals)
        };
        waiting.or_else(running).or_else(ended)?.get(&approval.institution).copied()
    }

    /// The open round of the open run.
    pub fn round(&self) -> Option<&Round> {
        match &self.run()?.phase {
            Phase::Open(round) => Some(round),
            Phase::ExpectInitialModel | Phase::ExpectRound(_) | Phase::ExpectModel(_) => None,
        }
    }
}

impl Consortium {
    /// A member that is not revoked.
    pub fn active(&self, institution: &Institution) -> Option<&Membership> {
        self.members.get(institution).filter(|m| m.revoked.is_none())
    }

    /// True if the consortium or one of its members, past or present, uses the key.
    pub fn uses_key(&self, key: &PublicKey) -> bool {
        let held = self.members.values().flat_map(|m| [m.record_key, m.cosign_key]);
        let retired = self
            .members
            .values()
            .flat_map(|m| m.retired.iter().flat_map(|keys| [keys.record_key, keys.cosign_key]));
        let log = self.log_keys.iter().map(|(_, key)| key);
        held.chain(retired).chain(log).chain([self.genesis.operator_key]).any(|used| used == *key)
    }

    /// Whether `member` may change to `keys`: each is the one that it has in the same place, or one that nobody ever used.
    pub fn may_use(&self, member: &Membership, keys: &MemberKeys) -> bool {
        let may = |new: &PublicKey, held: &PublicKey| new == held || !self.uses_key(new);
        may(&keys.record_key, &member.record_key)
            && may(&keys.cosign_key, &member.cosign_key)
            && keys.record_key != keys.cosign_key
    }

    /// Whether a model is withdrawn.
    pub fn is_recalled(&self, run: &RunId, model: u32) -> bool {
        self.ended.get(run).and_then(|ending| ending.recalled).is_some_and(|from| from <= model)
    }

    /// The run of the plan with this digest, open or ended. A plan runs at most once: its approvals
    /// name nothing but its digest, so the same signatures would approve it a second time.
    pub fn run_of(&self, plan: &Digest) -> Option<RunId> {
        let open = self.run.as_ref().filter(|run| run.plan.digest() == *plan).map(|run| run.id);
        let mut ended = self.ended.iter();
        open.or_else(|| ended.find(|(_, e)| e.plan.digest() == *plan).map(|(id, _)| *id))
    }

    /// Those of `cohort` that are active: who a round expects.
    pub fn expected(&self, cohort: &[Institution]) -> BTreeSet<Institution> {
        cohort.iter().filter(|name| self.active(name).is_some()).cloned().collect()
    }

    /// True if more than the genesis fraction of the active banks is among `signers`, and every
    /// institution of the plan's cohort is: nobody is made to train on a plan it did not sign.
    pub fn quorum(&self, plan: &Plan, signers: &BTreeMap<Institution, u64>) -> bool {
        self.is_quorum(signers.keys())
            && plan.cohort().iter().all(|name| signers.contains_key(name))
    }

    /// True if more than the genesis fraction of the active banks is among `signers`.
    pub fn is_quorum<'a>(&self, signers: impl Iterator<Item = &'a Institution>) -> bool {
        let banks = self.members.values().filter(|m| m.revoked.is_none() && m.role == Role::Bank);
        let is_bank = |name: &&Institution| self.active(name).is_some_and(|m| m.role == Role::Bank);
        self.genesis.quorum.is_met(signers.filter(is_bank).count(), banks.count())
    }
}

impl Membership {
    /// Whether these are the member's keys.
    pub fn has(&self, keys: &MemberKeys) -> bool {
        self.tls_key_digest == keys.tls_key_digest
            && self.record_key == keys.record_key
            && self.cosign_key == keys.cosign_key
    }
}

impl Run {
    /// True if the institution's last accepted contribution is to the same round, and another one.
    pub fn contradicts(&self, contribution: &Contribution) -> bool {
        self.latest.get(&contribution.institution).is_some_and(|accepted| {
            accepted.contribution.round == contribution.round
                && accepted.contribution != *contribution
        })
    }
}

impl Phase {
    /// What the run waits for, in the words of the records.
    pub fn expects(&self) -> &'static str {
        match self {
            Self::ExpectInitialModel | Self::ExpectModel(_) => "model",
            Self::ExpectRound(_) => "round-opened or run-finished",
            Self::Open(_) => "accepted, extended or closed",
        }
    }
}

impl Round {
    /// Who has not contributed yet and still can: revoked members are not waited for.
    pub fn missing<'a>(
        &'a self,
        consortium: &'a Consortium,
    ) -> impl Iterator<Item = &'a Institution> {
        self.cohort
            .iter()
            .filter(|name| !self.accepted.contains_key(*name) && consortium.active(name).is_some())
    }

    /// True if the round can be closed at `at`: it has its quorum, and nobody is missing or it is due.
    pub fn closes(&self, at: Timestamp, plan: &Plan, consortium: &Consortium) -> bool {
        let quorum = self.accepted.len() >= plan.text().schedule.quorum as usize;
        quorum && (at >= self.deadline || self.missing(consortium).next().is_none())
    }

    /// True if the round is to be extended at `at`: it is due, without quorum, and may be extended.
    pub fn extends(&self, at: Timestamp, plan: &Plan) -> bool {
        let schedule = &plan.text().schedule;
        at >= self.deadline
            && self.accepted.len() < schedule.quorum as usize
            && self.extensions < schedule.extensions_max
    }
}
