//! Proof that a key of the log signed two histories.

use super::{Institution, RecordError, Wire, fixed, refused};
use crate::checkpoint::{
    CheckpointError, ConsistencyPath, Contradiction, ContradictionError, LogIdentity,
    SignedCheckpoint, excluding,
};
use crate::digest::{Digest, sha256};
use crate::generated::record as message;
use crate::record::LeafBytes;
use crate::signing::{PublicKey, Signature};
use crate::tree::Head;

/// Two heads that exclude each other, both signed by one key of the log. They convict the key, whoever had it, and by whomever they were
/// handed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contradicted {
    /// Who hands it in.
    pub institution: Institution,
    /// The key that signed both: one that the log has or had.
    pub log_key: PublicKey,
    /// The head that is not larger; of two of one size, the one with the lesser root.
    pub smaller: SignedHead,
    /// The other.
    pub larger: SignedHead,
    /// The root that the larger head's tree has at the smaller size, and the proof; none if the sizes are equal.
    pub path: Option<ConsistencyPath>,
}

/// A head and the log's signature on the checkpoint that says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedHead {
    /// The head.
    pub head: Head,
    /// The signature.
    pub signature: Signature,
}

impl Contradicted {
    /// What `institution` hands in of a contradiction.
    ///
    /// # Errors
    ///
    /// [`ContradictionError`] if it convicts nobody.
    pub fn hand_in(
        institution: Institution,
        found: &Contradiction,
    ) -> Result<Self, ContradictionError> {
        let convicted = found.verify()?;
        let signed = |which, checkpoint: &SignedCheckpoint| {
            let source = CheckpointError::BadSignature;
            let bad = |_| ContradictionError::Checkpoint { which, source };
            let signature = Signature::try_from(checkpoint.own_signature().bytes());
            signature
                .map_err(bad)
                .map(|signature| SignedHead { head: checkpoint.head(), signature })
        };
        let one = signed("smaller", &convicted.smaller)?;
        let other = signed("larger", &convicted.larger)?;
        let (smaller, larger) =
            if is_ordered(&one.head, &other.head) { (one, other) } else { (other, one) };
        let (log_key, path) = (convicted.log.key, found.path.clone());
        Ok(Self { institution, log_key, smaller, larger, path })
    }

    /// Checks that the key signed both heads for the log whose leaf 0 has the digest `genesis`, and that they exclude each other. Whether it
    /// is a key of the log is for the reader of the log.
    ///
    /// # Errors
    ///
    /// [`ContradictionError`] with the reason why nobody is convicted.
    pub fn verify(&self, genesis: &Digest) -> Result<(), ContradictionError> {
        self.checkpoints(genesis)?;
        excluding(&self.smaller.head, &self.larger.head, self.path.as_ref()).map(drop)
    }

    /// The same as a file that convicts by itself. It does only if the key is the one in leaf 0.
    ///
    /// # Errors
    ///
    /// [`ContradictionError::Checkpoint`] if a signature does not verify.
    pub fn to_file(&self, genesis_leaf: &LeafBytes) -> Result<Contradiction, ContradictionError> {
        let (smaller, larger) = self.checkpoints(&sha256(genesis_leaf.as_slice()))?;
        Ok(Contradiction {
            genesis_leaf: genesis_leaf.clone(),
            smaller: smaller.text().to_owned(),
            larger: larger.text().to_owned(),
            path: self.path.clone(),
        })
    }

    /// What the key is convicted of, whoever hands it in and with whatever signatures: SHA-256 over key, sizes and roots.
    pub fn pair(&self) -> Digest {
        let head = |signed: &SignedHead| {
            [&signed.head.size.to_be_bytes()[..], signed.head.root.as_bytes()].concat()
        };
        sha256(
            &[self.log_key.as_bytes().as_slice(), &head(&self.smaller), &head(&self.larger)]
                .concat(),
        )
    }

    fn checkpoints(
        &self,
        genesis: &Digest,
    ) -> Result<(SignedCheckpoint, SignedCheckpoint), ContradictionError> {
        let log = LogIdentity { genesis: *genesis, key: self.log_key };
        let restore = |which, signed: &SignedHead| {
            SignedCheckpoint::restore(&log, signed.head, &signed.signature)
                .map_err(|source| ContradictionError::Checkpoint { which, source })
        };
        Ok((restore("smaller", &self.smaller)?, restore("larger", &self.larger)?))
    }
}

/// One pair has one order.
fn is_ordered(smaller: &Head, larger: &Head) -> bool {
    (smaller.size, smaller.root) < (larger.size, larger.root)
}

fn to_message(signed: &SignedHead) -> message::SignedHead {
    message::SignedHead {
        size: signed.head.size,
        root: signed.head.root.as_bytes().to_vec(),
        signature: signed.signature.as_bytes().to_vec(),
    }
}

fn from_message(
    field: &'static str,
    signed: Option<message::SignedHead>,
) -> Result<SignedHead, RecordError> {
    let signed = signed.ok_or_else(|| refused(field, "a signed head", "none"))?;
    let head = Head { size: signed.size, root: fixed("root", &signed.root)? };
    Ok(SignedHead { head, signature: fixed("signature", &signed.signature)? })
}

impl Wire for Contradicted {
    type Message = message::Contradiction;
    const TYPE: &'static str = "contradiction";

    fn to_message(&self) -> message::Contradiction {
        let root = |path: &ConsistencyPath| path.root_at_smaller.as_bytes().to_vec();
        let proof = self.path.iter().flat_map(|path| &path.consistency);
        message::Contradiction {
            institution: self.institution.to_string(),
            log_key: self.log_key.as_bytes().to_vec(),
            smaller: Some(to_message(&self.smaller)),
            larger: Some(to_message(&self.larger)),
            root_at_smaller: self.path.as_ref().map(root).unwrap_or_default(),
            consistency: proof.map(|hash| hash.as_bytes().to_vec()).collect(),
        }
    }

    fn from_message(m: message::Contradiction) -> Result<Self, RecordError> {
        let smaller = from_message("smaller", m.smaller)?;
        let larger = from_message("larger", m.larger)?;
        if !is_ordered(&smaller.head, &larger.head) {
            return Err(refused(
                "larger",
                "the larger head, or of one size the greater root",
                "less",
            ));
        }
        let consistency = m.consistency.iter().map(|hash| fixed("consistency", hash));
        let consistency = consistency.collect::<Result<Vec<_>, _>>()?;
        let path = match (smaller.head.size == larger.head.size, consistency.is_empty()) {
            (true, true) if m.root_at_smaller.is_empty() => None,
            (true, _) => {
                return Err(refused("consistency", "nothing between heads of one size", "a path"));
            }
            (false, _) => {
                let root_at_smaller = fixed("root_at_smaller", &m.root_at_smaller)?;
                Some(ConsistencyPath { root_at_smaller, consistency })
            }
        };
        Ok(Self {
            institution: Institution::new(m.institution)?,
            log_key: fixed("log_key", &m.log_key)?,
            smaller,
            larger,
            path,
        })
    }
}
