//! The leaves of a log, decoded, with their signatures verified on all processors, in the order of the log.

use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use ledger::digest::Digest;
use ledger::record::{Leaf, LeafBytes};
use ledger::tile::Tile;

use crate::finding::{Finding, Kind};
use crate::log::Log;

/// How many bundles each processor may be ahead: some memory for no waiting.
const AHEAD: usize = 4;

/// A leaf that is decoded, and whether its signature verifies.
pub(crate) struct Verified {
    /// Its place.
    pub(crate) index: u64,
    /// What it says.
    pub(crate) leaf: Leaf,
    /// Whether the author that it names has signed it. Whether that author may is for the rules.
    pub(crate) is_signed: bool,
}

type Bundle = Vec<Result<Verified, Finding>>;

/// Shows `each` every leaf in order, until it breaks off, or up to the first error of its own or of the log's.
pub(crate) fn each_leaf(
    log: &Log<'_>,
    mut each: impl FnMut(&Verified) -> Result<ControlFlow<()>, Finding>,
) -> Result<(), Finding> {
    let genesis = log.keys().newest().genesis;
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let receivers: Vec<Receiver<Bundle>> = (0..workers)
            .map(|worker| {
                let (sender, receiver) = sync_channel(AHEAD);
                scope.spawn(move || {
                    decode(log, &genesis, log.bundles().skip(worker).step_by(workers), &sender);
                });
                receiver
            })
            .collect();
        // Bundles were dealt out in turn, and so they come back; a worker that has no more has ended.
        for receiver in receivers.iter().cycle() {
            let Ok(bundle) = receiver.recv() else { return Ok(()) };
            for signed in bundle {
                if each(&signed?)?.is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    })
}

/// Until there are no more bundles, or nobody wants them.
fn decode(
    log: &Log<'_>,
    genesis: &Digest,
    tiles: impl Iterator<Item = Tile>,
    sender: &SyncSender<Bundle>,
) {
    for tile in tiles {
        let bundle = match log.bundle(&tile) {
            Ok(leaves) => tile
                .range()
                .zip(leaves)
                .map(|(index, leaf)| signed(index, leaf?, genesis))
                .collect(),
            Err(finding) => vec![Err(finding)],
        };
        if sender.send(bundle).is_err() {
            return;
        }
    }
}

fn signed(index: u64, bytes: LeafBytes, genesis: &Digest) -> Result<Verified, Finding> {
    let leaf: Leaf = Leaf::decode(bytes.into_vec())
        .map_err(|error| Kind::Tampered.at(format!("leaf {index}"), "a record", error))?;
    let is_signed = leaf.verify_signature(genesis).is_ok();
    Ok(Verified { index, leaf, is_signed })
}
