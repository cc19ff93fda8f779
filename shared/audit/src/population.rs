//! A bank's own ledger, as the bank exports it: read without trust in the bank.

use std::collections::BTreeMap;
use std::path::Path;

use ledger::checkpoint::LogIdentity;
use ledger::digest::{Digest, sha256};
use ledger::population::{
    Cap, ChargeLine, Enrolled, Entry, Population, ReserveRequest, Standing, blinded_head,
};
use ledger::record::{Charge, LEAF_BYTES_MAX, Leaf, RunId, TaskChange};
use ledger::tree::{Head, root_at};
use privacy::{
    Delta, Epsilon, Filter, Interval, Mechanism, NoiseMultiplier, Order, PrivacyError,
    PrivacyEvent, SamplingRate,
};
use serde::{Deserialize, Serialize};

use crate::cosignatures;
use crate::directory::Directory;
use crate::export::{GENESIS, HEADS};
use crate::finding::{Finding, Kind};
use crate::log::Log;

/// The most bytes of the file with the opened heads.
const HEADS_BYTES_MAX: usize = 64 << 20;

/// What a bank's ledger says, every figure computed anew.
#[derive(Debug, Default, Serialize)]
pub struct PopulationReport {
    /// Whether everything holds.
    pub verified: bool,
    /// What does not, if anything.
    pub finding: Option<Finding>,
    /// The digest of leaf 0, in hex.
    pub genesis: Option<String>,
    /// The ledger's own key, which signs its entries and head, in hex.
    pub key: Option<String>,
    /// The institution that registered the population, by its own word; see `consortia`.
    pub institution: String,
    /// The population's name at the bank.
    pub population: String,
    /// What is protected.
    pub unit: String,
    /// Which data sets are neighbours.
    pub relation: String,
    /// How many entries there are.
    pub entries: u64,
    /// Every cap, the earliest at the start.
    pub caps: Vec<f64>,
    /// The δ of the caps and of the spending.
    pub delta: Option<f64>,
    /// The order of the filter.
    pub order: Option<f64>,
    /// The ε that all charges together have spent at δ, by the filter.
    pub spent: f64,
    /// The consortia in which a record key has signed that this ledger is its bank's, in no order.
    pub consortia: Vec<EnrolledIn>,
    /// The runs, in no order.
    pub runs: Vec<ChargedRun>,
    /// What the header of each release must hold, by run and round.
    pub heads: Vec<BlindedHead>,
}

/// A consortium that the ledger is charged for. Whose ledger it is rests on the key: compare it with that consortium's roster.
#[derive(Debug, Serialize)]
pub struct EnrolledIn {
    /// The consortium's genesis digest, in hex.
    pub consortium: String,
    /// The bank's name there.
    pub institution: String,
    /// The record key that has signed for this ledger, in hex.
    pub record_key: String,
    /// The ε at the ledger's δ that the charges to this consortium would have spent alone, by the filter.
    pub spent_alone: f64,
}

/// What one run was charged.
#[derive(Debug, Serialize)]
pub struct ChargedRun {
    /// The consortium's genesis digest, in hex.
    pub consortium: String,
    /// The run, in hex.
    pub run: String,
    /// The digest of its plan, in hex.
    pub plan: String,
    /// How many rounds the plan has.
    pub rounds: u32,
    /// How many are charged and were not given back.
    pub charged: u32,
    /// How many of these were released.
    pub released: u32,
    /// How many of these the consortium acknowledged.
    pub acknowledged: u32,
    /// How many were given back.
    pub voided: u32,
    /// What the charged rounds cost, by the loss distribution.
    pub epsilon: Interval,
    /// What the whole plan costs.
    pub whole: Interval,
    /// What the ledger says that the whole plan costs. Never used: the figure above is the true one.
    pub logged: f64,
    /// What the bank let a run cost when it charged the last round.
    pub epsilon_max: f64,
    /// The δ of all of them.
    pub delta: f64,
}

/// The blinded head that a contribution's header must hold.
#[derive(Debug, Serialize)]
pub struct BlindedHead {
    /// The consortium's genesis digest, in hex.
    pub consortium: String,
    /// The run, in hex.
    pub run: String,
    /// The round.
    pub round: u32,
    /// The digest in the header, in hex.
    pub head: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Heads {
    heads: Vec<OpenedHead>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OpenedHead {
    reservation: u64,
    size: u64,
    root: String,
    nonce: String,
}

/// Verifies a bank's exported ledger: files, signed head, tree, every entry's signature and rules; and computes every cap's budget,
/// every charge and every run's ε anew from the mechanism's parameters alone. `genesis` is the ledger's digest, if it is known from
/// elsewhere.
pub fn verify_population(directory: &Path, genesis: Option<Digest>) -> PopulationReport {
    read(directory, genesis).0
}

/// A bank's ledger that verified.
#[derive(Debug)]
pub(crate) struct BankLedger {
    /// What its entries add up to.
    pub(crate) state: Population,
    /// The blinded head that the header of each release must hold, by the leaf of its reservation.
    pub(crate) heads: BTreeMap<u64, Digest>,
    /// The hash of every entry.
    pub(crate) entries: Vec<Digest>,
}

/// [`verify_population`], and the ledger itself if it verified.
pub(crate) fn read(
    directory: &Path,
    genesis: Option<Digest>,
) -> (PopulationReport, Option<BankLedger>) {
    let mut report = PopulationReport::default();
    let ledger = match run(directory, genesis, &mut report) {
        Ok(ledger) => Some(ledger),
        Err(finding) => {
            report.finding = Some(finding);
            None
        }
    };
    report.verified = ledger.is_some();
    (report, ledger)
}

impl PopulationReport {
    /// The process's exit code.
    pub fn exit_code(&self) -> u8 {
        self.finding.as_ref().map_or(0, |finding| finding.kind.exit_code())
    }
}

fn run(
    path: &Path,
    expected: Option<Digest>,
    report: &mut PopulationReport,
) -> Result<BankLedger, Finding> {
    let directory = Directory::open_population(path)?;
    let identity = identity(&directory)?;
    report.genesis = Some(identity.genesis.to_string());
    report.key = Some(identity.key.to_string());
    if let Some(expected) = expected.filter(|expected| *expected != identity.genesis) {
        return Err(Kind::Tampered.at(GENESIS, expected, identity.genesis));
    }
    let log = Log::open(&directory, identity)?;
    cosignatures::check(log.checkpoint(), &log.keys().newest(), None, None)?;
    report.entries = log.head().size;
    let state = fold(&log)?;
    let opened = state.opened();
    report.institution = opened.institution.to_string();
    report.population = opened.population.to_string();
    report.unit = opened.unit.to_string();
    report.relation = opened.relation.as_str().into();
    let filter = filter(&state)?;
    if let Some(filter) = &filter {
        report.caps = state.caps().iter().map(|(_, cap)| cap.epsilon()).collect();
        report.delta = Some(filter.delta().get());
        report.order = Some(filter.order().get());
        report.spent = filter.spent_epsilon(state.spent());
        for (leaf, line) in state.charges() {
            check_charge(filter, *leaf, &line.reserved.request)?;
        }
    }
    report.consortia = consortia(&state, filter.as_ref());
    report.runs = runs(&state)?;
    let heads = heads(&directory, &log, &state)?;
    let blinded = |(leaf, head): (&u64, &Digest)| {
        let request = &state.charges().get(leaf)?.reserved.request;
        let (run, head) = (request.run.to_string(), head.to_string());
        let consortium = request.consortium.to_string();
        Some(BlindedHead { consortium, run, round: request.round, head })
    };
    report.heads = heads.iter().filter_map(blinded).collect();
    let entries = (0..log.head().size).filter_map(|index| log.nodes().leaf(index)).collect();
    Ok(BankLedger { state, heads, entries })
}

fn identity(directory: &Directory) -> Result<LogIdentity, Finding> {
    let wrong = |found: &dyn std::fmt::Display| {
        Kind::Tampered.at(GENESIS, "a population's registration", found)
    };
    let bytes = directory.read(GENESIS, LEAF_BYTES_MAX)?;
    let leaf: Leaf<Entry> = Leaf::decode(bytes.as_slice()).map_err(|error| wrong(&error))?;
    if let Entry::Opened(_) = leaf.body() {
        Ok(LogIdentity { genesis: sha256(&bytes), key: *leaf.author() })
    } else {
        Err(wrong(&ledger::record::Payload::kind(leaf.body())))
    }
}

fn fold(log: &Log<'_>) -> Result<Population, Finding> {
    let genesis = log.keys().newest().genesis;
    let mut state: Option<Population> = None;
    for leaf in log.leaves() {
        let (index, bytes) = leaf?;
        let wrong = |found: &dyn std::fmt::Display| {
            let expected = "an entry that follows from the ledger";
            Kind::Tampered.at(format!("leaf {index}"), expected, found)
        };
        let leaf: Leaf<Entry> = Leaf::decode(bytes.as_slice()).map_err(|error| wrong(&error))?;
        let signed_over = if index == 0 { Digest::ZERO } else { genesis };
        leaf.verify_signature(&signed_over).map_err(|error| wrong(&error))?;
        let applied = if let Some(state) = &mut state {
            state.apply(leaf.record())
        } else {
            Population::open(&leaf).map(|opened| state = Some(opened))
        };
        applied.map_err(|violation| wrong(&violation))?;
    }
    state.ok_or_else(|| Kind::Tampered.at(GENESIS, "a population's registration", "no leaf"))
}

/// The filter of the last cap, once each cap's budget is what its ε and δ allow.
fn filter(state: &Population) -> Result<Option<Filter>, Finding> {
    let mut last = None;
    for (_, cap) in state.caps() {
        let place = format!("the cap of {}", cap.epsilon());
        let filter = filter_of(cap).map_err(|error| Kind::Tampered.at(&place, "a cap", error))?;
        if cap.budget() > filter.budget() {
            let expected = format!("a budget of at most {}", filter.budget());
            return Err(Kind::Tampered.at(place, expected, cap.budget()));
        }
        last = Some(filter);
    }
    Ok(last)
}

fn filter_of(cap: &Cap) -> Result<Filter, PrivacyError> {
    Filter::new(Epsilon::new(cap.epsilon())?, Delta::new(cap.delta())?, Order::new(cap.order())?)
}

fn check_charge(filter: &Filter, leaf: u64, request: &ReserveRequest) -> Result<(), Finding> {
    let cost = event(&request.charge, 1).and_then(|event| filter.cost(&event));
    let place = format!("leaf {leaf}, the charge of round {}", request.round);
    let cost = cost.map_err(|error| Kind::Failure.at(&place, "a divergence", error))?;
    if request.rdp >= cost {
        return Ok(());
    }
    Err(Kind::Tampered.at(place, format!("a divergence of at least {cost}"), request.rdp))
}

fn consortia(state: &Population, filter: Option<&Filter>) -> Vec<EnrolledIn> {
    let of = |(consortium, enrolled): (&Digest, &Enrolled)| EnrolledIn {
        consortium: consortium.to_string(),
        institution: enrolled.institution.to_string(),
        record_key: enrolled.record_key.to_string(),
        spent_alone: match (filter, state.spent_for(consortium)) {
            (Some(filter), spent) if spent > 0.0 => filter.spent_epsilon(spent),
            _ => 0.0,
        },
    };
    state.enrolled().iter().map(of).collect()
}

fn runs(state: &Population) -> Result<Vec<ChargedRun>, Finding> {
    let mut lines: BTreeMap<(Digest, RunId), Vec<&ChargeLine>> = BTreeMap::new();
    for line in state.charges().values() {
        let request = &line.reserved.request;
        lines.entry((request.consortium, request.run)).or_default().push(line);
    }
    lines.values().filter_map(|lines| charged_run(lines).transpose()).collect()
}

fn charged_run(lines: &[&ChargeLine]) -> Result<Option<ChargedRun>, Finding> {
    let Some(last) = lines.last() else { return Ok(None) };
    let request = &last.reserved.request;
    let count = |is: fn(&Standing) -> bool| {
        u32::try_from(lines.iter().filter(|line| is(&line.standing)).count()).unwrap_or(u32::MAX)
    };
    let voided = count(|standing| matches!(standing, Standing::Voided { .. }));
    let charged = count(|standing| !matches!(standing, Standing::Voided { .. }));
    let acknowledged = count(|standing| matches!(standing, Standing::Acknowledged { .. }));
    let waiting = count(|standing| matches!(standing, Standing::Released { .. }));
    let place = format!("run {}", request.run);
    let failed = |error: PrivacyError| Kind::Failure.at(&place, "a certificate", error);
    let terms = &request.terms;
    let delta = Delta::new(terms.delta()).map_err(failed)?;
    let cost = |rounds: u32| -> Result<Interval, PrivacyError> {
        let certificate = privacy::epsilon(&[event(&request.charge, rounds)?], delta)?;
        Ok(Interval { lower: certificate.epsilon_lower, upper: certificate.epsilon_upper })
    };
    let (epsilon, whole) = (cost(charged).map_err(failed)?, cost(terms.rounds()).map_err(failed)?);
    if terms.epsilon() < whole.lower {
        let expected = format!("a whole cost of at least {}", whole.lower);
        return Err(Kind::Tampered.at(place, expected, terms.epsilon()));
    }
    Ok(Some(ChargedRun {
        consortium: request.consortium.to_string(),
        run: request.run.to_string(),
        plan: request.plan.to_string(),
        rounds: terms.rounds(),
        charged,
        released: waiting + acknowledged,
        acknowledged,
        voided,
        epsilon,
        whole,
        logged: terms.epsilon(),
        epsilon_max: terms.epsilon_max(),
        delta: terms.delta(),
    }))
}

/// The heads behind the releases: each is one that the ledger had, and all releases have one.
fn heads(
    directory: &Directory,
    log: &Log<'_>,
    state: &Population,
) -> Result<BTreeMap<u64, Digest>, Finding> {
    let wrong =
        |expected: &str, found: &dyn std::fmt::Display| Kind::Tampered.at(HEADS, expected, found);
    let bytes = directory.read(HEADS, HEADS_BYTES_MAX)?;
    let opened: Heads = serde_json::from_slice(&bytes).map_err(|e| wrong("opened heads", &e))?;
    let released = state
        .charges()
        .iter()
        .filter_map(|(leaf, line)| line.released().map(|(entry, _)| (*leaf, entry + 1)));
    let released: Vec<_> = released.collect();
    if released.len() != opened.heads.len() {
        let expected = format!("{} heads, one for each release", released.len());
        return Err(wrong(&expected, &opened.heads.len()));
    }
    let mut blinded = BTreeMap::new();
    for (opened, (leaf, size)) in opened.heads.iter().zip(released) {
        let root = root_at(log.nodes(), size).map_err(|error| wrong("a head", &error))?;
        let nonce: Digest =
            opened.nonce.parse().map_err(|error| wrong("a nonce in hex", &error))?;
        let same =
            opened.reservation == leaf && opened.size == size && opened.root == root.to_string();
        if !same {
            let expected = format!("the head of {size} entries behind the release of leaf {leaf}");
            return Err(wrong(&expected, &format!("one of {} entries", opened.size)));
        }
        blinded.insert(leaf, blinded_head(nonce.as_bytes(), &Head { size, root }));
    }
    Ok(blinded)
}

/// A charge as the accountant sees it.
fn event(charge: &Charge, count: u32) -> Result<PrivacyEvent, PrivacyError> {
    let change = match charge.task_change() {
        TaskChange::Appears => privacy::TaskChange::Appears,
        TaskChange::Content => privacy::TaskChange::ContentChanges,
        TaskChange::TwoContents => privacy::TaskChange::TwoContentsChange,
    };
    Ok(PrivacyEvent {
        mechanism: Mechanism::PoissonGaussian {
            noise_multiplier: NoiseMultiplier::new(charge.noise_multiplier())?,
            sampling_rate: SamplingRate::new(charge.sampling_rate())?,
        },
        change,
        count: u64::from(count),
    })
}
