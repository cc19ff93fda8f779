//! The coordinator's side of the protocol: decide, seal, store, read back, apply.

use std::sync::LazyLock;

use ledger::digest::{Digest, sha256};
use ledger::record::{Approval, Canonical, Charge, Contribution, Leaf, RunId, TaskChange};
use ledger::time::Timestamp;
use round::decide::NewModel;
use round::{Refusal, Request, State, apply, decide};

use super::keys::{GENESIS, KEYS, institution};

/// A state and the leaves that it is the fold of.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) state: State,
    pub(crate) leaves: Vec<Leaf>,
    /// Every run that was started, first to last.
    pub(crate) runs: Vec<RunId>,
}

/// One of the plans that the tests propose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plan {
    /// The example, for this consortium.
    Example,
    /// The same under another name.
    Second,
    /// The example for the consortium of zeros.
    Foreign,
    /// The example with the bank outside the cohort in the place of a bank.
    WithDogwood,
}

/// What is wrong with a contribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    Nothing,
    Vector,
    Model,
    Plan,
    Charge,
    Run,
    Round(u32),
    Signature,
}

/// The mechanism has no sampling here, so that its price has a closed form and is found at once.
static QUICK: LazyLock<String> = LazyLock::new(|| {
    super::EXAMPLE
        .replace("sampling_rate = 0.2", "sampling_rate = 1.0")
        .replace("noise_multiplier = 3.0", "noise_multiplier = 40.0")
});

impl Plan {
    pub(crate) fn bytes(self) -> Vec<u8> {
        let zeros = Digest::ZERO.to_string();
        let ours = QUICK.replace(&zeros, &GENESIS.to_string());
        let text = match self {
            Self::Example => ours,
            Self::Second => ours.replace("orchard credit", "orchard credit again"),
            Self::Foreign => QUICK.clone(),
            Self::WithDogwood => ours.replace("\"cedar\"", "\"dogwood\""),
        };
        text.into_bytes()
    }

    pub(crate) fn digest(self) -> Digest {
        sha256(&self.bytes())
    }
}

impl World {
    pub(crate) fn empty() -> Self {
        Self { state: State::empty(), leaves: vec![], runs: vec![] }
    }

    /// Decides, and commits what was decided: each leaf is read back from its bytes, then folded.
    pub(crate) fn submit(&mut self, at: Timestamp, request: Request) -> Result<Vec<Leaf>, Refusal> {
        let drafts = decide(&self.state, at, request)?;
        let mut leaves = vec![];
        for draft in drafts {
            let sealed = draft.seal(&KEYS.operator, &GENESIS).expect("a leaf that fits");
            let leaf: Leaf = Leaf::decode(sealed.bytes().as_slice()).expect("a readable leaf");
            self.state = apply(self.state.clone(), &leaf).expect("what was decided follows");
            if let Some(run) = self.state.run().filter(|run| self.runs.last() != Some(&run.id)) {
                self.runs.push(run.id);
            }
            leaves.push(leaf);
        }
        self.leaves.extend(leaves.iter().cloned());
        Ok(leaves)
    }

    /// What an institution signs for a round of the newest run; the same every time.
    pub(crate) fn contribute(&self, name: &str, round: Option<u32>, wrong: Wrong) -> Request {
        let run = self.newest_run();
        let open = self.state.run();
        let current = self.state.round().map_or(0, |round| round.number);
        let plan = self.state.plan_of(&run);
        let mut contribution = Contribution {
            run,
            round: round.unwrap_or(current),
            plan: plan.map_or(Digest::ZERO, |plan| plan.digest()),
            model: open.and_then(|run| run.model).map_or(Digest::ZERO, |model| model.theta),
            institution: institution(name),
            vector: Digest::ZERO,
            ledger_head: sha256(b"head"),
            charge: plan.map_or_else(other_charge, |plan| plan.charge()),
        };
        if let Some(number) = round.filter(|number| *number != current) {
            contribution.model = model_digest("theta", number);
        }
        contribution.vector = sha256(format!("{name} {}", contribution.round).as_bytes());
        match wrong {
            Wrong::Nothing | Wrong::Signature => {}
            Wrong::Vector => contribution.vector = sha256(b"other bytes"),
            Wrong::Model => contribution.model = sha256(b"another model"),
            Wrong::Plan => contribution.plan = sha256(b"another plan"),
            Wrong::Charge => contribution.charge = other_charge(),
            Wrong::Run => contribution.run = RunId::from_digest(sha256(b"another run")),
            Wrong::Round(number) => contribution.round = number,
        }
        let signer = if wrong == Wrong::Signature { super::STRANGER } else { name };
        let signature = KEYS.record(signer).sign_body("accepted", &GENESIS, &contribution.encode());
        Request::Contribute(contribution, signature)
    }

    /// The run that was started last.
    pub(crate) fn newest_run(&self) -> RunId {
        self.runs.last().copied().unwrap_or(RunId::from_digest(Digest::ZERO))
    }

    pub(crate) fn decide(name: &str, number: u32) -> Request {
        let decision = super::decision(name, number);
        let signature = KEYS.record(name).sign_body("decision", &GENESIS, &decision.encode());
        Request::Decide(decision, signature)
    }

    /// A member hands in that a key of the log signed two histories.
    pub(crate) fn report(name: &str, sizes: (u64, u64), fork: u64, next: bool) -> Request {
        let found = super::contradicted(name, sizes, fork, next);
        let signature = KEYS.record(name).sign_body("contradiction", &GENESIS, &found.encode());
        Request::Report(found, signature)
    }

    pub(crate) fn approve(name: &str, plan: Digest) -> Request {
        let approval = Approval { institution: institution(name), plan };
        let signature = KEYS.record(name).sign_body("approval", &GENESIS, &approval.encode());
        Request::Approve(approval, signature)
    }

    /// The newest run's model `index`, as if it had been computed.
    pub(crate) fn model(&self, index: u32) -> NewModel {
        NewModel {
            run: self.newest_run(),
            theta: model_digest("theta", index),
            master: model_digest("master", index),
        }
    }

    /// The close of round `round` with these survivors.
    pub(crate) fn close(&self, round: u32, survivors: &[&str]) -> Request {
        Request::Close {
            round,
            survivors: survivors.iter().map(|name| institution(name)).collect(),
            aggregate: sha256(b"sum"),
            model: self.model(round + 1),
        }
    }
}

fn model_digest(what: &str, index: u32) -> Digest {
    sha256(format!("{what} {index}").as_bytes())
}

fn other_charge() -> Charge {
    Charge::new(1.0, 0.5, TaskChange::Appears).expect("parameters in range")
}
