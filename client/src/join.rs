//! Joining a consortium with an invitation.

use std::time::Duration;

use ledger::checkpoint::LogIdentity;
use ledger::digest::Digest;
use ledger::record::{
    Body, Canonical as _, Institution, Member, MemberAdded, MemberKeys, Role as MemberRole,
};
use ledger::signing::PublicKey;
use wire::proto::{JoinRequest, JoinResponse};
use wire::tls::{ClientTls, Clock};
use wire::{Connection, Invitation, Role};

use crate::ClientError;
use crate::joined::Joined;
use crate::keys::Keys;
use crate::receipts::receipt_of;
use crate::state_dir::StateDir;

/// Joins the consortium that `invitation` names, or finds that the node has joined it already.
///
/// The keys are made here and kept before anything is sent, so a retry after a lost answer comes
/// with the same keys and gets the same answer. Nothing that comes back is believed before it is
/// proved: CA and Genesis by their pins, the Member record by the log's receipt.
///
/// # Errors
///
/// [`ClientError::OtherConsortium`] if the node belongs to another, [`ClientError::Unproven`] if
/// the answer does not prove what it must, [`ClientError::Wire`] with the coordinator's reason.
pub async fn join(
    state: &StateDir,
    invitation: &Invitation,
    clock: Clock,
    progress: Duration,
) -> Result<Joined, ClientError> {
    let identity = invitation.identity();
    if Joined::exists(state) {
        let joined = Joined::load(state)?;
        let same = joined.genesis_digest().as_bytes() == identity.consortium()
            && joined.institution().as_str() == identity.institution();
        return if same { Ok(joined) } else { Err(ClientError::OtherConsortium) };
    }
    let keys = Keys::load_or_create(state)?;
    let added = member(invitation, &keys)?;
    let tls = ClientTls::join(*invitation.ca_digest(), *identity.consortium(), clock)?;
    let connection = Connection::open(invitation.endpoint(), &tls, progress).await?;
    let request = JoinRequest {
        token: invitation.token().as_bytes().to_vec().into(),
        institution: identity.institution().to_owned(),
        csr: keys.tls.csr()?.into(),
        member: added.encode().into(),
    };
    let joined = verified(connection.join(request).await?, invitation, added)?;
    // The certificate must fit the key before it is kept.
    joined.tls(&keys.tls, wire::tls::system_clock())?;
    joined.save(state)?;
    Ok(joined)
}

fn member(invitation: &Invitation, keys: &Keys) -> Result<MemberAdded, ClientError> {
    let identity = invitation.identity();
    let role = match identity.role() {
        Role::Bank => MemberRole::Bank,
        Role::Auditor => MemberRole::Auditor,
        Role::Operator | Role::Coordinator => {
            return Err(ClientError::Unproven("nobody is invited in this role".to_owned()));
        }
    };
    let institution = Institution::new(identity.institution())
        .map_err(|error| ClientError::Unproven(error.to_string()))?;
    let member = MemberKeys {
        institution,
        tls_key_digest: Digest::from_bytes(keys.tls.digest()),
        record_key: keys.record.public(),
        cosign_key: keys.cosign.public(),
    };
    let genesis = Digest::from_bytes(*identity.consortium());
    Ok(MemberAdded::prove(member, role, &keys.record, &keys.cosign, &genesis))
}

/// The membership, if every part of the answer is proved.
fn verified(
    answer: JoinResponse,
    invitation: &Invitation,
    added: MemberAdded,
) -> Result<Joined, ClientError> {
    let unproven = |what: &str| ClientError::Unproven(what.to_owned());
    let joined = Joined::new(
        invitation.endpoint(),
        invitation.identity(),
        answer.genesis.to_vec(),
        answer.ca.to_vec(),
        answer.certificate.to_vec(),
    )?;
    if joined.genesis().ca_digest.as_bytes() != invitation.ca_digest() {
        return Err(unproven("the CA certificate is not the one that the invitation names"));
    }
    let receipt = receipt_of(&answer.receipt.ok_or_else(|| unproven("no receipt came"))?)?;
    // Whether that key is the log's is found out when the log is followed from leaf 0.
    let key = <[u8; 32]>::try_from(answer.log_key.as_ref());
    let key = key.map_err(|_| unproven("the key of the receipt's checkpoint is none"))?;
    let log = LogIdentity { key: PublicKey::from_bytes(key), ..joined.log() };
    let proven = receipt
        .verify::<Body>(&log)
        .map_err(|error| ClientError::Unproven(format!("the receipt: {error}")))?;
    let expected = Body::Member(Member::Added(added));
    if *proven.leaf.body() != expected || *proven.leaf.author() != joined.genesis().operator_key {
        return Err(unproven("the receipt is of another record"));
    }
    Ok(joined)
}
