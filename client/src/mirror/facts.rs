use std::collections::BTreeMap;
use std::sync::Arc;

use ledger::digest::Digest;
use ledger::record::{Body, Institution, Leaf, RunId};
use ledger::signing::PublicKey;
use round::plan::Plan;
use round::state::{Membership, Phase, Run, State};
use round::{Violation, apply};

/// What the log says, and what of it concerns this bank.
#[derive(Clone, Debug)]
pub struct Facts {
    institution: Institution,
    key: PublicKey,
    state: State,
    /// The signatures on plans that have not run yet, by their leaf.
    signatures: BTreeMap<u64, Signature>,
    /// Whose signatures the newest run has spent, and the key of each.
    signers: Option<(RunId, BTreeMap<Institution, PublicKey>)>,
    accepted: BTreeMap<(RunId, u32), OwnAccepted>,
    /// How many leaves the longest checkpoint has that each member cosigned, as far as this node has heard.
    cosigned: BTreeMap<Institution, u64>,
}

#[derive(Clone, Debug)]
struct Signature {
    plan: Digest,
    institution: Institution,
    key: PublicKey,
}

/// A contribution of this bank that the log holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnAccepted {
    /// Its leaf.
    pub index: u64,
    /// SHA-256 of the bytes that were sent.
    pub vector: Digest,
}

/// A round that waits for contributions.
#[derive(Clone, Debug)]
pub struct OpenRound {
    /// The consortium.
    pub consortium: Digest,
    /// The run.
    pub run: RunId,
    /// The run's plan.
    pub plan: Arc<Plan>,
    /// The round's number.
    pub number: u32,
    /// SHA-256 of the meta-initialization.
    pub model: Digest,
    /// Whether this bank is expected and has not contributed.
    pub expects_us: bool,
    /// How many banks of the cohort are known to have cosigned the log from the round's opening on.
    pub witnesses: usize,
}

impl Facts {
    pub(super) fn new(institution: Institution, key: PublicKey) -> Self {
        Self {
            institution,
            key,
            state: State::default(),
            signatures: BTreeMap::new(),
            signers: None,
            accepted: BTreeMap::new(),
            cosigned: BTreeMap::new(),
        }
    }

    /// A member has cosigned the log's first `size` leaves.
    pub(super) fn cosigned(&mut self, name: Institution, size: u64) {
        let known = self.cosigned.entry(name).or_default();
        *known = size.max(*known);
    }

    /// Folds one leaf. After an error the facts are worthless.
    pub(super) fn fold(&mut self, leaf: &Leaf) -> Result<(), Violation> {
        let index = self.state.size;
        self.state = apply(std::mem::take(&mut self.state), leaf)?;
        match leaf.body() {
            Body::Approval(approval) => {
                let (plan, institution) = (approval.plan, approval.institution.clone());
                let signature = Signature { plan, institution, key: *leaf.author() };
                self.signatures.insert(index, signature);
            }
            Body::RunStarted(started) => {
                let run = RunId::derive(&started.plan, index);
                let spent = started.approvals.iter().filter_map(|at| self.signatures.get(at));
                let signers = spent.map(|s| (s.institution.clone(), s.key)).collect();
                self.signers = Some((run, signers));
                self.signatures.retain(|_, signature| signature.plan != started.plan);
            }
            Body::Accepted(contribution) if contribution.institution == self.institution => {
                let round = (contribution.run, contribution.round);
                let vector = contribution.vector;
                self.accepted.insert(round, OwnAccepted { index, vector });
            }
            Body::Genesis(_)
            | Body::Member(_)
            | Body::PlanProposed(_)
            | Body::RoundOpened(_)
            | Body::Accepted(_)
            | Body::Extended(_)
            | Body::Closed(_)
            | Body::Model(_)
            | Body::Abandoned(_)
            | Body::RunFinished(_)
            | Body::Evidence(_)
            | Body::Paused(_)
            | Body::Recalled(_)
            | Body::Decision(_)
            | Body::LogKey(_)
            | Body::Contradiction(_) => {}
        }
        Ok(())
    }

    /// The state of the consortium.
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// This bank.
    pub const fn institution(&self) -> &Institution {
        &self.institution
    }

    /// The key that this bank signs records with.
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }

    /// Whether this bank signs records with `key`, or did before it changed its key.
    pub fn is_own_key(&self, key: &PublicKey) -> bool {
        let own = self.state.consortium.as_ref().and_then(|c| c.members.get(&self.institution));
        let retired =
            |member: &Membership| member.retired.iter().any(|keys| keys.record_key == *key);
        *key == self.key || own.is_some_and(retired)
    }

    /// Whose signatures `run` has spent, if it is the newest run.
    pub fn signers(&self, run: &RunId) -> Option<&BTreeMap<Institution, PublicKey>> {
        self.signers.as_ref().filter(|(newest, _)| newest == run).map(|(_, signers)| signers)
    }

    /// This bank's contribution to a round, if the log holds one.
    pub fn accepted(&self, run: &RunId, round: u32) -> Option<OwnAccepted> {
        self.accepted.get(&(*run, round)).copied()
    }

    /// All contributions of this bank, by run and round.
    pub const fn all_accepted(&self) -> &BTreeMap<(RunId, u32), OwnAccepted> {
        &self.accepted
    }

    /// The open run.
    pub fn run(&self) -> Option<&Run> {
        self.state.consortium.as_ref()?.run.as_ref()
    }

    /// How many banks of the plan's cohort have cosigned a checkpoint that holds leaf `opened`. Only these count: each has signed the
    /// plan with a key that the bank's policy was asked about, so members that an operator invents witness nothing.
    fn witnesses(&self, plan: &Plan, opened: u64) -> usize {
        let cosigned = self.cosigned.iter().filter(|(_, size)| **size > opened);
        let consortium = self.state.consortium.as_ref();
        let active = |name| consortium.is_some_and(|consortium| consortium.active(name).is_some());
        cosigned.filter(|(name, _)| plan.participant(name).is_some() && active(name)).count()
    }

    /// The round that waits for contributions, if one does.
    pub fn open_round(&self) -> Option<OpenRound> {
        let consortium = self.state.consortium.as_ref()?;
        let run = consortium.run.as_ref()?;
        let Phase::Open(round) = &run.phase else { return None };
        Some(OpenRound {
            consortium: consortium.digest,
            run: run.id,
            plan: Arc::clone(&run.plan),
            number: round.number,
            model: run.model?.theta,
            witnesses: self.witnesses(&run.plan, round.opened),
            expects_us: round.missing(consortium).any(|name| *name == self.institution),
        })
    }
}

impl OpenRound {
    /// Whether enough banks witness the round's opening for this one to train on it.
    pub fn is_witnessed(&self) -> bool {
        self.witnesses >= self.plan.text().schedule.witness_quorum as usize
    }
}
