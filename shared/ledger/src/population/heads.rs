//! What a contribution's header says of the ledger, and how an auditor is shown that it is true.

use super::ledger::{Answer, PopulationLedger};
use super::{LedgerError, Released, Violation};
use crate::digest::{Digest, Sha256, sha256};
use crate::log_store::LogStore;
use crate::record::Contribution;
use crate::tree::{Head, ProofError, root_at};

/// The ledger's head behind a contribution, with the nonce that blinded it in the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenedHead {
    /// The leaf of the reservation.
    pub reservation: u64,
    /// The head right after the Released entry.
    pub head: Head,
    /// What it was blinded with.
    pub nonce: [u8; 32],
}

impl<S: LogStore> PopulationLedger<S> {
    /// The header of a released contribution: the same, byte for byte, however often it is asked for.
    ///
    /// Its ledger head is the head right after the Released entry, blinded by
    /// [`head_nonce`](Self::head_nonce).
    ///
    /// # Errors
    ///
    /// If storage fails, or the token is of another ledger.
    pub fn contribution(&self, released: &Released) -> Answer<Contribution, S> {
        self.own(&released.ledger)?;
        let head = self.head_after(released.entry)?;
        let request = &released.request;
        let consortium = request.consortium;
        let enrolled = self.state().enrolled().get(&consortium);
        let enrolled = enrolled.ok_or(Violation::NotEnrolled(consortium))?;
        Ok(Contribution {
            run: request.run,
            round: request.round,
            plan: request.plan,
            model: request.model,
            institution: enrolled.institution.clone(),
            vector: released.vector,
            ledger_head: blinded_head(&self.head_nonce(released.index), &head),
            charge: request.charge,
        })
    }

    /// The nonce that blinds the head in the header of what was released under `reservation`; opened to
    /// auditors only.
    ///
    /// SHA-256 of the ledger key's signature, type "head-nonce", over the leaf of the reservation:
    /// nobody without the key can guess it, and a retry finds it again.
    pub fn head_nonce(&self, reservation: u64) -> [u8; 32] {
        let body = reservation.to_be_bytes();
        let signature = self.key().sign_body("head-nonce", &self.identity().genesis, &body);
        *sha256(signature.as_bytes()).as_bytes()
    }

    /// The head behind every release, opened.
    ///
    /// # Errors
    ///
    /// If storage fails.
    pub fn opened_heads(&self) -> Answer<Vec<OpenedHead>, S> {
        let mut opened = Vec::new();
        for (&reservation, line) in self.state().charges() {
            if let Some((entry, _)) = line.released() {
                let (head, nonce) = (self.head_after(entry)?, self.head_nonce(reservation));
                opened.push(OpenedHead { reservation, head, nonce });
            }
        }
        Ok(opened)
    }

    fn head_after(&self, entry: u64) -> Answer<Head, S> {
        let size = entry + 1;
        let root = root_at(self.store(), size).map_err(|error| match error {
            ProofError::Source(error) => LedgerError::Store(error),
            ProofError::OutOfRange { .. } => LedgerError::Moved(self.head()),
        })?;
        Ok(Head { size, root })
    }
}

/// SHA-256(`nonce` ‖ root ‖ size as 8 bytes big-endian): says nothing about the ledger until the
/// nonce is opened.
pub fn blinded_head(nonce: &[u8; 32], head: &Head) -> Digest {
    let mut hasher = Sha256::new();
    hasher.update(nonce);
    hasher.update(head.root.as_bytes());
    hasher.update(&head.size.to_be_bytes());
    hasher.finish()
}
