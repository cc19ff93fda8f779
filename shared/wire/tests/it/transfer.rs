//! Blobs, contributions and updates over a real connection, and senders that break the rules.

use std::time::Duration;

use ledger::record::{Charge, Contribution, TaskChange};
use prost::bytes::Bytes;
use tokio_stream::StreamExt as _;
use tonic::{Code, Status};
use wire::{
    Connection, Error,
    chunk::{self, updates},
    limits::{CHUNK_BYTES_MAX, CHUNK_BYTES_MIN, MESSAGE_BYTES_MAX},
    proto::{BlobChunk, ContributeRequest, LogUpdate, contribute_request::Part},
    tls::AcceptLimits,
};

use crate::{
    release::Release,
    service::{TestService, header},
    world::{Served, World, hostile_contribute, soon},
};

type Change = fn(&mut Contribution);

fn noise(length: usize) -> Bytes {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..length).map(|_| next()).collect::<Vec<_>>().into()
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    ring::digest::digest(&ring::digest::SHA256, bytes).as_ref().try_into().unwrap()
}

async fn serving(service: TestService) -> (World, Served, Connection) {
    let world = World::new();
    let served = world.serve_with(world.crl(&[]), AcceptLimits::default(), service).await;
    let connection = served.open(&world.member(&world.bank("north"))).await.unwrap();
    (world, served, connection)
}

async fn fetched(blob: Vec<BlobChunk>, digest: &[u8; 32], limit: u64) -> Result<Vec<u8>, Error> {
    let (_world, _served, connection) =
        serving(TestService { blob, ..TestService::default() }).await;
    soon(connection.fetch_blob(digest, limit)).await
}

fn piece(length: u64, data: usize) -> BlobChunk {
    BlobChunk { length, data: noise(data) }
}

#[tokio::test]
async fn blobs_of_every_size_arrive() {
    for size in [0, 1, CHUNK_BYTES_MAX - 1, CHUNK_BYTES_MAX, CHUNK_BYTES_MAX + 1, 3 << 20] {
        let bytes = noise(size);
        let blob = chunk::blob(bytes.clone()).collect();
        let fetched = fetched(blob, &sha256(&bytes), size as u64).await;
        assert!(fetched.unwrap() == bytes, "{size}");
    }
}

#[tokio::test]
async fn another_blob_than_the_one_asked_for_is_refused() {
    let result = fetched(chunk::blob(noise(100)).collect(), &[1; 32], 100).await;
    let Err(Error::WrongDigest { expected, got }) = result else { panic!("{result:?}") };
    assert_eq!((expected, got), ([1; 32], sha256(&noise(100))));
}

#[tokio::test]
async fn blobs_that_break_a_rule_are_refused() {
    let max = CHUNK_BYTES_MAX;
    let cases: Vec<(&str, Vec<BlobChunk>)> = vec![
        ("blob must be at most 9000 bytes, got 9001", vec![piece(9001, 9001)]),
        ("blob must be at most 10 bytes, got 11", vec![piece(10, 11)]),
        ("transfer must be 8192 bytes, ended at 4096", vec![piece(8192, 4096)]),
        ("a piece that is not the last must be at least 4096 bytes, got 0", vec![piece(5, 0)]),
        ("expected a first piece, got the end", vec![]),
        ("expected a later piece, got a first piece", vec![piece(8192, 4096), piece(8192, 4096)]),
        (
            "a piece that is not the last must be at least 4096 bytes, got 0",
            vec![piece(8192, 4096), piece(0, 0)],
        ),
        ("a piece that is not the last must be at least 4096 bytes, got 1", vec![piece(8192, 1)]),
        ("blob must be at most 4096 bytes, got 4097", vec![piece(4096, 4096), piece(0, 1)]),
    ];
    for (expected, blob) in cases {
        let refused = fetched(blob, &[0; 32], 9000).await.unwrap_err().to_string();
        assert_eq!(refused, expected);
    }
    let huge = fetched(vec![piece(1 << 20, max + 1)], &[0; 32], 1 << 30).await.unwrap_err();
    assert_eq!(huge.to_string(), "piece must be at most 262144 bytes, got 262145");
    let lie = fetched(vec![piece(u64::MAX, 4096)], &[0; 32], u64::MAX).await.unwrap_err();
    assert_eq!(lie.to_string(), "blob must be at most 1073741824 bytes, got 18446744073709551615");
}

#[tokio::test]
async fn a_blob_that_stops_coming_is_given_up() {
    let service =
        TestService { blob: vec![piece(8192, 4096)], hang: true, ..TestService::default() };
    let (world, served, _) = serving(service).await;
    let tls = world.member(&world.bank("south"));
    let progress = Duration::from_millis(30);
    let connection = Connection::open(&served.address.to_string(), &tls, progress).await.unwrap();
    let result = soon(connection.fetch_blob(&[0; 32], 9000)).await;
    assert!(matches!(result, Err(Error::Stalled(stalled)) if stalled == progress), "{result:?}");
}

#[tokio::test]
async fn contributions_of_every_size_arrive() {
    let (_world, _served, connection) = serving(TestService::default()).await;
    for size in [0, 4, CHUNK_BYTES_MAX, CHUNK_BYTES_MAX + 4, 3 << 20] {
        let upload = Release::of(&noise(size)).upload(noise(size)).unwrap();
        let receipt = soon(connection.contribute(upload)).await.unwrap();
        assert!(receipt.leaf == noise(size), "{size}");
    }
}

#[tokio::test]
async fn a_coordinator_that_takes_nothing_is_given_up() {
    let (world, served, _) = serving(TestService { hang: true, ..TestService::default() }).await;
    let tls = world.member(&world.bank("south"));
    let progress = Duration::from_millis(30);
    let connection = Connection::open(&served.address.to_string(), &tls, progress).await.unwrap();
    let upload = Release::of(&noise(32 << 20)).upload(noise(32 << 20)).unwrap();
    let result = soon(connection.contribute(upload)).await;
    assert!(matches!(result, Err(Error::Stalled(_))), "{result:?}");
}

#[test]
fn nothing_is_sent_but_what_was_released() {
    let release = Release::of(&noise(8));
    assert!(release.upload(noise(8)).is_ok());
    let other = release.upload(noise(12)).unwrap_err();
    assert!(matches!(other, Error::WrongDigest { .. }), "{other}");

    let changes: [(&str, Change); 6] = [
        ("run", |c| c.run = [9; 32].into()),
        ("round", |c| c.round += 1),
        ("plan", |c| c.plan = [9; 32].into()),
        ("model", |c| c.model = [9; 32].into()),
        ("vector", |c| c.vector = [9; 32].into()),
        ("charge", |c| c.charge = Charge::new(9.0, 0.5, TaskChange::Content).unwrap()),
    ];
    for (field, change) in changes {
        let mut release = Release::of(&noise(8));
        change(&mut release.contribution);
        let refused = release.upload(noise(8)).unwrap_err();
        assert!(matches!(refused, Error::NotReleased(what) if what == field), "{refused}");
    }
}

fn head(length: u64) -> ContributeRequest {
    ContributeRequest { part: Some(Part::Header(header(length))) }
}

fn data(length: usize) -> ContributeRequest {
    ContributeRequest { part: Some(Part::Data(noise(length))) }
}

#[tokio::test]
async fn uploads_that_break_a_rule_are_refused_and_the_connection_lives() {
    let (world, served, _connection) = serving(TestService::default()).await;
    let channel = served.hostile_channel(&world, &world.bank("mallory")).await;
    let cases = [
        (Code::InvalidArgument, "ended at 4096", vec![head(8192), data(4096)]),
        (Code::InvalidArgument, "ended at 0", vec![head(8192)]),
        (Code::InvalidArgument, "expected the header, got the end", vec![]),
        (Code::InvalidArgument, "expected the header, got data", vec![data(4096)]),
        (Code::InvalidArgument, "got a second header", vec![head(8192), head(8192)]),
        (Code::InvalidArgument, "an empty message", vec![ContributeRequest { part: None }]),
        (Code::InvalidArgument, "at least 4096 bytes, got 1", vec![head(8192), data(1)]),
        (Code::ResourceExhausted, "at most 4 bytes, got 5", vec![head(4), data(5)]),
        (Code::ResourceExhausted, "at most 4096", vec![head(4096), data(4096), data(1)]),
        (Code::ResourceExhausted, "at most 262144", vec![head(1 << 20), data(CHUNK_BYTES_MAX + 1)]),
        (Code::ResourceExhausted, "at most 67108864", vec![head(u64::MAX), data(4096)]),
        (Code::OutOfRange, "", vec![head(1 << 24), data(MESSAGE_BYTES_MAX + 1)]),
    ];
    for (code, expected, messages) in cases {
        let refused = hostile_contribute(channel.clone(), tokio_stream::iter(messages)).await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.code(), code, "{refused:?}");
        assert!(refused.message().contains(expected), "{refused:?}");
    }
    let fine = tokio_stream::iter([head(4096), data(4096)]);
    assert!(hostile_contribute(channel, fine).await.unwrap().leaf == noise(4096));
}

#[tokio::test]
async fn a_flood_of_pieces_ends_at_the_first_that_is_too_much() {
    let (world, served, _connection) = serving(TestService::default()).await;
    let channel = served.hostile_channel(&world, &world.bank("mallory")).await;
    // Without end: only the server's refusal ends the call.
    let flood = tokio_stream::iter([head(8 << 20)])
        .chain(tokio_stream::iter(std::iter::repeat_with(|| data(CHUNK_BYTES_MIN))));
    let refused = hostile_contribute(channel.clone(), flood).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused:?}");
    let empty = tokio_stream::iter([head(8 << 20)])
        .chain(tokio_stream::iter(std::iter::repeat_with(|| data(0))));
    let refused = hostile_contribute(channel, empty).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
}

#[tokio::test]
async fn a_drip_is_cut_off() {
    let progress = Duration::from_millis(30);
    let (world, served, _connection) =
        serving(TestService { progress, ..TestService::default() }).await;
    let channel = served.hostile_channel(&world, &world.bank("mallory")).await;
    let drip = tokio_stream::iter([head(8192), data(4096)]).chain(tokio_stream::pending());
    let refused = hostile_contribute(channel, drip).await.unwrap_err();
    assert_eq!(refused.code(), Code::DeadlineExceeded, "{refused:?}");
}

#[tokio::test]
async fn the_log_arrives_in_order_up_to_the_message_that_breaks_it() {
    let leaves: Vec<_> = (0..5).map(|i| noise(i + 1)).collect();
    let mut sent = updates(3, leaves.clone(), Bytes::from_static(b"checkpoint"));
    sent.push(LogUpdate { first: 9, leaves: vec![noise(1)], ..LogUpdate::default() });
    let (_world, _served, connection) =
        serving(TestService { updates: sent, ..TestService::default() }).await;
    let mut log = soon(connection.follow(3)).await.unwrap();
    let update = soon(log.next()).await.unwrap().unwrap();
    assert_eq!(
        (update.first, update.leaves, &update.checkpoint[..]),
        (3, leaves, &b"checkpoint"[..])
    );
    let gap = soon(log.next()).await;
    assert!(matches!(gap, Err(Error::Gap { expected: 8, got: 9 })), "{gap:?}");
}

#[tokio::test]
async fn updates_beyond_the_limits_are_refused() {
    let long = LogUpdate { first: 0, leaves: vec![noise(65_537)], ..LogUpdate::default() };
    let many = LogUpdate { first: 0, leaves: vec![noise(1); 4097], ..LogUpdate::default() };
    let note = LogUpdate { first: 0, checkpoint: noise(65_537), ..LogUpdate::default() };
    for update in [long, many, note] {
        let (_world, _served, connection) =
            serving(TestService { updates: vec![update], ..TestService::default() }).await;
        let mut log = soon(connection.follow(0)).await.unwrap();
        assert!(matches!(soon(log.next()).await, Err(Error::TooLong { .. })));
    }
}

#[test]
fn a_status_tells_the_peer_what_it_did_and_nothing_of_our_own_troubles() {
    let theirs = Status::from(Error::Truncated { expected: 8, received: 4 });
    assert_eq!(theirs.code(), Code::InvalidArgument);
    let ours = Status::from(Error::Io(std::io::Error::other("/secret/path")));
    assert_eq!((ours.code(), ours.message()), (Code::Internal, "internal error"));
}
