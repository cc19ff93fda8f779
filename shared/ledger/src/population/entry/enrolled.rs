//! Whose ledger it is, in each consortium that the bank belongs to.

use crate::digest::Digest;
use crate::generated::population as message;
use crate::record::{Institution, RecordError, Wire, fixed};
use crate::signing::{BadSignature, PublicKey, Signature, SigningKey};

/// What the statement is signed as.
const STATEMENT: &str = "ledger-of";

/// The bank's record key in a consortium has signed that this ledger is the bank's there.
///
/// The statement covers the ledger's genesis digest, and by it the ledger's own key; it is signed in
/// the consortium's domain. So an auditor who knows the roster knows whose ledger it is, and a
/// statement proves nothing about another ledger or in another consortium.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolled {
    /// The genesis digest of the consortium.
    pub consortium: Digest,
    /// The bank's name there.
    pub institution: Institution,
    /// The bank's record key there.
    pub record_key: PublicKey,
    /// The signature of that key over the statement; see [`Enrolled::verify`].
    pub signature: Signature,
}

impl Enrolled {
    /// Signs that the ledger with the genesis digest `ledger` is that of `institution` in `consortium`.
    pub fn sign(
        ledger: &Digest,
        consortium: Digest,
        institution: Institution,
        record_key: &SigningKey,
    ) -> Self {
        let statement = statement(ledger, &institution);
        let signature = record_key.sign_body(STATEMENT, &consortium, &statement);
        Self { consortium, institution, record_key: record_key.public(), signature }
    }

    /// Whether the record key has signed for the ledger with the genesis digest `ledger`.
    ///
    /// # Errors
    ///
    /// [`BadSignature`] if it has not.
    pub fn verify(&self, ledger: &Digest) -> Result<(), BadSignature> {
        let statement = statement(ledger, &self.institution);
        self.record_key.verify_body(STATEMENT, &self.consortium, &statement, &self.signature)
    }
}

/// The digest has a fixed length, so the two parts cannot be cut elsewhere.
fn statement(ledger: &Digest, institution: &Institution) -> Vec<u8> {
    [ledger.as_bytes().as_slice(), institution.as_str().as_bytes()].concat()
}

impl Wire for Enrolled {
    type Message = message::Enrolled;
    const TYPE: &'static str = "enrolled";

    fn to_message(&self) -> message::Enrolled {
        message::Enrolled {
            consortium: self.consortium.as_bytes().to_vec(),
            institution: self.institution.to_string(),
            record_key: self.record_key.as_bytes().to_vec(),
            signature: self.signature.as_bytes().to_vec(),
        }
    }

    fn from_message(m: message::Enrolled) -> Result<Self, RecordError> {
        Ok(Self {
            consortium: fixed("consortium", &m.consortium)?,
            institution: Institution::new(m.institution)?,
            record_key: fixed("record_key", &m.record_key)?,
            signature: fixed("signature", &m.signature)?,
        })
    }
}
