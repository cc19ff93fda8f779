//! Invitations in the wrong hands.

use conformance::consortium::Consortium;
use conformance::member::Member;
use conformance::raw::Raw;
use ledger::digest::Digest;
use ledger::record::{Canonical as _, Institution, MemberAdded, MemberKeys, Role};
use ledger::signing::SigningKey;
use tonic::{Code, Status};
use wire::proto::{JoinRequest, JoinResponse};
use wire::{Invitation, NodeKey};

/// Somebody with three keys and an invitation, not necessarily their own.
struct Guest {
    tls: NodeKey,
    record: SigningKey,
    cosign: SigningKey,
}

impl Guest {
    fn new() -> Self {
        let random = ring::rand::SystemRandom::new();
        let key = || SigningKey::generate(&random).unwrap().0;
        Self { tls: NodeKey::generate().unwrap(), record: key(), cosign: key() }
    }

    /// What an honest guest asks for.
    fn request(&self, invitation: &Invitation, role: Role) -> JoinRequest {
        let identity = invitation.identity();
        let keys = MemberKeys {
            institution: Institution::new(identity.institution()).unwrap(),
            tls_key_digest: Digest::from_bytes(self.tls.digest()),
            record_key: self.record.public(),
            cosign_key: self.cosign.public(),
        };
        let genesis = Digest::from_bytes(*identity.consortium());
        let member = MemberAdded::prove(keys, role, &self.record, &self.cosign, &genesis);
        JoinRequest {
            token: invitation.token().as_bytes().to_vec().into(),
            institution: identity.institution().to_owned(),
            csr: self.tls.csr().unwrap().into(),
            member: member.encode().into(),
        }
    }
}

/// The refusal of an attempt that must leave nothing.
async fn refused(consortium: &Consortium, door: &Raw, what: &str, request: JoinRequest) -> Status {
    let before = consortium.facts().await;
    let answer: Result<JoinResponse, Status> = door.join(request).await;
    let status = answer.err().unwrap_or_else(|| panic!("{what} was let in"));
    assert_eq!(consortium.facts().await, before, "{what} changed the log");
    status
}

#[tokio::test]
async fn an_invitation_lets_in_whom_it_names_once() {
    let consortium = Consortium::start().await;
    let known = Member::join(&consortium, "known", "bank").await;
    let door = Raw::stranger(&known).await;
    let (guest, thief) = (Guest::new(), Guest::new());
    let invitation = consortium.invite("east", "bank", 600).await;
    let honest = guest.request(&invitation, Role::Bank);
    let denied = Code::PermissionDenied;

    let unknown = JoinRequest { token: vec![7; 32].into(), ..honest.clone() };
    assert_eq!(refused(&consortium, &door, "an unknown token", unknown).await.code(), denied);
    let empty = JoinRequest { token: vec![].into(), ..honest.clone() };
    assert_eq!(refused(&consortium, &door, "no token", empty).await.code(), denied);
    let other = consortium.invite("west", "bank", 600).await;
    let token = other.token().as_bytes().to_vec().into();
    let swapped = JoinRequest { token, ..honest.clone() };
    let status = refused(&consortium, &door, "another's invitation", swapped).await;
    assert_eq!(status.code(), denied);
    let expired = consortium.invite("south", "bank", 0).await;
    let late = guest.request(&expired, Role::Bank);
    assert_eq!(refused(&consortium, &door, "an expired invitation", late).await.code(), denied);
    let bad = Code::InvalidArgument;
    let named = JoinRequest { institution: "west".to_owned(), ..honest.clone() };
    assert_eq!(refused(&consortium, &door, "two names", named).await.code(), bad);
    let csr = JoinRequest { csr: thief.tls.csr().unwrap().into(), ..honest.clone() };
    assert_eq!(refused(&consortium, &door, "a request with another key", csr).await.code(), bad);
    let noise = JoinRequest { csr: vec![1; 40].into(), ..honest.clone() };
    assert_eq!(refused(&consortium, &door, "a request of noise", noise).await.code(), bad);

    let first = door.join(honest.clone()).await.unwrap();
    let stolen = thief.request(&invitation, Role::Bank);
    let status = refused(&consortium, &door, "a used invitation", stolen).await;
    assert_eq!(status.code(), denied);
    let facts = consortium.facts().await;
    let again = door.join(honest).await.unwrap();
    let index = |answer: &JoinResponse| answer.receipt.as_ref().map(|receipt| receipt.index);
    assert_eq!(index(&again), index(&first), "a lost answer can be had again");
    assert_eq!(consortium.facts().await, facts);
}

#[tokio::test]
async fn nobody_joins_in_another_role_with_another_proof_or_with_keys_that_are_taken() {
    let consortium = Consortium::start().await;
    let known = Member::join(&consortium, "known", "bank").await;
    let door = Raw::stranger(&known).await;
    let guest = Guest::new();

    let invitation = consortium.invite("watch", "auditor", 600).await;
    let climbing = guest.request(&invitation, Role::Bank);
    let status = refused(&consortium, &door, "an auditor as a bank", climbing).await;
    assert_eq!(status.code(), Code::InvalidArgument);

    let invitation = consortium.invite("east", "bank", 600).await;
    let mut unproved = guest.request(&invitation, Role::Bank);
    let mut member = MemberAdded::decode(&unproved.member).unwrap();
    member.cosign_proof = member.record_proof;
    unproved.member = member.encode().into();
    let status = refused(&consortium, &door, "a key without proof", unproved).await;
    assert_eq!(status.code(), Code::InvalidArgument);

    let invitation = consortium.invite("north", "bank", 600).await;
    let shared = Guest { cosign: Guest::new().cosign, ..Guest::new() };
    door.join(shared.request(&invitation, Role::Bank)).await.unwrap();
    let invitation = consortium.invite("south", "bank", 600).await;
    let taken = Guest { tls: NodeKey::generate().unwrap(), ..shared };
    let status =
        refused(&consortium, &door, "another's keys", taken.request(&invitation, Role::Bank)).await;
    assert_eq!(status.code(), Code::AlreadyExists);
    let invitation = consortium.invite("known", "bank", 600).await;
    let usurper = Guest::new().request(&invitation, Role::Bank);
    let status = refused(&consortium, &door, "a name that is taken", usurper).await;
    assert_eq!(status.code(), Code::AlreadyExists);
}
