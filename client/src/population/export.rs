//! The ledger as an auditor gets it.

use std::path::Path;

use ledger::population::OpenedHead;
use serde_json::json;

use super::Population;
use crate::ClientError;

impl Population {
    /// Writes the ledger to `directory`, which must not exist yet, and returns the number of its entries.
    ///
    /// ```text
    /// genesis      the exact bytes of leaf 0, by which the ledger is named
    /// checkpoint   the head, signed by the ledger's own key
    /// tile/…       leaves and hashes, as in a consortium's export
    /// heads.json   for each release the head that its header blinded, and the nonce
    /// ```
    ///
    /// No vectors, keys or rows; it says what was charged for every consortium, so it is for an auditor and not for other banks.
    ///
    /// # Errors
    ///
    /// [`ClientError::Export`] if there is something at the place, or it cannot be written.
    pub fn export(&self, directory: &Path) -> Result<u64, ClientError> {
        let failed = |error: audit::export::ExportError| ClientError::Export(error.to_string());
        let heads = self.ledger.opened_heads().map_err(ClientError::ledger)?;
        let heads = heads.iter().map(opened).collect::<Vec<_>>();
        let heads = serde_json::to_vec_pretty(&json!({ "heads": heads }))
            .map_err(|error| ClientError::Export(error.to_string()))?;
        let checkpoint = ledger::checkpoint::SignedCheckpoint::sign(
            &self.ledger.identity().genesis,
            self.ledger.head(),
            self.ledger.key(),
        );
        let checkpoint = checkpoint.map_err(|error| ClientError::Export(error.to_string()))?;
        let leaves = audit::export::leaves_of(self.ledger.store());
        audit::export::write_population(directory, leaves, checkpoint.text(), &heads)
            .map_err(failed)
    }
}

fn opened(opened: &OpenedHead) -> serde_json::Value {
    let nonce = ledger::digest::Digest::from_bytes(opened.nonce);
    json!({
        "reservation": opened.reservation,
        "size": opened.head.size,
        "root": opened.head.root.to_string(),
        "nonce": nonce.to_string(),
    })
}
