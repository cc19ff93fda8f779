use core::fmt;

use meta::TaskKey;
use ring::hmac;
use zeroize::Zeroizing;

/// The key of a population's keyed hashes, fixed for its life: with another key one customer would
/// come to another task.
///
/// Each use of the hash has a label of its own, so that one says nothing about another.
pub struct PopulationKey(hmac::Key);

impl PopulationKey {
    /// The key of these bytes. The caller's are wiped when dropped; the expanded key inside the hash is
    /// not ours to wipe.
    pub fn new(bytes: &Zeroizing<[u8; 32]>) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes.as_slice()))
    }

    /// The bucket that a unit, or a value of the task column, belongs to.
    pub(super) fn bucket(&self, name: &str, buckets: u32) -> u32 {
        // ⌊u·M/2⁶⁴⌋ for a uniform u: every bucket is as likely as the next to within M/2⁶⁴.
        let place =
            (u128::from(self.word("bucket", &[name.as_bytes()])) * u128::from(buckets)) >> 64;
        u32::try_from(place).unwrap_or(0)
    }

    /// A number in [0, 1) that decides whether a unit is support or query.
    pub(super) fn share(&self, unit: &str) -> f64 {
        fraction(self.word("role", &[unit.as_bytes()]))
    }

    /// A number in [0, 1) that decides whether a row of a unit is support or query.
    pub(super) fn share_of_row(&self, unit: &str, rank: u32) -> f64 {
        fraction(self.word("row", &[&rank.to_le_bytes(), unit.as_bytes()]))
    }

    /// What units are sorted by.
    pub(super) fn order(&self, unit: &str) -> [u8; 32] {
        self.digest("order", &[unit.as_bytes()])
    }

    /// The name of a bucket.
    pub(super) fn bucket_key(&self, bucket: u32) -> TaskKey {
        TaskKey(self.digest("task", &[&bucket.to_le_bytes()]))
    }

    fn word(&self, label: &str, parts: &[&[u8]]) -> u64 {
        let mut bytes = [0; 8];
        bytes.iter_mut().zip(self.digest(label, parts)).for_each(|(to, from)| *to = from);
        u64::from_le_bytes(bytes)
    }

    /// HMAC-SHA-256 of the label, a zero byte, and the parts. Only the last part varies in length.
    fn digest(&self, label: &str, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(b"counterfoil/v1/task/");
        context.update(label.as_bytes());
        context.update(&[0]);
        for part in parts {
            context.update(part);
        }
        let mut bytes = [0; 32];
        bytes.iter_mut().zip(context.sign().as_ref()).for_each(|(to, from)| *to = *from);
        bytes
    }
}

impl fmt::Debug for PopulationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PopulationKey(..)")
    }
}

/// A uniform word as a number in [0, 1).
#[expect(clippy::cast_precision_loss, reason = "53 bits are held exactly")]
fn fraction(word: u64) -> f64 {
    (word >> 11) as f64 / (1_u64 << 53) as f64
}
