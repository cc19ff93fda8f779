//! Plans: list, show, check, sign.

use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledger::digest::Digest;
use ledger::record::{Approval, Body, Canonical as _, Institution};
use round::plan::{Plan, PredictedCost};
use round::state::Proposal;
use serde_json::{Value, json};

use super::log::VerifiedLog;
use super::wait;
use crate::cli::Output;
use crate::data::DataSource;
use crate::keys::population_key;
use crate::policy::{Policy, PolicyRefusal, Verdict};
use crate::receipts::receipt_of;
use crate::state_dir::{StateDir, write_durably};
use crate::tasks::Tasks;
use crate::{ClientError, Exit};

/// The plans that wait for signatures.
///
/// # Errors
///
/// [`ClientError`] if the log cannot be fetched and verified.
pub fn list(state: &Path) -> Result<Output, ClientError> {
    let log = wait(VerifiedLog::fetch(&StateDir::open(state)?))?;
    let proposals = proposals(&log);
    let plans: Vec<Value> = proposals.iter().map(|(digest, p)| summary(digest, p)).collect();
    let mut lines = vec![format!("{} plans wait for signatures", plans.len())];
    for (digest, proposal) in &proposals {
        let plan = proposal.plan.text();
        let signed: Vec<_> = proposal.approvals.keys().map(Institution::as_str).collect();
        let signed = if signed.is_empty() { "nobody".to_owned() } else { signed.join(", ") };
        lines.push(format!(
            "{digest}  {}  {} rounds, epsilon {} at delta {}; signed by {signed}",
            plan.name, plan.rounds, plan.privacy.epsilon, plan.privacy.delta,
        ));
    }
    Ok(Output::new(json!({ "plans": plans }), lines.join("\n")))
}

/// The exact text of a plan.
///
/// # Errors
///
/// [`ClientError::NoPlan`], or the log cannot be fetched and verified.
pub fn show(state: &Path, digest: &str) -> Result<Output, ClientError> {
    let log = wait(VerifiedLog::fetch(&StateDir::open(state)?))?;
    let (digest, proposal) = find(&log, digest)?;
    let text = String::from_utf8_lossy(proposal.plan.bytes()).into_owned();
    let mut data = summary(&digest, &proposal);
    if let Some(object) = data.as_object_mut() {
        object.insert("text".to_owned(), json!(text));
    }
    Ok(Output::new(data, text.trim_end()))
}

/// What the policy says of a plan, rule by rule.
///
/// # Errors
///
/// [`ClientError::NoPlan`], [`ClientError::Policy`], or the log cannot be fetched and verified.
pub fn check(state: &Path, digest: &str) -> Result<Output, ClientError> {
    let state = StateDir::open(state)?;
    let policy = Policy::load(&state.path("policy.toml"))?;
    let log = wait(VerifiedLog::fetch(&state))?;
    let (digest, proposal) = find(&log, digest)?;
    let verdicts = policy.check(&proposal.plan, log.joined.institution());
    let refused = PolicyRefusal::unless_all_allow(&verdicts).is_err();
    let mut lines: Vec<String> = verdicts.iter().map(ToString::to_string).collect();
    let cost = proposal.plan.predicted_cost();
    lines.push(cost_line(cost));
    let metrics = proposal.plan.metrics_price();
    lines.push(format!("metrics: {metrics}"));
    let exit = if refused { Exit::Refused } else { Exit::Ok };
    let data = json!({
        "plan": digest.to_string(),
        "allowed": !refused,
        "verdicts": verdicts,
        "predicted_cost_rho": cost.rho,
        "metrics": metrics,
    });
    Ok(Output { data, text: lines.join("\n"), exit })
}

/// Signs a plan that the policy allows and the bank's rows fit, and hands the signature in or writes it to `out`.
///
/// A bank whose rows do not fit would send noise alone in every round of the run that it signed for. To sign
/// or not is the bank's choice and tells nothing.
///
/// # Errors
///
/// [`ClientError::Refused`] if the policy does not allow the plan, [`ClientError::Data`] and the other errors of
/// [`Tasks::attach`] if the rows do not fit it, [`ClientError::NoPlan`],
/// [`ClientError::Unproven`] if the coordinator's receipt does not prove that the signature is in
/// the log, or the log cannot be fetched and verified.
pub fn sign(state: &Path, digest: &str, out: Option<&Path>) -> Result<Output, ClientError> {
    let state = StateDir::open(state)?;
    let policy = Policy::load(&state.path("policy.toml"))?;
    wait(async {
        let log = VerifiedLog::fetch(&state).await?;
        let (digest, proposal) = find(&log, digest)?;
        let institution = log.joined.institution().clone();
        let verdicts: Vec<Verdict> = policy.check(&proposal.plan, &institution);
        PolicyRefusal::unless_all_allow(&verdicts)?;
        let source = DataSource::load(&state.path("data.toml"))?;
        Tasks::attach(&source, &proposal.plan, &institution, &population_key(&state)?)?;
        let approval = Approval { institution, plan: digest };
        let body = approval.encode();
        let genesis = log.joined.genesis_digest();
        let signature = log.keys.record.sign_body(Approval::TYPE, &genesis, &body);
        if let Some(file) = out {
            let data = json!({
                "approval": STANDARD.encode(&body),
                "signature": STANDARD.encode(signature.as_bytes()),
            });
            write_durably(file, format!("{data}\n").as_bytes())?;
            let text = format!("the signature on plan {digest} is in {}", file.display());
            return Ok(Output::new(json!({ "plan": digest.to_string(), "file": file }), text));
        }
        let answer = log.connection.approve(body, signature.as_bytes().to_vec()).await?;
        let index = proven(&log, &answer, &approval)?;
        let text = format!("plan {digest} is signed; the signature is leaf {index}");
        Ok(Output::new(json!({ "plan": digest.to_string(), "leaf": index }), text))
    })
}

/// The leaf that the receipt proves to hold `approval`, by this bank's key.
fn proven(
    log: &VerifiedLog,
    answer: &wire::proto::Receipt,
    approval: &Approval,
) -> Result<u64, ClientError> {
    let proven = receipt_of(answer)?
        .verify_in::<Body>(&log.mirror.keys())
        .map_err(|error| ClientError::Unproven(format!("the receipt: {error}")))?;
    let ours = matches!(proven.leaf.body(), Body::Approval(found) if found == approval);
    if ours && *proven.leaf.author() == log.keys.record.public() {
        Ok(proven.index)
    } else {
        Err(ClientError::Unproven("the receipt is of another record".to_owned()))
    }
}

fn proposals(log: &VerifiedLog) -> Vec<(Digest, Proposal)> {
    let consortium = log.mirror.facts().state().consortium.as_ref();
    let proposals = consortium.into_iter().flat_map(|consortium| &consortium.proposals);
    proposals.map(|(digest, proposal)| (*digest, proposal.clone())).collect()
}

/// The one plan whose digest begins with `prefix`, which has at least 8 digits.
fn find(log: &VerifiedLog, prefix: &str) -> Result<(Digest, Proposal), ClientError> {
    let unknown = || ClientError::NoPlan(prefix.to_owned());
    if prefix.len() < 8 {
        return Err(ClientError::Usage("expected at least 8 digits of a plan's digest".to_owned()));
    }
    let mut found =
        proposals(log).into_iter().filter(|(digest, _)| digest.to_string().starts_with(prefix));
    match (found.next(), found.next()) {
        (Some(found), None) => Ok(found),
        _ => Err(unknown()),
    }
}

fn summary(digest: &Digest, proposal: &Proposal) -> Value {
    let plan: &Arc<Plan> = &proposal.plan;
    let text = plan.text();
    json!({
        "digest": digest.to_string(),
        "name": text.name,
        "application": text.application,
        "rounds": text.rounds,
        "cohort": plan.cohort().iter().map(Institution::as_str).collect::<Vec<_>>(),
        "epsilon": text.privacy.epsilon,
        "delta": text.privacy.delta,
        "unit": text.privacy.unit,
        "relation": text.privacy.relation,
        "parameters": plan.dimension(),
        "predicted_cost_rho": plan.predicted_cost().rho,
        "metrics": plan.metrics_price(),
        "signed": proposal.approvals.keys().map(Institution::as_str).collect::<Vec<_>>(),
    })
}

fn cost_line(cost: PredictedCost) -> String {
    let advice = if cost.warns() { ": the noise may cost more than it should" } else { "" };
    format!("predicted cost of privacy: rho {:.3}{advice}", cost.rho)
}
