use std::time::Duration;

use tokio::time::Instant;

/// When a bank sends that learnt of the round at `pushed` and is ready at `ready`: the end of the
/// slot, or of the whole number of slots that it took longer.
pub(super) fn slot_end(pushed: Instant, ready: Instant, slot: Duration) -> Instant {
    let taken = ready.saturating_duration_since(pushed).as_nanos();
    let slots = taken / slot.as_nanos().max(1) + 1;
    let slots = u32::try_from(slots).unwrap_or(u32::MAX);
    pushed.checked_add(slot.saturating_mul(slots)).unwrap_or(ready)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_bank_sends_at_whole_slots_after_the_push_and_never_before_it_is_ready(
            slot in 1_u64..100_000,
            taken in 0_u64..1_000_000,
        ) {
            let pushed = Instant::now();
            let ready = pushed + Duration::from_millis(taken);
            let sent = slot_end(pushed, ready, Duration::from_millis(slot)) - pushed;
            prop_assert!(sent > Duration::from_millis(taken));
            prop_assert!(sent <= Duration::from_millis(taken + slot));
            prop_assert_eq!(sent.as_millis() % u128::from(slot), 0);
        }
    }
}
