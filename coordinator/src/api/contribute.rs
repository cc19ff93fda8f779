//! One contribution, from its header to its receipt.

use std::sync::Arc;

use ledger::digest::sha256;
use ledger::log_store::{BlobStore, SmallBlob};
use ledger::record::{Body, Canonical, Contribution, Fault, Institution};
use ledger::signing::Signature;
use round::Plan;
use round::decide::{Request, decide};
use tonic::{Status, Streaming};
use wire::chunk::ContributionReader;
use wire::limits::{BLOB_BYTES_MAX, PROGRESS_TIMEOUT};
use wire::proto::{ContributeRequest, Receipt};

use super::{Service, receipt, signature, status_of};
use crate::error::Error;
use crate::sequencer::{Answer, Vector};

/// What a header alone decides.
enum Forecast {
    /// The vector is wanted.
    Wanted(Arc<Plan>),
    /// The log answers already: a retry, or a contradiction that goes on record.
    Settled,
}

impl<B: BlobStore + Clone + Send + Sync + 'static> Service<B> {
    /// Takes a contribution in. Nothing is recorded before its vector is whole, has the digest that
    /// the bank signed, lies within the public bound, and is durable.
    pub(super) async fn take(
        &self,
        caller: Institution,
        stream: Streaming<ContributeRequest>,
    ) -> Result<Receipt, Status> {
        let mut reader = ContributionReader::new(stream, PROGRESS_TIMEOUT);
        let header = reader.header().await?;
        let contribution = Contribution::decode(&header.contribution)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        if contribution.institution != caller {
            return Err(Status::permission_denied("the contribution names another institution"));
        }
        let signature = signature(&header.signature)?;
        let plan = match self.forecast(&contribution, signature)? {
            Forecast::Wanted(plan) => plan,
            Forecast::Settled => return self.record(contribution, signature, None).await,
        };
        let bytes = reader.vector(4 * plan.contribution_dimension() as u64, BLOB_BYTES_MAX).await?;
        let digest = sha256(&bytes);
        if digest != contribution.vector {
            return Err(Status::invalid_argument(format!(
                "expected a vector with digest {}, got {digest}",
                contribution.vector
            )));
        }
        if let Err(fault) = within_bound(&plan, &caller, &bytes) {
            return self.convict(contribution, signature, fault).await;
        }
        self.record(contribution, signature, Some(bytes)).await
    }

    /// What would become of the contribution now: no byte of its vector is taken in vain.
    fn forecast(
        &self,
        contribution: &Contribution,
        signature: Signature,
    ) -> Result<Forecast, Status> {
        let state = Arc::clone(&self.published.borrow().state);
        let request = Request::Contribute(contribution.clone(), signature);
        let drafts = decide(&state, (self.clock)(), request)
            .map_err(|refusal| status_of(&Error::Refused(refusal)))?;
        let wanted = drafts.iter().any(|draft| matches!(draft.body, Body::Accepted(_)));
        match state.run() {
            Some(run) if wanted => Ok(Forecast::Wanted(Arc::clone(&run.plan))),
            Some(_) | None => Ok(Forecast::Settled),
        }
    }

    /// Makes the vector durable and the contribution a record.
    async fn record(
        &self,
        contribution: Contribution,
        signature: Signature,
        bytes: Option<Vec<u8>>,
    ) -> Result<Receipt, Status> {
        let mut small = vec![];
        let vector = match bytes {
            None => None,
            Some(bytes) => Some(Vector {
                run: contribution.run,
                round: contribution.round,
                institution: contribution.institution.clone(),
                digest: contribution.vector,
                bytes: self.keep(bytes, &mut small).await?,
            }),
        };
        let institution = contribution.institution.clone();
        let request = Request::Contribute(contribution, signature);
        let Answer { receipt: proof, convicted } = self
            .sequencer
            .submit(request, small, vector)
            .await
            .map_err(|error| status_of(&error))?;
        if convicted {
            let refusal = round::Refusal::Contradiction(institution);
            return Err(status_of(&Error::Refused(refusal)));
        }
        receipt(proof)
    }

    /// A small vector is committed with its record; a large one is durable when this returns.
    async fn keep(&self, bytes: Vec<u8>, small: &mut Vec<SmallBlob>) -> Result<Vec<u8>, Status> {
        match SmallBlob::new(bytes) {
            Ok(blob) => {
                let bytes = blob.bytes().to_vec();
                small.push(blob);
                Ok(bytes)
            }
            Err(large) => {
                let blobs = self.blobs.clone();
                let put = move || blobs.put(&large.bytes).map(|_| large.bytes);
                let kept = tokio::task::spawn_blocking(put).await;
                kept.map_err(|_| Status::unavailable("the coordinator is stopping"))?
                    .map_err(|error| status_of(&Error::storage(&error)))
            }
        }
    }

    /// A vector that no honest bank sends goes on record, and is refused.
    async fn convict(
        &self,
        contribution: Contribution,
        signature: Signature,
        detail: String,
    ) -> Result<Receipt, Status> {
        let fault = Fault::OutOfBound;
        let text = detail.clone();
        let request = Request::Convict { fault, contribution, signature, detail };
        self.sequencer.submit(request, vec![], None).await.map_err(|error| status_of(&error))?;
        Err(Status::invalid_argument(text))
    }
}

/// Checks a vector against the bound that the bank clamps to.
fn within_bound(plan: &Plan, institution: &Institution, bytes: &[u8]) -> Result<(), String> {
    let (words, _) = bytes.as_chunks::<4>();
    let vector: Vec<i32> = words.iter().map(|word| i32::from_le_bytes(*word)).collect();
    let bound = plan.public_bound(institution).ok_or("not in the plan")?;
    bound.check(&vector).map_err(|error| error.to_string())
}
