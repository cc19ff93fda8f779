//! Revocation and reload while connections live.

use rustls::version::TLS13;
use tonic::Code;
use wire::{Connection, Error, Role, tls::ServerMaterial};

use crate::world::{CONSORTIUM, DAY_MS, Node, Served, World, days, soon, until};

async fn open(world: &World, served: &Served, node: &Node) -> Connection {
    let connection = served.open(&world.member(node)).await.unwrap();
    soon(connection.renew(vec![])).await.unwrap();
    connection
}

fn reload(world: &World, served: &Served, node: &Node, crl: &[u8]) -> Result<(), Error> {
    served.acceptor.reload(&ServerMaterial {
        ca: world.authority.certificate(),
        certificate: &node.issued.certificate,
        key: &node.key,
        crl,
    })
}

#[tokio::test]
async fn revoking_an_institution_ends_its_connections_and_leaves_the_others() {
    let world = World::new();
    let served = world.serve().await;
    let bad = open(&world, &served, &world.bank("bad")).await;
    let again = open(&world, &served, &world.bank("bad")).await;
    let good = open(&world, &served, &world.bank("good")).await;
    let (mut bad_log, mut good_log) =
        (soon(bad.follow(0)).await.unwrap(), soon(good.follow(0)).await.unwrap());

    assert_eq!(served.acceptor.revocations().revoke_institution("bad"), 2);

    // The stream that hung for ever ends, without anything being sent on it.
    assert!(matches!(soon(bad_log.next()).await, Err(Error::Transport(_))));
    until(|| served.acceptor.connections().count() == 1).await;
    // Coming back shakes hands, since the list is not reissued yet, and is hung up on.
    assert!(soon(again.renew(vec![])).await.is_err());
    assert!(served.open(&world.member(&world.bank("bad"))).await.is_err());

    soon(good.renew(vec![])).await.unwrap();
    let still = tokio::select! {
        biased;
        ended = good_log.next() => panic!("{ended:?}"),
        told = good.renew(vec![]) => told,
    };
    still.unwrap();
}

#[tokio::test]
async fn a_readmitted_institution_comes_back_but_not_with_a_revoked_serial() {
    let world = World::new();
    let served = world.serve().await;
    let old = world.bank("north");
    let revocations = served.acceptor.revocations();
    revocations.revoke_institution("north");
    revocations.revoke_serials([old.issued.serial.clone()]);
    revocations.readmit_institution("north");
    assert!(served.open(&world.member(&old)).await.is_err());
    open(&world, &served, &world.bank("north")).await;
}

#[tokio::test]
async fn revoking_a_serial_ends_only_the_connections_of_that_certificate() {
    let world = World::new();
    let served = world.serve().await;
    let (old, new) = (world.bank("north"), world.bank("north"));
    let _old = open(&world, &served, &old).await;
    let new = open(&world, &served, &new).await;
    assert_eq!(served.acceptor.revocations().revoke_serials([old.issued.serial.clone()]), 1);
    soon(new.renew(vec![])).await.unwrap();
    assert!(served.open(&world.member(&old)).await.is_err());
}

#[tokio::test]
async fn a_check_names_the_revoked_only() {
    let world = World::new();
    let served = world.serve().await;
    let _bad = open(&world, &served, &world.bank("bad")).await;
    let _good = open(&world, &served, &world.bank("good")).await;
    let peers = served.acceptor.connections().peers();
    let revocations = served.acceptor.revocations();
    revocations.revoke_institution("bad");
    let verdicts: Vec<_> = peers
        .iter()
        .map(|peer| revocations.check(peer.certificate.as_ref().unwrap()).is_ok())
        .collect();
    assert_eq!(verdicts, [false, true]);
}

#[tokio::test]
async fn a_new_list_ends_the_connections_that_it_names() {
    let world = World::new();
    let served = world.serve().await;
    let (bad, good) = (world.bank("bad"), world.bank("good"));
    let dead = open(&world, &served, &bad).await;
    let alive = open(&world, &served, &good).await;
    let mut log = soon(dead.follow(0)).await.unwrap();

    let server = world.coordinator(CONSORTIUM, &["127.0.0.1"]);
    reload(&world, &served, &server, &world.crl(&[&bad.issued.serial])).unwrap();

    assert!(soon(log.next()).await.is_err());
    let refused = served.open(&world.member(&bad)).await;
    assert!(matches!(refused, Err(Error::Tls(rustls::Error::AlertReceived(_)))), "{refused:?}");
    soon(alive.renew(vec![])).await.unwrap();
}

#[tokio::test]
async fn a_new_server_certificate_is_shown_from_the_next_handshake_on() {
    let world = World::new();
    let served = world.serve().await;
    let bank = world.bank("north");
    let before = open(&world, &served, &bank).await;
    let server = world.coordinator(CONSORTIUM, &["localhost"]);
    reload(&world, &served, &server, &world.crl(&[])).unwrap();
    let config = world.foreign_client(&[&TLS13], &["h2"], Some(&bank));
    let stream = served.handshake(&config).await.unwrap();
    let shown = stream.get_ref().1.peer_certificates().unwrap();
    assert_eq!(shown[0].as_ref(), server.issued.certificate);
    soon(before.renew(vec![])).await.unwrap();
}

#[tokio::test]
async fn material_that_does_not_fit_changes_nothing() {
    let world = World::new();
    let served = world.serve().await;
    let mut wrong = world.coordinator(CONSORTIUM, &["127.0.0.1"]);
    wrong.key = world.bank("north").key;
    assert!(reload(&world, &served, &wrong, &world.crl(&[])).is_err());
    let right = world.coordinator(CONSORTIUM, &["127.0.0.1"]);
    assert!(reload(&world, &served, &right, b"no list").is_err());
    open(&world, &served, &world.bank("north")).await;
}

#[tokio::test]
async fn a_certificate_that_runs_out_on_a_live_connection_is_refused_at_the_next_call() {
    let world = World::new();
    let served = world.serve().await;
    let node = world.node(Role::Bank, "north", days(-1, 2));
    let connection = open(&world, &served, &node).await;
    world.clock.advance_ms(2 * DAY_MS);
    soon(connection.renew(vec![])).await.unwrap();
    world.clock.advance_ms(1000);
    let refused = soon(connection.renew(vec![])).await.unwrap_err();
    let Error::Status(status) = refused else { panic!("{refused:?}") };
    assert_eq!(status.code(), Code::Unauthenticated);
    assert_eq!(status.message(), "certificate of bank north has expired");
}

#[tokio::test]
async fn a_connection_ends_with_its_certificate() {
    let world = World::new();
    let served = world.serve().await;
    let node = world.node(Role::Bank, "north", days(-1, 2));
    // Its last second has come when it connects.
    world.clock.advance_ms(2 * DAY_MS);
    let connection = open(&world, &served, &node).await;
    let mut log = soon(connection.follow(0)).await.unwrap();
    assert!(matches!(soon(log.next()).await, Err(Error::Transport(_))));
    until(|| served.acceptor.connections().count() == 0).await;
}
