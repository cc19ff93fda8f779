//! How long a coordinator takes for a round: a real coordinator process on loopback, members that
//! joined by invitation, and contributions that were made before the round.

mod figures;
mod full;
mod machine;
mod members;
mod paper;
mod prepare;

use std::path::{Path, PathBuf};

pub(crate) use figures::Figures;
use ledger::digest::Digest;
use round::Plan;

use crate::cli::BenchOptions;
use crate::consortium::Consortium;
use crate::error::SandboxError;
use machine::Usage;
use members::Member;

/// Rounds before those that are measured; and the one whose opening ends the last of them.
const MARGIN: u32 = 2;

/// A directory that is gone when the benchmark ends.
struct Workplace(PathBuf);

impl Drop for Workplace {
    fn drop(&mut self) {
        // What cannot be erased is left to whoever cleans the temporary directory.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs the benchmark.
///
/// # Errors
///
/// [`SandboxError`] if a step fails.
pub(crate) fn run(options: &BenchOptions) -> Result<Figures, SandboxError> {
    let directory = options.directory.clone().unwrap_or_else(std::env::temp_dir);
    let place = Workplace(directory.join(format!("counterfoil-bench-{}", std::process::id())));
    let root = place.0.as_path();
    let mut consortium = Consortium::found(root, 0)?;
    let plan = paper::plan(options, consortium.genesis, options.rounds + MARGIN)?;
    for institution in plan.cohort() {
        let policy = paper::policy(&consortium.genesis, &plan);
        consortium.join(institution.as_str(), &policy, "path = \"none.csv\"\n")?;
    }
    consortium.approve(&plan)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| SandboxError::file(root, &error))?;
    let mut measured = measure(options, &consortium, &plan, &runtime)?;
    let genesis: Digest = consortium.genesis;
    measured.receipts = members::verify(&measured.members, &genesis)?;
    consortium.end()?;
    figures(options, root, measured)
}

/// What the rounds left behind.
struct Measured {
    members: Vec<Member>,
    receipts: usize,
    before: Usage,
    after: Usage,
    syncs: u64,
}

fn measure(
    options: &BenchOptions,
    consortium: &Consortium,
    plan: &Plan,
    runtime: &tokio::runtime::Runtime,
) -> Result<Measured, SandboxError> {
    let mut members = runtime.block_on(members::connect(consortium))?;
    let run = runtime.block_on(members::opened(&members))?;
    prepare::fill(&mut members, plan, run, options.rounds + 1)?;
    let process = consortium.coordinator_id();
    let (before, syncs) = (machine::usage(process), consortium.syncs()?);
    let members =
        runtime.block_on(members::play(members, options.rounds + 1, !options.without_models))?;
    let (after, syncs_after) = (machine::usage(process), consortium.syncs()?);
    let syncs = syncs_after.saturating_sub(syncs);
    Ok(Measured { members, receipts: 0, before, after, syncs })
}

fn figures(
    options: &BenchOptions,
    root: &Path,
    measured: Measured,
) -> Result<Figures, SandboxError> {
    let disk = machine::disk(root, options.dimension)?;
    let floor = machine::floor(options)?;
    let full = options.demo.as_deref().map(full::rounds).transpose()?;
    Ok(Figures::new(options, measured, disk, floor, full))
}
