//! One release after the other, on both sides.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use ledger::population::{ChargeLine, Standing};
use ledger::record::{Contribution, Institution};

use super::report::{Difference, DifferenceKind as Is};
use super::{Acknowledged, Receipts, Release};
use crate::finding::Kind;
use crate::population::BankLedger;

/// What differs so far.
pub(super) struct Comparison<'a> {
    log: &'a Acknowledged,
    receipts: &'a Receipts,
    /// The ledger that released each release.
    released: BTreeMap<Release, String>,
    differences: Vec<Difference>,
}

/// A charge with the ledger that it stands in.
struct Charge<'a> {
    /// The ledger's directory.
    ledger: &'a str,
    leaf: u64,
    line: &'a ChargeLine,
    release: Release,
}

impl<'a> Comparison<'a> {
    pub(super) const fn new(log: &'a Acknowledged, receipts: &'a Receipts) -> Self {
        Self { log, receipts, released: BTreeMap::new(), differences: Vec::new() }
    }

    pub(super) fn into_differences(self) -> Vec<Difference> {
        self.differences
    }

    /// All ledgers, and then what the log has of their banks that none of them released.
    pub(super) fn ledgers(&mut self, ledgers: &[(String, BankLedger)]) {
        for (index, (name, ledger)) in ledgers.iter().enumerate() {
            self.key(name, ledger);
            for (other, earlier) in ledgers.iter().take(index) {
                self.forked((other, earlier), (name, ledger));
            }
            let earlier = ledgers.iter().take(index).map(|(_, ledger)| ledger);
            if earlier.into_iter().any(|other| same_ledger(other, ledger)) {
                // An older or newer copy: everything in it has been compared, or is under a fork.
                continue;
            }
            let longest = ledgers.iter().filter(|(_, other)| same_ledger(other, ledger));
            let longest = longest.max_by_key(|(_, other)| other.entries.len());
            if let Some((name, ledger)) = longest {
                self.charges(name, ledger);
            }
        }
        self.unreleased(ledgers);
    }

    /// The record key that the bank has in this log must have signed that the ledger is the bank's.
    fn key(&mut self, name: &str, ledger: &BankLedger) {
        let institution = self.institution(ledger);
        let enrolled = self.log.genesis.and_then(|genesis| ledger.state.enrolled().get(&genesis));
        let expected = "a ledger that the record key in the roster has signed for";
        let found = match (self.log.keys.get(institution), enrolled) {
            (Some(key), Some(enrolled)) if *key == enrolled.record_key => return,
            (Some(_), Some(_)) => "one that another key has signed for",
            (Some(_), None) => "one that is not enrolled in this consortium",
            (None, _) => "no such member",
        };
        self.bank(Is::OtherKey, institution, name, expected, found);
    }

    /// The bank as this log knows it; by the ledger's own word if it is not enrolled here.
    fn institution<'l>(&self, ledger: &'l BankLedger) -> &'l Institution {
        let genesis = self.log.genesis.as_ref();
        let enrolled = genesis.and_then(|genesis| ledger.state.enrolled().get(genesis));
        enrolled.map_or(&ledger.state.opened().institution, |enrolled| &enrolled.institution)
    }

    fn forked(&mut self, one: (&str, &BankLedger), two: (&str, &BankLedger)) {
        let ((name, one), (other, two)) = (one, two);
        if !same_ledger(one, two) || one.entries.iter().zip(&two.entries).all(|(a, b)| a == b) {
            return;
        }
        let at = one.entries.iter().zip(&two.entries).take_while(|(a, b)| a == b).count();
        let institution = self.institution(two);
        let expected = format!("the entries of {name}");
        self.bank(Is::LedgerForked, institution, other, expected, format!("another entry {at}"));
    }

    fn charges(&mut self, name: &str, ledger: &BankLedger) {
        let institution = self.institution(ledger);
        for (leaf, line) in ledger.state.charges() {
            let request = &line.reserved.request;
            if Some(request.consortium) != self.log.genesis {
                continue;
            }
            let release = (institution.clone(), request.run, request.round);
            let charge = Charge { ledger: name, leaf: *leaf, line, release };
            self.charge(&charge, ledger);
        }
    }

    fn charge(&mut self, charge: &Charge<'_>, ledger: &BankLedger) {
        let accepted = self.log.accepted.get(&charge.release);
        if charge.line.released().is_some() {
            let earlier = self.released.insert(charge.release.clone(), charge.ledger.to_owned());
            if let Some(earlier) = earlier {
                let expected = format!("no release of this round beside that in {earlier}");
                self.add(Is::ReleasedTwice, charge, expected, "a second one");
            }
        }
        match (&charge.line.standing, accepted) {
            // What the log has without a release is found from the log's side.
            (Standing::Open | Standing::Voided { .. }, _) => {}
            (Standing::Released { .. }, None) => {
                self.add(Is::ReleasedWithoutAccepted, charge, "an accepted record", "none");
            }
            (Standing::Released { .. }, Some((index, contribution))) => {
                let expected = format!("the receipt of leaf {index}");
                self.add(Is::AcceptedNotAcknowledged, charge, expected, "none");
                self.contribution(charge, contribution, ledger);
            }
            (Standing::Acknowledged { index, receipt, .. }, accepted) => {
                let proved = self.receipts.get(receipt);
                let other = proved.filter(|(at, contribution)| {
                    at != index || release_of(contribution) != charge.release
                });
                if let Some((at, contribution)) = other {
                    let (expected, found) =
                        (name(*index, &charge.release), release_of(contribution));
                    self.add(Is::ReceiptOfAnotherRecord, charge, expected, name(*at, &found));
                }
                match accepted {
                    Some((at, contribution)) => {
                        if at != index {
                            let expected = format!("the accepted record at leaf {at}");
                            self.add(Is::OtherLeaf, charge, expected, format!("leaf {index}"));
                        }
                        self.contribution(charge, contribution, ledger);
                    }
                    // With the receipt at hand, the omission has been reported from the receipt.
                    None if proved.is_some() => {}
                    None => {
                        let found = format!("no such record; receipt {receipt} not shown");
                        self.add(
                            Is::AcknowledgedNotInLog,
                            charge,
                            format!("the accepted record at leaf {index}"),
                            found,
                        );
                    }
                }
            }
        }
    }

    /// What was sent must be what was charged and released, under the head that the header blinds.
    fn contribution(&mut self, charge: &Charge<'_>, sent: &Contribution, ledger: &BankLedger) {
        let request = &charge.line.reserved.request;
        let vector = charge.line.released().map(|(_, vector)| vector);
        let same = [
            ("vector", vector == Some(sent.vector)),
            ("plan", request.plan == sent.plan),
            ("model", request.model == sent.model),
            ("charge", request.charge == sent.charge),
        ];
        for (what, _) in same.iter().filter(|(_, same)| !same) {
            let expected = format!("the {what} that was released");
            self.add(Is::OtherContribution, charge, expected, format!("another {what} in the log"));
        }
        if ledger.heads.get(&charge.leaf) != Some(&sent.ledger_head) {
            let expected = format!("the head {} of the header, opened", sent.ledger_head);
            self.add(Is::HeadNotCommitted, charge, expected, "another head or nonce");
        }
    }

    /// What the log has of the banks whose ledgers were given, and none of their ledgers released.
    fn unreleased(&mut self, ledgers: &[(String, BankLedger)]) {
        let given: BTreeSet<&Institution> =
            ledgers.iter().map(|(_, ledger)| self.institution(ledger)).collect();
        for (release, (index, contribution)) in &self.log.accepted {
            if !given.contains(&release.0) || self.released.contains_key(release) {
                continue;
            }
            let place = format!("leaf {index} of the log");
            let finding = Kind::Tampered.at(place, "a release in the bank's ledger", "none");
            self.differences.push(Difference::of(
                Is::AcceptedWithoutRelease,
                contribution,
                finding,
            ));
        }
    }

    fn bank(
        &mut self,
        kind: Is,
        institution: &Institution,
        place: &str,
        expected: impl Display,
        found: impl Display,
    ) {
        let finding = Kind::Tampered.at(place, expected, found);
        let (name, run) = (institution.to_string(), String::new());
        self.differences.push(Difference::about(kind, name, run, None, finding));
    }

    fn add(&mut self, kind: Is, charge: &Charge<'_>, expected: impl Display, found: impl Display) {
        let (institution, run, round) = &charge.release;
        let place = format!("{}: entry {}, round {round}", charge.ledger, charge.leaf);
        let finding = Kind::Tampered.at(place, expected, found);
        let (name, run) = (institution.to_string(), run.to_string());
        self.differences.push(Difference::about(kind, name, run, Some(*round), finding));
    }
}

/// Whether both are copies of one ledger, of any age.
fn same_ledger(one: &BankLedger, two: &BankLedger) -> bool {
    one.entries.first() == two.entries.first()
}

fn release_of(contribution: &Contribution) -> Release {
    (contribution.institution.clone(), contribution.run, contribution.round)
}

fn name(leaf: u64, (institution, run, round): &Release) -> String {
    format!("leaf {leaf}, {institution} in round {round} of run {run}")
}
