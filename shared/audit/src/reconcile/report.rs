//! What banks' ledgers and the log say differently, and who is at fault.

use ledger::record::Contribution;
use privacy::Interval;
use serde::Serialize;

use crate::finding::{Finding, Kind};
use crate::population::PopulationReport;
use crate::report::Report;

/// What came of comparing banks' ledgers with the log.
#[derive(Debug, Default, Serialize)]
pub struct Reconciliation {
    /// True if both sides verified and nothing differs that is anybody's fault.
    pub reconciled: bool,
    /// The gravest thing that is wrong: of the log, of a ledger, or between them.
    pub finding: Option<Finding>,
    /// The consortium's genesis digest, in hex.
    pub genesis: Option<String>,
    /// True if the caller named it.
    pub anchored: bool,
    /// How many records the log has.
    pub records: u64,
    /// How many receipts the log bears out.
    pub receipts: u64,
    /// Each run of each ledger: what was charged, and what the log acknowledges.
    pub runs: Vec<ReconciledRun>,
    /// Everything that differs, ordinary differences included.
    pub differences: Vec<Difference>,
    /// A blob that the log names and the export lacks; the comparison needs none.
    pub missing: Option<Finding>,
}

/// One run as a bank charged it and as the log acknowledges it.
#[derive(Debug, Serialize)]
pub struct ReconciledRun {
    /// The bank.
    pub institution: String,
    /// The population at the bank.
    pub population: String,
    /// The run, in hex.
    pub run: String,
    /// Rounds that are charged and were not given back.
    pub charged: u32,
    /// How many of these were released.
    pub released: u32,
    /// How many of the bank's contributions the log has.
    pub accepted: u32,
    /// The δ of both figures.
    pub delta: f64,
    /// What the charged rounds cost.
    pub epsilon_charged: Interval,
    /// What the acknowledged rounds cost; none if the log does not know the run.
    pub epsilon_acknowledged: Option<Interval>,
}

/// Something that a bank's ledger and the log say differently.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// What it is.
    pub kind: DifferenceKind,
    /// Whose fault it is.
    pub fault: Fault,
    /// The bank.
    pub institution: String,
    /// The run, in hex; empty if it is not about one.
    pub run: String,
    /// The round; none if it is not about one.
    pub round: Option<u32>,
    /// Where, what should be there and what is.
    pub finding: Finding,
    /// False for an ordinary difference, which is no fault.
    pub wrong: bool,
}

/// Which party a difference speaks against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// Nobody: it happens when a machine or a connection fails.
    Nobody,
    /// The bank.
    Bank,
    /// The consortium's operator, who holds the log's key.
    Operator,
    /// The bank or the operator: the bank's receipt decides.
    BankOrOperator,
}

/// Which difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DifferenceKind {
    /// Released, and never accepted: charged and not acknowledged.
    ReleasedWithoutAccepted,
    /// Accepted, and the bank has not written down that it holds the receipt.
    AcceptedNotAcknowledged,
    /// Accepted, and no ledger of the bank released it: what left the bank is not in its ledger.
    AcceptedWithoutRelease,
    /// The ledger says that it holds a receipt, and the log has no such record; the receipt was not shown.
    AcknowledgedNotInLog,
    /// The bank's receipt proves a record that the log does not have.
    ReceiptNotInLog,
    /// The bank's receipt was signed under a head that this log never had.
    ReceiptUnderOtherHead,
    /// The receipt that the ledger names proves something else than the ledger says.
    ReceiptOfAnotherRecord,
    /// The ledger says that the record is at another leaf.
    OtherLeaf,
    /// What was released is not what was sent: vector, plan, model or charge differ.
    OtherContribution,
    /// The opened head is not the one that the contribution's header commits to.
    HeadNotCommitted,
    /// The ledger is not one that the record key in the roster has signed for.
    OtherKey,
    /// Two exports of one ledger, neither of which continues the other.
    LedgerForked,
    /// Two ledgers of the bank released the same round.
    ReleasedTwice,
}

impl DifferenceKind {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReleasedWithoutAccepted => "released-without-accepted",
            Self::AcceptedNotAcknowledged => "accepted-not-acknowledged",
            Self::AcceptedWithoutRelease => "accepted-without-release",
            Self::AcknowledgedNotInLog => "acknowledged-not-in-log",
            Self::ReceiptNotInLog => "receipt-not-in-log",
            Self::ReceiptUnderOtherHead => "receipt-under-other-head",
            Self::ReceiptOfAnotherRecord => "receipt-of-another-record",
            Self::OtherLeaf => "other-leaf",
            Self::OtherContribution => "other-contribution",
            Self::HeadNotCommitted => "head-not-committed",
            Self::OtherKey => "other-key",
            Self::LedgerForked => "ledger-forked",
            Self::ReleasedTwice => "released-twice",
        }
    }

    /// Whose fault it is, and with which exit code the comparison ends; none if it is nobody's.
    pub const fn verdict(self) -> (Fault, Option<Kind>) {
        match self {
            Self::ReleasedWithoutAccepted | Self::AcceptedNotAcknowledged => (Fault::Nobody, None),
            Self::AcceptedWithoutRelease
            | Self::ReceiptOfAnotherRecord
            | Self::OtherContribution
            | Self::HeadNotCommitted
            | Self::OtherKey
            | Self::ReleasedTwice => (Fault::Bank, Some(Kind::Tampered)),
            Self::OtherLeaf => (Fault::BankOrOperator, Some(Kind::Tampered)),
            // Without the receipt it is the bank's word, which proves nothing.
            Self::AcknowledgedNotInLog => (Fault::BankOrOperator, Some(Kind::Incomplete)),
            Self::ReceiptNotInLog => (Fault::Operator, Some(Kind::Omission)),
            Self::ReceiptUnderOtherHead => (Fault::Operator, Some(Kind::SplitView)),
            Self::LedgerForked => (Fault::Bank, Some(Kind::SplitView)),
        }
    }
}

impl Fault {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nobody => "nobody's fault",
            Self::Bank => "the bank's fault",
            Self::Operator => "the operator's fault",
            Self::BankOrOperator => "the bank's or the operator's fault: its receipt decides",
        }
    }
}

impl Difference {
    /// A difference about the release that `contribution` is.
    pub(crate) fn of(kind: DifferenceKind, contribution: &Contribution, finding: Finding) -> Self {
        let Contribution { institution, run, round, .. } = contribution;
        Self::about(kind, institution.to_string(), run.to_string(), Some(*round), finding)
    }

    /// A difference; the finding's kind becomes that of `kind`.
    pub(crate) fn about(
        kind: DifferenceKind,
        institution: String,
        run: String,
        round: Option<u32>,
        finding: Finding,
    ) -> Self {
        let (fault, code) = kind.verdict();
        let finding = Finding { kind: code.unwrap_or(finding.kind), ..finding };
        Self { kind, fault, institution, run, round, finding, wrong: code.is_some() }
    }
}

impl ReconciledRun {
    /// The runs of the consortium in a ledger's report, beside what the log acknowledges.
    pub(crate) fn of(ledger: &PopulationReport, log: &Report) -> Vec<Self> {
        let ours = |consortium: &str| log.genesis.as_deref() == Some(consortium);
        let charged = ledger.runs.iter().filter(|run| ours(&run.consortium));
        let enrolled = ledger.consortia.iter().find(|of| ours(&of.consortium));
        let institution = enrolled.map_or(&ledger.institution, |of| &of.institution);
        let beside = charged.map(|charged| {
            let same = |of: &&crate::report::InstitutionReport| {
                of.run == charged.run && of.name == *institution
            };
            let acknowledged = log.institutions.iter().find(same);
            Self {
                institution: institution.clone(),
                population: ledger.population.clone(),
                run: charged.run.clone(),
                charged: charged.charged,
                released: charged.released,
                accepted: acknowledged.map_or(0, |of| of.rounds),
                delta: charged.delta,
                epsilon_charged: charged.epsilon,
                epsilon_acknowledged: acknowledged.map(|of| of.epsilon),
            }
        });
        beside.collect()
    }
}

impl Reconciliation {
    /// Makes the gravest difference the finding, unless one side did not even verify.
    pub(super) fn settle(&mut self) {
        let gravest = |kind: Kind| {
            let of = |difference: &&Difference| difference.wrong && difference.finding.kind == kind;
            self.differences.iter().find(of).map(|difference| difference.finding.clone())
        };
        if self.finding.is_none() {
            self.finding = [Kind::SplitView, Kind::Tampered, Kind::Omission, Kind::Incomplete]
                .into_iter()
                .find_map(gravest);
        }
        self.reconciled = self.finding.is_none();
    }

    /// The process's exit code: 0 if nothing differs that is anybody's fault.
    pub fn exit_code(&self) -> u8 {
        self.finding.as_ref().map_or(0, |finding| finding.kind.exit_code())
    }
}
