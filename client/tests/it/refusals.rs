//! What the node refuses, and that a refusal costs nothing.

use client::control::{Answer, Command};
use client::data::DataSource;
use client::tasks::{PopulationKey, TaskError, Tasks};
use client::{ClientError, Exit};
use zeroize::Zeroizing;

use crate::plans;
use crate::world::{Bank, consortium, finished, policy_text, start_run};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_that_the_policy_does_not_allow_is_neither_charged_nor_computed() {
    let (fake, banks) = consortium(&["north"], 1, "asap").await;
    let [north] = &*banks else { panic!("one bank") };
    let policy = policy_text(&fake.genesis());
    north.write("policy.toml", &policy.replace("rounds_max = 10", "rounds_max = 0"));
    let node = north.run();
    let status = north.until_status(|status| status.trouble.is_some()).await;
    let trouble = status.trouble.unwrap();
    assert!(trouble.contains("allow.rounds_max is 1 where the policy says at most 0"), "{trouble}");
    let report = north.until(|_| true).await;
    assert!(report.charges.is_empty());
    node.end().await.unwrap();
    let core = fake.core();
    assert_eq!((core.fetched, core.vectors.len()), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_policy_nothing_starts() {
    let (_fake, banks) = consortium(&["north"], 1, "asap").await;
    let [north] = &*banks else { panic!("one bank") };
    std::fs::remove_file(north.path().join("policy.toml")).unwrap();
    let error = north.run().ended().await.unwrap_err();
    assert_eq!(error.exit(), Exit::Refused, "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_that_the_policy_does_not_name_prove_nothing() {
    let (fake, banks) = consortium(&["north", "south"], 1, "asap").await;
    let [north, _] = &*banks else { panic!("two banks") };
    let pins = format!(
        "[consortium.members]\nnorth = \"{}\"\nsouth = \"{}\"\n[population]",
        north.keys().record.public(),
        "0".repeat(64),
    );
    let policy = policy_text(&fake.genesis()).replacen("[population]", &pins, 1);
    north.write("policy.toml", &policy);
    let node = north.run();
    let status = north.until_status(|status| status.trouble.is_some()).await;
    assert!(status.trouble.unwrap().contains("consortium.members is 1 of the 2"));
    node.end().await.unwrap();
    assert!(fake.core().vectors.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_meta_initialization_with_another_digest_is_refused_before_the_charge() {
    let (fake, banks) = consortium(&["north"], 1, "asap").await;
    let [north] = &*banks else { panic!("one bank") };
    fake.core().faults.wrong_blobs = u32::MAX;
    let node = north.run();
    fake.until(|core| core.fetched >= 3).await;
    let report = north.until(|_| true).await;
    assert!(report.charges.is_empty());
    // Once it is right, the round goes on.
    fake.core().faults.wrong_blobs = 0;
    fake.until(finished).await;
    node.end().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_meta_initialization_that_is_no_number_is_refused_before_the_charge() {
    let fake = crate::coordinator::Fake::start().await;
    fake.core().faults.nan_model = true;
    let banks = [Bank::joined(&fake, "north").await];
    start_run(&fake, &banks, 1, "asap");
    let [north] = &banks;
    let node = north.run();
    let status = north.until_status(|status| status.trouble.is_some()).await;
    assert!(status.trouble.unwrap().contains("weight 0 is not"));
    assert!(north.until(|_| true).await.charges.is_empty());
    node.end().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_without_the_columns_of_the_plan_is_refused_before_the_charge() {
    let (fake, banks) = consortium(&["north"], 1, "asap").await;
    let [north] = &*banks else { panic!("one bank") };
    north.write("rows.csv", "id,z,y\nc1,1,1\n");
    let node = north.run();
    north.until_status(|status| status.trouble.is_some()).await;
    assert!(north.until(|_| true).await.charges.is_empty());
    node.end().await.unwrap();
    assert!(fake.core().vectors.is_empty());
}

#[test]
fn more_units_than_the_delta_is_small_enough_for_are_refused() {
    let plan = plans::plan(|text| text.replace("delta = 1e-5", "delta = 1e-3"));
    let attach = |units: u32| {
        let file = tempfile::NamedTempFile::new().unwrap();
        let rows = (0..units).map(|unit| format!("c{unit},1,1\n")).collect::<Vec<_>>().concat();
        std::fs::write(file.path(), "id,x,y\n".to_owned() + &rows).unwrap();
        let key = PopulationKey::new(&Zeroizing::new([3; 32]));
        let source = DataSource::file(file.path());
        Tasks::attach(&source, &plan, &"north".parse().unwrap(), &key).map(|tasks| tasks.len())
    };
    assert_eq!(attach(100).unwrap(), 8);
    let refused = attach(101).unwrap_err();
    assert!(matches!(refused, ClientError::Tasks(TaskError::Delta(_))), "{refused}");
    assert!(refused.to_string().contains("at most 0.00099"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_round_above_the_lifetime_budget_is_not_entered() {
    let (fake, banks) = consortium(&["north"], 3, "asap").await;
    let [north] = &*banks else { panic!("one bank") };
    let policy = policy_text(&fake.genesis());
    north.write("policy.toml", &policy.replace("epsilon = 20.0", "epsilon = 0.7"));
    let node = north.run();
    let status = north.until_status(|status| status.trouble.is_some()).await;
    assert!(status.trouble.unwrap().contains("budget"));
    let report = north.until(|_| true).await;
    assert!(report.spent <= 0.7 && report.charges.len() < 3, "{report:?}");
    node.end().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_holds_across_restarts_until_it_is_lifted() {
    let fake = crate::coordinator::Fake::start().await;
    let banks = [Bank::joined(&fake, "north").await];
    let [north] = &banks;
    let node = north.run();
    let reason = "the regulator called".to_owned();
    assert_eq!(north.command(Command::Stop { reason }).await, Answer::Done {});
    start_run(&fake, &banks, 1, "asap");
    north.until_status(|status| status.expected && status.stopped.is_some()).await;
    node.end().await.unwrap();
    let node = north.run();
    let status = north.until_status(|status| status.expected).await;
    assert_eq!(status.stopped.as_deref(), Some("the regulator called"));
    assert!(north.until(|_| true).await.charges.is_empty());
    let resumed = north.command(Command::Resume { reason: String::new() }).await;
    assert_eq!(resumed, Answer::Done {});
    fake.until(finished).await;
    node.end().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_daemon_at_a_time() {
    let (_fake, banks) = consortium(&["north"], 1, "asap").await;
    let [north] = &*banks else { panic!("one bank") };
    let node = north.run();
    north.until_status(|_| true).await;
    let second = north.run().ended().await.unwrap_err();
    assert!(matches!(second, ClientError::Locked(_)), "{second}");
    assert_eq!(north.command(Command::Shutdown {}).await, Answer::Done {});
    node.ended().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_goes_back_is_refused_for_ever() {
    let (fake, banks) = consortium(&["north"], 1, "asap").await;
    let [north] = &*banks else { panic!("one bank") };
    let node = north.run();
    fake.until(finished).await;
    let size = fake.core().state.size;
    north.until_status(|status| status.verified_records == size).await;
    fake.roll_back(2);
    let error = node.ended().await.unwrap_err();
    assert!(
        matches!(&error, ClientError::Tampered(t) if t.reason().contains("went back")),
        "{error}"
    );
    let again = north.run().ended().await.unwrap_err();
    assert_eq!(again.exit(), Exit::Tampered, "{again}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_with_another_history_is_refused_for_ever() {
    let (fake, banks) = consortium(&["north"], 1, "asap").await;
    let [north] = &*banks else { panic!("one bank") };
    let node = north.run();
    fake.until(finished).await;
    let size = fake.core().state.size;
    north.until_status(|status| status.verified_records == size).await;
    node.end().await.unwrap();
    fake.roll_back(2);
    // The same consortium grows again, past where it was.
    for rounds in 2.. {
        start_run(&fake, &banks, rounds, "asap");
        let run = fake.core().state.run().map(|run| run.id).unwrap();
        fake.ask(round::Request::Abandon { run, reason: "again".to_owned() }).unwrap();
        if fake.core().state.size > size {
            break;
        }
    }
    let error = north.run().ended().await.unwrap_err();
    assert_eq!(error.exit(), Exit::Tampered, "{error}");
    assert_eq!(fake.core().vectors.len(), 1);
}
