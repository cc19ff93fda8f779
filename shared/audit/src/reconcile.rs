//! Banks' own ledgers against the consortium's log.

mod compare;
mod report;

pub use report::{Difference, DifferenceKind, Fault, ReconciledRun, Reconciliation};

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use ledger::digest::Digest;
use ledger::record::{Body, Contribution, Institution, Leaf, Member, RunId};
use ledger::signing::PublicKey;

use crate::directory::Directory;
use crate::finding::{Finding, Kind};
use crate::log::{self, Log};
use crate::population::{self, BankLedger};
use crate::receipts;
use crate::report::Report;
use crate::verify::{Options, verify_and_see};
use compare::Comparison;

/// A release, as both sides name it.
pub(crate) type Release = (Institution, RunId, u32);

/// What the log says that a bank's ledger must agree with.
#[derive(Debug, Default)]
pub(crate) struct Acknowledged {
    /// SHA-256 of leaf 0.
    pub(crate) genesis: Option<Digest>,
    /// The record keys that each bank and auditor ever had: a ledger may be older than the newest.
    pub(crate) keys: BTreeMap<Institution, BTreeSet<PublicKey>>,
    /// Each accepted contribution with its leaf.
    pub(crate) accepted: BTreeMap<Release, (u64, Contribution)>,
}

/// What the receipts that were given prove, by the SHA-256 of the file.
pub(crate) type Receipts = BTreeMap<Digest, (u64, Contribution)>;

/// Compares the ledgers in `ledgers`, each as its bank exported it, with the log in `directory`.
///
/// Both sides are verified before they are compared: the log with [`verify()`](crate::verify()), each ledger with
/// [`verify_population`](crate::verify_population). A log that is only incomplete is compared all the same. Every difference is
/// listed; the finding is the gravest.
pub fn reconcile(directory: &Path, options: &Options, ledgers: &[PathBuf]) -> Reconciliation {
    let mut reconciliation =
        Reconciliation { anchored: options.genesis.is_some(), ..Default::default() };
    reconciliation.finding = run(directory, options, ledgers, &mut reconciliation).err();
    reconciliation.settle();
    reconciliation
}

fn run(
    directory: &Path,
    options: &Options,
    ledgers: &[PathBuf],
    reconciliation: &mut Reconciliation,
) -> Result<(), Finding> {
    let mut log = Acknowledged::default();
    // Receipts are compared below, one by one: an omission is a difference and does not hide the others.
    let without = Options { genesis: options.genesis, ..Options::default() };
    let report = verify_and_see(directory, &without, &mut |index, leaf| log.see(index, leaf));
    reconciliation.genesis.clone_from(&report.genesis);
    reconciliation.records = report.records;
    match report.finding.clone() {
        Some(finding) if finding.kind == Kind::Incomplete => reconciliation.missing = Some(finding),
        Some(finding) => return Err(finding),
        None => {}
    }
    let receipts = check_receipts(directory, &options.receipts, reconciliation)?;
    let read = read_ledgers(ledgers, &report, reconciliation)?;
    let mut comparison = Comparison::new(&log, &receipts);
    comparison.ledgers(&read);
    reconciliation.differences.extend(comparison.into_differences());
    Ok(())
}

impl Acknowledged {
    fn see(&mut self, index: u64, leaf: &Leaf) {
        if index == 0 {
            self.genesis = Some(leaf.digest());
        }
        if let Body::Member(member) = leaf.body() {
            let keys = match member {
                Member::Added(added) => Some(&added.keys),
                Member::Rotated(rotated) => Some(&rotated.keys),
                Member::Revoked(_) => None,
            };
            if let Some(keys) = keys {
                self.keys.entry(keys.institution.clone()).or_default().insert(keys.record_key);
            }
        }
        if let Body::Accepted(contribution) = leaf.body() {
            let Contribution { institution, run, round, .. } = contribution;
            let release = (institution.clone(), *run, *round);
            self.accepted.insert(release, (index, contribution.clone()));
        }
    }
}

/// What each receipt proves. One that the log does not bear out is a difference.
fn check_receipts(
    directory: &Path,
    paths: &[PathBuf],
    reconciliation: &mut Reconciliation,
) -> Result<Receipts, Finding> {
    let directory = Directory::open(directory)?;
    let log = Log::open(&directory, log::identity(&directory)?)?;
    let mut receipts = Receipts::new();
    for path in paths {
        let (_, proven, digest) = receipts::open(path, log.keys())?;
        let Body::Accepted(contribution) = proven.leaf.body() else {
            receipts::check(path, &log)?;
            continue;
        };
        receipts.insert(digest, (proven.index, contribution.clone()));
        match receipts::check(path, &log) {
            Ok(()) => reconciliation.receipts += 1,
            Err(finding) if matches!(finding.kind, Kind::Omission | Kind::SplitView) => {
                let kind = if finding.kind == Kind::Omission {
                    DifferenceKind::ReceiptNotInLog
                } else {
                    DifferenceKind::ReceiptUnderOtherHead
                };
                reconciliation.differences.push(Difference::of(kind, contribution, finding));
            }
            Err(finding) => return Err(finding),
        }
    }
    Ok(receipts)
}

fn read_ledgers(
    paths: &[PathBuf],
    log: &Report,
    reconciliation: &mut Reconciliation,
) -> Result<Vec<(String, BankLedger)>, Finding> {
    let mut read = Vec::new();
    for path in paths {
        let (report, ledger) = population::read(path, None);
        let place = path.display().to_string();
        let named =
            |finding: Finding| Finding { place: format!("{place}: {}", finding.place), ..finding };
        let Some(ledger) = ledger else {
            let unread = || Kind::Failure.at(&place, "a ledger", "none");
            return Err(report.finding.map_or_else(unread, named));
        };
        reconciliation.runs.extend(ReconciledRun::of(&report, log));
        read.push((place, ledger));
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use ledger::digest::Digest;
    use ledger::record::{Body, Institution, Member, MemberAdded, MemberKeys, MemberRotated};
    use ledger::record::{Record, Role};
    use ledger::signing::SigningKey;
    use ledger::time::Timestamp;
    use ring::rand::SystemRandom;

    use super::Acknowledged;

    fn key() -> SigningKey {
        SigningKey::generate(&SystemRandom::new()).unwrap().0
    }

    #[test]
    fn a_ledger_that_an_earlier_record_key_has_signed_for_is_the_banks_still() {
        let (old, new, cosign, operator) = (key(), key(), key(), key());
        let (north, genesis) = (Institution::new("north").unwrap(), Digest::from_bytes([1; 32]));
        let keys = |record: &SigningKey| MemberKeys {
            institution: north.clone(),
            record_key: record.public(),
            cosign_key: cosign.public(),
            tls_key_digest: Digest::ZERO,
        };
        let added = MemberAdded::prove(keys(&old), Role::Bank, &old, &cosign, &genesis);
        let rotated = MemberRotated::prove(keys(&new), &old, &new, &cosign, &genesis);
        let mut seen = Acknowledged::default();
        for (index, member) in (1..).zip([Member::Added(added), Member::Rotated(rotated)]) {
            let body = Body::Member(member);
            let record = Record { at: Timestamp::from_millis(1), author: operator.public(), body };
            seen.see(index, &record.sign(&operator, &genesis).unwrap());
        }
        let held = seen.keys.get(&north).unwrap();
        assert!(held.contains(&old.public()) && held.contains(&new.public()));
        assert!(!held.contains(&cosign.public()));
    }
}
