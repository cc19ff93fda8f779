//! Banks with a state directory each, and what they do.

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use client::backoff::Backoff;
use client::control::{Answer, Command, NodeStatus, socket};
use client::data::DataSource;
use client::join::join;
use client::joined::Joined;
use client::keys::Keys;
use client::node::{Options, serve};
use client::policy::Policy;
use client::population::{LedgerReport, Member, Population};
use client::state_dir::StateDir;
use client::{ClientError, clock};
use ledger::digest::Digest;
use ledger::record::{Approval, Canonical as _, Institution};
use round::Request as Ask;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use wire::tls::system_clock;

use crate::coordinator::Fake;
use crate::plans;

/// No test expects to wait this long; it turns a hang into a failure.
const HANG: Duration = Duration::from_secs(30);

/// Whatever `future` gives, unless it hangs.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(HANG, future).await.expect("must not hang")
}

/// A bank with its state directory.
pub(crate) struct Bank {
    pub(crate) dir: TempDir,
    pub(crate) state: StateDir,
    pub(crate) name: &'static str,
}

/// A running node.
pub(crate) struct Running {
    end: oneshot::Sender<()>,
    pub(crate) task: JoinHandle<Result<(), ClientError>>,
}

impl Bank {
    /// A bank that has joined, with a policy that allows the tests' plan and forty customers.
    pub(crate) async fn joined(fake: &Fake, name: &'static str) -> Self {
        let bank = Self::new(name);
        bank.join(fake).await.unwrap();
        bank.write("policy.toml", &policy_text(&fake.genesis()));
        bank
    }

    pub(crate) fn new(name: &'static str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::create(dir.path()).unwrap();
        let bank = Self { dir, state, name };
        bank.write("data.toml", "path = \"rows.csv\"\n");
        bank.write("rows.csv", &rows());
        bank
    }

    pub(crate) async fn join(&self, fake: &Fake) -> Result<Joined, ClientError> {
        let invitation = fake.invitation(self.name);
        soon(join(&self.state, &invitation, system_clock(), Duration::from_secs(10))).await
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.dir.path().join(name), text).unwrap();
    }

    pub(crate) fn keys(&self) -> Keys {
        Keys::load_or_create(&self.state).unwrap()
    }

    pub(crate) fn institution(&self) -> Institution {
        Institution::new(self.name).unwrap()
    }

    pub(crate) fn run(&self) -> Running {
        let options = Options {
            progress: Duration::from_secs(10),
            backoff: Backoff::new(Duration::from_millis(2), Duration::from_millis(20)),
            ..Options::new(self.path())
        };
        let (end, ended) = oneshot::channel();
        let ended = async { drop(ended.await) };
        Running { end, task: tokio::spawn(serve(options, ended)) }
    }

    /// The bank's signature on a plan, handed in.
    /// What the receipts of a node at rest prove.
    pub(crate) fn verify_receipts(&self) -> Vec<client::receipts::Verified> {
        let joined = client::joined::Joined::load(&self.state).unwrap();
        let (log, _) = store::open(&self.state.path("log")).unwrap();
        let key = self.keys().record.public();
        let mirror =
            client::mirror::Mirror::open(log, joined.log(), self.institution(), key).unwrap();
        client::receipts::verify_all(&self.state, &mirror).unwrap()
    }

    pub(crate) fn sign(&self, fake: &Fake, plan: Digest) {
        let approval = Approval { institution: self.institution(), plan };
        let key = self.keys().record;
        let signature = key.sign_body(Approval::TYPE, &fake.genesis(), &approval.encode());
        fake.ask(Ask::Approve(approval, signature)).unwrap();
    }

    async fn call(&self, command: &Command) -> Option<Answer> {
        wire::control::call(&socket(&self.state), command).await.ok()
    }

    pub(crate) async fn command(&self, command: Command) -> Answer {
        let answered = async {
            loop {
                if let Some(answer) = self.call(&command).await {
                    return answer;
                }
                tokio::task::yield_now().await;
            }
        };
        soon(answered).await
    }

    /// Waits until `what` holds of the running node's ledger.
    pub(crate) async fn until(&self, what: impl Fn(&LedgerReport) -> bool) -> LedgerReport {
        let waiting = async {
            loop {
                if let Some(Answer::Ledger(report)) = self.call(&Command::Ledger {}).await
                    && what(&report)
                {
                    return *report;
                }
                tokio::task::yield_now().await;
            }
        };
        soon(waiting).await
    }

    /// Waits until `what` holds of the running node's status.
    pub(crate) async fn until_status(&self, what: impl Fn(&NodeStatus) -> bool) -> NodeStatus {
        let waiting = async {
            loop {
                let answer = self.call(&Command::Status {}).await;
                if let Some(Answer::Status(status)) = answer
                    && what(&status)
                {
                    return *status;
                }
                tokio::task::yield_now().await;
            }
        };
        soon(waiting).await
    }

    pub(crate) fn source(&self) -> DataSource {
        DataSource::load(&self.state.path("data.toml")).unwrap()
    }

    pub(crate) fn policy(&self) -> Policy {
        Policy::load(&self.state.path("policy.toml")).unwrap()
    }

    /// The bank's ledger while no node runs.
    pub(crate) fn population(&self) -> Population {
        self.opened().unwrap()
    }

    /// The same, which may be refused.
    pub(crate) fn opened(&self) -> Result<Population, ClientError> {
        let (keys, rules, joined) =
            (self.keys(), self.policy().population, Joined::load(&self.state)?);
        let member = Member {
            consortium: joined.genesis_digest(),
            institution: joined.institution(),
            record_key: &keys.record,
        };
        Population::open(&self.state, &rules, &self.source(), &member, clock::now())
    }

    pub(crate) fn receipts(&self) -> usize {
        std::fs::read_dir(self.path().join("receipts")).map_or(0, Iterator::count)
    }
}

impl Running {
    /// Ends the node and gives what it ended with.
    pub(crate) async fn end(self) -> Result<(), ClientError> {
        let _ = self.end.send(());
        soon(self.task).await.unwrap()
    }

    /// What the node ends with by itself.
    pub(crate) async fn ended(self) -> Result<(), ClientError> {
        let ended = soon(self.task).await.unwrap();
        drop(self.end);
        ended
    }
}

/// A consortium of `names` with one plan that all have signed: its run is open.
pub(crate) async fn consortium(
    names: &[&'static str],
    rounds: u32,
    send: &str,
) -> (Fake, Vec<Bank>) {
    let fake = Fake::start().await;
    let mut banks = vec![];
    for name in names {
        banks.push(Bank::joined(&fake, name).await);
    }
    start_run(&fake, &banks, rounds, send);
    (fake, banks)
}

pub(crate) fn start_run(fake: &Fake, banks: &[Bank], rounds: u32, send: &str) {
    let names: Vec<&str> = banks.iter().map(|bank| bank.name).collect();
    let text = plans::text(&fake.genesis(), &names, rounds, send);
    let digest = ledger::digest::sha256(text.as_bytes());
    fake.ask(Ask::Propose(text.into_bytes())).unwrap();
    for bank in banks {
        bank.sign(fake, digest);
    }
}

pub(crate) fn finished(core: &crate::coordinator::Core) -> bool {
    let consortium = core.state.consortium.as_ref().unwrap();
    consortium.run.is_none() && consortium.ended.values().any(|ending| ending.finished)
}

/// Forty customers, one row each.
fn rows() -> String {
    let row = |i: i32| format!("c{i},{},{}\n", f64::from(i % 7) - 3.0, i % 2);
    "id,x,y\n".to_owned() + &(0..40).map(row).collect::<String>()
}

/// A policy that allows the tests' plan.
pub(crate) fn policy_text(genesis: &Digest) -> String {
    format!(
        r#"
[consortium]
genesis = "{genesis}"
[population]
name = "cards"
unit = "customer"
relation = "add-remove"
epsilon = 20.0
delta = 1e-5
[allow]
applications = ["credit-risk"]
learners = ["fomaml"]
models = {{ hidden_layers_max = 0, width_max = 0, parameters_max = 10 }}
columns = ["id", "x", "y"]
noise_multiplier_min = 8.0
clip_norm_max = 0.5
sampling_rate_max = 0.5
epsilon_per_run_max = 8.0
rounds_max = 10
inner_steps_max = 1
cohort_min = 1
delta_max = 1e-5
relation = "add-remove"
"#
    )
}
