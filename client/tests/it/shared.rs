//! One bank in two consortia: two nodes, two logs, one ledger.

use std::path::PathBuf;

use client::control::{Answer, Command};
use client::policy::{Policy, PolicyError};
use client::population::Population;
use client::{ClientError, Exit, clock, commands};
use ledger::population::{LedgerError, Violation};
use tempfile::TempDir;

use crate::coordinator::Fake;
use crate::recovery::{charged, copy, open_round};
use crate::world::{Bank, finished, policy_text, start_run};

/// Where the ledger lies, where its head is kept, and who the bank's populations are.
struct Shared {
    root: TempDir,
}

impl Shared {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let shared = Self { root };
        for (name, mode) in [("ledger", 0o700), ("elsewhere", 0o755), ("registry", 0o755)] {
            use std::os::unix::fs::DirBuilderExt as _;
            std::fs::DirBuilder::new().mode(mode).create(shared.path(name)).unwrap();
        }
        shared
    }

    /// A backup, or one that is put back.
    fn copy(&self, from: &str, to: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        copy(&self.path(from), &self.path(to));
        let private = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(self.path(to), private).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// The lines of the policy that name them.
    fn lines(&self) -> String {
        let path = |name: &str| format!("\"{}\"", self.path(name).display());
        format!(
            "ledger = {}\nsecond_place = {}\nregistry = {}",
            path("ledger"),
            path("elsewhere"),
            path("registry")
        )
    }

    /// A bank that has joined `fake` and names them, with a lifetime cap of `epsilon`.
    async fn bank(&self, fake: &Fake, name: &'static str, epsilon: f64) -> Bank {
        let bank = Bank::joined(fake, name).await;
        bank.write("policy.toml", &self.policy(fake, epsilon));
        bank.write("data.toml", "path = \"rows.csv\"\nunit = \"id\"\n");
        bank
    }

    fn policy(&self, fake: &Fake, epsilon: f64) -> String {
        policy_text(&fake.genesis())
            .replace("delta = 1e-5\n[allow]", &format!("delta = 1e-5\n{}\n[allow]", self.lines()))
            .replace("epsilon = 20.0", &format!("epsilon = {epsilon:?}\norder = 20.0"))
    }
}

/// The bank in two consortia, each with a plan of `rounds` rounds, under another name in each.
async fn two_consortia(shared: &Shared, rounds: u32, epsilon: f64) -> [(Fake, Bank); 2] {
    let mut nodes = vec![];
    for name in ["north", "northern"] {
        let fake = Fake::start().await;
        let bank = [shared.bank(&fake, name, epsilon).await];
        start_run(&fake, &bank, rounds, "asap");
        let [bank] = bank;
        nodes.push((fake, bank));
    }
    nodes.try_into().unwrap_or_else(|_| panic!("two"))
}

/// What the ledger says to one more round.
fn refusal(fake: &Fake, population: &mut Population) -> Violation {
    let request = population.request(&open_round(fake), 8.0).unwrap();
    match population.ledger.reserve(clock::now(), request) {
        Err(LedgerError::Refused(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_in_two_consortia_spend_from_one_budget_at_the_same_time() {
    let shared = Shared::new();
    let [(one, north), (two, northern)] = two_consortia(&shared, 2, 20.0).await;
    let running = [north.run(), northern.run()];
    one.until(finished).await;
    two.until(finished).await;
    let all = |r: &client::population::LedgerReport| {
        r.charges.len() == 4 && r.charges.iter().all(|charge| charge.standing == "acknowledged")
    };
    let (report, seen) = (north.until(all).await, northern.until(all).await);
    assert_eq!(report, seen, "both show the one ledger");
    let names: Vec<_> = report.consortia.iter().map(|of| (&*of.institution, of.charged)).collect();
    assert!(names.contains(&("north", 2)) && names.contains(&("northern", 2)), "{names:?}");
    let alone = report.consortia.iter().map(|of| of.spent_alone).fold(0.0, f64::max);
    assert!(report.spent > alone, "both count: {} beside {alone}", report.spent);
    for node in running {
        node.end().await.unwrap();
    }
    // What was sent to each is under its own name and key, and the auditor of each is shown whose ledger it is.
    let place = shared.path("export");
    let out = place.clone();
    let dir = northern.path().to_owned();
    let exported = tokio::task::spawn_blocking(move || commands::ledger::export(&dir, &out)).await;
    exported.unwrap().unwrap();
    let audited = audit::verify_population(&place, None);
    assert!(audited.verified, "{:?}", audited.finding);
    for (fake, bank) in [(&one, &north), (&two, &northern)] {
        let genesis = fake.genesis().to_string();
        let here = audited.consortia.iter().find(|of| of.consortium == genesis).unwrap();
        assert_eq!(here.record_key, bank.keys().record.public().to_string());
        assert_eq!(here.institution, bank.name);
        let heads = audited.heads.iter().filter(|head| head.consortium == genesis);
        let heads: Vec<String> = heads.map(|head| head.head.clone()).collect();
        assert_eq!(heads, fake.accepted_heads());
    }
    let dir = north.path().to_owned();
    let shown = tokio::task::spawn_blocking(move || commands::ledger::show(&dir)).await.unwrap();
    let shown = shown.unwrap().text;
    assert!(shown.contains("as northern: 2 rounds charged"), "{shown}");
    commands::ledger::check(northern.path()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_second_node_is_refused_what_the_first_has_spent() {
    let shared = Shared::new();
    // One round fits into the lifetime, two do not.
    let [(one, north), (two, northern)] = two_consortia(&shared, 1, 0.6).await;
    let first = north.run();
    one.until(finished).await;
    first.end().await.unwrap();
    let second = northern.run();
    let status = northern.until_status(|status| status.trouble.is_some()).await;
    assert!(status.trouble.unwrap().contains("the budget: expected cumulative RDP"));
    let report = northern.until(|_| true).await;
    assert_eq!(report.charges.len(), 1);
    assert!(report.spent <= 0.6 && report.spent > 0.3, "{}", report.spent);
    second.end().await.unwrap();
    assert!(two.core().vectors.is_empty(), "nothing left for the second consortium");
    let mut population = northern.population();
    let refused = refusal(&two, &mut population);
    assert!(matches!(refused, Violation::OverBudget { .. }), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_dies_after_its_charge_stops_nobody_and_retries_its_own() {
    let shared = Shared::new();
    let [(one, north), (two, northern)] = two_consortia(&shared, 1, 20.0).await;
    // It dies with a reservation in its hand, while the other has the ledger open.
    let (population, _) = charged(&one, &north);
    let other = northern.run();
    drop(population);
    two.until(finished).await;
    let report = northern.until(|r| r.charges.iter().any(|c| c.standing == "acknowledged")).await;
    let standing: Vec<_> = report.charges.iter().map(|c| &*c.standing).collect();
    assert_eq!(standing, ["reserved", "acknowledged"], "the other's work is left alone");
    assert!(report.charges.iter().all(|charge| charge.recomputed == 0));
    let again = north.run();
    one.until(finished).await;
    let report = north.until(|r| r.charges.iter().all(|c| c.standing == "acknowledged")).await;
    let recomputed: Vec<_> = report.charges.iter().map(|c| c.recomputed).collect();
    assert_eq!(recomputed, [1, 0], "under the same charge");
    again.end().await.unwrap();
    other.end().await.unwrap();
    assert_eq!((one.core().vectors.len(), two.core().vectors.len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_and_a_refund_by_one_node_hold_for_the_other() {
    let shared = Shared::new();
    let [(one, north), (two, northern)] = two_consortia(&shared, 1, 20.0).await;
    let (population, reservation) = charged(&one, &north);
    let leaf = reservation.index();
    drop(population);
    let other = northern.run();
    two.until(finished).await;
    // At rest, for the node that runs.
    let dir = north.path().to_owned();
    let stop = tokio::task::spawn_blocking(move || commands::stop(&dir, "audit")).await;
    stop.unwrap().unwrap();
    northern.until_status(|status| status.stopped.is_some()).await;
    let resumed = northern.command(Command::Resume { reason: "looked at".to_owned() }).await;
    assert_eq!(resumed, Answer::Done {});
    // The first node's charge, through the second.
    let void = Command::Void { reservation: leaf, reason: "the machine is gone".to_owned() };
    assert_eq!(northern.command(void).await, Answer::Done {});
    let report = northern.until(|_| true).await;
    assert!(report.charges.iter().any(|charge| charge.standing == "voided"));
    other.end().await.unwrap();
    let population = north.population();
    assert_eq!(population.ledger.state().charges().len(), 2);
    assert!(population.ledger.state().stopped().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lowest_of_the_policies_holds() {
    let shared = Shared::new();
    let [(one, north), (two, northern)] = two_consortia(&shared, 1, 20.0).await;
    let mut here = north.population();
    here.keep_cap(&north.policy().population, None, clock::now()).unwrap();
    northern.write("policy.toml", &shared.policy(&two, 10.0));
    let mut there = northern.population();
    there.keep_cap(&northern.policy().population, None, clock::now()).unwrap();
    here.keep_cap(&north.policy().population, None, clock::now()).unwrap();
    let cap = here.ledger.state().cap().unwrap().epsilon();
    assert!((cap - 10.0).abs() < 1e-9, "{cap}");
    // Another order or delta is another filter.
    let other = Policy::parse(&shared.policy(&one, 10.0).replace("order = 20.0", "order = 21.0"));
    let refused = here.keep_cap(&other.unwrap().population, None, clock::now());
    assert_eq!(refused.unwrap_err().exit(), Exit::Budget);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shared_ledger_that_is_put_back_is_refused_by_every_node() {
    let shared = Shared::new();
    let [(one, north), (two, northern)] = two_consortia(&shared, 1, 20.0).await;
    drop(north.population());
    shared.copy("ledger", "backup");
    // The charge that the backup does not know is for the one consortium, whose log the other node never sees.
    drop(charged(&one, &north));
    let mut open = northern.opened();
    // While a node has it open.
    if let Ok(population) = &mut open {
        std::fs::remove_dir_all(shared.path("ledger")).unwrap();
        shared.copy("backup", "ledger");
        let refused = population.refresh().unwrap_err();
        assert_eq!(refused.exit(), Exit::Tampered, "{refused}");
        assert!(refused.to_string().contains("was replaced"), "{refused}");
        let request = population.request(&open_round(&two), 8.0).unwrap();
        assert!(population.ledger.reserve(clock::now(), request).is_err());
    }
    drop(open.unwrap());
    // And while all are at rest.
    for bank in [&north, &northern] {
        let error = bank.run().ended().await.unwrap_err();
        assert_eq!(error.exit(), Exit::Tampered, "{error}");
        assert!(error.to_string().contains("restored from a backup"), "{error}");
    }
    assert!(two.core().vectors.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_copies_of_a_shared_ledger_one_is_refused() {
    let shared = Shared::new();
    let [(one, north), (two, northern)] = two_consortia(&shared, 1, 20.0).await;
    drop((north.population(), northern.population()));
    shared.copy("ledger", "copy");
    let copied = shared.policy(&two, 20.0).replace(
        &format!("ledger = {:?}", shared.path("ledger")),
        &format!("ledger = {:?}", shared.path("copy")),
    );
    northern.write("policy.toml", &copied);
    let mut there = northern.population();
    there.keep_cap(&northern.policy().population, None, clock::now()).unwrap();
    // Whoever writes first goes on; the other is refused before it writes.
    let refused = north.opened().unwrap_err();
    assert_eq!(refused.exit(), Exit::Tampered, "{refused}");
    assert!(one.core().vectors.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_registry_knows_one_ledger_and_refuses_another_of_the_same_people() {
    let shared = Shared::new();
    let [(_one, north), (two, northern)] = two_consortia(&shared, 1, 20.0).await;
    drop((north.population(), northern.population()));
    // A ledger of its own for the second node: the same customers.
    let own = shared.policy(&two, 20.0).replace(
        &format!(
            "ledger = {:?}\nsecond_place = {:?}",
            shared.path("ledger"),
            shared.path("elsewhere")
        ),
        "",
    );
    northern.write("policy.toml", &own);
    let refused = northern.opened().unwrap_err();
    assert!(matches!(refused, ClientError::Overlap { .. }), "{refused}");
    // Another population in the shared ledger is another ledger's.
    let other = shared.policy(&two, 20.0).replace("name = \"cards\"", "name = \"loans\"");
    northern.write("policy.toml", &other);
    assert!(matches!(northern.opened(), Err(ClientError::OtherPopulation { .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_that_is_not_there_or_open_to_others_is_no_ledger() {
    let shared = Shared::new();
    let fake = Fake::start().await;
    let north = shared.bank(&fake, "north", 20.0).await;
    std::fs::set_permissions(
        shared.path("ledger"),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .unwrap();
    assert!(matches!(north.opened(), Err(ClientError::Exposed { .. })));
    std::fs::remove_dir_all(shared.path("ledger")).unwrap();
    assert!(matches!(north.opened(), Err(ClientError::File { .. })));
    assert!(!shared.path("ledger").exists(), "an unmounted disk is not an empty ledger");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_whose_key_is_gone_is_not_given_another() {
    let shared = Shared::new();
    let fake = Fake::start().await;
    let north = shared.bank(&fake, "north", 20.0).await;
    drop(north.population());
    std::fs::remove_file(shared.path("ledger").join("ledger.pem")).unwrap();
    assert_eq!(north.opened().unwrap_err().exit(), Exit::Authentication);
    assert!(!shared.path("ledger").join("ledger.pem").exists());
}

#[test]
fn a_shared_ledger_is_absolute_and_confirmed() {
    let policy = |lines: &str| {
        let text = policy_text(&ledger::digest::Digest::ZERO);
        Policy::parse(
            &text.replace("delta = 1e-5\n[allow]", &format!("delta = 1e-5\n{lines}\n[allow]")),
        )
    };
    let relative = policy("ledger = \"cards\"\nsecond_place = \"/other/disk\"").unwrap_err();
    assert!(matches!(relative, PolicyError::Relative { key: "ledger", .. }), "{relative}");
    let alone = policy("ledger = \"/bank/cards\"").unwrap_err();
    assert!(matches!(alone, PolicyError::Unconfirmed), "{alone}");
    policy("ledger = \"/bank/cards\"\nsecond_place = \"/other/disk\"").unwrap();
}
