//! The connections that live, and who may no longer have one.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::oneshot;

use super::peer::{Peer, PeerCertificate};
use crate::{Error, Identity};

/// Every connection that has passed its handshake and lives. Cheap to clone; clones are one.
#[derive(Clone, Debug, Default)]
pub struct Connections {
    registry: Arc<Registry>,
}

#[derive(Debug, Default)]
struct Registry {
    next: AtomicU64,
    live: Mutex<BTreeMap<u64, Live>>,
}

#[derive(Debug)]
struct Live {
    peer: Peer,
    /// Dropped to close the connection.
    _open: oneshot::Sender<()>,
}

/// A connection's entry; dropping it takes the entry out.
#[derive(Debug)]
pub(super) struct Registration {
    registry: Arc<Registry>,
    id: u64,
    /// Resolves when the connection must close.
    pub(super) closing: oneshot::Receiver<()>,
}

impl Connections {
    /// How many live.
    pub fn count(&self) -> usize {
        self.registry.live().len()
    }

    /// Who is at the other ends, in order of arrival.
    pub fn peers(&self) -> Vec<Peer> {
        self.registry.live().values().map(|live| live.peer.clone()).collect()
    }

    /// Closes every connection, and says how many there were.
    pub fn close_all(&self) -> usize {
        self.close(|_| true)
    }

    /// Closes the connections that `select` names.
    fn close(&self, select: impl Fn(&Peer) -> bool) -> usize {
        let mut live = self.registry.live();
        let before = live.len();
        live.retain(|_, connection| !select(&connection.peer));
        before - live.len()
    }

    /// Enters a connection, unless as many of its kind live already: `per_identity_max` with this
    /// identity, or `uncertified_max` without any.
    pub(super) fn enter(
        &self,
        peer: &Peer,
        per_identity_max: usize,
        uncertified_max: usize,
    ) -> Option<Registration> {
        let who = identity(peer);
        let limit = if who.is_some() { per_identity_max } else { uncertified_max };
        let (open, closing) = oneshot::channel();
        let id = self.registry.next.fetch_add(1, Ordering::Relaxed);
        let mut live = self.registry.live();
        if live.values().filter(|live| identity(&live.peer) == who).count() >= limit {
            return None;
        }
        live.insert(id, Live { peer: peer.clone(), _open: open });
        Some(Registration { registry: Arc::clone(&self.registry), id, closing })
    }
}

impl Registry {
    fn live(&self) -> MutexGuard<'_, BTreeMap<u64, Live>> {
        // Each change is one call on the map: a panic elsewhere leaves it whole.
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.registry.live().remove(&self.id);
    }
}

fn identity(peer: &Peer) -> Option<&Identity> {
    peer.certificate.as_ref().map(|certificate| &certificate.identity)
}

/// Who is revoked: institutions by name and single certificates by serial number.
///
/// Revoking closes what lives at once and refuses what comes, also a connection whose handshake is
/// on its way. Held in memory only: whoever owns the log fills it at the start. Cheap to clone;
/// clones are one.
#[derive(Clone, Debug, Default)]
pub struct Revocations {
    revoked: Arc<Mutex<Revoked>>,
    connections: Connections,
}

#[derive(Debug, Default)]
struct Revoked {
    institutions: BTreeSet<String>,
    serials: BTreeSet<Vec<u8>>,
}

impl Revocations {
    pub(super) fn new(connections: Connections) -> Self {
        Self { revoked: Arc::default(), connections }
    }

    /// Revokes all certificates of an institution, in any role. Returns the connections closed.
    pub fn revoke_institution(&self, institution: &str) -> usize {
        self.revoked().institutions.insert(institution.to_owned());
        self.close_revoked()
    }

    /// Lets an institution in again; its revoked serials stay revoked.
    pub fn readmit_institution(&self, institution: &str) {
        self.revoked().institutions.remove(institution);
    }

    /// Revokes certificates by serial number (big-endian). Returns the connections closed.
    pub fn revoke_serials(&self, serials: impl IntoIterator<Item = Vec<u8>>) -> usize {
        self.revoked().serials.extend(serials);
        self.close_revoked()
    }

    /// Whether a certificate is still good; asked on every call.
    ///
    /// # Errors
    ///
    /// [`Error::Revoked`] if its institution or its serial number is revoked.
    pub fn check(&self, certificate: &PeerCertificate) -> Result<(), Error> {
        if self.revoked().names(certificate) {
            return Err(Error::Revoked(certificate.identity.to_string()));
        }
        Ok(())
    }

    fn close_revoked(&self) -> usize {
        let revoked = self.revoked();
        self.connections.close(|peer| {
            peer.certificate.as_ref().is_some_and(|certificate| revoked.names(certificate))
        })
    }

    fn revoked(&self) -> MutexGuard<'_, Revoked> {
        self.revoked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Revoked {
    fn names(&self, certificate: &PeerCertificate) -> bool {
        self.institutions.contains(certificate.identity.institution())
            || self.serials.contains(&certificate.serial)
    }
}
