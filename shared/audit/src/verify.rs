//! The audit of one export, from files to figures.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use ledger::digest::Digest;
use ledger::record::Leaf;

use crate::blobs::Blobs;
use crate::cosignatures;
use crate::directory::Directory;
use crate::export::CHECKPOINT;
use crate::export::GENESIS;
use crate::finding::{Finding, Kind};
use crate::fold::Fold;
use crate::log::{self, Log};
use crate::receipts;
use crate::report::Report;
use crate::signed::each_leaf;

/// What the auditor knows from elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The consortium's genesis digest, by a way that does not lead through the operator.
    pub genesis: Option<Digest>,
    /// Files with receipts, which members give.
    pub receipts: Vec<PathBuf>,
    /// A file that says whose cosignatures are asked for (C2SP tlog-policy); without one nobody's are.
    pub policy: Option<PathBuf>,
}

/// Verifies the export in `directory`, replays every model bit for bit, and computes every ε anew.
///
/// The steps, in this order, up to the first that finds something wrong: file names; genesis and
/// anchor; checkpoint; root and tiles; receipts; the blobs' digests; then, leaf by leaf, rules, signatures, vectors,
/// sums and models. Blobs that are missing are the finding only if there is no other.
pub fn verify(directory: &Path, options: &Options) -> Report {
    verify_and_see(directory, options, &mut |_, _| ())
}

/// [`verify()`], which shows `seen` each leaf, with its index, once the leaf has been found to follow from those before it.
///
/// What `seen` gathers is to be used only if the report has no finding, or one of [`Kind::Incomplete`].
pub(crate) fn verify_and_see(
    directory: &Path,
    options: &Options,
    seen: &mut dyn FnMut(u64, &Leaf),
) -> Report {
    let mut report = Report { anchored: options.genesis.is_some(), ..Report::default() };
    report.finding = run(directory, options, &mut report, seen).err();
    report.verified = report.finding.is_none();
    report
}

fn run(
    path: &Path,
    options: &Options,
    report: &mut Report,
    seen: &mut dyn FnMut(u64, &Leaf),
) -> Result<(), Finding> {
    let policy = options.policy.as_deref().map(cosignatures::read_policy).transpose()?;
    let directory = Directory::open(path)?;
    let identity = log::identity(&directory)?;
    report.genesis = Some(identity.genesis.to_string());
    if let Some(expected) = options.genesis.filter(|expected| *expected != identity.genesis) {
        return Err(Kind::Tampered.at(GENESIS, expected, identity.genesis));
    }
    let log = Log::open(&directory, identity)?;
    report.records = log.head().size;
    for path in &options.receipts {
        receipts::check(path, &log)?;
        report.receipts += 1;
    }
    // Replaying may take hours; what a broken disk did is found in minutes.
    directory.check_blobs()?;
    let (mut fold, mut blobs) = (Fold::new(), Blobs::of(&directory));
    each_leaf(&log, |signed| {
        fold.leaf(signed, &mut blobs)?;
        log.check_anchor(signed.index, &signed.leaf)?;
        seen(signed.index, &signed.leaf);
        Ok(ControlFlow::Continue(()))
    })?;
    let signs = log.keys().newest();
    report.cosigned_by =
        cosignatures::check(log.checkpoint(), &signs, Some(fold.state()), policy.as_ref())?;
    let quorum = policy.map(|policy| cosignatures::judge(log.checkpoint(), &signs, &policy));
    report.quorum = quorum.transpose()?;
    let missing = blobs.finish()?;
    fold.report(report)?;
    if let Some(quorum) = report.quorum.as_ref().filter(|quorum| !quorum.met) {
        let by = quorum.cosigned_by.join(", ");
        let found = if by.is_empty() { "nobody's".to_owned() } else { format!("those of {by}") };
        return Err(Kind::Incomplete.at(CHECKPOINT, "the policy's quorum of cosignatures", found));
    }
    missing.map_or(Ok(()), Err)
}
