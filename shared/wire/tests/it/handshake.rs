//! Who gets in, and whom a node takes for the coordinator.

use prost::bytes::Bytes;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair, SanType};
use rustls::version::{TLS12, TLS13};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tonic::Code;
use wire::{
    Authority, Connection, Error, Identity, NodeKey, Role,
    authority::VerifiedRequest,
    proto::JoinRequest,
    tls::{AcceptLimits, ClientTls, ServerMaterial, ServerTls},
};

use crate::{
    service::TestService,
    world::{CONSORTIUM, DAY_MS, Node, World, days, identity, request, serve, soon},
};

async fn told(connection: &Connection) -> Vec<u8> {
    soon(connection.renew(vec![])).await.unwrap().certificate.to_vec()
}

/// The alert with which the server refused.
fn alert(result: Result<Connection, Error>) -> String {
    match result {
        Err(Error::Tls(rustls::Error::AlertReceived(alert))) => format!("{alert:?}"),
        other => panic!("expected an alert, got {other:?}"),
    }
}

/// The reason for which the client refused.
fn invalid_certificate(result: Result<Connection, Error>) -> String {
    match result {
        Err(Error::Tls(rustls::Error::InvalidCertificate(reason))) => format!("{reason:?}"),
        other => panic!("expected a refused certificate, got {other:?}"),
    }
}

#[tokio::test]
async fn the_identity_of_the_certificate_reaches_the_handler() {
    let world = World::new();
    let served = world.serve().await;
    for (role, name) in [(Role::Bank, "north"), (Role::Auditor, "eye"), (Role::Operator, "desk")] {
        let node = world.node(role, name, days(-1, 30));
        let connection = served.open(&world.member(&node)).await.unwrap();
        let mut expected = identity(role, name).uri().into_bytes();
        expected.extend_from_slice(&node.issued.serial);
        expected.extend_from_slice(&node.key.digest());
        assert_eq!(told(&connection).await, expected);
    }
}

#[tokio::test]
async fn localhost_by_name_is_as_good_as_by_address() {
    let world = World::new();
    let served = world.serve().await;
    let tls = world.member(&world.bank("north"));
    let address = format!("localhost:{}", served.address.port());
    let connection = soon(Connection::open(&address, &tls, std::time::Duration::from_secs(10)));
    told(&connection.await.unwrap()).await;
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_refused() {
    let world = World::new();
    let served = world.serve().await;
    let stranger = World::new().bank("north");
    let refused = alert(served.open(&world.member(&stranger)).await);
    // Two authorities of one name: the signature is what tells them apart.
    assert_eq!(refused, "DecryptError");

    let other = Authority::create("another consortium", days(-1, 365)).unwrap();
    let key = NodeKey::generate().unwrap();
    let bank = identity(Role::Bank, "north");
    let issued = other.issue_client(&request(&key), &bank, days(-1, 30)).unwrap();
    assert_eq!(alert(served.open(&world.shows(&issued.certificate, &key)).await), "UnknownCA");
}

#[tokio::test]
async fn a_self_signed_certificate_is_refused() {
    let world = World::new();
    let served = world.serve().await;
    let key = NodeKey::generate().unwrap();
    let mut params = CertificateParams::default();
    let uri = identity(Role::Bank, "north").uri();
    params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
    let pair = KeyPair::from_pem(&key.to_pem()).unwrap();
    let certificate = params.self_signed(&pair).unwrap();
    assert_eq!(alert(served.open(&world.shows(certificate.der(), &key)).await), "UnknownCA");
}

#[tokio::test]
async fn a_certificate_counts_only_within_its_validity() {
    let world = World::new();
    let served = world.serve().await;
    let late = world.node(Role::Bank, "late", days(-30, -1));
    assert_eq!(alert(served.open(&world.member(&late)).await), "CertificateExpired");
    let early = world.node(Role::Bank, "early", days(1, 30));
    assert_eq!(alert(served.open(&world.member(&early)).await), "CertificateExpired");
    world.clock.advance_ms(DAY_MS + 1000);
    served.open(&world.member(&early)).await.unwrap();
}

#[tokio::test]
async fn a_certificate_for_servers_is_no_client_certificate() {
    let world = World::new();
    let served = world.serve().await;
    let coordinator = world.coordinator(CONSORTIUM, &["localhost"]);
    alert(served.open(&world.member(&coordinator)).await);
    let uri = identity(Role::Bank, "north").uri();
    let bank = world.forge(&uri, ExtendedKeyUsagePurpose::ServerAuth);
    alert(served.open(&world.member(&bank)).await);
}

#[tokio::test]
async fn a_certificate_for_clients_is_no_server_certificate() {
    let world = World::new();
    let uri = identity(Role::Coordinator, "coordinator").uri();
    let wrong = world.forge(&uri, ExtendedKeyUsagePurpose::ClientAuth);
    let tls = world.server_tls(&wrong, &world.crl(&[]));
    let served = serve(tls, AcceptLimits::default(), TestService::default()).await;
    for tls in [world.member(&world.bank("north")), world.joining()] {
        let refused = invalid_certificate(served.open(&tls).await);
        assert!(refused.contains("Purpose"), "{refused}");
    }
}

#[tokio::test]
async fn a_bank_cannot_pose_as_the_coordinator() {
    let world = World::new();
    let uri = identity(Role::Bank, "north").uri();
    let bank = world.forge(&uri, ExtendedKeyUsagePurpose::ServerAuth);
    let tls = world.server_tls(&bank, &world.crl(&[]));
    let served = serve(tls, AcceptLimits::default(), TestService::default()).await;
    for tls in [world.member(&world.bank("south")), world.joining()] {
        let refused = invalid_certificate(served.open(&tls).await);
        assert!(refused.contains("expected this consortium's coordinator"), "{refused}");
    }
}

#[tokio::test]
async fn a_coordinator_is_no_client() {
    let world = World::new();
    let served = world.serve().await;
    let uri = identity(Role::Coordinator, "coordinator").uri();
    let posing = world.forge(&uri, ExtendedKeyUsagePurpose::ClientAuth);
    let refused = served.open(&world.member(&posing)).await;
    assert!(matches!(refused, Err(Error::Transport(_))), "{refused:?}");
}

#[tokio::test]
async fn a_revoked_certificate_is_refused_in_the_handshake() {
    let world = World::new();
    let (bad, good) = (world.bank("bad"), world.bank("good"));
    let crl = world.crl(&[&bad.issued.serial]);
    let served = world.serve_with(crl, AcceptLimits::default(), TestService::default()).await;
    assert_eq!(alert(served.open(&world.member(&bad)).await), "CertificateRevoked");
    told(&served.open(&world.member(&good)).await.unwrap()).await;
}

#[tokio::test]
async fn a_revocation_list_out_of_date_refuses_everyone() {
    let world = World::new();
    let served = world.serve().await;
    world.clock.advance_ms(8 * DAY_MS);
    alert(served.open(&world.member(&world.bank("north"))).await);
}

#[tokio::test]
async fn a_certificate_for_another_consortium_is_refused_although_the_authority_signed_it() {
    let world = World::new();
    let served = world.serve().await;
    let key = NodeKey::generate().unwrap();
    let other = Identity::new([0xdd; 32], Role::Bank, "north").unwrap();
    let issued = world.authority.issue_client(&request(&key), &other, days(-1, 30)).unwrap();
    let refused = served.open(&world.shows(&issued.certificate, &key)).await;
    assert!(matches!(refused, Err(Error::Transport(_))), "{refused:?}");
    assert_eq!(served.acceptor.connections().count(), 0);
}

#[tokio::test]
async fn nothing_older_than_tls_1_3_is_spoken() {
    let world = World::new();
    let served = world.serve().await;
    let old = world.foreign_client(&[&TLS12], &["h2"], None);
    let error = served.handshake(&old).await.unwrap_err().to_string();
    assert!(error.contains("ProtocolVersion"), "{error}");
    served.handshake(&world.foreign_client(&[&TLS13], &["h2"], None)).await.unwrap();
}

#[tokio::test]
async fn nothing_but_http_2_is_spoken() {
    let world = World::new();
    let served = world.serve().await;
    let old = world.foreign_client(&[&TLS13], &["http/1.1"], None);
    let error = served.handshake(&old).await.unwrap_err().to_string();
    assert!(error.contains("NoApplicationProtocol"), "{error}");
    // Offering nothing is not an error in TLS: the server hangs up without a word.
    let none = world.foreign_client(&[&TLS13], &[], None);
    let mut stream = served.handshake(&none).await.unwrap();
    let mut heard = vec![];
    let _ = soon(stream.read_to_end(&mut heard)).await;
    assert_eq!(heard, b"");
}

#[tokio::test]
async fn plain_http_is_not_answered() {
    let world = World::new();
    let served = world.serve().await;
    let mut tcp = TcpStream::connect(served.address).await.unwrap();
    tcp.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    let mut heard = vec![];
    let _ = soon(tcp.read_to_end(&mut heard)).await;
    // At most a TLS alert record, of type 21.
    assert!(heard.is_empty() || heard[0] == 21, "{heard:?}");
}

#[tokio::test]
async fn without_a_certificate_one_may_only_join() {
    let world = World::new();
    let served = world.serve().await;
    let connection = served.open(&world.joining()).await.unwrap();
    let joined = soon(connection.join(JoinRequest::default())).await.unwrap();
    assert_eq!(joined.certificate, Bytes::from_static(b"nobody"));
    for refused in [
        soon(connection.renew(vec![])).await.err(),
        soon(connection.approve(vec![], vec![])).await.err(),
        soon(connection.follow(0)).await.err(),
        soon(connection.fetch_blob(&[0; 32], 10)).await.err(),
    ] {
        assert!(matches!(&refused, Some(Error::Status(s)) if s.code() == Code::Unauthenticated));
    }
}

#[tokio::test]
async fn a_session_is_never_resumed() {
    let world = World::new();
    let served = world.serve().await;
    let node = world.bank("north");
    let config = world.foreign_client(&[&TLS13], &["h2"], Some(&node));
    for _ in 0..3 {
        let mut stream = served.handshake(&config).await.unwrap();
        // The first bytes of the server come after its tickets, if it sent any.
        let mut first = [0; 9];
        soon(stream.read_exact(&mut first)).await.unwrap();
        let kind = stream.get_ref().1.handshake_kind();
        assert_eq!(kind, Some(rustls::HandshakeKind::Full));
        assert_eq!(stream.get_ref().1.tls13_tickets_received(), 0);
    }
}

#[tokio::test]
async fn a_coordinator_of_another_consortium_is_refused() {
    let world = World::new();
    let other = world.coordinator([0xdd; 32], &["127.0.0.1"]);
    let tls = world.server_tls(&other, &world.crl(&[]));
    let served = serve(tls, AcceptLimits::default(), TestService::default()).await;
    for tls in [world.member(&world.bank("north")), world.joining()] {
        let refused = invalid_certificate(served.open(&tls).await);
        assert!(refused.contains("expected this consortium's coordinator"), "{refused}");
    }
}

#[tokio::test]
async fn a_coordinator_under_another_name_is_refused() {
    let world = World::new();
    let node = world.coordinator(CONSORTIUM, &["elsewhere.example"]);
    let tls = world.server_tls(&node, &world.crl(&[]));
    let served = serve(tls, AcceptLimits::default(), TestService::default()).await;
    for tls in [world.member(&world.bank("north")), world.joining()] {
        let refused = invalid_certificate(served.open(&tls).await);
        assert!(refused.contains("NotValidForName"), "{refused}");
    }
}

#[tokio::test]
async fn a_coordinator_of_another_authority_is_refused() {
    let (world, evil) = (World::new(), World::new());
    let served = evil.serve().await;
    let refused = invalid_certificate(served.open(&world.member(&world.bank("north"))).await);
    assert!(refused.contains("BadSignature") || refused.contains("UnknownIssuer"), "{refused}");
}

#[tokio::test]
async fn a_pin_that_the_server_does_not_show_is_refused() {
    let world = World::new();
    let served = world.serve().await;
    let tls = ClientTls::join([1; 32], CONSORTIUM, world.clock()).unwrap();
    assert_eq!(invalid_certificate(served.open(&tls).await), "UnknownIssuer");
}

#[tokio::test]
async fn showing_the_pinned_authority_is_not_enough_without_its_signature() {
    let (world, evil) = (World::new(), World::new());
    let forged = evil.coordinator(CONSORTIUM, &["127.0.0.1"]);
    let crl = world.crl(&[]);
    let material = ServerMaterial {
        ca: world.authority.certificate(),
        certificate: &forged.issued.certificate,
        key: &forged.key,
        crl: &crl,
    };
    let tls = ServerTls::new(&material, CONSORTIUM, world.clock()).unwrap();
    let served = serve(tls, AcceptLimits::default(), TestService::default()).await;
    assert!(invalid_certificate(served.open(&world.joining()).await).contains("BadSignature"));
}

#[tokio::test]
async fn a_certificate_needs_the_key_it_was_made_for() {
    let world = World::new();
    let (north, south) = (world.bank("north"), world.bank("south"));
    let mixed = ClientTls::member(
        world.authority.certificate(),
        CONSORTIUM,
        &north.issued.certificate,
        &south.key,
        world.clock(),
    );
    assert!(matches!(mixed, Err(Error::Configuration(_))));
}

#[tokio::test]
async fn a_renewed_key_is_the_same_institution() {
    let world = World::new();
    let served = world.serve().await;
    let key = NodeKey::generate().unwrap();
    let csr = VerifiedRequest::verify(&key.csr().unwrap()).unwrap();
    let bank = identity(Role::Bank, "north");
    let issued = world.authority.issue_client(&csr, &bank, days(0, 30)).unwrap();
    let node = Node { key, issued };
    for tls in [world.member(&world.bank("north")), world.member(&node)] {
        let told = told(&served.open(&tls).await.unwrap()).await;
        assert!(told.starts_with(bank.uri().as_bytes()));
    }
}
