//! What a node keeps after joining: which consortium, as whom, and with which certificate.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledger::checkpoint::LogIdentity;
use ledger::digest::{Digest, sha256};
use ledger::record::{Body, Genesis, Institution, Leaf};
use serde::{Deserialize, Serialize};
use wire::tls::{ClientTls, Clock};
use wire::{Identity, NodeKey, Role};

use crate::ClientError;
use crate::state_dir::{StateDir, read_text, write_durably};

const FILE: &str = "consortium.json";

/// A node's membership of one consortium.
#[derive(Clone, Debug)]
pub struct Joined {
    endpoint: String,
    institution: Institution,
    role: Role,
    genesis: Genesis,
    genesis_leaf: Vec<u8>,
    ca: Vec<u8>,
    certificate: Vec<u8>,
}

/// The file, key by key; bytes in base64.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema_version: u32,
    endpoint: String,
    institution: String,
    role: String,
    genesis: String,
    genesis_leaf: String,
    ca: String,
    certificate: String,
}

impl Joined {
    /// The membership of `identity` at `endpoint`: Genesis and CA are checked against the pins that
    /// the invitation carried, the certificate against the identity.
    ///
    /// # Errors
    ///
    /// [`ClientError::Unproven`] if something is not what was pinned.
    pub fn new(
        endpoint: &str,
        identity: &Identity,
        genesis_leaf: Vec<u8>,
        ca: Vec<u8>,
        certificate: Vec<u8>,
    ) -> Result<Self, ClientError> {
        let unproven = |what: &str| ClientError::Unproven(what.to_owned());
        let leaf: Leaf = Leaf::decode(genesis_leaf.clone())
            .map_err(|error| ClientError::Unproven(format!("the genesis record: {error}")))?;
        if leaf.digest().as_bytes() != identity.consortium() {
            return Err(unproven("the genesis record has another digest than was pinned"));
        }
        let Body::Genesis(genesis) = leaf.body() else {
            return Err(unproven("leaf 0 is no genesis record"));
        };
        leaf.verify_signature(&Digest::ZERO)
            .map_err(|error| ClientError::Unproven(format!("the genesis record: {error}")))?;
        if sha256(&ca) != genesis.ca_digest {
            return Err(unproven("the CA certificate is not the one that Genesis names"));
        }
        if Identity::from_certificate(&certificate)? != *identity {
            return Err(unproven("the certificate names somebody else"));
        }
        Ok(Self {
            endpoint: endpoint.to_owned(),
            institution: Institution::new(identity.institution())
                .map_err(|error| ClientError::Unproven(error.to_string()))?,
            role: identity.role(),
            genesis: genesis.clone(),
            genesis_leaf,
            ca,
            certificate,
        })
    }

    /// The membership in the state directory.
    ///
    /// # Errors
    ///
    /// [`ClientError::NotJoined`] if there is none, [`ClientError::Damaged`] or
    /// [`ClientError::Unproven`] if the file is not what was written.
    pub fn load(state: &StateDir) -> Result<Self, ClientError> {
        crate::rotation::finish(state)?;
        Self::read(state)
    }

    /// The membership as the file has it, while keys may be on their way to their places.
    pub(crate) fn read(state: &StateDir) -> Result<Self, ClientError> {
        let path = state.path(FILE);
        let text =
            read_text(&path)?.ok_or_else(|| ClientError::NotJoined(state.root().to_owned()))?;
        let damaged = |why: String| ClientError::Damaged { path: path.clone(), why };
        let file: File = serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        let bytes = |text: &str| STANDARD.decode(text).map_err(|error| damaged(error.to_string()));
        let genesis: Digest =
            file.genesis.parse().map_err(|error| damaged(format!("genesis: {error}")))?;
        let role = Role::parse(&file.role).ok_or_else(|| damaged("an unknown role".to_owned()))?;
        let identity = Identity::new(*genesis.as_bytes(), role, &file.institution)?;
        Self::new(
            &file.endpoint,
            &identity,
            bytes(&file.genesis_leaf)?,
            bytes(&file.ca)?,
            bytes(&file.certificate)?,
        )
    }

    /// Whether the state directory holds a membership.
    pub fn exists(state: &StateDir) -> bool {
        state.path(FILE).exists()
    }

    /// Writes the membership, durably.
    ///
    /// # Errors
    ///
    /// [`ClientError::File`] if the disk fails.
    pub fn save(&self, state: &StateDir) -> Result<(), ClientError> {
        let file = File {
            schema_version: 1,
            endpoint: self.endpoint.clone(),
            institution: self.institution.to_string(),
            role: self.role.to_string(),
            genesis: self.genesis_digest().to_string(),
            genesis_leaf: STANDARD.encode(&self.genesis_leaf),
            ca: STANDARD.encode(&self.ca),
            certificate: STANDARD.encode(&self.certificate),
        };
        let path = state.path(FILE);
        let mut text = serde_json::to_vec_pretty(&file)
            .map_err(|error| ClientError::Damaged { path: path.clone(), why: error.to_string() })?;
        text.push(b'\n');
        write_durably(&path, &text)
    }

    /// The same membership with a new certificate.
    ///
    /// # Errors
    ///
    /// [`ClientError::Unproven`] if it names somebody else.
    pub fn renewed(&self, certificate: Vec<u8>) -> Result<Self, ClientError> {
        if Identity::from_certificate(&certificate)?
            != Identity::from_certificate(&self.certificate)?
        {
            return Err(ClientError::Unproven(
                "the new certificate names somebody else".to_owned(),
            ));
        }
        Ok(Self { certificate, ..self.clone() })
    }

    /// The node's side of mutual TLS.
    ///
    /// # Errors
    ///
    /// [`ClientError::Wire`] if key and certificate do not fit together.
    pub fn tls(&self, key: &NodeKey, clock: Clock) -> Result<ClientTls, ClientError> {
        let genesis = *self.genesis_digest().as_bytes();
        Ok(ClientTls::member(&self.ca, genesis, &self.certificate, key, clock)?)
    }

    /// Where the coordinator listens.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Who the node is.
    pub const fn institution(&self) -> &Institution {
        &self.institution
    }

    /// In which role.
    pub const fn role(&self) -> Role {
        self.role
    }

    /// What Genesis says.
    pub const fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// SHA-256 of leaf 0.
    pub fn genesis_digest(&self) -> Digest {
        sha256(&self.genesis_leaf)
    }

    /// The certificate (DER).
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// Which log, signed by which key.
    pub fn log(&self) -> LogIdentity {
        LogIdentity { genesis: self.genesis_digest(), key: self.genesis.log_key }
    }
}
