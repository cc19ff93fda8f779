//! Errors as the wire says them. This is the one place where an error becomes a status.

use round::Refusal;
use tonic::Status;

use crate::error::Error;

/// What a caller is told. Storage and files are the operator's matter: the caller learns that it
/// should try again, the log of the coordinator why.
pub(crate) fn status_of(error: &Error) -> Status {
    match error {
        Error::Refused(refusal) => refused(refusal),
        Error::Usage(text) => Status::permission_denied(text.clone()),
        Error::NotFound(text) => Status::not_found(text.clone()),
        Error::Daemon { message, .. } => Status::unavailable(message.clone()),
        Error::Wire(error) => Status::invalid_argument(error.to_string()),
        Error::File { .. } | Error::Storage(_) | Error::Damaged(_) => {
            tracing::error!(%error, "a request failed");
            Status::unavailable("the coordinator cannot record this now: try again")
        }
    }
}

fn refused(refusal: &Refusal) -> Status {
    let text = refusal.to_string();
    match refusal {
        Refusal::NotABank(_) | Refusal::NotAMember(_) | Refusal::NotInCohort(_) => {
            Status::permission_denied(text)
        }
        Refusal::Record(_) | Refusal::Plan(_) | Refusal::ForeignPlan => {
            Status::invalid_argument(text)
        }
        Refusal::UnknownPlan | Refusal::UnknownRun(_) | Refusal::UnknownParticipant(_) => {
            Status::not_found(text)
        }
        Refusal::Limit { .. } => Status::resource_exhausted(text),
        Refusal::NameTaken(_)
        | Refusal::SharedKey(_)
        | Refusal::FoundedAlready
        | Refusal::PlanHasRun(_)
        | Refusal::Contradiction(_) => Status::already_exists(text),
        Refusal::NotFounded
        | Refusal::RunOpen(_)
        | Refusal::TooLate { .. }
        | Refusal::WrongRound(_)
        | Refusal::Mismatch(_)
        | Refusal::Stale
        | Refusal::NoContradiction(_)
        | Refusal::Rules(_)
        | Refusal::WrongPhase(_) => Status::failed_precondition(text),
    }
}
