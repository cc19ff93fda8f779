//! The reader of identities, on good and on arbitrary input.

use std::sync::LazyLock;

use proptest::prelude::*;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, SanType};
use wire::{Error, Identity, Role};

use crate::world::{CONSORTIUM, World, identity};

static CERTIFICATE: LazyLock<Vec<u8>> =
    LazyLock::new(|| World::new().bank("north-bank-1").issued.certificate);

fn roles() -> impl Strategy<Value = Role> {
    prop::sample::select(vec![Role::Bank, Role::Operator, Role::Auditor, Role::Coordinator])
}

/// A self-signed certificate with these names.
fn named(uris: &[&str], dns: &[&str]) -> Vec<u8> {
    let dns: Vec<_> = dns.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(dns).unwrap();
    let common_name = identity(Role::Operator, "common-name").uri();
    params.distinguished_name.push(DnType::CommonName, common_name);
    for &uri in uris {
        params.subject_alt_names.push(SanType::URI(uri.try_into().unwrap()));
    }
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
}

#[test]
fn exactly_one_uri_names_the_identity() {
    let (north, south) = (identity(Role::Bank, "north").uri(), identity(Role::Bank, "south").uri());
    let (north, south) = (north.as_str(), south.as_str());
    let read = |uris: &[&str], dns: &[&str]| Identity::from_certificate(&named(uris, dns));
    assert_eq!(read(&[north], &[]).unwrap(), identity(Role::Bank, "north"));
    assert_eq!(read(&[north], &["south.example"]).unwrap(), identity(Role::Bank, "north"));
    for uris in [&[][..], &[north, south], &[north, north], &[north, "https://north.example"]] {
        assert!(matches!(read(uris, &["north.example"]), Err(Error::Identity(_))), "{uris:?}");
        assert!(read(uris, &[]).is_err());
    }
}

#[test]
fn every_other_spelling_is_refused() {
    let good = identity(Role::Bank, "north").uri();
    let hex = "c0".repeat(32);
    assert_eq!(good, format!("counterfoil://{hex}/bank/north"));
    for wrong in [
        String::new(),
        good.to_uppercase(),
        good.replace("counterfoil", "spiffe"),
        good.replace("c0", "C0"),
        good.replace("c0c0", "c0"),
        good.replace("bank", "Bank"),
        good.replace("bank", "admin"),
        good.replace("bank", ""),
        good.replace("north", ""),
        good.replace("north", "North"),
        good.replace("north", "1north"),
        good.replace("north", "-north"),
        good.replace("north", "n\u{f6}rth"),
        good.replace("north", "north/"),
        good.replace("north", "north?x"),
        good.replace("north", "nor%74h"),
        good.replace("north", "north\0"),
        good.replace("north", &"n".repeat(33)),
        format!(" {good}"),
        format!("{good}\n"),
    ] {
        assert!(Identity::from_uri(&wrong).is_err(), "{wrong:?}");
    }
    let longest = good.replace("north", &"n".repeat(32));
    assert_eq!(Identity::from_uri(&longest).unwrap().uri(), longest);
}

#[test]
fn a_long_name_is_not_repeated_in_the_error() {
    let told = Identity::new(CONSORTIUM, Role::Bank, &"x".repeat(10_000)).unwrap_err().to_string();
    assert!(told.len() < 200, "{told}");
}

proptest! {
    #[test]
    fn an_identity_survives_being_written(
        consortium: [u8; 32], role in roles(), name in "[a-z][a-z0-9-]{0,31}",
    ) {
        let identity = Identity::new(consortium, role, &name).unwrap();
        let read = Identity::from_uri(&identity.uri()).unwrap();
        prop_assert_eq!(&read, &identity);
        prop_assert_eq!((read.consortium(), read.role(), read.institution()), (&consortium, role, &name[..]));
    }

    #[test]
    fn what_is_read_has_one_spelling(
        uri in "(counterfoil://)?[0-9a-fA-F]{63,65}/(bank|operator|auditor|coordinator|x)/.{0,34}",
    ) {
        if let Ok(identity) = Identity::from_uri(&uri) {
            prop_assert_eq!(identity.uri(), uri);
        }
    }

    #[test]
    fn no_text_breaks_the_reader(uri in any::<String>()) {
        prop_assert!(Identity::from_uri(&uri).is_err());
        let uri = format!("counterfoil://{uri}");
        prop_assert!(Identity::from_uri(&uri).is_err());
    }

    #[test]
    fn no_bytes_break_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(Identity::from_certificate(&bytes).is_err());
    }

    #[test]
    fn no_damage_to_a_certificate_breaks_the_reader(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut damaged = CERTIFICATE.clone();
        for (at, byte) in changes {
            let at = at.index(damaged.len());
            damaged[at] = byte;
        }
        // Any answer will do; it must be one.
        let _ = Identity::from_certificate(&damaged);
        let cut = cut.index(damaged.len());
        prop_assert!(Identity::from_certificate(&damaged[..cut]).is_err());
    }
}
