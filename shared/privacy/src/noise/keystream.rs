use core::fmt;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use super::{RandomSource, SourceExhausted};

/// Bytes that one nonce gives.
const BLOCK_LEN: usize = 16_384;
/// Blocks that one seed gives, 64 TiB: far within the safe use of a key, and the nonce never wraps.
const BLOCKS_MAX: u64 = 1 << 32;

/// A stream of bytes that nobody without the seed can tell from random: AES-256-GCM over zeros, a counter as the nonce.
///
/// One seed serves one computation and comes from the system. Its owner fills it in place and it is only lent, so no copy of it is
/// left behind; seed and buffer are wiped when they are dropped (the expanded key inside the cipher is not ours to wipe).
pub struct Keystream {
    key: Option<LessSafeKey>,
    blocks: u64,
    buffer: Zeroizing<Vec<u8>>,
    used: usize,
}

impl Keystream {
    /// The stream of `seed`, which must serve no other.
    ///
    /// A seed that nobody wipes is not taken:
    ///
    /// ```compile_fail,E0308
    /// privacy::Keystream::from_seed(&[7; 32]);
    /// ```
    pub fn from_seed(seed: &Zeroizing<[u8; 32]>) -> Self {
        let key = UnboundKey::new(&AES_256_GCM, seed.as_slice()).ok().map(LessSafeKey::new);
        Self { key, blocks: 0, buffer: Zeroizing::new(vec![0; BLOCK_LEN]), used: BLOCK_LEN }
    }

    fn refill(&mut self) -> Result<(), SourceExhausted> {
        let key = self.key.as_ref().ok_or(SourceExhausted)?;
        if self.blocks >= BLOCKS_MAX {
            return Err(SourceExhausted);
        }
        let mut nonce = [0; NONCE_LEN];
        for (byte, counter) in nonce.iter_mut().zip(self.blocks.to_le_bytes()) {
            *byte = counter;
        }
        self.blocks += 1;
        self.buffer.fill(0);
        // The tag authenticates nothing here.
        let _tag = key
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::empty(),
                &mut self.buffer,
            )
            .map_err(|_| SourceExhausted)?;
        self.used = 0;
        Ok(())
    }
}

impl RandomSource for Keystream {
    #[inline]
    fn fill(&mut self, mut bytes: &mut [u8]) -> Result<(), SourceExhausted> {
        while !bytes.is_empty() {
            if self.used >= self.buffer.len() {
                self.refill()?;
            }
            let fresh = self.buffer.get(self.used..).unwrap_or_default();
            let count = fresh.len().min(bytes.len());
            let (head, rest) = bytes.split_at_mut(count);
            for (to, from) in head.iter_mut().zip(fresh) {
                *to = *from;
            }
            self.used += count;
            bytes = rest;
        }
        Ok(())
    }
}

impl fmt::Debug for Keystream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keystream").field("blocks", &self.blocks).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_at_its_last_block_refuses_rather_than_repeating_itself() {
        let mut stream = Keystream::from_seed(&Zeroizing::new([7; 32]));
        stream.blocks = BLOCKS_MAX - 1;
        let mut block = vec![0; BLOCK_LEN];
        assert_eq!(stream.fill(&mut block), Ok(()));
        assert_eq!(stream.fill(&mut [0]), Err(SourceExhausted));
    }

    #[test]
    fn blocks_differ_and_pieces_join() {
        let mut whole = vec![0; 3 * BLOCK_LEN + 5];
        Keystream::from_seed(&Zeroizing::new([1; 32])).fill(&mut whole).unwrap();
        let mut stream = Keystream::from_seed(&Zeroizing::new([1; 32]));
        for piece in whole.chunks(7) {
            let mut bytes = vec![0; piece.len()];
            stream.fill(&mut bytes).unwrap();
            assert_eq!(bytes, piece);
        }
        let mut blocks = whole.chunks(BLOCK_LEN);
        assert_ne!(blocks.next(), blocks.next());
    }

    #[test]
    fn a_printed_stream_shows_no_bytes() {
        let shown = format!("{:?}", Keystream::from_seed(&Zeroizing::new([0xAB; 32])));
        assert_eq!(shown, "Keystream { blocks: 0, .. }");
    }
}
