//! A copy of the consortium's log for an auditor, over the network.

use std::path::Path;

use ledger::digest::Digest;
use serde_json::json;
use wire::Connection;

use super::log::VerifiedLog;
use crate::cli::Output;
use crate::state_dir::StateDir;
use crate::{ClientError, Exit};

/// Writes the consortium's log and the blobs that the coordinator gives this member to `directory`, as an export.
///
/// The log is verified on the way, and its checkpoint has the cosignatures that the coordinator sends with it. Contributions are given
/// to auditors alone: a bank's copy is right, and incomplete.
///
/// # Errors
///
/// [`ClientError`] if the coordinator is not reached, the log is not right, or the directory cannot be written.
pub fn fetch(state: &Path, directory: &Path) -> Result<Output, ClientError> {
    let state = StateDir::open(state)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| ClientError::Internal(error.to_string()))?;
    let log = runtime.block_on(VerifiedLog::fetch(&state))?;
    let mut withheld = 0_u64;
    let records = {
        let leaves = audit::export::leaves_of(log.mirror.store());
        let leaves =
            leaves.map(|leaf| leaf.map_err(|error| ClientError::Internal(error.to_string())));
        let blob = |digest: &Digest| {
            let blob = runtime.block_on(given(&log.connection, digest))?;
            withheld += u64::from(blob.is_none());
            Ok(blob)
        };
        audit::export::write(directory, leaves, &log.note, blob)
            .map_err(|error| ClientError::Export(error.to_string()))?
    };
    let genesis = log.joined.genesis_digest().to_string();
    let shown = directory.display();
    let text = format!(
        "{records} records are in {shown}; {withheld} blobs that they name were not given\n\
         counterfoil-audit verify {shown} --genesis {genesis}"
    );
    let data = json!({
        "records": records, "withheld": withheld, "directory": directory, "genesis": genesis,
    });
    let exit = if withheld == 0 { Exit::Ok } else { Exit::Incomplete };
    Ok(Output { data, text, exit })
}

/// The blob with this digest; none if the coordinator does not have it, or not for this member.
async fn given(connection: &Connection, digest: &Digest) -> Result<Option<Vec<u8>>, ClientError> {
    match connection.fetch_blob(digest.as_bytes(), wire::limits::BLOB_BYTES_MAX).await {
        Ok(bytes) => Ok(Some(bytes)),
        Err(wire::Error::Status(status)) if status.code() == tonic::Code::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}
