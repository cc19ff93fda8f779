//! Where a digest or a name stands in the log.

use std::collections::{BTreeMap, BTreeSet};

use ledger::digest::Digest;
use ledger::record::{Body, Institution, Leaf, Member, RunId};

/// The fewest hexadecimal digits that are searched for.
pub(in crate::dashboard) const DIGITS_MIN: usize = 6;

/// Leaves by what they name.
///
/// Of a digest its first eight bytes are kept: 16 bytes an entry. Who finds a leaf compares the rest.
#[derive(Debug, Default)]
pub(in crate::dashboard) struct Index {
    digests: BTreeSet<(u64, u64)>,
    institutions: BTreeMap<Institution, Named>,
}

/// The leaves about one institution, ascending.
#[derive(Debug, Default)]
struct Named {
    /// Roster and approvals: what every member may list.
    open: Vec<u64>,
    /// Contributions and evidence: a list of them is a count.
    own: Vec<u64>,
}

impl Index {
    /// Takes note of what leaf `index` is and what it is the first to name.
    pub(super) fn note(&mut self, index: u64, leaf: &Leaf) {
        for digest in digests(index, leaf) {
            self.digests.insert((prefix(digest.as_bytes()), index));
        }
        if let Some(institution) = institution(leaf.body()) {
            let named = self.institutions.entry(institution.clone()).or_default();
            let counts = matches!(leaf.body(), Body::Accepted(_) | Body::Evidence(_));
            if counts { &mut named.own } else { &mut named.open }.push(index);
        }
    }

    /// The leaves that may name a digest beginning with `digits`, in order, at most `max`.
    pub(in crate::dashboard) fn digest(&self, digits: &str, max: usize) -> Vec<u64> {
        let Some((low, high)) = bounds(digits) else { return vec![] };
        let found = self.digests.range((low, 0)..=(high, u64::MAX));
        let mut leaves: Vec<u64> = found.map(|(_, leaf)| *leaf).take(max).collect();
        leaves.sort_unstable();
        leaves.dedup();
        leaves
    }

    /// The newest leaves that are about an institution, newest first, at most `max`, and how many there
    /// are: contributions among them only if `all`. None if there is no such institution.
    pub(in crate::dashboard) fn institution(
        &self,
        name: &str,
        all: bool,
        max: usize,
    ) -> Option<(Vec<u64>, usize)> {
        let named = self.institutions.get(&Institution::new(name).ok()?)?;
        let own = if all { named.own.as_slice() } else { &[] };
        let newest = |leaves: &[u64]| leaves.iter().rev().take(max).copied().collect::<Vec<_>>();
        let mut leaves = [newest(&named.open), newest(own)].concat();
        leaves.sort_unstable_by(|a, b| b.cmp(a));
        leaves.truncate(max);
        Some((leaves, named.open.len() + own.len()))
    }
}

/// Whom a record is about, if it is about one.
pub(in crate::dashboard) fn institution(body: &Body) -> Option<&Institution> {
    match body {
        Body::Member(Member::Added(added)) => Some(&added.keys.institution),
        Body::Member(Member::Revoked(revoked)) => Some(&revoked.institution),
        Body::Member(Member::Rotated(rotated)) => Some(&rotated.keys.institution),
        Body::Decision(decision) => Some(&decision.institution),
        Body::Contradiction(found) => Some(&found.institution),
        Body::Approval(approval) => Some(&approval.institution),
        Body::Accepted(contribution) => Some(&contribution.institution),
        Body::Evidence(evidence) => Some(&evidence.institution),
        Body::Genesis(_)
        | Body::PlanProposed(_)
        | Body::RunStarted(_)
        | Body::RoundOpened(_)
        | Body::Extended(_)
        | Body::Closed(_)
        | Body::Model(_)
        | Body::Abandoned(_)
        | Body::RunFinished(_)
        | Body::Paused(_)
        | Body::Recalled(_)
        | Body::LogKey(_) => None,
    }
}

/// What a record is the first to name. What it refers back to stands where it was named first.
pub(in crate::dashboard) fn digests(index: u64, leaf: &Leaf) -> Vec<Digest> {
    match leaf.body() {
        Body::Genesis(genesis) => vec![leaf.digest(), genesis.ca_digest],
        Body::Member(Member::Rotated(rotated)) => vec![rotated.keys.tls_key_digest],
        Body::Member(Member::Added(added)) => vec![
            added.keys.tls_key_digest,
            Digest::from_bytes(*added.keys.record_key.as_bytes()),
            Digest::from_bytes(*added.keys.cosign_key.as_bytes()),
        ],
        Body::PlanProposed(proposed) => vec![proposed.plan.digest()],
        Body::RunStarted(started) => {
            vec![*RunId::derive(&started.plan, index).as_digest(), started.plan]
        }
        Body::Accepted(contribution) => vec![contribution.vector, contribution.ledger_head],
        Body::Closed(closed) => vec![closed.aggregate],
        Body::Model(model) => vec![model.theta, model.master],
        Body::Evidence(evidence) => vec![evidence.contribution.vector],
        Body::Decision(decision) => decision.about.into_iter().collect(),
        Body::Contradiction(found) => vec![found.smaller.head.root, found.larger.head.root],
        Body::LogKey(record) => vec![Digest::from_bytes(*record.change.new_key.as_bytes())],
        Body::Member(Member::Revoked(_))
        | Body::Approval(_)
        | Body::RoundOpened(_)
        | Body::Extended(_)
        | Body::Abandoned(_)
        | Body::RunFinished(_)
        | Body::Paused(_)
        | Body::Recalled(_) => vec![],
    }
}

fn prefix(bytes: &[u8; 32]) -> u64 {
    bytes.first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
}

/// The least and the greatest prefix that begin with these hexadecimal digits.
fn bounds(digits: &str) -> Option<(u64, u64)> {
    let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    if !(DIGITS_MIN..=64).contains(&digits.len()) || !digits.chars().all(hex) {
        return None;
    }
    let kept: String = digits.chars().take(16).collect();
    let low = u64::from_str_radix(&format!("{kept:0<16}"), 16).ok()?;
    let high = u64::from_str_radix(&format!("{kept:f<16}"), 16).ok()?;
    Some((low, high))
}
