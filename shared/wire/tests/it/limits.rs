//! What the server takes on, and what it shakes off.

use std::time::Duration;

use rustls::version::TLS13;
use tokio::{io::AsyncReadExt as _, net::TcpStream};
use tonic::{Request, metadata::AsciiMetadataKey};
use wire::{Error, limits::STREAMS_MAX, tls::AcceptLimits};

use crate::{
    service::TestService,
    world::{CONSORTIUM, Served, World, hostile_call, serve_at, soon, until},
};

async fn serve(world: &World, limits: AcceptLimits) -> Served {
    world.serve_with(world.crl(&[]), limits, TestService::default()).await
}

/// Returns once the server has closed the connection.
async fn closed(mut socket: impl tokio::io::AsyncRead + Unpin) {
    let mut heard = vec![];
    let _ = soon(socket.read_to_end(&mut heard)).await;
}

#[tokio::test]
async fn silent_sockets_keep_nobody_waiting() {
    let world = World::new();
    let served = world.serve().await;
    let mut silent = vec![];
    for _ in 0..wire::limits::HANDSHAKES_PER_ADDRESS_MAX - 1 {
        silent.push(TcpStream::connect(served.address).await.unwrap());
    }
    let connection = served.open(&world.member(&world.bank("north"))).await.unwrap();
    soon(connection.renew(vec![])).await.unwrap();
}

#[tokio::test]
async fn a_silent_socket_is_closed_at_the_deadline() {
    let world = World::new();
    let handshake_timeout = Duration::from_millis(30);
    let served = serve(&world, AcceptLimits { handshake_timeout, ..AcceptLimits::default() }).await;
    closed(TcpStream::connect(served.address).await.unwrap()).await;
}

#[tokio::test]
async fn one_address_cannot_take_every_handshake() {
    let world = World::new();
    let limits = AcceptLimits {
        handshakes_per_address_max: 2,
        // So that only the place is what closes it.
        handshake_timeout: Duration::from_hours(1),
        ..AcceptLimits::default()
    };
    let served = serve(&world, limits).await;
    let first = TcpStream::connect(served.address).await.unwrap();
    let _second = TcpStream::connect(served.address).await.unwrap();
    closed(TcpStream::connect(served.address).await.unwrap()).await;
    drop(first);
    // The place is free again as soon as the server has noticed.
    let tls = world.member(&world.bank("north"));
    soon(async { while served.open(&tls).await.is_err() {} }).await;
}

#[tokio::test]
async fn an_institution_has_so_many_connections_and_others_theirs() {
    let world = World::new();
    let served =
        serve(&world, AcceptLimits { per_identity_max: 2, ..AcceptLimits::default() }).await;
    let tls = world.member(&world.bank("north"));
    let first = served.open(&tls).await.unwrap();
    let _second = served.open(&tls).await.unwrap();
    assert!(matches!(served.open(&tls).await, Err(Error::Transport(_))));
    served.open(&world.member(&world.bank("south"))).await.unwrap();
    drop(first);
    until(|| served.acceptor.connections().peers().len() < 3).await;
    soon(async { while served.open(&tls).await.is_err() {} }).await;
}

#[tokio::test]
async fn visitors_without_a_certificate_are_few_and_short() {
    let world = World::new();
    let limits = AcceptLimits { uncertified_max: 1, ..AcceptLimits::default() };
    let served = serve(&world, limits).await;
    let _first = served.open(&world.joining()).await.unwrap();
    assert!(matches!(served.open(&world.joining()).await, Err(Error::Transport(_))));
    served.open(&world.member(&world.bank("north"))).await.unwrap();

    let uncertified_life = Duration::from_millis(30);
    let served = serve(&world, AcceptLimits { uncertified_life, ..limits }).await;
    let config = world.foreign_client(&[&TLS13], &["h2"], None);
    closed(served.handshake(&config).await.unwrap()).await;
    until(|| served.acceptor.connections().count() == 0).await;
}

#[tokio::test]
async fn beyond_the_last_place_one_waits() {
    let world = World::new();
    let served =
        serve(&world, AcceptLimits { connections_max: 1, ..AcceptLimits::default() }).await;
    let first = served.open(&world.member(&world.bank("north"))).await.unwrap();
    let tls = world.member(&world.bank("south"));
    let mut second = std::pin::pin!(served.open(&tls));
    for _ in 0..100 {
        tokio::select! {
            biased;
            opened = &mut second => panic!("{opened:?}"),
            told = first.renew(vec![]) => drop(told.unwrap()),
        }
    }
    drop(first);
    second.await.unwrap();
}

#[tokio::test]
async fn one_connection_has_so_many_calls_at_once() {
    let world = World::new();
    let served = world.serve().await;
    let bank = world.bank("north");
    let connection = served.open(&world.member(&bank)).await.unwrap();
    let other = served.open(&world.member(&bank)).await.unwrap();
    let mut logs = vec![];
    for _ in 0..STREAMS_MAX {
        logs.push(soon(connection.follow(0)).await.unwrap());
    }
    let mut beyond = std::pin::pin!(connection.renew(vec![]));
    for _ in 0..20 {
        tokio::select! {
            biased;
            told = &mut beyond => panic!("{told:?}"),
            told = other.renew(vec![]) => drop(told.unwrap()),
        }
    }
    logs.pop();
    soon(beyond).await.unwrap();
}

#[tokio::test]
async fn headers_beyond_the_limit_are_refused() {
    let world = World::new();
    let served = world.serve().await;
    let channel = served.hostile_channel(&world, &world.bank("mallory")).await;
    for (count, fine) in [(100, true), (1000, false)] {
        let mut call = Request::new(tokio_stream::empty());
        for index in 0..count {
            let key = AsciiMetadataKey::from_bytes(format!("x-{index}").as_bytes()).unwrap();
            call.metadata_mut().insert(key, "x".parse().unwrap());
        }
        let refused = hostile_call(channel.clone(), call).await.unwrap_err();
        // Within the limit the service itself answers: it misses the header of a contribution.
        assert_eq!(refused.message().contains("expected the header"), fine, "{refused:?}");
    }
}

#[tokio::test]
async fn a_node_finds_a_coordinator_that_came_back() {
    let world = World::new();
    let served = world.serve().await;
    let connection = served.open(&world.member(&world.bank("north"))).await.unwrap();
    let Served { address, stop, task, .. } = served;
    stop.send(()).unwrap();
    soon(task).await.unwrap().unwrap();
    assert!(soon(connection.renew(vec![])).await.is_err());

    let server = world.coordinator(CONSORTIUM, &["127.0.0.1"]);
    let tls = world.server_tls(&server, &world.crl(&[]));
    let _served = serve_at(address, tls, AcceptLimits::default(), TestService::default()).await;
    soon(async { while connection.renew(vec![]).await.is_err() {} }).await;
}

#[tokio::test]
async fn stopping_ends_even_streams_that_never_end() {
    let world = World::new();
    let served = world.serve().await;
    let connection = served.open(&world.member(&world.bank("north"))).await.unwrap();
    let mut log = soon(connection.follow(0)).await.unwrap();
    let Served { address, acceptor, stop, task } = served;
    stop.send(()).unwrap();
    soon(task).await.unwrap().unwrap();
    assert!(soon(log.next()).await.is_err());
    until(|| acceptor.connections().count() == 0).await;
    assert!(TcpStream::connect(address).await.is_err());
}
