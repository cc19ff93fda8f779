//! Members that hold their own keys and speak for themselves.

use std::path::Path;
use std::time::Duration;

use client::join::join;
use client::joined::Joined;
use client::keys::Keys;
use client::state_dir::StateDir;
use ledger::digest::Digest;
use ledger::record::{Approval, Canonical as _, Institution, Leaf};
use round::State;
use wire::tls::system_clock;
use wire::{Connection, Invitation};

use crate::consortium::Consortium;
use crate::plans;

/// The longest that an answer may be in coming.
const PROGRESS: Duration = Duration::from_secs(30);

/// A member with its state directory.
#[derive(Debug)]
pub struct Member {
    /// What it keeps.
    pub state: StateDir,
    /// Its membership.
    pub joined: Joined,
    /// Its keys.
    pub keys: Keys,
}

impl Member {
    /// Invites an institution, which joins.
    pub async fn join(consortium: &Consortium, name: &str, role: &str) -> Self {
        let invitation = consortium.invite(name, role, 600).await;
        Self::redeem(&consortium.path(name), &invitation).await.unwrap()
    }

    /// Redeems an invitation with the keys in `state`, or new ones.
    ///
    /// # Errors
    ///
    /// The client's error.
    pub async fn redeem(
        state: &Path,
        invitation: &Invitation,
    ) -> Result<Self, client::ClientError> {
        let state = StateDir::create(state)?;
        let joined = join(&state, invitation, system_clock(), PROGRESS).await?;
        let keys = Keys::load_or_create(&state)?;
        Ok(Self { state, joined, keys })
    }

    /// Writes what a node needs to train: a policy that allows the tests' plan, and rows.
    pub fn prepare(&self) {
        let genesis = self.joined.genesis_digest();
        let files = [
            ("policy.toml", plans::policy(&genesis)),
            ("data.toml", "path = \"rows.csv\"\n".to_owned()),
            ("rows.csv", plans::rows()),
        ];
        for (name, text) in files {
            std::fs::write(self.state.path(name), text).unwrap();
        }
    }

    /// Who it is.
    pub fn institution(&self) -> Institution {
        self.joined.institution().clone()
    }

    /// A connection with its own certificate.
    ///
    /// # Errors
    ///
    /// The connection's error.
    pub async fn connect(&self) -> Result<Connection, wire::Error> {
        let tls = self.joined.tls(&self.keys.tls, system_clock()).unwrap();
        Connection::open(self.joined.endpoint(), &tls, PROGRESS).await
    }

    /// Hands in a signature on a plan, in the name of `institution`.
    ///
    /// # Errors
    ///
    /// The coordinator's refusal.
    pub async fn approve_as(
        &self,
        institution: Institution,
        plan: Digest,
    ) -> Result<(), wire::Error> {
        let body = Approval { institution, plan }.encode();
        let genesis = self.joined.genesis_digest();
        let signature = self.keys.record.sign_body(Approval::TYPE, &genesis, &body);
        let connection = self.connect().await?;
        connection.approve(body, signature.as_bytes().to_vec()).await.map(|_| ())
    }

    /// Signs a plan.
    pub async fn approve(&self, plan: Digest) {
        self.approve_as(self.institution(), plan).await.unwrap();
    }

    /// The log up to its newest checkpoint, folded.
    pub async fn state(&self) -> (State, Vec<Leaf>) {
        let mut updates = self.connect().await.unwrap().follow(0).await.unwrap();
        let (mut state, mut leaves) = (State::empty(), vec![]);
        loop {
            let update = updates.next().await.unwrap().expect("the log is served");
            for bytes in &update.leaves {
                let leaf: Leaf = Leaf::decode(bytes.to_vec()).unwrap();
                state = round::apply(state, &leaf).unwrap();
                leaves.push(leaf);
            }
            if !update.checkpoint.is_empty() {
                return (state, leaves);
            }
        }
    }
}
