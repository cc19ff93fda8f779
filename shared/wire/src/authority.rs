//! The consortium's certificate authority.
//!
//! It signs what a node asks for only after the node has proved to hold the key, and writes into
//! the certificate who the node is; what a request says about itself is ignored. Who may have which
//! certificate is decided elsewhere. Time is always an argument.

use base64::{Engine as _, prelude::BASE64_STANDARD as STANDARD};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevokedCertParams, SanType, SerialNumber,
};
use ring::rand::{SecureRandom as _, SystemRandom};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject as _};

use crate::{Error, Identity, Role, digest::sha256, identity::certificate};

mod key;
mod request;
mod validity;

pub use key::NodeKey;
pub use request::VerifiedRequest;
pub use validity::Validity;

/// A certificate that the authority has signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// The certificate (DER).
    pub certificate: Vec<u8>,
    /// Its serial number, big-endian; what a revocation list names.
    pub serial: Vec<u8>,
    /// SHA-256 of its SubjectPublicKeyInfo (DER); what the roster names.
    pub key_digest: [u8; 32],
}

/// A certificate that is no longer good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevokedSerial {
    /// The certificate's serial number, big-endian.
    pub serial: Vec<u8>,
    /// When it was revoked, milliseconds since 1970.
    pub at_ms: u64,
}

/// The authority: one self-signed certificate and its key.
#[derive(Debug)]
pub struct Authority {
    key: NodeKey,
    certificate: Vec<u8>,
}

impl Authority {
    /// A new authority with a fresh key. `name` is for people only.
    ///
    /// # Errors
    ///
    /// [`Error::Validity`], [`Error::Randomness`] or [`Error::Signing`].
    pub fn create(name: &str, validity: Validity) -> Result<Self, Error> {
        let key = NodeKey::generate()?;
        let mut params = params(name, validity)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(key.pair())?.der().to_vec();
        Ok(Self { key, certificate })
    }

    /// The authority from the two files that [`Authority::certificate_pem`] and
    /// [`Authority::key_pem`] were written to.
    ///
    /// # Errors
    ///
    /// [`Error::Key`] or [`Error::Certificate`] if one cannot be read or they do not belong together.
    pub fn load(certificate_pem: &str, key_pem: &str) -> Result<Self, Error> {
        let key = NodeKey::from_pem(key_pem)?;
        let der = CertificateDer::from_pem_slice(certificate_pem.as_bytes())
            .map_err(|error| Error::certificate("authority's certificate", &error))?;
        if sha256(certificate(&der)?.public_key().raw) != key.digest() {
            return Err(Error::certificate("authority's certificate", "its key is another"));
        }
        Ok(Self { key, certificate: der.to_vec() })
    }

    /// The authority's certificate (DER), the only root that nodes trust.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// SHA-256 of the certificate: what Genesis and every invitation name.
    pub fn digest(&self) -> [u8; 32] {
        sha256(&self.certificate)
    }

    /// The certificate as PEM.
    pub fn certificate_pem(&self) -> String {
        certificate_pem(&self.certificate)
    }

    /// The private key as PKCS#8 PEM. The caller writes it with mode 0600.
    pub fn key_pem(&self) -> zeroize::Zeroizing<String> {
        self.key.to_pem()
    }

    /// A server certificate for the coordinator, good for the DNS names and IP addresses `names`.
    ///
    /// # Errors
    ///
    /// [`Error::RoleOfCertificate`] unless `identity` is a coordinator's, [`Error::ServerName`] if
    /// there is no name or one that no client could ask for.
    pub fn issue_server(
        &self,
        request: &VerifiedRequest,
        identity: &Identity,
        names: &[&str],
        validity: Validity,
    ) -> Result<Issued, Error> {
        if identity.role() != Role::Coordinator {
            return Err(Error::RoleOfCertificate { kind: "server", role: identity.role() });
        }
        if names.is_empty() {
            return Err(Error::ServerName(String::new()));
        }
        let names = names.iter().map(|name| server_name(name)).collect::<Result<Vec<_>, _>>()?;
        self.issue(request, identity, names, ExtendedKeyUsagePurpose::ServerAuth, validity)
    }

    /// A client certificate for a bank, an operator or an auditor.
    ///
    /// # Errors
    ///
    /// [`Error::RoleOfCertificate`] if `identity` is a coordinator's.
    pub fn issue_client(
        &self,
        request: &VerifiedRequest,
        identity: &Identity,
        validity: Validity,
    ) -> Result<Issued, Error> {
        if identity.role() == Role::Coordinator {
            return Err(Error::RoleOfCertificate { kind: "client", role: identity.role() });
        }
        self.issue(request, identity, vec![], ExtendedKeyUsagePurpose::ClientAuth, validity)
    }

    /// A revocation list (DER). It holds all that is revoked, not what is new, and a server refuses
    /// every client once `times` have run out.
    ///
    /// # Errors
    ///
    /// [`Error::Validity`] or [`Error::Signing`].
    pub fn issue_crl(&self, revoked: &[RevokedSerial], times: Validity) -> Result<Vec<u8>, Error> {
        let revoked_certs = revoked
            .iter()
            .map(|entry| {
                Ok(RevokedCertParams {
                    serial_number: SerialNumber::from_slice(&entry.serial),
                    revocation_time: validity::moment(entry.at_ms)?,
                    reason_code: None,
                    invalidity_date: None,
                })
            })
            .collect::<Result<Vec<_>, Error>>()?;
        let list = CertificateRevocationListParams {
            this_update: times.not_before()?,
            next_update: times.not_after()?,
            // Lists are numbered by the time they were made, so that a number never goes back.
            crl_number: SerialNumber::from(times.not_before_ms()),
            issuing_distribution_point: None,
            revoked_certs,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Ok(list.signed_by(&self.issuer()?)?.der().to_vec())
    }

    fn issue(
        &self,
        request: &VerifiedRequest,
        identity: &Identity,
        mut names: Vec<SanType>,
        purpose: ExtendedKeyUsagePurpose,
        validity: Validity,
    ) -> Result<Issued, Error> {
        let serial = random_serial()?;
        let mut params = params(identity.institution(), validity)?;
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        names.push(SanType::URI(identity.uri().try_into()?));
        params.subject_alt_names = names;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![purpose];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(request.public_key(), &self.issuer()?)?.der().to_vec();
        Ok(Issued { certificate, serial: serial.to_vec(), key_digest: request.key_digest() })
    }

    fn issuer(&self) -> Result<Issuer<'static, &KeyPair>, Error> {
        let der = CertificateDer::from(self.certificate.as_slice());
        Ok(Issuer::from_ca_cert_der(&der, self.key.pair())?)
    }
}

/// A certificate (DER) as PEM.
pub fn certificate_pem(der: &[u8]) -> String {
    let encoded = STANDARD.encode(der);
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in encoded.as_bytes().chunks(64) {
        text.push_str(&String::from_utf8_lossy(line));
        text.push('\n');
    }
    text + "-----END CERTIFICATE-----\n"
}

fn params(common_name: &str, validity: Validity) -> Result<CertificateParams, Error> {
    let mut params = CertificateParams::default();
    params.not_before = validity.not_before()?;
    params.not_after = validity.not_after()?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    Ok(params)
}

fn server_name(name: &str) -> Result<SanType, Error> {
    match ServerName::try_from(name) {
        Ok(ServerName::IpAddress(address)) => Ok(SanType::IpAddress(address.into())),
        Ok(ServerName::DnsName(name)) => Ok(SanType::DnsName(name.as_ref().try_into()?)),
        Ok(_) | Err(_) => Err(Error::ServerName(name.to_owned())),
    }
}

/// 126 random bits in 16 bytes; the first byte is never 0 and its sign bit never set, so that the
/// DER encoding is these very bytes.
fn random_serial() -> Result<[u8; 16], Error> {
    let mut serial = [0; 16];
    SystemRandom::new().fill(&mut serial).map_err(|_| Error::Randomness)?;
    serial[0] = serial[0] & 0x3f | 0x40;
    Ok(serial)
}
