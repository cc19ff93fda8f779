//! How many handshakes one address may have under way.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

/// Counts handshakes by address. Clones are one.
#[derive(Clone, Debug, Default)]
pub(super) struct Handshakes {
    under_way: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// One handshake under way; dropping it ends the count.
#[derive(Debug)]
pub(super) struct UnderWay {
    handshakes: Handshakes,
    address: IpAddr,
}

impl Handshakes {
    /// Counts one more, unless `address` has `max` already.
    pub(super) fn begin(&self, address: IpAddr, max: usize) -> Option<UnderWay> {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let count = under_way.entry(address).or_default();
        if *count >= max {
            return None;
        }
        *count += 1;
        Some(UnderWay { handshakes: self.clone(), address })
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut under_way =
            self.handshakes.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = under_way.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                under_way.remove(&self.address);
            }
        }
    }
}
