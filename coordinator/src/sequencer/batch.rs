//! The requests of one commit, each decided against the state that the ones before it lead to.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use ledger::digest::Digest;
use ledger::log_store::{LogStore, SmallBlob};
use ledger::receipt::Receipt;
use ledger::record::{Body, Leaf};
use ledger::time::Timestamp;
use ledger::tree::{HashSource, inclusion_proof};
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

    /// The sealed leaves of one request, folded. A member's signature was verified when its record was decided, the operator's is made
    /// here. A record that is decided and does not follow is a fault of the program: then the batch comes to nothing.
    fn decide(&mut self, request: Request) -> Result<Vec<Leaf>, Error> {
        let drafts = decide(&self.decided.state, self.at, request)?;
        let leaves: Vec<Leaf> =
            drafts.into_iter().map(|draft| self.seal(draft)).collect::<Result<_, _>>()?;
        for leaf in &leaves {
            round::apply_signed(&mut self.decided.state, leaf).map_err(|violation| {
                let why = format!("a decided record does not follow: {violation}");
                self.decided.failure = Some(Error::Damaged(why.clone()));
                Error::Damaged(why)
            })?;
        }
        Ok(leaves)
    }

    fn seal(&self, draft: Draft) -> Result<Leaf, Error> {
        let consortium = self.decided.state.consortium.as_ref();
        let genesis = consortium.map(|c| c.digest).unwrap_or_default();
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
    pub(super) fn send<L: LogStore>(self, log: &Nodes<'_, L>, checkpoint: &str) {
        let answer = self.outcome.and_then(|located| {
            let receipt = located.index.map(|index| receipt(log, index, checkpoint)).transpose()?;
            Ok(Answer { receipt, convicted: located.convicted })
        });
        // Whoever asked may be gone; the record stands, and a retry finds it.
        let _ = self.reply.send(answer);
    }
}

/// A log's tree, each node of it read once: the receipts of one commit share nearly all of theirs.
pub(super) struct Nodes<'a, L> {
    log: &'a L,
    read: RefCell<HashMap<(u8, u64), Digest>>,
}

impl<'a, L: LogStore> Nodes<'a, L> {
    pub(super) fn of(log: &'a L) -> Self {
        Self { log, read: RefCell::default() }
    }
}

impl<L: LogStore> HashSource for Nodes<'_, L> {
    type Error = L::Error;

    fn node(&self, level: u8, index: u64) -> Result<Digest, L::Error> {
        if let Some(known) = self.read.borrow().get(&(level, index)) {
            return Ok(*known);
        }
        let node = self.log.node(level, index)?;
        self.read.borrow_mut().insert((level, index), node);
        Ok(node)
    }
}

fn receipt<L: LogStore>(
    nodes: &Nodes<'_, L>,
    index: u64,
    checkpoint: &str,
) -> Result<Receipt, Error> {
    let size = nodes.log.head().size;
    let leaf = nodes.log.leaf(index).map_err(|error| Error::storage(&error))?;
    let leaf = leaf.ok_or_else(|| Error::Storage(format!("leaf {index} is missing")))?;
    let proof = inclusion_proof(nodes, index, size).map_err(|error| Error::storage(&error))?;
    Ok(Receipt { index, leaf, proof, checkpoint: checkpoint.to_owned() })
}
