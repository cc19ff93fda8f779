use std::collections::BTreeSet;

use ledger::log_store::LogStore;
use ledger::population::{Interrupted, OpenWork, PopulationLedger, Released, ReserveRequest};
use ledger::record::RunId;

use crate::mirror::{Facts, OpenRound, OwnAccepted};

/// Rounds that the node has given up, by run and number: it said why when it did.
pub(super) type GivenUp = BTreeSet<(RunId, u32)>;

/// What there is to do.
#[derive(Debug)]
pub(super) enum Duty {
    /// The verified log holds our contribution: the copy itself gives the receipt.
    Acknowledge { released: Released, accepted: OwnAccepted },
    /// Released and not accepted yet: the same bytes again.
    Send { released: Released, round: OpenRound },
    /// Charged, and the computation was interrupted.
    Recompute { interrupted: Interrupted, round: OpenRound },
    /// A round waits for us and nothing is charged for it.
    Enter { round: OpenRound },
}

/// What to do next, from what is proved and what is durable: after a crash at any point the same
/// question gives the way on.
///
/// Work for other consortia is that of their nodes, which may spend from the same ledger.
///
/// A release whose round is over without it stays charged and is never sent again. A later round is
/// entered only after that: its opening stands in the log behind the Closed that omits the release,
/// and a release that is in the log is acknowledged before anything else is begun.
pub(super) fn next_duty<S: LogStore>(
    facts: &Facts,
    ledger: &PopulationLedger<S>,
    given_up: &GivenUp,
) -> Option<Duty> {
    if ledger.state().stopped().is_some() {
        return None;
    }
    let open = facts.open_round().filter(|round| round.expects_us);
    let is_open = |request: &ReserveRequest| {
        open.clone().filter(|round| {
            round.consortium == request.consortium
                && round.run == request.run
                && round.number == request.round
                && !given_up.contains(&(round.run, round.number))
        })
    };
    let genesis = facts.state().consortium.as_ref().map(|consortium| consortium.digest);
    let (mut send, mut recompute) = (None, None);
    let ours = genesis.map(|genesis| ledger.open_work(&genesis)).unwrap_or_default();
    for work in ours {
        match work {
            OpenWork::Resend(released) => {
                let request = released.request();
                let accepted = facts.accepted(&request.run, request.round);
                if let Some(accepted) = accepted {
                    return Some(Duty::Acknowledge { released, accepted });
                }
                if let Some(round) = is_open(request) {
                    send = Some(Duty::Send { released, round });
                }
            }
            OpenWork::Recompute(interrupted) => {
                if let Some(round) = is_open(interrupted.request()).filter(OpenRound::is_witnessed)
                {
                    recompute = Some(Duty::Recompute { interrupted, round });
                }
            }
        }
    }
    send.or(recompute).or_else(|| {
        let round = open.filter(OpenRound::is_witnessed)?;
        let charged = ledger.state().charges().values().any(|line| {
            let request = &line.reserved.request;
            let voided = matches!(line.standing, ledger::population::Standing::Voided { .. });
            !voided
                && request.consortium == round.consortium
                && request.run == round.run
                && request.round == round.number
        });
        let free = !charged && !given_up.contains(&(round.run, round.number));
        free.then_some(Duty::Enter { round })
    })
}
