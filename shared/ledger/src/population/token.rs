//! Proof that an entry is durable, for those who may act only then.

use super::entry::ReserveRequest;
use crate::digest::Digest;

/// A release is charged and may be computed, once.
///
/// Stands for one durable Reserved or Recomputed entry; only a [`PopulationLedger`] makes it, only
/// after that entry is durable. It can be read:
///
/// ```
/// use ledger::population::{Reservation, ReserveRequest};
/// fn charged(reservation: &Reservation) -> &ReserveRequest {
///     reservation.request()
/// }
/// ```
///
/// It cannot be made,
///
/// ```compile_fail,E0451
/// use ledger::digest::Digest;
/// use ledger::population::{Reservation, ReserveRequest};
/// fn forged(ledger: Digest, request: ReserveRequest) -> Reservation {
///     Reservation { ledger, index: 0, attempt: 0, request }
/// }
/// ```
///
/// nor used twice.
///
/// ```compile_fail,E0308
/// use ledger::population::Reservation;
/// fn twice(reservation: &Reservation) -> Reservation {
///     reservation.clone()
/// }
/// ```
///
/// [`PopulationLedger`]: super::PopulationLedger
#[derive(Debug)]
pub struct Reservation {
    pub(super) ledger: Digest,
    pub(super) index: u64,
    pub(super) attempt: u32,
    pub(super) request: ReserveRequest,
}

/// A release is charged, and its computation was interrupted: nothing was sent.
#[derive(Debug)]
pub struct Interrupted {
    pub(super) ledger: Digest,
    pub(super) index: u64,
    pub(super) request: ReserveRequest,
}

/// The noised bytes are durable and may be sent, as they are, any number of times.
///
/// Stands for a durable Released entry; only a [`PopulationLedger`] makes it. It says which bytes:
///
/// ```
/// use ledger::digest::Digest;
/// use ledger::population::Released;
/// fn sendable(released: &Released) -> &Digest {
///     released.vector()
/// }
/// ```
///
/// It cannot be made, so nothing that was not kept is sent:
///
/// ```compile_fail,E0451
/// use ledger::digest::Digest;
/// use ledger::population::{Released, ReserveRequest};
/// fn forged(ledger: Digest, request: ReserveRequest, vector: Digest) -> Released {
///     Released { ledger, index: 0, entry: 0, request, vector }
/// }
/// ```
///
/// [`PopulationLedger`]: super::PopulationLedger
#[derive(Debug)]
pub struct Released {
    pub(super) ledger: Digest,
    pub(super) index: u64,
    pub(super) entry: u64,
    pub(super) request: ReserveRequest,
    pub(super) vector: Digest,
}

/// What to do about a round that was asked for.
#[derive(Debug)]
pub enum ReserveOutcome {
    /// It is charged as of now: compute it.
    Compute(Reservation),
    /// It was charged before, and nothing was released: start again, or leave it.
    Interrupted(Interrupted),
    /// It was charged and released before: send the same bytes.
    Released(Released),
}

/// What a restart has to see to.
#[derive(Debug)]
pub enum OpenWork {
    /// Charged, not released: start the computation again if the round is still open.
    Recompute(Interrupted),
    /// Released, not acknowledged: send the same bytes.
    Resend(Released),
}

impl Reservation {
    /// The leaf of the reservation.
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// How often the computation was started before.
    pub const fn attempt(&self) -> u32 {
        self.attempt
    }

    /// What was charged.
    pub const fn request(&self) -> &ReserveRequest {
        &self.request
    }
}

impl Interrupted {
    /// The leaf of the reservation.
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// What was charged.
    pub const fn request(&self) -> &ReserveRequest {
        &self.request
    }
}

impl Released {
    /// The leaf of the reservation.
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// What was charged.
    pub const fn request(&self) -> &ReserveRequest {
        &self.request
    }

    /// SHA-256 of the bytes that may be sent.
    pub const fn vector(&self) -> &Digest {
        &self.vector
    }
}
