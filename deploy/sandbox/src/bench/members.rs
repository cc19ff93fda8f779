//! Members that follow the log and send what was prepared the moment a round opens.

use std::time::Instant;

use client::joined::Joined;
use client::keys::Keys;
use client::receipts::{receipt_of, verify as verify_receipt};
use client::state_dir::StateDir;
use ledger::checkpoint::LogKeys;
use ledger::digest::Digest;
use ledger::record::{Body, Contribution, Leaf, RoundOpened, RunId};
use wire::connection::Upload;
use wire::proto::Receipt;
use wire::{Connection, limits, tls};

use crate::consortium::Consortium;
use crate::error::SandboxError;

/// A member with its connection and what it has to send.
pub(super) struct Member {
    pub(super) joined: Joined,
    pub(super) keys: Keys,
    pub(super) connection: Connection,
    /// One for each round.
    pub(super) parcels: Vec<Parcel>,
    /// What it saw, for each round that it took part in.
    pub(super) seen: Vec<Seen>,
    /// When it saw the round after its last one open.
    pub(super) ended: Option<Instant>,
}

/// A prepared contribution.
pub(super) struct Parcel {
    pub(super) contribution: Contribution,
    /// Until it is sent.
    pub(super) upload: Option<Upload>,
}

/// A round as a member saw it.
pub(super) struct Seen {
    pub(super) opened: Instant,
    /// When the model was there.
    pub(super) fetched: Instant,
    /// When the receipt was there.
    pub(super) receipted: Instant,
    receipt: Receipt,
}

/// Connects all members with the keys and certificates that they joined with.
pub(super) async fn connect(consortium: &Consortium) -> Result<Vec<Member>, SandboxError> {
    let mut members = vec![];
    for bank in &consortium.banks {
        let failed = |error: client::ClientError| SandboxError::bench(&error);
        let state = StateDir::open(&bank.state).map_err(failed)?;
        let joined = Joined::load(&state).map_err(failed)?;
        let keys = Keys::load_or_create(&state).map_err(failed)?;
        let tls = joined.tls(&keys.tls, tls::system_clock()).map_err(failed)?;
        let connection = Connection::open(joined.endpoint(), &tls, limits::PROGRESS_TIMEOUT);
        let connection = connection.await.map_err(|error| SandboxError::bench(&error))?;
        let (parcels, seen) = (vec![], vec![]);
        members.push(Member { joined, keys, connection, parcels, seen, ended: None });
    }
    Ok(members)
}

/// The run whose first round is open, or opens.
pub(super) async fn opened(members: &[Member]) -> Result<RunId, SandboxError> {
    let member = members.first().ok_or_else(|| SandboxError::Bench("no banks".to_owned()))?;
    let mut rounds = Rounds::follow(&member.connection).await?;
    Ok(rounds.next().await?.run)
}

/// All members take part in the rounds 0 to `rounds` − 1.
pub(super) async fn play(
    members: Vec<Member>,
    rounds: u32,
    fetch: bool,
) -> Result<Vec<Member>, SandboxError> {
    let tasks: Vec<_> =
        members.into_iter().map(|member| tokio::spawn(take_part(member, rounds, fetch))).collect();
    let mut members = vec![];
    for task in tasks {
        members.push(task.await.map_err(|error| SandboxError::bench(&error))??);
    }
    Ok(members)
}

async fn take_part(mut member: Member, rounds: u32, fetch: bool) -> Result<Member, SandboxError> {
    let mut opening = Rounds::follow(&member.connection).await?;
    loop {
        let round = opening.next().await?;
        let opened = Instant::now();
        if round.round >= rounds {
            member.ended = Some(opened);
            return Ok(member);
        }
        if fetch {
            let model = round.model.as_bytes();
            let model = member.connection.fetch_blob(model, limits::BLOB_BYTES_MAX).await;
            model.map_err(|error| SandboxError::bench(&error))?;
        }
        let fetched = Instant::now();
        let parcel = member.parcels.get_mut(round.round as usize);
        let upload = parcel.and_then(|parcel| parcel.upload.take());
        let upload = upload
            .ok_or_else(|| SandboxError::Bench(format!("round {} opened twice", round.round)))?;
        let receipt = member.connection.contribute(upload).await;
        let receipt = receipt.map_err(|error| SandboxError::bench(&error))?;
        member.seen.push(Seen { opened, fetched, receipted: Instant::now(), receipt });
    }
}

/// Verifies every receipt: leaf, proof, checkpoint and both signatures. How many there are.
pub(super) fn verify(members: &[Member], genesis: &Digest) -> Result<usize, SandboxError> {
    let mut count = 0;
    for member in members {
        let log = LogKeys::new(member.joined.log());
        debug_assert_eq!(log.newest().genesis, *genesis, "one consortium");
        for (seen, parcel) in member.seen.iter().zip(&member.parcels) {
            let receipt = receipt_of(&seen.receipt).map_err(|error| SandboxError::bench(&error))?;
            verify_receipt(&receipt, &log, &parcel.contribution, &member.keys.record.public())
                .map_err(|error| SandboxError::bench(&error))?;
            count += 1;
        }
    }
    Ok(count)
}

/// The rounds of a log as they open.
struct Rounds {
    updates: wire::connection::Updates,
    waiting: std::collections::VecDeque<RoundOpened>,
}

impl Rounds {
    async fn follow(connection: &Connection) -> Result<Self, SandboxError> {
        let updates = connection.follow(0).await.map_err(|error| SandboxError::bench(&error))?;
        Ok(Self { updates, waiting: std::collections::VecDeque::new() })
    }

    async fn next(&mut self) -> Result<RoundOpened, SandboxError> {
        loop {
            if let Some(round) = self.waiting.pop_front() {
                return Ok(round);
            }
            let update = self.updates.next().await.map_err(|error| SandboxError::bench(&error))?;
            let update =
                update.ok_or_else(|| SandboxError::Bench("the log ended early".to_owned()))?;
            for bytes in update.leaves {
                let leaf: Leaf =
                    Leaf::decode(bytes).map_err(|error| SandboxError::bench(&error))?;
                if let Body::RoundOpened(round) = leaf.body() {
                    self.waiting.push_back(round.clone());
                }
            }
        }
    }
}
