//! How long to wait before trying again.

use std::time::Duration;

use ring::rand::{SecureRandom as _, SystemRandom};

/// Waits that double from `least` to `most`, each shortened at random by up to half: a hundred
/// banks that lose one coordinator do not come back at once.
#[derive(Clone, Debug)]
pub struct Backoff {
    least: Duration,
    most: Duration,
    tries: u32,
}

impl Backoff {
    /// Waits from `least` to `most`.
    pub const fn new(least: Duration, most: Duration) -> Self {
        Self { least, most, tries: 0 }
    }

    /// It worked: the next wait is short again.
    pub const fn reset(&mut self) {
        self.tries = 0;
    }

    /// The next wait, with the system's randomness.
    pub fn next_wait(&mut self) -> Duration {
        let mut bytes = [0; 4];
        // Without randomness the wait is not shortened; nothing depends on it.
        let _ = SystemRandom::new().fill(&mut bytes);
        self.wait(u32::from_le_bytes(bytes))
    }

    /// The next wait, shortened by `random`/2³³ of itself.
    pub fn wait(&mut self, random: u32) -> Duration {
        let factor = 2_u32.checked_pow(self.tries).unwrap_or(u32::MAX);
        self.tries = self.tries.saturating_add(1);
        let whole = self.least.saturating_mul(factor).min(self.most);
        whole.saturating_sub(whole.mul_f64(f64::from(random) / 8_589_934_592.0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn waits_double_up_to_the_most_and_are_shortened_by_at_most_half(
            randoms in proptest::collection::vec(any::<u32>(), 1..80),
        ) {
            let (least, most) = (Duration::from_millis(200), Duration::from_secs(30));
            let mut backoff = Backoff::new(least, most);
            let mut whole = least;
            for random in randoms {
                let wait = backoff.wait(random);
                prop_assert!(wait <= whole && wait >= whole / 2, "{wait:?} of {whole:?}");
                whole = (whole * 2).min(most);
            }
            backoff.reset();
            prop_assert!(backoff.wait(0) == least);
        }
    }
}
