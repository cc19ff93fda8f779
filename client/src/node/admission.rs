use std::sync::Arc;

use ledger::record::RunId;
use round::plan::Plan;
use tracing::info;
use wire::Connection;

use super::{Node, blocking, locked};
use crate::ClientError;
use crate::mirror::OpenRound;
use crate::policy::PolicyRefusal;
use crate::release::Job;
use crate::tasks::Tasks;

/// What a round needs, all of it checked: nothing later can fail because of it.
pub(super) struct Admitted {
    pub(super) job: Job,
    pub(super) tasks: Arc<Tasks>,
}

/// Checks everything that can be checked before the charge: the policy, the signatures on the plan,
/// the meta-initialization, and that the bank's rows can be attached.
pub(super) async fn admit(
    node: &Arc<Node>,
    connection: &Connection,
    round: &OpenRound,
) -> Result<Admitted, ClientError> {
    check(node, &round.plan, &round.run)?;
    let length = u64::try_from(round.plan.dimension()).unwrap_or(u64::MAX).saturating_mul(4);
    let theta = connection.fetch_blob(round.model.as_bytes(), length).await?;
    let job = Job::new(&round.plan, &node.institution(), &theta)?;
    let (attaching, plan) = (Arc::clone(node), Arc::clone(&round.plan));
    let tasks = blocking(move || tasks(&attaching, &plan)).await?;
    Ok(Admitted { job, tasks })
}

/// The policy, and the signatures that the run was started with.
fn check(node: &Node, plan: &Plan, run: &RunId) -> Result<(), ClientError> {
    let mut verdicts = node.policy.check(plan, &node.institution());
    let mirror = node.mirror();
    let facts = mirror.facts();
    let nobody = std::collections::BTreeMap::new();
    let signers = facts.signers(run).unwrap_or(&nobody);
    let quorum = node.follower.joined().genesis().quorum;
    let (institution, key) = (facts.institution(), facts.key());
    verdicts.extend(node.policy.check_signers(signers, institution, key, quorum));
    Ok(PolicyRefusal::unless_all_allow(&verdicts)?)
}

/// The bank's tasks under `plan`, attached once a run.
///
/// They fitted when the bank signed. If a row that came since does not, the bank's absence would tell of that row: so it takes part with
/// no task at all, its releases are noise alone, and only its own socket says so, until the node is started with rows that fit.
fn tasks(node: &Node, plan: &Plan) -> Result<Arc<Tasks>, ClientError> {
    let mut attached = locked(&node.tasks);
    if let Some((digest, tasks)) = &*attached
        && *digest == plan.digest()
    {
        return Ok(Arc::clone(tasks));
    }
    let (tasks, trouble) = match attach(node, plan) {
        Ok(tasks) => (tasks, None),
        Err(error) if error.depends_on_rows() => {
            let why = format!(
                "releases are noise alone until the node is restarted with rows that fit: {error}"
            );
            (Tasks::none(), Some(why))
        }
        Err(error) => return Err(error),
    };
    locked(&node.trouble).rows = trouble;
    let tasks = Arc::new(tasks);
    *attached = Some((plan.digest(), Arc::clone(&tasks)));
    info!(plan = %plan.digest(), "the bank's rows are attached");
    Ok(tasks)
}

fn attach(node: &Node, plan: &Plan) -> Result<Tasks, ClientError> {
    let tasks = Tasks::attach(&node.source, plan, &node.institution(), &node.population_key)?;
    node.population().check_units(&node.policy.population, tasks.unit_names())?;
    Ok(tasks)
}
