use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tracing::{info, warn};
use wire::Validity;

use super::{Follower, Follows, blocking, locked};
use crate::{ClientError, clock};

/// The clock is looked at again after at most this, so that one that was set does no harm.
const LOOK_AGAIN: Duration = Duration::from_mins(10);

/// Renews the certificate at half of its life, for ever.
///
/// # Errors
///
/// [`ClientError`] if the certificate in use cannot be read or the new one cannot be kept.
pub(super) async fn renew<F: Follows>(daemon: Arc<F>) -> Result<(), ClientError> {
    let follower = daemon.follower();
    let mut backoff = follower.options.backoff.clone();
    loop {
        let validity = Validity::of_certificate(follower.joined().certificate())?;
        let wait = until_half_life(validity, now_ms(follower));
        if !wait.is_zero() {
            sleep(wait.min(LOOK_AGAIN)).await;
            continue;
        }
        match ask(&daemon).await {
            Ok(()) => backoff.reset(),
            Err(error @ ClientError::File { .. }) => return Err(error),
            Err(error) => {
                let wait = backoff.next_wait();
                warn!(%error, ?wait, "the certificate is not renewed yet; trying again");
                sleep(wait).await;
            }
        }
    }
}

async fn ask<F: Follows>(daemon: &Arc<F>) -> Result<(), ClientError> {
    let follower = daemon.follower();
    let mut connection = follower.connection.subscribe();
    let connection = connection.wait_for(Option::is_some).await;
    let connection = connection.map_err(|e| ClientError::Internal(e.to_string()))?.clone();
    let connection = connection.ok_or_else(|| ClientError::Internal("no connection".to_owned()))?;
    let answer = connection.renew(follower.keys.tls.csr()?).await?;
    let renewed = follower.joined().renewed(answer.certificate.to_vec())?;
    // Half of a life that is already over would ask again at once, for ever.
    let validity = Validity::of_certificate(renewed.certificate())?;
    if until_half_life(validity, now_ms(follower)).is_zero() {
        return Err(ClientError::Unproven("the new certificate is old already".to_owned()));
    }
    renewed.tls(&follower.keys.tls, Arc::clone(&follower.options.clock))?;
    let (keeping, kept) = (Arc::clone(daemon), renewed.clone());
    blocking(move || kept.save(&keeping.follower().state)).await?;
    *locked(&follower.joined) = renewed;
    info!(until_ms = validity.not_after_ms(), "the certificate is renewed");
    follower.reconnect.notify_one();
    Ok(())
}

/// The time that certificates are checked against.
fn now_ms(follower: &Follower) -> u64 {
    let now = follower.options.clock.current_time();
    now.map_or_else(|| clock::now().as_millis(), |now| now.as_secs().saturating_mul(1000))
}

/// How long until half of a validity is over.
fn until_half_life(validity: Validity, now_ms: u64) -> Duration {
    let (from, to) = (validity.not_before_ms(), validity.not_after_ms());
    let half = from.saturating_add(to.saturating_sub(from) / 2);
    Duration::from_millis(half.saturating_sub(now_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_renewed_when_half_of_its_life_is_over() {
        let validity = Validity::new(1_000, 9_000).expect("it begins before it ends");
        for (now, wait) in [(0, 5_000), (1_000, 4_000), (4_999, 1), (5_000, 0), (99_000, 0)] {
            assert_eq!(until_half_life(validity, now), Duration::from_millis(wait), "{now}");
        }
    }
}
