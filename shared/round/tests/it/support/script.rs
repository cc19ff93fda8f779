//! Steps of a story, and how a story reads.

use ledger::record::{Body, Fault, Leaf, Member, RunId};
use ledger::time::Timestamp;
use round::Request;

use super::{
    A, AUDITOR, B, C, D, Plan, World, Wrong, genesis, institution, log_key, member, rotated,
};

/// One step: how it is told, and what is asked of the core when it is its turn.
pub(crate) struct Step {
    told: String,
    request: Box<dyn Fn(&World) -> Request>,
}

fn step(told: impl Into<String>, request: impl Fn(&World) -> Request + 'static) -> Step {
    Step { told: told.into(), request: Box::new(request) }
}

pub(crate) fn found() -> Step {
    step("found", |_| Request::Found(genesis()))
}

pub(crate) fn admit(name: &'static str) -> Step {
    step(format!("admit({name})"), move |_| Request::Admit(member(name)))
}

pub(crate) fn revoke(name: &'static str) -> Step {
    step(format!("revoke({name})"), move |_| Request::Revoke {
        institution: institution(name),
        reason: "left".to_owned(),
    })
}

pub(crate) fn propose(plan: Plan) -> Step {
    step(format!("propose({plan:?})"), move |_| Request::Propose(plan.bytes()))
}

pub(crate) fn approve(name: &'static str, plan: Plan) -> Step {
    step(format!("approve({name}, {plan:?})"), move |_| World::approve(name, plan.digest()))
}

pub(crate) fn begin() -> Step {
    step("begin", |world| Request::Begin(world.model(0)))
}

pub(crate) fn contribute(name: &'static str) -> Step {
    step(format!("contribute({name})"), move |world| world.contribute(name, None, Wrong::Nothing))
}

pub(crate) fn contribute_to(round: u32, name: &'static str) -> Step {
    step(format!("contribute({name}, round {round})"), move |world| {
        world.contribute(name, Some(round), Wrong::Nothing)
    })
}

pub(crate) fn contribute_wrong(name: &'static str, wrong: Wrong) -> Step {
    step(format!("contribute({name}, wrong {wrong:?})"), move |world| {
        world.contribute(name, None, wrong)
    })
}

pub(crate) fn contribute_wrong_to(round: u32, name: &'static str, wrong: Wrong) -> Step {
    step(format!("contribute({name}, round {round}, wrong {wrong:?})"), move |world| {
        world.contribute(name, Some(round), wrong)
    })
}

pub(crate) fn convict(name: &'static str, fault: Fault, wrong: Wrong) -> Step {
    step(format!("convict({name}, {}, {wrong:?})", fault.as_str()), move |world| {
        let Request::Contribute(contribution, signature) = world.contribute(name, None, wrong)
        else {
            unreachable!("a contribution is a contribution")
        };
        Request::Convict { fault, contribution, signature, detail: "checked".to_owned() }
    })
}

pub(crate) fn close(round: u32, survivors: &'static [&'static str]) -> Step {
    step(format!("close({round}: {})", survivors.join(", ")), move |world| {
        world.close(round, survivors)
    })
}

pub(crate) fn tick() -> Step {
    step("tick", |_| Request::Tick)
}

pub(crate) fn abandon() -> Step {
    step("abandon", |world| Request::Abandon {
        run: world.newest_run(),
        reason: "nobody comes".to_owned(),
    })
}

pub(crate) fn rotate(name: &'static str) -> Step {
    step(format!("rotate({name})"), move |_| Request::Rotate(rotated(name)))
}

pub(crate) fn change_log_key(signers: &'static [&'static str], lost: bool) -> Step {
    let told =
        format!("log key({}{})", signers.join(", "), if lost { "; the old is lost" } else { "" });
    step(told, move |world| Request::ChangeLogKey(log_key(signers, world.state.size, lost)))
}

pub(crate) fn decide_as(name: &'static str, number: u32) -> Step {
    step(format!("decide({name}, {number})"), move |_| World::decide(name, number))
}

/// Heads of so many leaves, of histories that part at leaf `fork`, by the log's first key or the next one.
pub(crate) fn report(name: &'static str, sizes: (u64, u64), fork: u64, next: bool) -> Step {
    let key = if next { "the next key" } else { "the key" };
    let told =
        format!("report({name}: {key} signed {} and {}, parting at {fork})", sizes.0, sizes.1);
    step(told, move |_| World::report(name, sizes, fork, next))
}

pub(crate) fn pause(paused: bool) -> Step {
    step(if paused { "pause" } else { "resume" }, move |world| Request::Pause {
        run: world.newest_run(),
        paused,
        reason: "looked at".to_owned(),
    })
}

pub(crate) fn recall(from: u32) -> Step {
    step(format!("recall({from})"), move |world| Request::Recall {
        run: world.newest_run(),
        from,
        reason: "wrong data".to_owned(),
    })
}

impl World {
    /// Four banks, an auditor, one plan approved, round 0 open; all at time 0.
    pub(crate) fn running() -> Self {
        let mut world = Self::empty();
        let mut prelude = vec![(0, found())];
        prelude.extend([A, B, C, D, AUDITOR].map(|name| (0, admit(name))));
        prelude.push((0, propose(Plan::Example)));
        prelude.extend([A, B, C].map(|name| (0, approve(name, Plan::Example))));
        prelude.push((0, begin()));
        world.play(&prelude);
        assert!(world.state.round().is_some(), "round 0 is open");
        world
    }

    /// Plays the steps, times in seconds, and tells what came of each.
    pub(crate) fn play(&mut self, steps: &[(u64, Step)]) -> String {
        let width = steps.iter().map(|(_, step)| step.told.len()).max().unwrap_or(0);
        let tell = |(seconds, step): &(u64, Step)| {
            let request = (step.request)(self);
            let outcome = match self.submit(Timestamp::from_millis(seconds * 1000), request) {
                Ok(leaves) if leaves.is_empty() => "nothing new".to_owned(),
                Ok(leaves) => leaves.iter().map(told).collect::<Vec<_>>().join(", "),
                Err(refusal) => format!("refused: {refusal}"),
            };
            format!("{seconds:>3} {:<width$} -> {}\n", step.told, self.without_digests(&outcome))
        };
        steps.iter().map(tell).collect()
    }

    /// Runs by their number: a digest says nothing to a reader.
    fn without_digests(&self, text: &str) -> String {
        let named = self.runs.iter().enumerate().fold(text.to_owned(), |text, (number, run)| {
            text.replace(&run.to_string(), &format!("#{number}"))
        });
        let other = RunId::from_digest(ledger::digest::sha256(b"another run"));
        named.replace(&other.to_string(), "#other")
    }
}

/// A story of round 0 and what follows, from its opening at time 0.
pub(crate) fn play(steps: &[(u64, Step)]) -> String {
    World::running().play(steps)
}

fn told(leaf: &Leaf) -> String {
    let seconds = |at: Timestamp| at.as_millis() / 1000;
    let list = |names: &std::collections::BTreeSet<_>| {
        names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    match leaf.body() {
        Body::Genesis(genesis) => format!("Genesis{{{}}}", genesis.name),
        Body::Member(Member::Added(added)) => {
            format!("Member{{{} {}}}", added.role.as_str(), added.keys.institution)
        }
        Body::Member(Member::Revoked(revoked)) => format!("Revoked{{{}}}", revoked.institution),
        Body::Member(Member::Rotated(rotated)) => {
            format!("Rotated{{{}}}", rotated.keys.institution)
        }
        Body::PlanProposed(_) => "PlanProposed".to_owned(),
        Body::Approval(approval) => format!("Approval{{{}}}", approval.institution),
        Body::RunStarted(started) => format!("RunStarted{{spends {:?}}}", started.approvals),
        Body::RoundOpened(opened) => {
            let (round, cohort) = (opened.round, list(&opened.cohort));
            format!("RoundOpened{{{round}: {cohort}; until {}}}", seconds(opened.deadline))
        }
        Body::Accepted(contribution) => format!("Accepted{{{}}}", contribution.institution),
        Body::Extended(extended) => {
            format!("Extended{{{}; until {}}}", extended.round, seconds(extended.deadline))
        }
        Body::Closed(closed) => format!("Closed{{{}}}", list(&closed.survivors)),
        Body::Model(model) => format!("Model{{{}}}", model.index),
        Body::Abandoned(_) => "Abandoned".to_owned(),
        Body::RunFinished(finished) => format!("RunFinished{{{}}}", finished.model),
        Body::Evidence(evidence) => {
            format!("Evidence{{{} by {}}}", evidence.fault.as_str(), evidence.institution)
        }
        Body::Paused(paused) => if paused.paused { "Paused" } else { "Resumed" }.to_owned(),
        Body::Recalled(recalled) => format!("Recalled{{from {}}}", recalled.from),
        Body::Decision(d) => format!("Decision{{{} {}}}", d.institution, d.number),
        Body::LogKey(_) => "LogKey".to_owned(),
        Body::Contradiction(found) => {
            let (smaller, larger) = (found.smaller.head.size, found.larger.head.size);
            format!("Contradiction{{{smaller} and {larger}, by {}}}", found.institution)
        }
    }
}
