//! The demo: five fictional banks, one shared meta-initialization, one audit.

mod judge;
mod paper;

use std::path::{Path, PathBuf};

use coordinator::plan::{Changes, write};
use round::Plan;
use round::plan::Participant;

use crate::cli::DemoOptions;
use crate::consortium::Consortium;
use crate::error::SandboxError;
use crate::progress::Progress;
use crate::report::Report;
use crate::split::{Bank, CARD_HOLDERS, Role, write_banks};

/// The fictional banks' names, in the order of the split.
const NAMES: [&str; 5] = ["north", "east", "south", "west", "central"];
/// Customers to a bucket; the draft plan's nominal size.
const BUCKET: u32 = 30;

/// Runs the demo.
///
/// # Errors
///
/// [`SandboxError`] if a step fails. A failed audit is no error: it is the report's verdict.
pub(crate) fn run(options: &DemoOptions, terminal: bool) -> Result<Report, SandboxError> {
    let root = root(options)?;
    let mut progress = Progress::new(options.rounds, terminal);
    let data = root.join("data");
    std::fs::create_dir_all(&data).map_err(|error| SandboxError::file(&data, &error))?;
    progress.step("splitting 30,000 card holders of one real bank into fictional banks");
    let banks = write_banks(CARD_HOLDERS, &data)?;
    let training: Vec<&Bank> = banks.iter().filter(|bank| bank.role == Role::Training).collect();
    let training = &training[..training.len().min(options.banks as usize)];

    progress.step("founding the consortium: CA, keys, Genesis");
    let mut consortium = Consortium::found(&root, options.port)?;
    let plan = plan(options, &consortium, training)?;
    for (bank, name) in training.iter().zip(NAMES) {
        let policy = paper::policy(&consortium.genesis, options, &plan);
        consortium.join(name, &policy, &paper::data(&bank.path))?;
    }
    progress.step("joined by invitation; every bank checks the plan and signs it");
    let file = root.join("plan.toml");
    std::fs::write(&file, plan.bytes()).map_err(|error| SandboxError::file(&file, &error))?;
    consortium.approve(&plan)?;
    consortium.start_banks()?;
    consortium.train(&plan, &mut progress)?;
    let ledgers = consortium.ledgers()?;
    let states: Vec<PathBuf> = consortium.banks.iter().map(|bank| bank.state.clone()).collect();
    let genesis = consortium.genesis;
    let export = root.join("export");
    consortium.export_and_end(&export)?;

    progress.step("auditing the export: every signature, proof, epsilon and model again");
    let audit = judge::audit(&export, genesis, &states);
    progress.step("evaluating at the unseen bank, which is no member and has no process");
    let evaluation = judge::evaluate(options, &plan, &export, &audit, &banks)?;
    Ok(Report { plan, genesis, ledgers, audit, evaluation, directory: root })
}

/// Where everything goes: the folder that is to be kept, or a temporary one that is named at the end.
fn root(options: &DemoOptions) -> Result<PathBuf, SandboxError> {
    let root = match &options.keep {
        Some(directory) => {
            std::path::absolute(directory).map_err(|error| SandboxError::file(directory, &error))?
        }
        None => std::env::temp_dir().join(format!("counterfoil-demo-{}", std::process::id())),
    };
    if root.join("coordinator").exists() {
        return Err(SandboxError::Usage(format!(
            "{} holds a demo already: name another folder with --keep",
            root.display()
        )));
    }
    std::fs::create_dir_all(&root).map_err(|error| SandboxError::file(&root, &error))?;
    Ok(root)
}

/// The draft with this learner, cohort and seed, its noise calibrated.
fn plan(
    options: &DemoOptions,
    consortium: &Consortium,
    training: &[&Bank],
) -> Result<Plan, SandboxError> {
    let cohort = training
        .iter()
        .zip(NAMES)
        .map(|(bank, name)| Participant {
            institution: name.to_owned(),
            declared_units: u64::from(rounded(bank.card_holders, 100)),
            tasks: rounded(bank.card_holders, BUCKET) / BUCKET,
        })
        .collect();
    let changes = Changes {
        consortium: consortium.genesis,
        cohort,
        rounds: Some(options.rounds),
        epsilon: Some(options.epsilon),
    };
    let draft = paper::draft(options).map_err(|why| SandboxError::Usage(why.to_string()))?;
    Ok(write(&draft, &changes)?)
}

/// The nearest multiple.
const fn rounded(count: u32, to: u32) -> u32 {
    (count + to / 2) / to * to
}

/// The receipts that a bank holds.
fn receipts_of(state: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(state.join("receipts")).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "receipt"));
    files.sort();
    files
}
