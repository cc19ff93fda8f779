//! What the authority signs, and for whom.

use proptest::prelude::*;
use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, PKCS_ECDSA_P384_SHA384,
    PKCS_ED25519, SanType,
};
use wire::{
    Authority, Error, Identity, NodeKey, Role, Validity,
    authority::{RevokedSerial, VerifiedRequest},
};
use x509_parser::prelude::{
    CertificateRevocationList, FromDer as _, X509Certificate, X509CertificationRequest,
};

use crate::world::{CONSORTIUM, NOW_MS, World, days, identity, request};

#[test]
fn what_a_request_says_about_itself_is_ignored() {
    let world = World::new();
    let pair = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["bank.example".to_owned()]).unwrap();
    let operator = identity(Role::Operator, "desk").uri();
    params.subject_alt_names.push(SanType::URI(operator.try_into().unwrap()));
    params.distinguished_name.push(DnType::CommonName, "operator");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let csr = params.serialize_request(&pair).unwrap();
    let verified = VerifiedRequest::verify(csr.der()).unwrap();
    let bank = identity(Role::Bank, "north");
    let issued = world.authority.issue_client(&verified, &bank, days(0, 30)).unwrap();

    assert_eq!(Identity::from_certificate(&issued.certificate).unwrap(), bank);
    let (_, certificate) = X509Certificate::from_der(&issued.certificate).unwrap();
    let names = certificate.subject_alternative_name().unwrap().unwrap();
    assert_eq!(names.value.general_names.len(), 1);
    assert_eq!(certificate.subject().to_string(), "CN=north");
    let purposes = certificate.extended_key_usage().unwrap().unwrap().value;
    assert!(purposes.client_auth && !purposes.server_auth && !purposes.any);
    assert_eq!(certificate.raw_serial(), issued.serial);
    assert_eq!(issued.key_digest, verified.key_digest());
    let times = certificate.validity();
    let seconds = (NOW_MS / 1000).cast_signed();
    assert_eq!(times.not_before.timestamp(), seconds);
    assert_eq!(times.not_after.timestamp(), seconds + 30 * 86_400);
}

#[test]
fn a_request_proves_its_key_byte_by_byte() {
    let key = NodeKey::generate().unwrap();
    let csr = key.csr().unwrap();
    assert_eq!(VerifiedRequest::verify(&csr).unwrap().key_digest(), key.digest());
    let (_, parsed) = X509CertificationRequest::from_der(&csr).unwrap();
    let info = parsed.certification_request_info.raw;
    let start = csr.windows(info.len()).position(|window| window == info).unwrap();
    let signed = start..start + info.len();
    for at in 0..csr.len() {
        for bit in 0..8 {
            let mut forged = csr.clone();
            forged[at] ^= 1 << bit;
            let read = VerifiedRequest::verify(&forged);
            // Tags around the signature are read leniently; they prove nothing, and no change there
            // moves the key.
            assert!(read.is_err() || !signed.contains(&at), "byte {at} bit {bit}");
            assert!(read.is_err() || read.is_ok_and(|read| read.key_digest() == key.digest()));
        }
    }
    for length in 0..csr.len() {
        assert!(VerifiedRequest::verify(&csr[..length]).is_err());
    }
    assert!(VerifiedRequest::verify(&[&csr[..], &[0]].concat()).is_err());
    assert!(VerifiedRequest::verify(&vec![0x30; 5000]).is_err());
}

#[test]
fn keys_that_are_not_on_p_256_are_refused() {
    for algorithm in [&PKCS_ED25519, &PKCS_ECDSA_P384_SHA384] {
        let pair = KeyPair::generate_for(algorithm).unwrap();
        let csr = CertificateParams::default().serialize_request(&pair).unwrap();
        let refused = VerifiedRequest::verify(csr.der());
        assert!(matches!(refused, Err(Error::Request(_))), "{refused:?}");
        assert!(matches!(NodeKey::from_pem(&pair.serialize_pem()), Err(Error::Key(_))));
    }
}

#[test]
fn each_kind_of_certificate_has_its_roles() {
    let world = World::new();
    let request = request(&NodeKey::generate().unwrap());
    let all = [Role::Bank, Role::Operator, Role::Auditor, Role::Coordinator];
    for role in all {
        let who = identity(role, "someone");
        let client = world.authority.issue_client(&request, &who, days(0, 1));
        let server = world.authority.issue_server(&request, &who, &["localhost"], days(0, 1));
        assert_eq!(client.is_ok(), role != Role::Coordinator);
        assert_eq!(server.is_ok(), role == Role::Coordinator);
    }
}

#[test]
fn a_server_is_named_as_a_client_would_ask_for_it() {
    let world = World::new();
    let request = request(&NodeKey::generate().unwrap());
    let who = identity(Role::Coordinator, "coordinator");
    let issue = |names: &[&str]| world.authority.issue_server(&request, &who, names, days(0, 1));
    let issued = issue(&["hub.example", "10.0.0.1", "::1"]).unwrap();
    let (_, certificate) = X509Certificate::from_der(&issued.certificate).unwrap();
    let names = certificate.subject_alternative_name().unwrap().unwrap();
    assert_eq!(names.value.general_names.len(), 4);
    for wrong in [&[][..], &[""], &["two words"], &["hub.example", "a/b"], &["hub.example:443"]] {
        assert!(matches!(issue(wrong), Err(Error::ServerName(_))), "{wrong:?}");
    }
}

#[test]
fn an_authority_comes_back_from_its_files() {
    let world = World::new();
    let (certificate, key) = (world.authority.certificate_pem(), world.authority.key_pem());
    let loaded = Authority::load(&certificate, &key).unwrap();
    assert_eq!(loaded.digest(), world.authority.digest());
    let other = World::new().authority;
    assert!(matches!(
        Authority::load(&certificate, &other.key_pem()),
        Err(Error::Certificate { .. })
    ));
    assert!(matches!(Authority::load("", &key), Err(Error::Certificate { .. })));
    assert!(matches!(Authority::load(&certificate, "nothing"), Err(Error::Key(_))));

    // What the loaded one signs is accepted where the first was known.
    let key = NodeKey::generate().unwrap();
    let bank = Identity::new(CONSORTIUM, Role::Bank, "north").unwrap();
    let issued = loaded.issue_client(&request(&key), &bank, days(0, 1)).unwrap();
    let (_, ca) = X509Certificate::from_der(world.authority.certificate()).unwrap();
    let (_, certificate) = X509Certificate::from_der(&issued.certificate).unwrap();
    certificate.verify_signature(Some(ca.public_key())).unwrap();
    assert!(ca.is_ca() && !certificate.is_ca());
}

#[test]
fn a_revocation_list_names_its_serials_and_times() {
    let world = World::new();
    let serials: Vec<_> = (0..3).map(|_| world.bank("north").issued.serial).collect();
    let revoked: Vec<_> = serials
        .iter()
        .map(|serial| RevokedSerial { serial: serial.clone(), at_ms: NOW_MS })
        .collect();
    let list = world.authority.issue_crl(&revoked, days(0, 7)).unwrap();
    let (_, list) = CertificateRevocationList::from_der(&list).unwrap();
    let (_, ca) = X509Certificate::from_der(world.authority.certificate()).unwrap();
    list.verify_signature(ca.public_key()).unwrap();
    let named: Vec<_> = list.iter_revoked_certificates().map(|e| e.raw_serial().to_vec()).collect();
    assert_eq!(named, serials);
    let seconds = (NOW_MS / 1000).cast_signed();
    assert_eq!(list.last_update().timestamp(), seconds);
    assert_eq!(list.next_update().unwrap().timestamp(), seconds + 7 * 86_400);
}

#[test]
fn a_validity_must_begin_before_it_ends_and_end_before_the_year_10000() {
    assert!(Validity::new(1, 1).is_err());
    assert!(Validity::new(2, 1).is_err());
    assert!(Validity::new(0, 253_402_300_799_001).is_err());
    let longest = Validity::new(0, 253_402_300_799_000).unwrap();
    Authority::create("long", longest).unwrap();
    let late = RevokedSerial { serial: vec![1], at_ms: u64::MAX };
    assert!(World::new().authority.issue_crl(&[late], days(0, 1)).is_err());
}

#[test]
fn keys_do_not_print() {
    let world = World::new();
    let key = NodeKey::generate().unwrap();
    assert_eq!(format!("{key:?}"), "NodeKey(…)");
    assert!(format!("{:?}", world.authority).contains("key: NodeKey(…)"));
    let back = NodeKey::from_pem(&key.to_pem()).unwrap();
    assert_eq!(back.digest(), key.digest());
}

proptest! {
    #[test]
    fn no_bytes_break_the_reader_of_requests(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(VerifiedRequest::verify(&bytes).is_err());
    }
}
