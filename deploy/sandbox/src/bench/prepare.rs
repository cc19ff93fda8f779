//! Contributions that are ready before the rounds are.
//!
//! A contribution names the model that its round starts from. The vectors are made here, so all the
//! models are known beforehand: they are computed as the coordinator will compute them.

use std::sync::Arc;

use ledger::digest::{Digest, sha256};
use ledger::memory::{MemoryBlobs, MemoryLog};
use ledger::population::{
    Cap, Opened, PopulationLedger, ReserveOutcome, ReserveRequest, RunTerms, Sketch, UnitRelation,
};
use ledger::record::{Canonical as _, Contribution, RunId, Text};
use ledger::time::Timestamp;
use round::Plan;
use round::initialization::initial_weights;
use round::outer::{Master, Scale};
use wire::Bytes;
use wire::connection::Upload;

use super::members::{Member, Parcel};
use crate::error::SandboxError;

/// When everything in the members' ledgers in memory happened.
const AT: Timestamp = Timestamp::from_millis(1);

/// Gives each member one parcel for each of the rounds 0 to `rounds` − 1.
pub(super) fn fill(
    members: &mut [Member],
    plan: &Plan,
    run: RunId,
    rounds: u32,
) -> Result<(), SandboxError> {
    let ledgers = members.iter().map(|member| ledger(member, plan.consortium()));
    let mut ledgers = ledgers.collect::<Result<Vec<_>, _>>()?;
    let weights = initial_weights(plan.layout(), &plan.text().model.initialization);
    let mut master = Master::new(weights, &plan.text().optimizer);
    let terms =
        RunTerms::new(rounds, 1.0, 1e-6, 1.0).map_err(|error| SandboxError::bench(&error))?;
    for round in 0..rounds {
        let request = ReserveRequest {
            consortium: plan.consortium(),
            run,
            round,
            plan: plan.digest(),
            model: sha256(&master.theta_bytes()),
            charge: plan.charge(),
            rdp: 1e-9,
            terms,
        };
        let mut sum = vec![0; plan.contribution_dimension()];
        for (number, (member, ledger)) in (0_u64..).zip(members.iter_mut().zip(&mut ledgers)) {
            let seed = (u64::from(round) << 32) | number;
            let vector = vector(seed, &mut sum);
            member.parcels.push(parcel(member, ledger, request.clone(), vector)?);
        }
        master.step(plan.encoding().gradient(&sum), Scale::of(plan, plan.cohort()));
    }
    Ok(())
}

/// A ledger that charges and releases as a bank's does, without a disk.
fn ledger(
    member: &Member,
    consortium: Digest,
) -> Result<PopulationLedger<MemoryLog>, SandboxError> {
    let key = Arc::clone(&member.keys.record);
    let opened = Opened {
        institution: member.joined.institution().clone(),
        population: Text::new("none").map_err(|error| SandboxError::bench(&error))?,
        unit: Text::new("customer").map_err(|error| SandboxError::bench(&error))?,
        relation: UnitRelation::AddRemove,
        nonce: [1; 32],
        sketch: Sketch::default(),
    };
    let log = MemoryLog::new(MemoryBlobs::new());
    let mut ledger = PopulationLedger::register(log, key, AT, opened, &[])
        .map_err(|error| SandboxError::bench(&error))?;
    let cap = Cap::new(3.0, 1e-6, 8.5, 1.0, Text::default());
    ledger
        .set_cap(AT, cap.map_err(|error| SandboxError::bench(&error))?)
        .map_err(|error| SandboxError::bench(&error))?;
    ledger
        .enroll(AT, consortium, member.joined.institution(), &member.keys.record)
        .map_err(|error| SandboxError::bench(&error))?;
    Ok(ledger)
}

/// A vector of small numbers as i32 little-endian, added to `sum`. SplitMix64 from `seed`.
fn vector(seed: u64, sum: &mut [i64]) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut bytes = Vec::with_capacity(4 * sum.len());
    for total in sum {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let value = i16::from_le_bytes([mixed.to_le_bytes()[6], mixed.to_le_bytes()[7]]) / 32;
        *total += i64::from(value);
        bytes.extend(i32::from(value).to_le_bytes());
    }
    bytes
}

fn parcel(
    member: &Member,
    ledger: &mut PopulationLedger<MemoryLog>,
    request: ReserveRequest,
    vector: Vec<u8>,
) -> Result<Parcel, SandboxError> {
    let genesis = request.consortium;
    let outcome = ledger.reserve(AT, request).map_err(|error| SandboxError::bench(&error))?;
    let ReserveOutcome::Compute(reservation) = outcome else {
        return Err(SandboxError::Bench("a round was charged twice".to_owned()));
    };
    // The large bytes are kept once, by the parcel.
    let released = ledger
        .release(AT, &reservation, vector.clone(), &MemoryBlobs::new())
        .map_err(|error| SandboxError::bench(&error))?;
    let contribution =
        ledger.contribution(&released).map_err(|error| SandboxError::bench(&error))?;
    let signature =
        member.keys.record.sign_body(Contribution::TYPE, &genesis, &contribution.encode());
    let upload = Upload::new(&released, &contribution, &signature, Bytes::from(vector))
        .map_err(|error| SandboxError::bench(&error))?;
    Ok(Parcel { contribution, upload: Some(upload) })
}
