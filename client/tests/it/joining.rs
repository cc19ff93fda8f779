//! Joining, again after a lost answer, and with an answer that proves nothing.

use std::os::unix::fs::PermissionsExt as _;

use client::joined::Joined;
use client::{ClientError, Exit};

use crate::coordinator::Fake;
use crate::world::Bank;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bank_joins_with_keys_of_its_own_and_a_retry_brings_the_same() {
    let fake = Fake::start().await;
    let bank = Bank::new("north");
    let joined = bank.join(&fake).await.unwrap();
    let keys = bank.keys();
    assert_eq!(joined.genesis_digest(), fake.genesis());
    for name in ["keys/tls.pem", "keys/record.pem", "keys/cosign.pem", "consortium.json"] {
        let mode = std::fs::metadata(bank.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    // As after a lost answer: nothing but the keys is there.
    std::fs::remove_file(bank.path().join("consortium.json")).unwrap();
    let again = bank.join(&fake).await.unwrap();
    assert_eq!(again.genesis_digest(), joined.genesis_digest());
    assert_eq!(bank.keys().record.public(), keys.record.public());
    assert_eq!(fake.core().state.consortium.as_ref().unwrap().members.len(), 1);
    // Once joined, nothing is asked any more.
    bank.join(&fake).await.unwrap();
    assert_eq!(Joined::load(&bank.state).unwrap().endpoint(), joined.endpoint());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_without_proof_leaves_the_node_where_it_was() {
    let fake = Fake::start().await;
    fake.core().faults.wrong_receipts = 1;
    let bank = Bank::new("north");
    let error = bank.join(&fake).await.unwrap_err();
    assert!(matches!(error, ClientError::Unproven(_)), "{error}");
    assert!(!Joined::exists(&bank.state));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invitation_to_another_consortium_is_refused() {
    let (fake, other) = (Fake::start().await, Fake::start().await);
    let bank = Bank::joined(&fake, "north").await;
    let error = bank.join(&other).await.unwrap_err();
    assert!(matches!(error, ClientError::OtherConsortium), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_coordinator_with_another_ca_than_was_pinned_is_not_talked_to() {
    let (fake, other) = (Fake::start().await, Fake::start().await);
    let bank = Bank::new("north");
    let (good, bad) = (fake.invitation("north"), other.invitation("north"));
    let mixed = wire::Invitation::new(
        good.endpoint(),
        *bad.ca_digest(),
        good.identity().clone(),
        good.token().clone(),
    )
    .unwrap();
    let progress = std::time::Duration::from_secs(10);
    let joining = client::join::join(&bank.state, &mixed, wire::tls::system_clock(), progress);
    let error = crate::world::soon(joining).await.unwrap_err();
    assert_eq!(error.exit(), Exit::Authentication, "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_others_can_read_is_refused() {
    let fake = Fake::start().await;
    let bank = Bank::joined(&fake, "north").await;
    let path = bank.path().join("keys/record.pem");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let error = bank.run().ended().await.unwrap_err();
    assert!(matches!(error, ClientError::Exposed { mode: 0o640, .. }), "{error}");
    assert!(error.remedy().unwrap().starts_with("chmod 600"));
}
