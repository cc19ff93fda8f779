//! Two heads of one log that exclude each other, as a file that convicts by itself.
//!
//! ```text
//! {"schema": "counterfoil-contradiction/1", "genesis": hex, "genesis_leaf": base64,
//!  "smaller": note, "larger": note, "root_at_smaller": hex, "consistency": [hex, …]}
//! ```
//!
//! Leaf 0 names the key that signs the log's heads, and its digest is the log's name, so a reader who knows that digest needs nothing
//! else. A log only grows. Two heads of one size have the same root; and the tree under the larger head has at the smaller size the
//! root that a consistency proof ([RFC 9162], section 2.1.4) leads through: if the smaller head has another, the key signed two
//! histories. Only the log's own signatures count here, by the key in leaf 0: what a later key signed such a file does not convict of.
//! Further signature lines are kept as they came.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{CHECKPOINT_BYTES_MAX, CheckpointError, LogIdentity, SignedCheckpoint};
use crate::digest::{Digest, sha256};
use crate::record::{Body, LEAF_BYTES_MAX, Leaf, LeafBytes, RecordError};
use crate::tree::{
    HashSource, Head, ProofError, ProofMismatch, consistency_proof, root_at, verify_consistency,
};

/// What the file calls itself.
pub const CONTRADICTION_SCHEMA: &str = "counterfoil-contradiction/1";

/// The most bytes that a file may have: a leaf in base64, two escaped notes and a proof.
pub const CONTRADICTION_BYTES_MAX: usize = 2 * LEAF_BYTES_MAX + 4 * CHECKPOINT_BYTES_MAX;

/// Two heads that may exclude each other. Not yet verified: see [`Contradiction::verify`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contradiction {
    /// Leaf 0, which names the log's key.
    pub genesis_leaf: LeafBytes,
    /// The exact text of the head that is not larger.
    pub smaller: String,
    /// The exact text of the other.
    pub larger: String,
    /// What the tree under the larger head had at the smaller size; none if the sizes are equal.
    pub path: Option<Path>,
}

/// A root at an earlier size, and the consistency proof from it to the larger head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// The root that the larger head's tree had at the smaller size.
    pub root_at_smaller: Digest,
    /// The proof.
    pub consistency: Vec<Digest>,
}

/// A log whose key signed two histories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Convicted {
    /// Which log.
    pub log: LogIdentity,
    /// The head that is not larger.
    pub smaller: SignedCheckpoint,
    /// The other.
    pub larger: SignedCheckpoint,
    /// The root that the larger head's tree has at the smaller size.
    pub root_at_smaller: Digest,
}

/// A file convicts nobody.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ContradictionError {
    /// Not a file of this schema.
    #[error("expected a file of schema {CONTRADICTION_SCHEMA}, got {0}")]
    Malformed(String),
    /// The leaf does not found a log.
    #[error(transparent)]
    Leaf(#[from] RecordError),
    /// The leaf is no Genesis, or not the one whose digest the file names.
    #[error("expected the genesis record {expected}, got {found}")]
    Genesis {
        /// The digest that the file names.
        expected: String,
        /// What the leaf is.
        found: String,
    },
    /// A head is not one that the log signed.
    #[error("the {which} head: {source}")]
    Checkpoint {
        /// "smaller" or "larger".
        which: &'static str,
        /// What is wrong.
        source: CheckpointError,
    },
    /// The heads are in the wrong order, or the path is missing or one too many.
    #[error("expected {0}")]
    Shape(&'static str),
    /// The path does not lead to the larger head.
    #[error(transparent)]
    Path(#[from] ProofMismatch),
    /// Both heads can be of one history.
    #[error("expected heads that exclude each other, got two of one history")]
    NoContradiction,
}

/// Two heads could not be compared.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CompareError<E> {
    /// The tree is not the one under the larger head.
    #[error("expected the tree under root {expected}, got one under {found}")]
    OtherTree {
        /// The larger head's root.
        expected: Digest,
        /// The root of the tree at that size.
        found: Digest,
    },
    /// A node cannot be read.
    #[error(transparent)]
    Tree(#[from] ProofError<E>),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: String,
    genesis: String,
    genesis_leaf: String,
    smaller: String,
    larger: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    root_at_smaller: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    consistency: Option<Vec<String>>,
}

impl Contradiction {
    /// The contradiction between two heads of the log that `genesis_leaf` founds; none if both can be of one history.
    ///
    /// `tree` is the one under the head with more leaves, and may have grown since. Of two heads of one size it is not asked.
    ///
    /// # Errors
    ///
    /// [`CompareError`] if `tree` is another, or cannot be read.
    pub fn between<S: HashSource>(
        genesis_leaf: &LeafBytes,
        one: &SignedCheckpoint,
        other: &SignedCheckpoint,
        tree: &S,
    ) -> Result<Option<Self>, CompareError<S::Error>> {
        let (smaller, larger) =
            if one.head().size <= other.head().size { (one, other) } else { (other, one) };
        let found = |path| Self {
            genesis_leaf: genesis_leaf.clone(),
            smaller: smaller.text().to_owned(),
            larger: larger.text().to_owned(),
            path,
        };
        let (early, late) = (smaller.head(), larger.head());
        if early.size == late.size {
            return Ok((early.root != late.root).then(|| found(None)));
        }
        let root = root_at(tree, late.size)?;
        if root != late.root {
            return Err(CompareError::OtherTree { expected: late.root, found: root });
        }
        let root_at_smaller = root_at(tree, early.size)?;
        if root_at_smaller == early.root {
            return Ok(None);
        }
        let consistency = consistency_proof(tree, early.size, late.size)?;
        Ok(Some(found(Some(Path { root_at_smaller, consistency }))))
    }

    /// The contradiction as a file.
    pub fn to_text(&self) -> String {
        let file = File {
            schema: CONTRADICTION_SCHEMA.to_owned(),
            genesis: sha256(self.genesis_leaf.as_slice()).to_string(),
            genesis_leaf: STANDARD.encode(self.genesis_leaf.as_slice()),
            smaller: self.smaller.clone(),
            larger: self.larger.clone(),
            root_at_smaller: self.path.as_ref().map(|path| path.root_at_smaller.to_string()),
            consistency: self
                .path
                .as_ref()
                .map(|path| path.consistency.iter().map(Digest::to_string).collect()),
        };
        // A tree of texts always has a JSON form.
        serde_json::to_string_pretty(&file).unwrap_or_default() + "\n"
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// [`ContradictionError`] if it is not of this schema, or the genesis leaf is not the one that it names.
    pub fn from_text(text: &str) -> Result<Self, ContradictionError> {
        let malformed = |what: &dyn ToString| ContradictionError::Malformed(what.to_string());
        if text.len() > CONTRADICTION_BYTES_MAX {
            return Err(malformed(&"a longer one"));
        }
        let file: File = serde_json::from_str(text).map_err(|error| malformed(&error))?;
        if file.schema != CONTRADICTION_SCHEMA {
            return Err(malformed(&format!("{:?}", file.schema)));
        }
        let leaf =
            STANDARD.decode(&file.genesis_leaf).map_err(|_| malformed(&"a leaf not in base64"))?;
        let found = sha256(&leaf).to_string();
        if file.genesis != found {
            return Err(ContradictionError::Genesis { expected: file.genesis, found });
        }
        let hash = |text: &String| text.parse().map_err(|_| malformed(&"a hash not in hex"));
        let path = match (&file.root_at_smaller, &file.consistency) {
            (None, None) => None,
            (Some(root), Some(proof)) => Some(Path {
                root_at_smaller: hash(root)?,
                consistency: proof.iter().map(hash).collect::<Result<_, _>>()?,
            }),
            _ => {
                return Err(malformed(&"one of root_at_smaller and consistency without the other"));
            }
        };
        let genesis_leaf = LeafBytes::new(leaf)?;
        Ok(Self { genesis_leaf, smaller: file.smaller, larger: file.larger, path })
    }

    /// Checks that the log's key signed both heads and that they exclude each other. Whose log it is, the digest of its leaf 0 says.
    ///
    /// # Errors
    ///
    /// [`ContradictionError`] with the reason why the file convicts nobody.
    pub fn verify(&self) -> Result<Convicted, ContradictionError> {
        let log = self.identity()?;
        let open = |which, text: &str| {
            SignedCheckpoint::open(text, &log)
                .map_err(|source| ContradictionError::Checkpoint { which, source })
        };
        let smaller = open("smaller", &self.smaller)?;
        let larger = open("larger", &self.larger)?;
        let root_at_smaller = excluding(&smaller.head(), &larger.head(), self.path.as_ref())?;
        Ok(Convicted { log, smaller, larger, root_at_smaller })
    }

    fn identity(&self) -> Result<LogIdentity, ContradictionError> {
        let genesis = sha256(self.genesis_leaf.as_slice());
        let leaf: Leaf = Leaf::decode(self.genesis_leaf.as_slice())?;
        let Body::Genesis(body) = leaf.body() else {
            let found = crate::record::Payload::kind(leaf.body()).to_owned();
            return Err(ContradictionError::Genesis { expected: genesis.to_string(), found });
        };
        leaf.verify_signature(&Digest::ZERO)?;
        Ok(LogIdentity { genesis, key: body.log_key })
    }
}

/// The root that the tree under `larger` has at the smaller size, if the two heads exclude each other.
pub(crate) fn excluding(
    smaller: &Head,
    larger: &Head,
    path: Option<&Path>,
) -> Result<Digest, ContradictionError> {
    let (old, size) = (smaller.size, larger.size);
    let root_at_smaller = match path {
        _ if old > size => {
            return Err(ContradictionError::Shape("the head with fewer leaves as the smaller"));
        }
        None if old == size => larger.root,
        None => return Err(ContradictionError::Shape("a path from the smaller size")),
        Some(_) if old == size => {
            return Err(ContradictionError::Shape("no path between heads of one size"));
        }
        Some(Path { root_at_smaller, consistency }) => {
            verify_consistency(old, size, root_at_smaller, &larger.root, consistency)?;
            *root_at_smaller
        }
    };
    if root_at_smaller == smaller.root {
        return Err(ContradictionError::NoContradiction);
    }
    Ok(root_at_smaller)
}
