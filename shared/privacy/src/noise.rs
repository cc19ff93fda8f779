//! Exact randomness: a keystream, a coin and integer Gaussian noise, rounded or discrete.

mod cell;
mod coin;
mod discrete;
mod fixed;
mod gaussian;
mod keystream;

pub use coin::bernoulli;
pub use discrete::DiscreteGaussian;
pub use gaussian::RoundedGaussian;
pub use keystream::Keystream;

/// A source of uniformly distributed bytes. Real ones are seeded by the system; tests give their own.
pub trait RandomSource {
    /// Fills `bytes` with fresh random bytes.
    ///
    /// # Errors
    ///
    /// [`SourceExhausted`] if the source can give no more; `bytes` is then worthless.
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), SourceExhausted>;
}

/// A random source can give no more bytes. What was being drawn must be thrown away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the random source is exhausted: take a new seed")]
pub struct SourceExhausted;

impl<S: RandomSource + ?Sized> RandomSource for &mut S {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), SourceExhausted> {
        (**self).fill(bytes)
    }
}

/// 64 fresh bits.
#[inline]
fn word(source: &mut impl RandomSource) -> Result<u64, SourceExhausted> {
    let mut bytes = [0; 8];
    source.fill(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}
