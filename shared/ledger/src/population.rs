//! The bank's own ledger: one population, one lifetime budget, one log.
//!
//! The order is: charge, then compute, then keep, then send.
//!
//! 1. [`PopulationLedger::reserve`] charges a release, durably, before any row is touched. Only
//!    then is there a [`Reservation`].
//! 2. The release is computed under the reservation.
//! 3. [`PopulationLedger::release`] makes the noised bytes durable, then records that they may be
//!    sent. Only then is there a [`Released`], and only its digest may be sent, any number of times.
//! 4. [`PopulationLedger::acknowledge`] records that the coordinator's receipt is held.
//!
//! [`Reservation`], [`Interrupted`] and [`Released`] cannot be made otherwise, so code that asks for
//! one cannot run before the entry that it stands for is durable.
//!
//! # What a restart finds
//!
//! | crash | in the log | [`PopulationLedger::open_work`] |
//! |---|---|---|
//! | before the reservation is durable | nothing | nothing: nothing was charged, no row was read |
//! | after it, before the bytes are durable | Reserved | [`OpenWork::Recompute`]: nothing was sent |
//! | after the bytes, before Released is durable | Reserved | [`OpenWork::Recompute`]: nothing was sent; the bytes are an orphan |
//! | after Released, before or while sending | Released | [`OpenWork::Resend`]: the same bytes, whatever arrived before |
//! | after the receipt, before Acknowledged | Released | [`OpenWork::Resend`]: the coordinator answers with the same leaf |
//! | after Acknowledged | Acknowledged | nothing |
//!
//! A computation is started again at most [`RECOMPUTES_MAX`] times; after that the reservation stays
//! charged and unreleased for ever, unless an operator voids it. Voiding is never automatic and is
//! refused once the bytes were released.
//!
//! A restart sees to its own consortium's work alone.
//!
//! # Several writers
//!
//! The nodes of one bank, one in each consortium, may spend from one ledger on a
//! [shared store](crate::log_store::LogStore::hold). Each decision holds the store, reads and verifies
//! what others have appended, decides on that and appends; nothing decided on an older state is
//! written. Entries are signed by the ledger's own key. Before the first charge to a consortium the
//! bank's record key there signs that the ledger is the bank's ([`Enrolled`]).
//!
//! # The budget
//!
//! One RDP filter at one order, fixed by the cap before the charge that comes after it: a charge is
//! refused if the sum of all charges that were not voided, each addition rounded up, would exceed the
//! budget. The RDP of a release comes in as an argument: this crate counts and does not compute it.
//!
//! One run may be capped too. What its whole plan costs is fixed before it begins and stands in each of
//! its charges ([`RunTerms`]); a charge is refused if that is above the bank's cap for a run. It counts
//! whole, so no run becomes cheaper by being stopped, and it never stands in for the lifetime's filter.

mod entry;
mod error;
mod heads;
mod ledger;
mod sketch;
mod state;
mod token;

pub use entry::{
    Acknowledged, Cap, Enrolled, Entry, Opened, Recomputed, ReleasedEntry, ReserveRequest,
    Reserved, Resumed, RunTerms, Stopped, UnitRelation, Voided,
};
pub use error::{LedgerError, Violation};
pub use heads::{OpenedHead, blinded_head};
pub use ledger::PopulationLedger;
pub use sketch::{Sketch, SketchKey};
pub use state::{ChargeLine, Population, RECOMPUTES_MAX, Standing};
pub use token::{Interrupted, OpenWork, Released, Reservation, ReserveOutcome};
