use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ledger::record::Text;
use tracing::{info, warn};

use super::{Follows as _, Node, blocking, locked};
use crate::control::{Answer, Command, NodeStatus};
use crate::population::LedgerReport;
use crate::{ClientError, Exit, clock, receipts};

/// The answer to a command.
pub(super) async fn answer(node: Option<Arc<Node>>, command: Command) -> Answer {
    let Some(node) = node else {
        return Answer::Failed {
            exit_code: Exit::Failure.code(),
            message: "the node is ending".to_owned(),
        };
    };
    let answered = blocking(move || match command {
        Command::Status {} => Ok(Answer::Status(Box::new(status(&node)?))),
        Command::Ledger {} => {
            Ok(Answer::Ledger(Box::new(LedgerReport::of(&*node.fresh_population()?)?)))
        }
        Command::Receipts {} => {
            Ok(Answer::Receipts(receipts::verify_all(&node.follower.state, &node.mirror())?))
        }
        Command::Void { reservation, reason } => void(&node, reservation, &reason),
        Command::Export { directory } => export(&node, &directory),
        Command::Stop { reason } => stop(&node, &reason),
        Command::Resume { reason } => resume(&node, &reason),
        Command::Shutdown {} => {
            info!("told to end");
            node.follower.ending.notify_one();
            Ok(Answer::Done {})
        }
    });
    answered.await.unwrap_or_else(|error| Answer::Failed {
        exit_code: error.exit().code(),
        message: error.to_string(),
    })
}

fn stop(node: &Node, reason: &str) -> Result<Answer, ClientError> {
    let reason = text(reason)?;
    // Held back at once, also while the ledger is written.
    node.halted.store(true, Ordering::SeqCst);
    node.stopped.send_replace(true);
    let mut population = node.population();
    population.refresh()?;
    if population.ledger.state().stopped().is_none() {
        warn!(%reason, "stopped: nothing is released from here on");
        population.ledger.stop(clock::now(), reason).map_err(ClientError::ledger)?;
    }
    // From here on the ledger says so. Were it not written, the node would hold back until it is told to go on.
    node.halted.store(false, Ordering::SeqCst);
    Ok(Answer::Done {})
}

/// Gives a reservation back. A computation under way under it comes to nothing: its bytes are not kept.
fn void(node: &Node, reservation: u64, reason: &str) -> Result<Answer, ClientError> {
    node.population().void(reservation, reason, clock::now())?;
    info!(reservation, reason, "given back");
    node.wake();
    Ok(Answer::Done {})
}

fn export(node: &Node, directory: &Path) -> Result<Answer, ClientError> {
    let entries = node.fresh_population()?.export(directory)?;
    info!(entries, directory = %directory.display(), "the ledger is exported");
    Ok(Answer::Exported { entries })
}

fn resume(node: &Node, reason: &str) -> Result<Answer, ClientError> {
    let reason = text(reason)?;
    let mut population = node.population();
    population.refresh()?;
    if population.ledger.state().stopped().is_some() {
        info!(%reason, "resumed");
        population.ledger.resume(clock::now(), reason).map_err(ClientError::ledger)?;
    }
    node.halted.store(false, Ordering::SeqCst);
    node.stopped.send_replace(false);
    drop(population);
    node.wake();
    Ok(Answer::Done {})
}

fn text(reason: &str) -> Result<Text<256>, ClientError> {
    Text::new(reason).map_err(|error| ClientError::Usage(error.to_string()))
}

fn status(node: &Node) -> Result<NodeStatus, ClientError> {
    let stopped = node.fresh_population()?.ledger.state().stopped().map(ToString::to_string);
    let status = node.follower.status();
    let open = node.mirror().facts().open_round();
    let troubles = locked(&node.trouble);
    let told = troubles.working.as_ref().or(troubles.rows.as_ref()).cloned();
    Ok(NodeStatus {
        expected: open.is_some_and(|round| round.expects_us),
        stopped,
        trouble: told.or(status.trouble),
        ledger_confirmed_by: Some(node.confirmed.accepted),
        second_place: node.confirmed.second_place.clone(),
        ..status
    })
}
