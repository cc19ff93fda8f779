//! Joining, and renewing a certificate.

use std::sync::Arc;

use ledger::digest::sha256;
use ledger::log_store::BlobStore;
use ledger::record::{Canonical, MemberAdded, MemberRotated};
use ledger::signing::PublicKey;
use round::decide::Request;
use tonic::Status;
use wire::authority::VerifiedRequest;
use wire::proto::{
    JoinRequest, JoinResponse, RenewRequest, RenewResponse, RotateRequest, RotateResponse,
};
use wire::tls::PeerCertificate;

use super::{Caller, Service, consortium, key_of, receipt, status_of};
use crate::error::Error;

impl<B: BlobStore + Clone + Send + Sync + 'static> Service<B> {
    /// Redeems an invitation: burn it for these keys, record the member, issue the certificate. A
    /// crash after any step is mended by the same call again.
    pub(super) async fn redeem(&self, request: JoinRequest) -> Result<JoinResponse, Status> {
        let invalid = |why: &dyn std::fmt::Display| Status::invalid_argument(why.to_string());
        let member = MemberAdded::decode(&request.member).map_err(|error| invalid(&error))?;
        let csr = VerifiedRequest::verify(&request.csr).map_err(|error| invalid(&error))?;
        if member.keys.institution.as_str() != request.institution {
            return Err(invalid(&"the member's keys name another institution"));
        }
        if member.keys.tls_key_digest.as_bytes() != &csr.key_digest() {
            return Err(invalid(&"the certificate request is made with another TLS key"));
        }
        let institution = member.keys.institution.clone();
        let (role, now) = (member.role, (self.clock)());
        // All that can be wrong with the keys is found before the invitation is bound to them.
        member.verify_proofs(&sha256(&self.genesis)).map_err(|error| invalid(&error))?;
        let keys = sha256(&member.keys.encode());
        self.invitations
            .redeem(&request.token, &institution, role, &keys, now)
            .map_err(|error| status_of(&error))?;
        let answer = self
            .sequencer
            .submit(Request::Admit(member), vec![], None)
            .await
            .map_err(|error| status_of(&error))?;
        let certificate = self
            .certificates
            .issue(&csr, &institution, role, now)
            .map_err(|error| status_of(&error))?;
        tracing::info!(%institution, "a member joined");
        Ok(JoinResponse {
            certificate: certificate.into(),
            ca: self.certificates.ca().to_vec().into(),
            genesis: self.genesis.to_vec().into(),
            receipt: Some(receipt(answer.receipt)?),
            log_key: self.log_key()?.as_bytes().to_vec().into(),
        })
    }

    /// Other keys for a member, on record, and the certificate for its TLS key. The answer may be lost after the record: so whoever still
    /// comes with the key before it may ask again for what is on record already.
    pub(super) async fn rotate(
        &self,
        certificate: &PeerCertificate,
        request: &RotateRequest,
    ) -> Result<RotateResponse, Status> {
        // The key of now, or that of just before.
        let caller = self.caller_with(certificate, |member, key| {
            let before = member.retired.last().map(|keys| keys.tls_key_digest);
            member.tls_key_digest == *key || before == Some(*key)
        })?;
        let invalid = |why: &dyn std::fmt::Display| Status::invalid_argument(why.to_string());
        let rotated = MemberRotated::decode(&request.rotated).map_err(|error| invalid(&error))?;
        let csr = VerifiedRequest::verify(&request.csr).map_err(|error| invalid(&error))?;
        if rotated.keys.institution != caller.institution {
            return Err(Status::permission_denied("the keys are of another institution"));
        }
        if rotated.keys.tls_key_digest.as_bytes() != &csr.key_digest() {
            return Err(invalid(&"the certificate request is made with another TLS key"));
        }
        let published = Arc::clone(&self.published.borrow());
        let member = consortium(&published)?.active(&caller.institution);
        if !member.is_some_and(|member| member.has(&rotated.keys)) {
            self.caller(certificate)?;
            let asked = self.sequencer.submit(Request::Rotate(rotated), vec![], None).await;
            asked.map_err(|error| status_of(&error))?;
            tracing::info!(institution = %caller.institution, "a member has other keys");
        }
        let certificate = self
            .certificates
            .issue(&csr, &caller.institution, caller.role, (self.clock)())
            .map_err(|error| status_of(&error))?;
        Ok(RotateResponse { certificate: certificate.into() })
    }

    fn log_key(&self) -> Result<PublicKey, Status> {
        Ok(consortium(&self.published.borrow())?.log_keys.newest().key)
    }

    /// A new certificate for the key that the roster names.
    pub(super) fn reissue(
        &self,
        caller: &Caller,
        request: &RenewRequest,
    ) -> Result<RenewResponse, Status> {
        let csr = VerifiedRequest::verify(&request.csr)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        let published = Arc::clone(&self.published.borrow());
        let member = consortium(&published)?.active(&caller.institution);
        if member.map(key_of) != Some(&csr.key_digest()) {
            return Err(Status::invalid_argument(
                "expected a request made with the TLS key in the roster, got another key",
            ));
        }
        let certificate = self
            .certificates
            .issue(&csr, &caller.institution, caller.role, (self.clock)())
            .map_err(|error: Error| status_of(&error))?;
        Ok(RenewResponse { certificate: certificate.into() })
    }
}
