//! The log, folded leaf by leaf: rules, replay and account.

use std::collections::BTreeSet;
use std::sync::Arc;

use ledger::record::{Body, Closed, Contradicted, Institution, Leaf};
use round::{State, Violation, apply, apply_signed};

use crate::account::{self, Account, Accountant, Certificates};
use crate::blobs::Blobs;
use crate::finding::{Finding, Kind};
use crate::replay::Replay;
use crate::report::{ConvictedLogKey, Conviction, Report, RoundMetrics};
use crate::signed::Verified;

/// The state of the consortium and all that is reported of it.
#[derive(Debug)]
pub(crate) struct Fold {
    state: State,
    replay: Option<Replay>,
    runs: Vec<Account>,
    models_replayed: u64,
    evidence: Vec<Conviction>,
    contradictions: Vec<(u64, Contradicted)>,
}

impl Fold {
    /// Before any leaf.
    pub(crate) fn new() -> Self {
        Self {
            state: State::empty(),
            replay: None,
            runs: Vec::new(),
            models_replayed: 0,
            evidence: Vec::new(),
            contradictions: Vec::new(),
        }
    }

    /// What the leaves so far add up to.
    pub(crate) const fn state(&self) -> &State {
        &self.state
    }

    /// How many models were computed from vectors that are all there.
    pub(crate) const fn models_replayed(&self) -> u64 {
        self.models_replayed
    }

    /// Folds the next leaf: it must follow from those before it, and so must the blobs it names.
    pub(crate) fn leaf(&mut self, signed: &Verified, blobs: &mut Blobs<'_>) -> Result<(), Finding> {
        let Verified { index, leaf, is_signed } = signed;
        let index = *index;
        if let Body::Closed(closed) = leaf.body() {
            self.check_survivors(index, closed)?;
        }
        let applied = if *is_signed {
            apply_signed(&mut self.state, leaf)
        } else {
            // The rules say what is wrong with it.
            apply(std::mem::take(&mut self.state), leaf).map(|after| self.state = after)
        };
        applied.map_err(|violation| broken(index, leaf, &violation))?;
        self.recompute(index, leaf.body(), blobs)?;
        self.account(index, leaf.body());
        Ok(())
    }

    /// A round's sum must be over exactly what was acknowledged in it. The fold checks it as well,
    /// but does not tell an omission from other breaches.
    fn check_survivors(&self, index: u64, closed: &Closed) -> Result<(), Finding> {
        let (Some(run), Some(round)) = (self.state.run(), self.state.round()) else {
            return Ok(());
        };
        let accepted: BTreeSet<_> = round.accepted.keys().cloned().collect();
        if run.id != closed.run || round.number != closed.round || accepted == closed.survivors {
            return Ok(());
        }
        let place = format!("leaf {index}, the survivors of round {}", closed.round);
        Err(Kind::Omission.at(place, names(&accepted), names(&closed.survivors)))
    }

    fn recompute(&mut self, index: u64, body: &Body, blobs: &mut Blobs<'_>) -> Result<(), Finding> {
        if let (Body::RunStarted(_), Some(run)) = (body, self.state.run()) {
            self.replay = Some(Replay::of(Arc::clone(&run.plan)));
        }
        let Some(replay) = &mut self.replay else { return Ok(()) };
        match body {
            Body::RoundOpened(_) => replay.opened(),
            Body::Accepted(contribution) => replay.accepted(index, contribution, blobs)?,
            Body::Closed(closed) => {
                let estimates = replay.closed(index, closed, blobs)?;
                let metrics =
                    estimates.map(|estimates| RoundMetrics { round: closed.round, estimates });
                if let Some(account) = self.runs.last_mut() {
                    account.metrics.extend(metrics);
                }
            }
            Body::Model(model) => {
                self.models_replayed += u64::from(replay.model(index, model, blobs)?);
            }
            Body::Abandoned(_) | Body::RunFinished(_) => self.replay = None,
            Body::Genesis(_)
            | Body::Member(_)
            | Body::PlanProposed(_)
            | Body::Approval(_)
            | Body::RunStarted(_)
            | Body::Extended(_)
            | Body::Evidence(_)
            | Body::Paused(_)
            | Body::Recalled(_)
            | Body::Decision(_)
            | Body::LogKey(_)
            | Body::Contradiction(_) => {}
        }
        Ok(())
    }

    fn account(&mut self, index: u64, body: &Body) {
        if let (Body::RunStarted(_), Some(run)) = (body, self.state.run()) {
            self.runs.push(Account::open(run.id, Arc::clone(&run.plan)));
        }
        if let Body::Evidence(evidence) = body {
            self.evidence.push(Conviction {
                institution: evidence.institution.to_string(),
                fault: evidence.fault.as_str().to_owned(),
                run: evidence.contribution.run.to_string(),
                round: evidence.contribution.round,
                leaf: index,
            });
        }
        if let Body::Contradiction(found) = body {
            self.contradictions.push((index, found.clone()));
        }
        // Runs follow each other, so every such record is about the last one.
        let Some(account) = self.runs.last_mut() else { return };
        account.take(body);
    }

    /// Writes what the whole log says into the report, every ε computed anew.
    pub(crate) fn report(self, report: &mut Report) -> Result<(), Finding> {
        report.runs = self.runs.iter().map(Account::report).collect();
        let mut accountant = Accountant::of(&self.runs, Certificates::default());
        report.institutions = accountant.institutions()?;
        report.totals = accountant.totals()?;
        report.shared = account::shared(&report.totals);
        report.models_replayed = self.models_replayed;
        report.evidence = self.evidence;
        let newest = self.state.consortium.as_ref().map(|c| c.log_keys.newest().key);
        let convicted = |(leaf, found): (u64, Contradicted)| ConvictedLogKey {
            log_key: found.log_key.to_string(),
            signs_now: newest == Some(found.log_key),
            smaller: found.smaller.head.size,
            larger: found.larger.head.size,
            by: found.institution.to_string(),
            leaf,
        };
        report.convicted_log_keys = self.contradictions.into_iter().map(convicted).collect();
        Ok(())
    }
}

fn broken(index: u64, leaf: &Leaf, violation: &Violation) -> Finding {
    let kind = ledger::record::Payload::kind(leaf.body());
    let place = format!("leaf {index}, {kind}");
    Kind::Tampered.at(place, "a record that follows from the log", violation)
}

fn names(institutions: &BTreeSet<Institution>) -> String {
    let names: Vec<_> = institutions.iter().map(Institution::as_str).collect();
    if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
}
