//! The requests of one commit, each decided against the state that the ones before it lead to.

use std::sync::Arc;

use ledger::log_store::{LogStore, SmallBlob};
use ledger::receipt::Receipt;
use ledger::record::{Body, Leaf};
use ledger::time::Timestamp;
use ledger::tree::inclusion_proof;
use round::decide::{Draft, Refusal, Request, decide};
use round::state::State;
use tokio::sync::oneshot;

use super::{Answer, Keys, Submission, Vector};
use crate::error::Error;

/// A commit in the making.
pub(super) struct Batch<'a> {
    keys: &'a Keys,
    at: Timestamp,
    decided: Decided,
}

/// What a batch came to.
pub(super) struct Decided {
    pub(super) state: State,
    pub(super) leaves: Vec<Leaf>,
    pub(super) blobs: Vec<SmallBlob>,
    pub(super) vectors: Vec<Vector>,
    pub(super) answers: Vec<Pending>,
    /// Why the coordinator's own work could not be recorded; it would only fail again.
    pub(super) failure: Option<Error>,
}

/// An answer that waits for the commit.
pub(super) struct Pending {
    reply: oneshot::Sender<Result<Answer, Error>>,
    outcome: Result<Located, Error>,
}

/// Where the record of a request is.
struct Located {
    index: Option<u64>,
    convicted: bool,
}

impl<'a> Batch<'a> {
    pub(super) fn new(state: &Arc<State>, keys: &'a Keys, now: Timestamp) -> Self {
        let decided = Decided {
            state: State::clone(state),
            leaves: vec![],
            blobs: vec![],
            vectors: vec![],
            answers: vec![],
            failure: None,
        };
        Self { keys, at: now.max(state.at), decided }
    }

    pub(super) fn at(&self) -> Timestamp {
        self.at
    }

    pub(super) fn finish(self) -> Decided {
        self.decided
    }

    /// Decides one request. A refusal, like anything else that goes wrong, leaves the batch as it was.
    pub(super) fn submit(&mut self, submission: Submission) {
        let Submission { request, blobs, vector, reply } = submission;
        let known = existing(&self.decided.state, &request);
        let outcome = self.decide(request).map(|leaves| {
            let convicted = leaves.iter().any(|leaf| matches!(leaf.body(), Body::Evidence(_)));
            let recorded = !leaves.is_empty();
            let first = self.decided.state.size - leaves.len() as u64;
            if recorded {
                self.decided.blobs.extend(blobs);
            }
            if recorded && !convicted {
                self.decided.vectors.extend(vector);
            }
            self.decided.leaves.extend(leaves);
            Located { index: if recorded { Some(first) } else { known }, convicted }
        });
        match (reply, outcome) {
            (Some(reply), outcome) => self.decided.answers.push(Pending { reply, outcome }),
            // What was computed may be out of date: somebody contributed, or the run was abandoned.
            (None, Ok(_) | Err(Error::Refused(Refusal::Stale | Refusal::UnknownRun(_)))) => {}
            (None, Err(error)) => self.decided.failure = Some(error),
        }
    }

    /// The sealed leaves of one request; the state is theirs only if all of them fold.
    fn decide(&mut self, request: Request) -> Result<Vec<Leaf>, Error> {
        let drafts = decide(&self.decided.state, self.at, request)?;
        let mut state = self.decided.state.clone();
        let mut leaves = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let leaf = self.seal(&state, draft)?;
            state = round::apply(state, &leaf).map_err(|violation| {
                Error::Damaged(format!("a decided record does not follow: {violation}"))
            })?;
            leaves.push(leaf);
        }
        self.decided.state = state;
        Ok(leaves)
    }

    fn seal(&self, state: &State, draft: Draft) -> Result<Leaf, Error> {
        let genesis = state.consortium.as_ref().map(|c| c.digest).unwrap_or_default();
        draft
            .seal(&self.keys.operator, &genesis)
            .map_err(|error| Error::Refused(round::Refusal::Record(error)))
    }
}

/// The leaf that a request led to before, if this is a retry.
fn existing(state: &State, request: &Request) -> Option<u64> {
    match request {
        Request::Contribute(contribution, _) => state.accepted(contribution),
        Request::Approve(approval, _) => state.approved(approval),
        Request::Admit(added) => {
            Some(state.consortium.as_ref()?.members.get(&added.keys.institution)?.admitted)
        }
        Request::Decide(decision, _) => state.decided(decision),
        Request::Report(found, _) => state.convicted(found),
        Request::Found(_)
        | Request::Rotate(_)
        | Request::ChangeLogKey(_)
        | Request::Pause { .. }
        | Request::Recall { .. }
        | Request::Revoke { .. }
        | Request::Propose(_)
        | Request::Begin(_)
        | Request::Convict { .. }
        | Request::Close { .. }
        | Request::Tick
        | Request::Abandon { .. } => None,
    }
}

impl Pending {
    /// Answers, after the commit, with a proof against the checkpoint over it.
    pub(super) fn send<L: LogStore>(self, log: &L, checkpoint: &str) {
        let answer = self.outcome.and_then(|located| {
            let receipt = located.index.map(|index| receipt(log, index, checkpoint)).transpose()?;
            Ok(Answer { receipt, convicted: located.convicted })
        });
        // Whoever asked may be gone; the record stands, and a retry finds it.
        let _ = self.reply.send(answer);
    }
}

fn receipt<L: LogStore>(log: &L, index: u64, checkpoint: &str) -> Result<Receipt, Error> {
    let size = log.head().size;
    let leaf = log.leaf(index).map_err(|error| Error::storage(&error))?;
    let leaf = leaf.ok_or_else(|| Error::Storage(format!("leaf {index} is missing")))?;
    let proof = inclusion_proof(log, index, size).map_err(|error| Error::storage(&error))?;
    Ok(Receipt { index, leaf, proof, checkpoint: checkpoint.to_owned() })
}
