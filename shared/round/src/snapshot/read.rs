//! From bytes to the state. Each function mirrors the one of the same name that writes.

use std::collections::BTreeMap;
use std::sync::Arc;

use ledger::checkpoint::{LogIdentity, LogKeys};
use ledger::digest::Digest;
use ledger::record::{Genesis, Institution, Role, RunId};
use ledger::signing::PublicKey;
use ledger::time::Timestamp;

use super::bytes::Reader;
use super::{SNAPSHOT_VERSION, SnapshotError};
use crate::plan::Plan;
use crate::state::{
    AcceptedRef, ClosedRound, Consortium, Ending, Membership, ModelRef, Phase, Proposal,
    RetiredKeys, Round, Run, State,
};

/// The plans of the snapshot, by digest.
type Plans = BTreeMap<Digest, Arc<Plan>>;

pub(super) fn state(bytes: &[u8]) -> Result<State, SnapshotError> {
    let mut reader = Reader::new(bytes);
    let version = reader.u32()?;
    if version != SNAPSHOT_VERSION {
        return Err(SnapshotError::Version(version));
    }
    let size = reader.u64()?;
    let at = Timestamp::from_millis(reader.u64()?);
    let texts: Vec<&[u8]> = reader.list(Reader::bytes)?;
    let plans = checked(&texts)?;
    let consortium = reader.option(|reader| consortium(reader, &plans))?;
    reader.end()?;
    Ok(State { size, at, consortium })
}

fn checked(texts: &[&[u8]]) -> Result<Plans, SnapshotError> {
    let mut plans = Plans::new();
    for text in texts {
        let plan = Plan::parse(text)?;
        plans.insert(plan.digest(), Arc::new(plan));
    }
    Ok(plans)
}

fn consortium(reader: &mut Reader<'_>, plans: &Plans) -> Result<Consortium, SnapshotError> {
    let digest = reader.digest()?;
    let genesis: Genesis = reader.canonical()?;
    let mut log_keys = LogKeys::new(LogIdentity { genesis: digest, key: genesis.log_key });
    let later: Vec<_> =
        reader.list(|reader| Ok((reader.u64()?, PublicKey::from_bytes(reader.array()?))))?;
    for (index, key) in later {
        log_keys.change(index, key);
    }
    Ok(Consortium {
        digest,
        genesis,
        log_keys,
        members: reader.list(|reader| Ok((reader.institution()?, membership(reader)?)))?,
        proposals: reader.list(|reader| {
            let plan = plan(reader, plans)?;
            Ok((plan.digest(), Proposal { plan, approvals: approvals(reader)? }))
        })?,
        run: reader.option(|reader| run(reader, plans))?,
        ended: reader.list(|reader| Ok((run_id(reader)?, ending(reader, plans)?)))?,
        convicted: reader.list(|reader| {
            let key = PublicKey::from_bytes(reader.array()?);
            Ok((key, reader.list(|reader| Ok((reader.digest()?, reader.u64()?)))?))
        })?,
    })
}

fn plan(reader: &mut Reader<'_>, plans: &Plans) -> Result<Arc<Plan>, SnapshotError> {
    let digest = reader.digest()?;
    let plan = plans.get(&digest).map(Arc::clone);
    plan.ok_or_else(|| reader.refuse("the digest of a plan of the snapshot", digest))
}

fn run_id(reader: &mut Reader<'_>) -> Result<RunId, SnapshotError> {
    Ok(RunId::from_digest(reader.digest()?))
}

fn membership(reader: &mut Reader<'_>) -> Result<Membership, SnapshotError> {
    Ok(Membership {
        role: match reader.u8()? {
            0 => Role::Bank,
            1 => Role::Auditor,
            other => return Err(reader.refuse("a role, 0 or 1", other)),
        },
        record_key: PublicKey::from_bytes(reader.array()?),
        cosign_key: PublicKey::from_bytes(reader.array()?),
        tls_key_digest: reader.digest()?,
        admitted: reader.u64()?,
        revoked: reader.option(Reader::u64)?,
        retired: reader.list(|reader| {
            Ok(RetiredKeys {
                record_key: PublicKey::from_bytes(reader.array()?),
                cosign_key: PublicKey::from_bytes(reader.array()?),
                tls_key_digest: reader.digest()?,
            })
        })?,
        decisions: reader.u32()?,
        decided: reader.option(|reader| Ok((reader.u64()?, reader.digest()?)))?,
    })
}

fn run(reader: &mut Reader<'_>, plans: &Plans) -> Result<Run, SnapshotError> {
    Ok(Run {
        id: run_id(reader)?,
        plan: plan(reader, plans)?,
        model: reader.option(model)?,
        phase: phase(reader)?,
        paused: reader.flag()?,
        latest: accepted(reader)?,
        evidence: reader
            .list(|reader| Ok((reader.institution()?, reader.list(Reader::digest)?)))?,
        approvals: approvals(reader)?,
    })
}

fn ending(reader: &mut Reader<'_>, plans: &Plans) -> Result<Ending, SnapshotError> {
    Ok(Ending {
        plan: plan(reader, plans)?,
        model: reader.option(model)?,
        finished: reader.flag()?,
        recalled: reader.option(Reader::u32)?,
        latest: accepted(reader)?,
        approvals: approvals(reader)?,
    })
}

fn model(reader: &mut Reader<'_>) -> Result<ModelRef, SnapshotError> {
    Ok(ModelRef { index: reader.u32()?, theta: reader.digest()?, master: reader.digest()? })
}

fn phase(reader: &mut Reader<'_>) -> Result<Phase, SnapshotError> {
    Ok(match reader.u8()? {
        0 => Phase::ExpectInitialModel,
        1 => Phase::ExpectRound(reader.u32()?),
        2 => Phase::Open(round(reader)?),
        3 => Phase::ExpectModel(closed_round(reader)?),
        other => return Err(reader.refuse("a phase, 0 to 3", other)),
    })
}

fn round(reader: &mut Reader<'_>) -> Result<Round, SnapshotError> {
    Ok(Round {
        number: reader.u32()?,
        opened: reader.u64()?,
        cohort: reader.list(Reader::institution)?,
        deadline: Timestamp::from_millis(reader.u64()?),
        extensions: reader.u32()?,
        accepted: accepted(reader)?,
    })
}

fn closed_round(reader: &mut Reader<'_>) -> Result<ClosedRound, SnapshotError> {
    Ok(ClosedRound {
        number: reader.u32()?,
        survivors: reader.list(|reader| Ok((reader.institution()?, reader.digest()?)))?,
        aggregate: reader.digest()?,
    })
}

fn accepted(reader: &mut Reader<'_>) -> Result<BTreeMap<Institution, AcceptedRef>, SnapshotError> {
    reader.list(|reader| {
        let name = reader.institution()?;
        let accepted = AcceptedRef { index: reader.u64()?, contribution: reader.canonical()? };
        Ok((name, accepted))
    })
}

fn approvals(reader: &mut Reader<'_>) -> Result<BTreeMap<Institution, u64>, SnapshotError> {
    reader.list(|reader| Ok((reader.institution()?, reader.u64()?)))
}
