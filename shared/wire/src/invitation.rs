//! What the operator hands to an institution so that it can join: one line of text.
//!
//! `counterfoil1:` and the base64url (no padding) of a JSON object with `endpoint`, `genesis`, `ca`,
//! `institution`, `role` and `token`. The line pins the consortium's Genesis and CA, so a node that
//! has it trusts nobody else; it also carries a secret, and is to be handed over as one.

use std::{fmt, str::FromStr};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD as URL_SAFE};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, ZeroizeOnDrop, Zeroizing};

use crate::{
    Error, Identity, Role,
    digest::{from_hex, hex},
};

const PREFIX: &str = "counterfoil1:";
const TEXT_BYTES_MAX: usize = 4 * 1024;

/// An invitation to join a consortium, used once.
#[derive(Clone, PartialEq, Eq)]
pub struct Invitation {
    endpoint: String,
    ca_digest: [u8; 32],
    identity: Identity,
    token: Token,
}

/// The secret of an invitation. Erased when dropped; shown nowhere but in the invitation's text.
#[derive(Clone, PartialEq, Eq, ZeroizeOnDrop)]
pub struct Token([u8; 32]);

/// The JSON object, key by key.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    endpoint: String,
    genesis: String,
    ca: String,
    institution: String,
    role: String,
    token: String,
}

impl Invitation {
    /// An invitation of `identity` to the coordinator at `endpoint` (`host:port`), whose CA
    /// certificate (DER) has SHA-256 `ca_digest`.
    ///
    /// # Errors
    ///
    /// [`Error::Invitation`] if the role is neither bank nor auditor, or the endpoint is no
    /// `host:port`.
    pub fn new(
        endpoint: impl Into<String>,
        ca_digest: [u8; 32],
        identity: Identity,
        token: Token,
    ) -> Result<Self, Error> {
        let endpoint = endpoint.into();
        if !matches!(identity.role(), Role::Bank | Role::Auditor) {
            return Err(refused("the role must be bank or auditor"));
        }
        if !is_address(&endpoint) {
            return Err(refused("the endpoint must be host:port"));
        }
        Ok(Self { endpoint, ca_digest, identity, token })
    }

    /// Where the coordinator listens, `host:port`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// SHA-256 of the consortium's CA certificate (DER).
    pub const fn ca_digest(&self) -> &[u8; 32] {
        &self.ca_digest
    }

    /// Who is invited, in which role of which consortium.
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The secret.
    pub const fn token(&self) -> &Token {
        &self.token
    }

    /// The one line that is handed over. It holds the secret.
    pub fn to_text(&self) -> Zeroizing<String> {
        let identity = &self.identity;
        let mut wire = Wire {
            endpoint: self.endpoint.clone(),
            genesis: hex(identity.consortium()),
            ca: hex(&self.ca_digest),
            institution: identity.institution().to_owned(),
            role: identity.role().to_string(),
            token: hex(self.token.as_bytes()),
        };
        // Serializing strings to memory cannot fail.
        let json = Zeroizing::new(serde_json::to_vec(&wire).unwrap_or_default());
        wire.token.zeroize();
        Zeroizing::new(format!("{PREFIX}{}", *Zeroizing::new(URL_SAFE.encode(&*json))))
    }
}

impl FromStr for Invitation {
    type Err = Error;

    /// The invitation in its text; white space around it is ignored.
    fn from_str(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        if text.len() > TEXT_BYTES_MAX {
            return Err(refused("it is longer than 4 KiB"));
        }
        let body = text
            .strip_prefix(PREFIX)
            .ok_or_else(|| refused("it must begin with \"counterfoil1:\""))?;
        let json = URL_SAFE.decode(body).map(Zeroizing::new);
        let json = json.map_err(|_| refused("it is not base64url: part of it may be missing"))?;
        // What the parser says is left out: it may quote the secret.
        let mut wire: Wire = serde_json::from_slice(&json)
            .map_err(|_| refused("it does not hold the six keys of an invitation"))?;
        let token = from_hex(&wire.token).map(Token);
        wire.token.zeroize();
        let token = token.ok_or_else(|| refused("its token must be 64 hex digits"))?;
        let genesis =
            from_hex(&wire.genesis).ok_or_else(|| refused("its genesis must be 64 hex digits"))?;
        let ca = from_hex(&wire.ca).ok_or_else(|| refused("its ca must be 64 hex digits"))?;
        let role =
            Role::parse(&wire.role).ok_or_else(|| refused("the role must be bank or auditor"))?;
        Self::new(wire.endpoint, ca, Identity::new(genesis, role, &wire.institution)?, token)
    }
}

impl fmt::Debug for Invitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Invitation({} at {}, secret)", self.identity, self.endpoint)
    }
}

impl Token {
    /// The secret with these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(secret)")
    }
}

fn is_address(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/' && byte != b'@');
    !host.is_empty() && plain && port.parse::<u16>().is_ok_and(|port| port != 0)
}

fn refused(why: &'static str) -> Error {
    Error::Invitation(why)
}
