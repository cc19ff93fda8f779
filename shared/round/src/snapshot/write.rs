//! From the state to bytes.

use std::collections::BTreeMap;

use ledger::digest::Digest;
use ledger::record::{Institution, Role};

use super::SNAPSHOT_VERSION;
use super::bytes::Writer;
use crate::plan::Plan;
use crate::state::{
    AcceptedRef, ClosedRound, Consortium, Ending, Membership, ModelRef, Phase, Proposal,
    RetiredKeys, Round, Run, State,
};

pub(super) fn state(state: &State) -> Vec<u8> {
    let State { size, at, consortium: found } = state;
    let mut writer = Writer::default();
    writer.u32(SNAPSHOT_VERSION);
    writer.u64(*size);
    writer.u64(at.as_millis());
    writer.list(plans(state).values(), |writer, plan| writer.bytes(plan.bytes()));
    writer.option(found.as_ref(), consortium);
    writer.finish()
}

/// Every plan that the state names, once.
fn plans(state: &State) -> BTreeMap<Digest, &Plan> {
    let consortium = state.consortium.as_ref();
    let proposed = consortium.into_iter().flat_map(|c| c.proposals.values().map(|p| &p.plan));
    let open = consortium.and_then(|c| c.run.as_ref()).map(|run| &run.plan);
    let ended = consortium.into_iter().flat_map(|c| c.ended.values().map(|e| &e.plan));
    proposed.chain(open).chain(ended).map(|plan| (plan.digest(), plan.as_ref())).collect()
}

fn consortium(writer: &mut Writer, consortium: &Consortium) {
    let Consortium { digest, genesis, log_keys, members, proposals, run: open, ended, convicted } =
        consortium;
    writer.digest(digest);
    writer.canonical(genesis);
    let later: Vec<_> = log_keys.iter().filter_map(|(index, key)| Some((index?, key))).collect();
    writer.list(&later, |writer, (index, key)| {
        writer.u64(*index);
        writer.raw(key.as_bytes());
    });
    writer.list(members, |writer, (name, member)| {
        writer.institution(name);
        membership(writer, member);
    });
    writer.list(proposals, |writer, (digest, proposal)| {
        let Proposal { plan: _, approvals: signed } = proposal;
        writer.digest(digest);
        approvals(writer, signed);
    });
    writer.option(open.as_ref(), run);
    writer.list(ended, |writer, (id, end)| {
        writer.digest(id.as_digest());
        ending(writer, end);
    });
    writer.list(convicted, |writer, (key, pairs)| {
        writer.raw(key.as_bytes());
        writer.list(pairs, |writer, (pair, index)| {
            writer.digest(pair);
            writer.u64(*index);
        });
    });
}

fn membership(writer: &mut Writer, member: &Membership) {
    let Membership {
        role,
        record_key,
        cosign_key,
        tls_key_digest,
        admitted,
        revoked,
        retired,
        decisions,
        decided,
    } = member;
    writer.u8(match role {
        Role::Bank => 0,
        Role::Auditor => 1,
    });
    writer.raw(record_key.as_bytes());
    writer.raw(cosign_key.as_bytes());
    writer.digest(tls_key_digest);
    writer.u64(*admitted);
    writer.option(*revoked, Writer::u64);
    writer.list(retired, |writer, keys| {
        let RetiredKeys { record_key, cosign_key, tls_key_digest } = keys;
        writer.raw(record_key.as_bytes());
        writer.raw(cosign_key.as_bytes());
        writer.digest(tls_key_digest);
    });
    writer.u32(*decisions);
    writer.option(decided.as_ref(), |writer, (index, digest)| {
        writer.u64(*index);
        writer.digest(digest);
    });
}

fn run(writer: &mut Writer, run: &Run) {
    let Run { id, plan, model: newest, phase: waits, paused, latest, evidence, approvals: spent } =
        run;
    writer.digest(id.as_digest());
    writer.digest(&plan.digest());
    writer.option(newest.as_ref(), model);
    phase(writer, waits);
    writer.u8(u8::from(*paused));
    accepted(writer, latest);
    writer.list(evidence, |writer, (name, digests)| {
        writer.institution(name);
        writer.list(digests, Writer::digest);
    });
    approvals(writer, spent);
}

fn ending(writer: &mut Writer, ending: &Ending) {
    let Ending { plan, model: last, finished, recalled, latest, approvals: spent } = ending;
    writer.digest(&plan.digest());
    writer.option(last.as_ref(), model);
    writer.u8(u8::from(*finished));
    writer.option(*recalled, Writer::u32);
    accepted(writer, latest);
    approvals(writer, spent);
}

fn model(writer: &mut Writer, model: &ModelRef) {
    let ModelRef { index, theta, master } = model;
    writer.u32(*index);
    writer.digest(theta);
    writer.digest(master);
}

fn phase(writer: &mut Writer, phase: &Phase) {
    match phase {
        Phase::ExpectInitialModel => writer.u8(0),
        Phase::ExpectRound(number) => {
            writer.u8(1);
            writer.u32(*number);
        }
        Phase::Open(open) => {
            writer.u8(2);
            round(writer, open);
        }
        Phase::ExpectModel(closed) => {
            writer.u8(3);
            closed_round(writer, closed);
        }
    }
}

fn round(writer: &mut Writer, round: &Round) {
    let Round { number, opened, cohort, deadline, extensions, accepted: arrived } = round;
    writer.u32(*number);
    writer.u64(*opened);
    writer.list(cohort, Writer::institution);
    writer.u64(deadline.as_millis());
    writer.u32(*extensions);
    accepted(writer, arrived);
}

fn closed_round(writer: &mut Writer, closed: &ClosedRound) {
    let ClosedRound { number, survivors, aggregate } = closed;
    writer.u32(*number);
    writer.list(survivors, |writer, (name, vector)| {
        writer.institution(name);
        writer.digest(vector);
    });
    writer.digest(aggregate);
}

fn accepted(writer: &mut Writer, accepted: &BTreeMap<Institution, AcceptedRef>) {
    writer.list(accepted, |writer, (name, AcceptedRef { index, contribution })| {
        writer.institution(name);
        writer.u64(*index);
        writer.canonical(contribution);
    });
}

fn approvals(writer: &mut Writer, approvals: &BTreeMap<Institution, u64>) {
    writer.list(approvals, |writer, (name, index)| {
        writer.institution(name);
        writer.u64(*index);
    });
}
