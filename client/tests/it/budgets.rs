//! What a bank does about its budgets, and what it is refused.

use std::path::{Path, PathBuf};

use client::commands;
use client::control::{Answer, Command};
use client::policy::Policy;
use client::population::{CapStanding, LedgerReport, Population};
use client::{ClientError, Exit, clock};
use ledger::population::{Sketch, SketchKey};
use ledger::time::Timestamp;

use crate::coordinator::Fake;
use crate::recovery::charged;
use crate::world::{Bank, consortium, finished, policy_text};

/// The tests' policy with `lines` more under [population].
fn policy_with(fake: &Fake, lines: &str) -> String {
    policy_text(&fake.genesis())
        .replace("delta = 1e-5\n[allow]", &format!("delta = 1e-5\n{lines}\n[allow]"))
}

fn opened(bank: &Bank) -> Result<Population, ClientError> {
    bank.opened()
}

/// A bank whose policy names the registry.
async fn registering(fake: &Fake, name: &'static str, registry: &Path) -> Bank {
    let bank = Bank::joined(fake, name).await;
    bank.write(
        "policy.toml",
        &policy_with(fake, &format!("registry = \"{}\"", registry.display())),
    );
    bank.write("data.toml", "path = \"rows.csv\"\nunit = \"id\"\n");
    bank
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_population_that_holds_a_customer_of_another_is_refused() {
    let fake = Fake::start().await;
    let registry = tempfile::tempdir().unwrap();
    let north = registering(&fake, "north", registry.path()).await;
    drop(opened(&north).unwrap());
    // And again: a population does not overlap with itself.
    drop(opened(&north).unwrap());

    let south = registering(&fake, "south", registry.path()).await;
    south.write("rows.csv", "id,x,y\nd1,0,0\nc7,1,1\n");
    let error = opened(&south).unwrap_err();
    assert!(matches!(&error, ClientError::Overlap { population, .. } if population == "cards"));
    assert_eq!(error.exit(), Exit::Refused);
    south.write("rows.csv", "id,x,y\nd1,0,0\nd2,1,1\n");
    drop(opened(&south).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_population_that_starts_over_is_given_no_second_budget() {
    let fake = Fake::start().await;
    let registry = tempfile::tempdir().unwrap();
    let north = registering(&fake, "north", registry.path()).await;
    drop(opened(&north).unwrap());
    std::fs::remove_dir_all(north.path().join("population")).unwrap();
    assert!(matches!(opened(&north), Err(ClientError::Overlap { .. })));
    // Who removes its former self by hand has taken the decision; the file says what it was.
    let [file] = &*kept_in(registry.path()) else { panic!("one population") };
    std::fs::remove_file(file).unwrap();
    drop(opened(&north).unwrap());
    // A crash between ledger and registry is caught up with.
    let [file] = &*kept_in(registry.path()) else { panic!("one population") };
    std::fs::remove_file(file).unwrap();
    drop(opened(&north).unwrap());
    assert_eq!(&*kept_in(registry.path()), std::slice::from_ref(file));
}

/// The populations' files.
fn kept_in(registry: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(registry).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|suffix| suffix == "population")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_are_attached_later_are_compared_too() {
    let fake = Fake::start().await;
    let registry = tempfile::tempdir().unwrap();
    let north = registering(&fake, "north", registry.path()).await;
    let population = opened(&north).unwrap();
    let rules = north.policy().population;
    // A customer joins north, whom a later population holds as well.
    population.check_units(&rules, ["c1", "new"].into_iter()).unwrap();
    let south = registering(&fake, "south", registry.path()).await;
    south.write("rows.csv", "id,x,y\nnew,0,0\n");
    assert!(matches!(opened(&south), Err(ClientError::Overlap { .. })));
    south.write("rows.csv", "id,x,y\nd,0,0\n");
    let other = opened(&south).unwrap();
    let refused = other.check_units(&south.policy().population, ["d", "new"].into_iter());
    assert!(matches!(refused, Err(ClientError::Overlap { .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_needs_the_units_and_says_so() {
    let fake = Fake::start().await;
    let registry = tempfile::tempdir().unwrap();
    let north = registering(&fake, "north", registry.path()).await;
    north.write("data.toml", "path = \"rows.csv\"\n");
    let error = opened(&north).unwrap_err();
    assert!(error.to_string().contains("`unit` in data.toml"), "{error}");
    north.write("data.toml", "path = \"rows.csv\"\nunit = \"nobody\"\n");
    let error = opened(&north).unwrap_err();
    assert!(error.to_string().contains("expected a column \"nobody\""), "{error}");
}

#[test]
fn two_sketches_together_are_the_sketch_of_both() {
    let key = SketchKey::new(&[1; 32]);
    let of = |ids: &[&str]| Sketch::of(&key, ids, Sketch::HASHES_MAX);
    assert_eq!(of(&["a", "b"]).union(&of(&["b", "c"])), of(&["a", "b", "c"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cap_is_lowered_by_the_policy_and_raised_only_by_a_signed_act() {
    let (fake, banks) = consortium(&["north"], 1, "asap").await;
    let [north] = &*banks else { panic!("one bank") };
    drop(charged(&fake, north));
    let rules = |epsilon: &str| {
        let text = policy_text(&fake.genesis()).replace("epsilon = 20.0", epsilon);
        Policy::parse(&text).unwrap().population
    };
    let mut population = north.population();
    let at = clock::now();
    let higher = rules("epsilon = 25.0");
    let standing = population.keep_cap(&higher, None, at).unwrap();
    assert_eq!(standing, CapStanding::PolicyAbove { held: 20.0 });
    assert_eq!(population.keep_cap(&rules("epsilon = 19.0"), None, at).unwrap(), CapStanding::Same);
    let held = |population: &Population| population.ledger.state().cap().unwrap().epsilon();
    assert!((held(&population) - 19.0).abs() < 1e-9);
    for (epsilon, reason) in [(24.0, "board"), (25.0, "  "), (f64::NAN, "board")] {
        let refused = population.raise_cap(&higher, epsilon, reason, at).unwrap_err();
        assert_eq!(refused.exit(), Exit::Budget, "{refused}");
    }
    let other_delta = rules("epsilon = 25.0").clone();
    let other_delta = client::policy::PopulationRules { delta: 1e-4, ..other_delta };
    let refused = population.raise_cap(&other_delta, 25.0, "board", at).unwrap_err();
    assert!(refused.to_string().contains("fixed for life"), "{refused}");
    population.raise_cap(&higher, 25.0, "board, 2026-11-20", at).unwrap();
    assert!((held(&population) - 25.0).abs() < 1e-9);
    let caps: Vec<_> =
        population.ledger.state().caps().iter().map(|(_, c)| c.reason().to_string()).collect();
    assert_eq!(caps, ["from the policy", "lowered by the policy", "board, 2026-11-20"]);
    let lower = rules("epsilon = 25.0");
    assert_eq!(population.raise_cap(&lower, 25.0, "board", at).unwrap_err().exit(), Exit::Budget);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_budgets_are_shown_and_the_one_that_ends_the_run_is_named() {
    let (fake, banks) = consortium(&["north"], 3, "asap").await;
    let [north] = &*banks else { panic!("one bank") };
    let (population, _) = charged(&fake, north);
    let report = LedgerReport::of(&population).unwrap();
    let [run] = &*report.runs else { panic!("one run") };
    assert_eq!((run.rounds, run.charged, run.lifetime_admits, &*run.binding), (3, 1, 2, "run"));
    assert!(run.epsilon > 0.0 && run.epsilon < run.epsilon_max, "{run:?}");
    drop(population);

    // A lifetime that holds one more round, and not two.
    let text = policy_text(&fake.genesis()).replace("epsilon = 20.0", "epsilon = 0.75");
    north.write("policy.toml", &text);
    let mut population = north.population();
    population.keep_cap(&north.policy().population, None, clock::now()).unwrap();
    let report = LedgerReport::of(&population).unwrap();
    let [run] = &*report.runs else { panic!("one run") };
    assert_eq!((run.lifetime_admits, &*run.binding), (1, "lifetime"), "{report:?}");
    drop(population);
    let dir = north.path().to_owned();
    let shown = tokio::task::spawn_blocking(move || commands::ledger::show(&dir)).await.unwrap();
    let shown = shown.unwrap();
    assert!(
        shown.text.contains("the lifetime binds: it admits 1 of the 2 rounds"),
        "{}",
        shown.text
    );
    assert!(shown.text.contains("cap changed to 0.75"), "{}", shown.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_charge_without_a_release_is_given_back_and_one_with_a_release_never() {
    let (fake, banks) = consortium(&["north"], 1, "asap").await;
    let [north] = &*banks else { panic!("one bank") };
    let (population, reservation) = charged(&fake, north);
    let leaf = reservation.index();
    drop(population);
    let void = |leaf: u64, reason: &'static str| {
        let dir = north.path().to_owned();
        tokio::task::spawn_blocking(move || commands::ledger::void(&dir, leaf, reason))
    };
    assert_eq!(void(leaf, "").await.unwrap().unwrap_err().exit(), Exit::Usage);
    assert_eq!(void(99, "no such").await.unwrap().unwrap_err().exit(), Exit::Refused);
    void(leaf, "the machine was replaced").await.unwrap().unwrap();
    let population = north.population();
    assert!(population.ledger.state().spent() < 1e-300, "nothing is charged");
    drop(population);

    // Through the running node: it charges anew, and what it has released stays charged.
    let node = north.run();
    fake.until(finished).await;
    let report = north.until(|r| r.charges.iter().any(|c| c.standing == "acknowledged")).await;
    let released = report.charges.iter().find(|c| c.standing == "acknowledged").unwrap();
    let command = Command::Void { reservation: released.reservation, reason: "please".to_owned() };
    let Answer::Failed { exit_code, message } = north.command(command).await else {
        panic!("refused")
    };
    assert_eq!(exit_code, Exit::Refused.code(), "{message}");
    node.end().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exported_ledger_holds_every_entry_and_opens_every_head() {
    let (fake, banks) = consortium(&["north"], 2, "asap").await;
    let [north] = &*banks else { panic!("one bank") };
    let node = north.run();
    fake.until(finished).await;
    north.until(|r| r.charges.iter().filter(|c| c.standing == "acknowledged").count() == 2).await;
    let place = tempfile::tempdir().unwrap();
    let running = place.path().join("running");
    let Answer::Exported { entries } =
        north.command(Command::Export { directory: running.clone() }).await
    else {
        panic!("exported")
    };
    node.end().await.unwrap();
    let dir = north.path().to_owned();
    let resting = place.path().join("resting");
    let out = resting.clone();
    let exported = tokio::task::spawn_blocking(move || commands::ledger::export(&dir, &out)).await;
    assert_eq!(exported.unwrap().unwrap().data["entries"], entries);
    for file in ["genesis", "checkpoint", "heads.json"] {
        assert_eq!(
            std::fs::read(running.join(file)).unwrap(),
            std::fs::read(resting.join(file)).unwrap()
        );
    }
    // What an auditor makes of it: every figure anew, and the very heads that the consortium's log holds.
    let report = audit::verify_population(&running, None);
    assert!(report.verified, "{:?}", report.finding);
    let heads: Vec<String> = report.heads.into_iter().map(|head| head.head).collect();
    assert_eq!(heads, fake.accepted_heads());
    let [run] = &*report.runs else { panic!("one run") };
    assert_eq!(
        (run.rounds, run.charged, run.released, run.acknowledged, run.voided),
        (2, 2, 2, 2, 0)
    );
    assert_eq!(run.epsilon, run.whole);
    let dir = north.path().to_owned();
    let again = tokio::task::spawn_blocking(move || commands::ledger::export(&dir, &resting)).await;
    assert!(matches!(again.unwrap(), Err(ClientError::Export(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_was_set_back_needs_a_second_place() {
    let fake = Fake::start().await;
    let north = Bank::joined(&fake, "north").await;
    let population = north.population();
    let rules = north.policy().population;
    let now = clock::now();
    population.check_clock(&rules, now).unwrap();
    let minute = Timestamp::from_millis(now.as_millis() - 60_000);
    population.check_clock(&rules, minute).unwrap();
    let day = Timestamp::from_millis(now.as_millis() - 86_400_000);
    let refused = population.check_clock(&rules, day).unwrap_err();
    assert_eq!(refused.exit(), Exit::Tampered, "{refused}");
    let elsewhere = tempfile::tempdir().unwrap();
    let rules =
        Policy::parse(&policy_with(&fake, &format!("second_place = {:?}", elsewhere.path())));
    population.check_clock(&rules.unwrap().population, day).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_at_rest_keeps_the_second_place_and_refuses_a_ledger_that_went_back() {
    let (fake, banks) = consortium(&["north"], 1, "asap").await;
    let [north] = &*banks else { panic!("one bank") };
    let elsewhere = tempfile::tempdir().unwrap();
    let place = format!("second_place = {:?}", elsewhere.path());
    north.write("policy.toml", &policy_with(&fake, &place));
    drop(charged(&fake, north));
    let (ledger, backup) = (north.path().join("population"), north.path().join("backup"));
    crate::recovery::copy(&ledger, &backup);
    let stop = || {
        let dir = north.path().to_owned();
        tokio::task::spawn_blocking(move || commands::stop(&dir, "audit"))
    };
    stop().await.unwrap().unwrap();
    // The backup from before the stop would release again.
    std::fs::remove_dir_all(&ledger).unwrap();
    crate::recovery::copy(&backup, &ledger);
    let refused = stop().await.unwrap().unwrap_err();
    assert_eq!(refused.exit(), Exit::Tampered, "{refused}");
    let dir = north.path().to_owned();
    let seen = move || {
        [commands::ledger::check(&dir), commands::ledger::show(&dir), commands::status(&dir)]
    };
    for looked_at in tokio::task::spawn_blocking(seen).await.unwrap() {
        assert_eq!(looked_at.unwrap_err().exit(), Exit::Tampered);
    }
    let error = north.run().ended().await.unwrap_err();
    assert_eq!(error.exit(), Exit::Tampered, "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_released_vector_that_is_gone_is_incomplete() {
    let (fake, banks) = consortium(&["north"], 1, "asap").await;
    let [north] = &*banks else { panic!("one bank") };
    let node = north.run();
    fake.until(finished).await;
    north.until(|r| r.charges.iter().any(|c| c.standing == "acknowledged")).await;
    node.end().await.unwrap();
    let database = north.path().join("population").join("log.sqlite");
    let connection = rusqlite::Connection::open(database).unwrap();
    assert_eq!(connection.execute("DELETE FROM blob", []).unwrap(), 1);
    drop(connection);
    let error = commands::ledger::check(north.path()).unwrap_err();
    assert_eq!(error.exit(), Exit::Incomplete, "{error}");
}

#[test]
fn places_that_depend_on_where_the_node_starts_are_refused() {
    let text = policy_text(&ledger::digest::Digest::ZERO);
    for key in ["second_place", "registry"] {
        let line = format!("delta = 1e-5\n{key} = \"beside\"\n[allow]");
        let error = Policy::parse(&text.replace("delta = 1e-5\n[allow]", &line)).unwrap_err();
        assert!(
            error.to_string().contains(&format!("absolute path in population.{key}")),
            "{error}"
        );
    }
}
