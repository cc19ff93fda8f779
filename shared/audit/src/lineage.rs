//! How a model came to be: computed anew from the plan's seed, step by step, each from the contributions that the log acknowledges.

use std::ops::ControlFlow;
use std::path::Path;

use ledger::digest::Digest;
use ledger::record::{Body, Closed, Contribution, Leaf, Model, RunId};
use round::Plan;
use serde::Serialize;
use serde_json::Value;

use crate::blobs::Blobs;
use crate::directory::Directory;
use crate::export::GENESIS;
use crate::finding::{Finding, Kind};
use crate::fold::Fold;
use crate::log::{self, Log};
use crate::signed::each_leaf;

/// How a model came to be.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Lineage {
    /// The genesis digest that the export has, in hex; none if it could not be read.
    pub genesis: Option<String>,
    /// True if the caller named the genesis digest.
    pub anchored: bool,
    /// The run, in hex; none if it was not found.
    pub run: Option<String>,
    /// The plan's name.
    pub name: String,
    /// SHA-256 of the plan, in hex.
    pub plan: String,
    /// How each step is made, as the plan says.
    pub optimizer: Value,
    /// The models from the initial one on, the one that was asked for last.
    pub models: Vec<ModelStep>,
    /// What is wrong, or missing; none if every model came out bit for bit.
    pub finding: Option<Finding>,
}

/// A model, and the step that leads to it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelStep {
    /// Its number.
    pub model: u32,
    /// The leaf that records it.
    pub leaf: u64,
    /// SHA-256 of the weights (f32), in hex.
    pub weights: String,
    /// SHA-256 of the master state (f64), in hex.
    pub master: String,
    /// True if it was computed from the model before and contributions that are all there, or from the seed.
    pub proved: bool,
    /// The sum that leads to it; none for the initial model, which is drawn from the plan's seed.
    pub sum: Option<Sum>,
}

/// A sum of contributions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sum {
    /// The round.
    pub round: u32,
    /// The leaf that closes it.
    pub leaf: u64,
    /// SHA-256 of the 64-bit sums, in hex.
    pub sha256: String,
    /// By how many tasks it is divided: the sampling rate times the declared tasks of those who contributed.
    pub expected_tasks: f64,
    /// What it is the sum of.
    pub contributions: Vec<Part>,
}

/// A contribution.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Part {
    /// Whose.
    pub institution: String,
    /// The leaf that acknowledges it.
    pub leaf: u64,
    /// SHA-256 of the vector, in hex.
    pub vector: String,
}

impl Lineage {
    /// The process's exit code: 0 if every model came out bit for bit.
    pub fn exit_code(&self) -> u8 {
        self.finding.as_ref().map_or(0, |finding| finding.kind.exit_code())
    }
}

/// Computes model `model` of a run anew. `run` is the beginning of its identity in hex, and may be left out if the log has one run.
///
/// Checked are the files, anchor, checkpoint and tree, and every record up to the model; of blobs, those of this run up to the model.
/// What comes later may be wrong or missing.
pub fn lineage(
    directory: &Path,
    genesis: Option<Digest>,
    run: Option<&str>,
    model: u32,
) -> Lineage {
    let mut lineage = Lineage { anchored: genesis.is_some(), ..Lineage::default() };
    lineage.finding = compute(directory, genesis, run, model, &mut lineage).err();
    lineage
}

fn compute(
    path: &Path,
    genesis: Option<Digest>,
    run: Option<&str>,
    model: u32,
    lineage: &mut Lineage,
) -> Result<(), Finding> {
    let directory = Directory::open(path)?;
    let identity = log::identity(&directory)?;
    lineage.genesis = Some(identity.genesis.to_string());
    if let Some(expected) = genesis.filter(|expected| *expected != identity.genesis) {
        return Err(Kind::Tampered.at(GENESIS, expected, identity.genesis));
    }
    let log = Log::open(&directory, identity)?;
    let run = chosen(&log, run)?;
    let (mut fold, mut blobs) = (Fold::new(), Blobs::of(&directory));
    let mut tracer = Tracer { run, parts: Vec::new(), sum: None };
    let mut answer = None;
    each_leaf(&log, |signed| {
        let (index, leaf) = (signed.index, &signed.leaf);
        // What other runs lack says nothing of this one.
        if matches!(leaf.body(), Body::RunStarted(_)) {
            blobs = Blobs::of(&directory);
        }
        let before = fold.models_replayed();
        fold.leaf(signed, &mut blobs)?;
        log.check_anchor(index, leaf)?;
        let proved = fold.models_replayed() > before;
        let plan = fold.state().run().filter(|open| open.id == run).map(|open| &*open.plan);
        tracer.leaf(index, leaf.body(), proved, plan, lineage);
        if lineage.models.last().is_some_and(|step| step.model == model) {
            answer = Some(blobs.missing().map_or(Ok(()), Err));
            return Ok(ControlFlow::Break(()));
        }
        Ok(ControlFlow::Continue(()))
    })?;
    if let Some(answer) = answer {
        return answer;
    }
    let found = match lineage.models.last() {
        Some(last) => format!("models up to {}", last.model),
        None => "no model".to_owned(),
    };
    Err(Kind::NotFound.at(format!("run {run}"), format!("model {model}"), found))
}

/// The one run that was meant.
fn chosen(log: &Log<'_>, prefix: Option<&str>) -> Result<RunId, Finding> {
    let mut runs = Vec::new();
    for leaf in log.leaves() {
        let (index, bytes) = leaf?;
        if let Body::RunStarted(started) = decode(index, bytes.as_slice())?.body() {
            runs.push(RunId::derive(&started.plan, index));
        }
    }
    let prefix = prefix.unwrap_or_default();
    let meant: Vec<_> = runs.iter().filter(|run| run.to_string().starts_with(prefix)).collect();
    let listed = |runs: &[&RunId]| {
        let short: Vec<String> =
            runs.iter().map(|run| run.to_string().chars().take(12).collect()).collect();
        if short.is_empty() { "no run".to_owned() } else { short.join(", ") }
    };
    match meant.as_slice() {
        [run] => Ok(**run),
        [] => {
            let all: Vec<_> = runs.iter().collect();
            Err(Kind::NotFound.at("the log", format!("a run {prefix}"), listed(&all)))
        }
        several => Err(Kind::Usage.at("--run", "the beginning of one run", listed(several))),
    }
}

fn decode(index: u64, bytes: &[u8]) -> Result<Leaf, Finding> {
    Leaf::decode(bytes)
        .map_err(|error| Kind::Tampered.at(format!("leaf {index}"), "a record", error))
}

/// Takes down what leads to the models of one run.
struct Tracer {
    run: RunId,
    parts: Vec<Part>,
    sum: Option<Sum>,
}

impl Tracer {
    /// Takes a leaf that was found to follow. `plan` is the run's, if it is open.
    fn leaf(
        &mut self,
        index: u64,
        body: &Body,
        proved: bool,
        plan: Option<&Plan>,
        lineage: &mut Lineage,
    ) {
        match body {
            Body::RunStarted(started) if RunId::derive(&started.plan, index) == self.run => {
                lineage.run = Some(self.run.to_string());
                lineage.plan = started.plan.to_string();
                if let Some(plan) = plan {
                    plan.text().name.clone_into(&mut lineage.name);
                    // Numbers and names always have a JSON form.
                    lineage.optimizer =
                        serde_json::to_value(plan.text().optimizer).unwrap_or_default();
                }
            }
            Body::RoundOpened(opened) if opened.run == self.run => self.parts.clear(),
            Body::Accepted(contribution) if contribution.run == self.run => {
                self.accepted(index, contribution);
            }
            Body::Closed(closed) if closed.run == self.run => self.closed(index, closed, plan),
            Body::Model(model) if model.run == self.run => {
                lineage.models.push(self.model(index, model, proved));
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
            | Body::Evidence(_)
            | Body::Paused(_)
            | Body::Recalled(_)
            | Body::Decision(_)
            | Body::LogKey(_)
            | Body::Contradiction(_) => {}
        }
    }

    fn accepted(&mut self, leaf: u64, contribution: &Contribution) {
        self.parts.push(Part {
            institution: contribution.institution.to_string(),
            leaf,
            vector: contribution.vector.to_string(),
        });
    }

    fn closed(&mut self, leaf: u64, closed: &Closed, plan: Option<&Plan>) {
        self.sum = Some(Sum {
            round: closed.round,
            leaf,
            sha256: closed.aggregate.to_string(),
            expected_tasks: plan.map_or(0.0, |plan| plan.expected_tasks(&closed.survivors)),
            contributions: std::mem::take(&mut self.parts),
        });
    }

    fn model(&mut self, leaf: u64, model: &Model, proved: bool) -> ModelStep {
        ModelStep {
            model: model.index,
            leaf,
            weights: model.theta.to_string(),
            master: model.master.to_string(),
            proved,
            sum: self.sum.take(),
        }
    }
}
