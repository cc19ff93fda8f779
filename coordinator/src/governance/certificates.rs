//! Certificates: issued, written down, revoked, and the server's own renewed.

use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use ledger::digest::Digest;
use ledger::record::{Institution, Role};
use ledger::time::Timestamp;
use serde::{Deserialize, Serialize};
use wire::authority::{Issued, RevokedSerial, VerifiedRequest};
use wire::tls::ServerMaterial;
use wire::{Authority, Identity, NodeKey, Validity};

use crate::directory::{Directory, Settings, read_json, write_json};
use crate::error::Error;

const DAY_MS: u64 = 24 * 3600 * 1000;
/// Certificates begin a little before they are issued: clocks differ.
const BACKDATE_MS: u64 = 5 * 60 * 1000;
/// How long the CA is valid.
const CA_DAYS: u64 = 3650;
/// How long the server's certificate is valid; it is made anew at every start and every day.
const SERVER_DAYS: u64 = 30;
/// How long a revocation list is valid; it is made anew at every start and every day.
const CRL_DAYS: u64 = 7;

/// A certificate as it is written down.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    institution: String,
    not_after_ms: u64,
}

/// The certificate authority of a consortium.
pub(crate) struct Certificates {
    authority: Authority,
    consortium: Digest,
    folder: PathBuf,
    settings: Settings,
    server_key: NodeKey,
    /// Issues one at a time, so that two answers never share a serial's file.
    issuing: Mutex<()>,
}

/// What the TLS acceptor needs.
pub(crate) struct Material {
    ca: Vec<u8>,
    certificate: Vec<u8>,
    crl: Vec<u8>,
}

impl Certificates {
    /// A new CA, valid from `now`.
    pub(crate) fn create_authority(name: &str, now: Timestamp) -> Result<Authority, Error> {
        Ok(Authority::create(name, validity(now, CA_DAYS * DAY_MS)?)?)
    }

    /// The authority whose files are in `directory`.
    pub(crate) fn open(directory: &Directory, consortium: Digest) -> Result<Self, Error> {
        let authority = Authority::load(&directory.certificate("ca")?, &directory.key_pem("ca")?)?;
        Ok(Self {
            authority,
            consortium,
            folder: directory.certificates(),
            settings: directory.settings()?,
            server_key: directory.node_key("server")?,
            issuing: Mutex::new(()),
        })
    }

    /// The CA's certificate (DER).
    pub(crate) fn ca(&self) -> &[u8] {
        self.authority.certificate()
    }

    /// A client certificate for a member, written down before it is handed out.
    pub(crate) fn issue(
        &self,
        request: &VerifiedRequest,
        institution: &Institution,
        role: Role,
        now: Timestamp,
    ) -> Result<Vec<u8>, Error> {
        let _one = self.issuing.lock().unwrap_or_else(PoisonError::into_inner);
        let role = match role {
            Role::Bank => wire::Role::Bank,
            Role::Auditor => wire::Role::Auditor,
        };
        let identity = Identity::new(*self.consortium.as_bytes(), role, institution.as_str())?;
        let validity = validity(now, self.settings.certificate_seconds.saturating_mul(1000))?;
        let Issued { certificate, serial, .. } =
            self.authority.issue_client(request, &identity, validity)?;
        let kept =
            Kept { institution: institution.to_string(), not_after_ms: validity.not_after_ms() };
        write_json(&self.folder.join(format!("{}.json", hex(&serial))), &kept)?;
        Ok(certificate)
    }

    /// A fresh server certificate, and the list of all certificates of revoked institutions.
    pub(crate) fn material(
        &self,
        revoked: impl Fn(&str) -> bool,
        now: Timestamp,
    ) -> Result<Material, Error> {
        let identity =
            Identity::new(*self.consortium.as_bytes(), wire::Role::Coordinator, "coordinator")?;
        let request = VerifiedRequest::verify(&self.server_key.csr()?)?;
        let host = self.settings.endpoint.rsplit_once(':').map_or("", |(host, _)| host);
        let names: Vec<&str> =
            [host].into_iter().chain(self.settings.names.iter().map(String::as_str)).collect();
        let issued = self.authority.issue_server(
            &request,
            &identity,
            &names,
            validity(now, SERVER_DAYS * DAY_MS)?,
        )?;
        let serials = self.serials(revoked, now)?;
        let crl = self.authority.issue_crl(&serials, validity(now, CRL_DAYS * DAY_MS)?)?;
        Ok(Material { ca: self.ca().to_vec(), certificate: issued.certificate, crl })
    }

    /// The unexpired certificates of institutions that `revoked` names.
    fn serials(
        &self,
        revoked: impl Fn(&str) -> bool,
        now: Timestamp,
    ) -> Result<Vec<RevokedSerial>, Error> {
        let failed = |error: std::io::Error| Error::file(&self.folder, &error);
        let mut serials = vec![];
        for entry in fs::read_dir(&self.folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let name = path.file_stem().and_then(|stem| stem.to_str()).and_then(unhex);
            let (Some(serial), true) = (name, path.extension().is_some_and(|e| e == "json")) else {
                continue;
            };
            let kept: Kept = read_json(&path)?;
            if kept.not_after_ms > now.as_millis() && revoked(&kept.institution) {
                serials.push(RevokedSerial { serial, at_ms: now.as_millis() });
            }
        }
        Ok(serials)
    }

    /// The material in the form that TLS takes.
    pub(crate) fn server<'a>(&'a self, material: &'a Material) -> ServerMaterial<'a> {
        ServerMaterial {
            ca: &material.ca,
            certificate: &material.certificate,
            key: &self.server_key,
            crl: &material.crl,
        }
    }
}

fn validity(now: Timestamp, length_ms: u64) -> Result<Validity, Error> {
    let now = now.as_millis();
    Ok(Validity::new(now.saturating_sub(BACKDATE_MS), now.saturating_add(length_ms))?)
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(2 * bytes.len()), |text, byte| text + &format!("{byte:02x}"))
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .chars()
        .map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok()))
        .collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}
