//! What pages are made from: a fold of the log that keeps what people ask for.
//!
//! It decides nothing and is kept nowhere: it follows what the sequencer has published, a little
//! behind it, and every page says up to which record it goes.

mod figures;
mod index;
mod update;

use std::collections::BTreeMap;
use std::sync::Arc;

use audit::{Account, Conviction, Nodes, RoundMetrics};
use ledger::digest::Digest;
use ledger::record::{Body, Leaf, Payload as _, RunId};
use ledger::time::Timestamp;
use round::Plan;
use round::state::State;

pub(super) use figures::{Curve, Figures};
pub(super) use index::{DIGITS_MIN, digests, institution};
pub(crate) use update::Updater;

/// A record's place and time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) leaf: u64,
    pub(super) at: Timestamp,
}

/// One round as a page shows it: how many, never who.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RoundView {
    pub(super) number: u32,
    pub(super) opened: Event,
    pub(super) deadline: Timestamp,
    pub(super) expected: usize,
    pub(super) accepted: u32,
    pub(super) extensions: u32,
    pub(super) closed: Option<Event>,
    pub(super) model: Option<(Event, Digest)>,
}

/// One run as pages show it.
#[derive(Debug)]
pub(super) struct RunView {
    pub(super) account: Account,
    pub(super) started: Event,
    pub(super) ended: Option<Event>,
    pub(super) rounds: Vec<RoundView>,
}

/// The state and the checkpoint that pages speak of.
#[derive(Debug, Clone)]
pub(super) struct Standing {
    pub(super) state: Arc<State>,
    pub(super) checkpoint: Arc<str>,
}

/// What pages are made from.
#[derive(Debug, Default)]
pub struct Projection {
    pub(super) runs: Vec<RunView>,
    pub(super) index: index::Index,
    pub(super) nodes: Nodes,
    pub(super) kinds: BTreeMap<&'static str, u64>,
    pub(super) convictions: Vec<Conviction>,
    pub(super) figures: Arc<Figures>,
    /// None until the log was read once.
    pub(super) standing: Option<Standing>,
}

impl Projection {
    /// Folds the next leaf. `state` is the state after it or after any later leaf, and `metrics` is
    /// what a closed round measured, if its plan measures something.
    pub fn fold(&mut self, leaf: &Leaf, state: &State, metrics: Option<RoundMetrics>) {
        let event = Event { leaf: self.size(), at: leaf.at() };
        self.nodes.push(leaf.bytes().as_slice());
        self.index.note(event.leaf, leaf);
        *self.kinds.entry(leaf.body().kind()).or_default() += 1;
        match leaf.body() {
            Body::RunStarted(started) => {
                let id = RunId::derive(&started.plan, event.leaf);
                if let Some(plan) = state.plan_of(&id) {
                    let account = Account::open(id, Arc::clone(plan));
                    let run = RunView { account, started: event, ended: None, rounds: vec![] };
                    self.runs.push(run);
                }
            }
            Body::Evidence(evidence) => self.convictions.push(Conviction {
                institution: evidence.institution.to_string(),
                fault: evidence.fault.as_str().to_owned(),
                run: evidence.contribution.run.to_string(),
                round: evidence.contribution.round,
                leaf: event.leaf,
            }),
            Body::Genesis(_)
            | Body::Member(_)
            | Body::PlanProposed(_)
            | Body::Approval(_)
            | Body::RoundOpened(_)
            | Body::Accepted(_)
            | Body::Extended(_)
            | Body::Closed(_)
            | Body::Model(_)
            | Body::Abandoned(_)
            | Body::RunFinished(_)
            | Body::Paused(_)
            | Body::Recalled(_)
            | Body::Decision(_)
            | Body::LogKey(_)
            | Body::Contradiction(_) => {}
        }
        // Runs follow each other, so every record of a round is about the last one.
        if let Some(run) = self.runs.last_mut() {
            run.fold(event, leaf.body(), metrics);
        }
    }

    /// How many leaves were folded.
    pub fn size(&self) -> u64 {
        self.nodes.head().size
    }

    /// From now on pages speak of this state and this checkpoint; the leaves up to it were folded.
    pub fn stand(&mut self, state: Arc<State>, checkpoint: Arc<str>) {
        self.standing = Some(Standing { state, checkpoint });
    }

    /// Computes the figures that are not known yet, curves included. What an updater does beside
    /// the readers is done here at once.
    ///
    /// # Errors
    ///
    /// [`audit::Finding`] if a figure cannot be certified.
    pub fn compute(&mut self) -> Result<(), audit::Finding> {
        let mut figures = Figures::of(&self.accounts(), &self.figures)?;
        let plans = self.plans();
        while let Some(plan) = figures.without_curve(&plans) {
            figures = figures.with_curve(&plan, Curve::of(&plan));
        }
        self.figures = Arc::new(figures);
        Ok(())
    }

    /// The digest of leaf 0, in hex; empty before it was read.
    pub(super) fn genesis(&self) -> String {
        self.standing.as_ref().map(Standing::genesis).unwrap_or_default()
    }

    /// The run with this identifier.
    pub(super) fn run(&self, id: &str) -> Option<&RunView> {
        self.runs.iter().find(|run| run.account.id.to_string() == id)
    }

    /// What was acknowledged, without what the figures do not need.
    fn accounts(&self) -> Vec<Account> {
        let account = |run: &RunView| Account {
            accepted: run.account.accepted.clone(),
            ..Account::open(run.account.id, Arc::clone(&run.account.plan))
        };
        self.runs.iter().map(account).collect()
    }

    fn plans(&self) -> Vec<Arc<Plan>> {
        self.runs.iter().map(|run| Arc::clone(&run.account.plan)).collect()
    }
}

impl Standing {
    /// The digest of leaf 0, in hex.
    pub(super) fn genesis(&self) -> String {
        let consortium = self.state.consortium.as_ref();
        consortium.map(|consortium| consortium.digest.to_string()).unwrap_or_default()
    }
}

impl RunView {
    fn fold(&mut self, event: Event, body: &Body, metrics: Option<RoundMetrics>) {
        self.account.take(body);
        match body {
            Body::RoundOpened(opened) => self.rounds.push(RoundView {
                number: opened.round,
                opened: event,
                deadline: opened.deadline,
                expected: opened.cohort.len(),
                accepted: 0,
                extensions: 0,
                closed: None,
                model: None,
            }),
            Body::Abandoned(_) | Body::RunFinished(_) => self.ended = Some(event),
            Body::Closed(_) => {
                self.account.metrics.extend(metrics);
                self.last(|round| round.closed = Some(event));
            }
            Body::Accepted(_) => self.last(|round| round.accepted += 1),
            Body::Extended(extended) => self.last(|round| {
                round.extensions += 1;
                round.deadline = extended.deadline;
            }),
            Body::Model(model) => self.last(|round| round.model = Some((event, model.theta))),
            Body::Genesis(_)
            | Body::Member(_)
            | Body::PlanProposed(_)
            | Body::Approval(_)
            | Body::RunStarted(_)
            | Body::Evidence(_)
            | Body::Paused(_)
            | Body::Recalled(_)
            | Body::Decision(_)
            | Body::LogKey(_)
            | Body::Contradiction(_) => {}
        }
    }

    fn last(&mut self, change: impl FnOnce(&mut RoundView)) {
        if let Some(round) = self.rounds.last_mut() {
            change(round);
        }
    }
}
