//! What a coordinator sees of a bank does not depend on the bank's rows.
//!
//! Each world is a consortium of its own with the program that banks run, over real sockets and TLS. Worlds differ in one
//! customer's row; everything that is seen outside must be the same but for what the vectors hold.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::process::{Child, Command as Process, ExitStatus};
use std::time::Duration;

use client::control::Command;
use ledger::log_store::LogStore as _;
use round::Request as Ask;

use crate::coordinator::{Core, Fake};
use crate::plans;
use crate::seen::Call;
use crate::world::{Bank, finished, soon};

const ROUNDS: u32 = 2;
/// Long beside anything that a bank does here, also on a busy machine.
const SLOT: Duration = Duration::from_secs(2);
/// A bank that a busy machine holds up for a whole slot says nothing about rows; if rows hold it up, they do each time.
const ATTEMPTS: u32 = 3;

/// Everything outside that rows could show in.
#[derive(Debug, PartialEq)]
struct Outside {
    /// Each call in order: path, headers, kind and length of its messages.
    calls: Vec<(Vec<String>, Vec<String>)>,
    /// The same of the cosignatures, and of which sizes they are.
    cosignatures: Vec<Vec<String>>,
    cosigned: Vec<u64>,
    connections: usize,
    /// The slot in which each contribution starts, by the coordinator's clock, from the push of its round.
    slots: Vec<u128>,
    /// The lengths of the records in the log, and of the vectors.
    leaves: Vec<usize>,
    vectors: Vec<usize>,
    /// What the node writes to its log and how it ends, which do leave where logs are collected.
    log: Vec<String>,
    ended: Option<i32>,
}

/// Forty customers, one row each; the seventh's is `row`, or is not there.
fn rows(row: Option<&str>) -> String {
    let other = |i: i32| format!("c{i},{},{}\n", f64::from(i % 7) - 3.0, i % 2);
    let seventh = row.map_or(String::new(), |row| format!("c7,{row}\n"));
    "id,x,y\n".to_owned()
        + &(0..40).map(|i| if i == 7 { seventh.clone() } else { other(i) }).collect::<String>()
}

/// The plan of the other tests, with slots that can be told apart.
fn classes(text: &str) -> String {
    text.replace("slot_ms = 1\n", &format!("slot_ms = {}\n", SLOT.as_millis()))
}

/// The same with features, labels and so gradients that need not be finite.
pub(crate) fn unbounded(text: &str) -> String {
    classes(text)
        .replace("head = { binary = {} }", "head = { regression = {} }")
        .replace("[loss.log-loss]\nclass_weights = [1.0, 1.0]", "[loss.squared-error]")
        .replace(
            "{ equals = { column = \"y\", value = 1.0 } }",
            "{ value = { column = \"y\", clip = [-1e300, 1e300] } }",
        )
        .replace("clip = [-3.0, 3.0]", "clip = [-1e300, 1e300]")
        .replace("row_norm_max = 5.0", "row_norm_max = 1e300")
}

/// The program on the bank's state directory, its log in a file.
fn start(bank: &Bank) -> Child {
    let log = File::create(bank.path().join("stderr")).unwrap();
    Process::new(env!("CARGO_BIN_EXE_counterfoil-client"))
        .arg("--state")
        .arg(bank.path())
        .arg("run")
        .env("COUNTERFOIL_LOG", "info,client=trace,wire=trace,store=trace,meta=trace")
        .stderr(log)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap()
}

async fn end(bank: &Bank, mut node: Child) -> ExitStatus {
    bank.command(Command::Shutdown {}).await;
    soon(tokio::task::spawn_blocking(move || node.wait().unwrap())).await.unwrap()
}

/// A consortium of one bank with these rows, whose run of the plan is open.
pub(crate) async fn world(plan: fn(&str) -> String, rows: &str) -> (Fake, Bank) {
    let fake = Fake::start().await;
    let bank = Bank::joined(&fake, "north").await;
    bank.write("rows.csv", rows);
    let text = plan(&plans::text(&fake.genesis(), &["north"], ROUNDS, "slot-end"));
    let digest = ledger::digest::sha256(text.as_bytes());
    fake.ask(Ask::Propose(text.into_bytes())).unwrap();
    bank.sign(&fake, digest);
    fake.seen.clear();
    (fake, bank)
}

/// What is seen outside of a whole run over `rows`.
async fn seen(plan: fn(&str) -> String, rows: String) -> Outside {
    for attempt in 1.. {
        let (fake, bank) = world(plan, &rows).await;
        let node = start(&bank);
        fake.until(finished).await;
        let all = |standing: &str| standing == "acknowledged";
        bank.until(|r| r.charges.len() == 2 && r.charges.iter().all(|c| all(&c.standing))).await;
        let head = |core: &Core| core.log.head().size;
        fake.until(|core| core.cosigned.last().is_some_and(|(_, size, _)| *size == head(core)))
            .await;
        let ended = end(&bank, node).await;
        let outside = outside(&fake, &bank, ended);
        if outside.slots.iter().all(|slot| *slot == 1) || attempt == ATTEMPTS {
            return outside;
        }
    }
    unreachable!("the attempts end")
}

fn outside(fake: &Fake, bank: &Bank, ended: ExitStatus) -> Outside {
    let calls = fake.seen.calls();
    let core = fake.core();
    let leaves = core.log.leaves(0..core.log.head().size).unwrap();
    Outside {
        connections: Call::connections(&calls),
        cosignatures: fake
            .seen
            .cosignatures()
            .into_iter()
            .map(|c| without_address(c.head))
            .collect(),
        cosigned: core.cosigned.iter().map(|(_, size, _)| *size).collect(),
        slots: slots(&calls),
        leaves: leaves.into_iter().map(|leaf| leaf.into_vec().len()).collect(),
        vectors: core.vectors.iter().map(Vec::len).collect(),
        calls: calls.into_iter().map(|call| (without_address(call.head), call.messages)).collect(),
        log: log_of(bank),
        ended: ended.code(),
    }
}

/// A round is pushed when the log is first followed, and then as soon as the contribution before has come.
fn slots(calls: &[Call]) -> Vec<u128> {
    let starts: Vec<_> = calls
        .iter()
        .filter(|call| call.head[0].ends_with("/Follow") || call.head[0].ends_with("/Contribute"))
        .map(|call| call.at)
        .collect();
    starts.windows(2).map(|pair| (pair[1] - pair[0]).as_millis() / SLOT.as_millis()).collect()
}

/// What the node wrote, without the time, digests and ports.
fn log_of(bank: &Bank) -> Vec<String> {
    let text = fs::read_to_string(bank.path().join("stderr")).unwrap();
    let plain = |word: &str| {
        let (key, value) = word.split_once('=').unwrap_or(("", word));
        let digest = value.len() >= 32 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
        if digest { format!("{key}=#") } else { word.to_owned() }
    };
    let line =
        |line: &str| line.split_whitespace().skip(1).map(plain).collect::<Vec<_>>().join(" ");
    without_address(text.lines().map(line).collect())
}

/// The ports differ, and whatever names them.
fn without_address(lines: Vec<String>) -> Vec<String> {
    let plain = |line: String| match line.split_once("127.0.0.1:") {
        Some((before, after)) => {
            format!("{before}@{}", after.trim_start_matches(|c: char| c.is_ascii_digit()))
        }
        None => line,
    };
    lines.into_iter().map(plain).collect()
}

/// Runs a world for each row beside one another, and compares.
async fn all_alike(plan: fn(&str) -> String, rows_of_seven: &[Option<&str>]) -> Outside {
    let worlds: Vec<_> =
        rows_of_seven.iter().map(|row| tokio::spawn(seen(plan, rows(*row)))).collect();
    let mut all = vec![];
    for world in worlds {
        all.push(world.await.unwrap());
    }
    let first = all.remove(0);
    for (other, row) in all.iter().zip(&rows_of_seven[1..]) {
        assert_eq!(other, &first, "with {row:?}");
    }
    first
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_who_is_there_or_not_or_has_other_values_is_seen_by_nobody() {
    let rows = [
        Some("-3,1"),
        // A second time, to know that what is seen is the same where nothing differs.
        Some("-3,1"),
        None,
        // The other label; no value; the largest and the smallest that can be written.
        Some("-3,0"),
        Some(",1"),
        Some("1e308,1"),
        Some("-5e-324,1"),
    ];
    let outside = all_alike(classes, &rows).await;
    assert_eq!((outside.connections, outside.ended), (1, Some(0)));
    assert_eq!(outside.slots, [1, 1]);
    assert_eq!(outside.vectors, [8, 8]);
    let paths: Vec<_> = outside.calls.iter().map(|(head, _)| &*head[0]).collect();
    let path = |call: &str| format!("POST /counterfoil.v1.Coordinator/{call}");
    let round = [path("FetchBlob"), path("Contribute")];
    assert_eq!(paths, [&[path("Follow")][..], &round, &round].concat());
    assert!(outside.log.iter().any(|line| line.contains("charged")), "{:?}", outside.log);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_poisons_its_gradient_is_seen_by_nobody() {
    // The label is infinite in f32, then the feature is; then both are finite and only the gradient's square is not; then all is.
    let rows = [Some("-3,1"), Some("-3,1e300"), Some("1e300,-1"), Some("3e38,3e38"), None];
    let outside = all_alike(unbounded, &rows).await;
    assert_eq!((outside.slots, outside.vectors), (vec![1, 1], vec![8, 8]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rows_that_came_to_be_unreadable_are_seen_by_nobody() {
    // A file that changed after the bank signed: its releases are noise alone, and look like any other.
    let rows =
        [None, Some("1e999,1"), Some("many,1"), Some("1,"), Some("1,1,1"), Some("1,1\nc7,2,1")];
    all_alike(classes, &rows).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bank_itself_is_told_which_row_cannot_be_read() {
    let (fake, bank) = world(classes, &rows(Some("many,1"))).await;
    let node = start(&bank);
    fake.until(finished).await;
    let status = bank.until_status(|status| status.trouble.is_some()).await;
    let trouble = status.trouble.unwrap();
    assert!(trouble.contains("noise alone") && trouble.contains("rows.csv"), "{trouble}");
    end(&bank, node).await;
    assert!(!log_of(&bank).iter().any(|line| line.contains("many")));
}

/// The sockets of the whole machine in one of the kernel's tables that `wanted` selects by their state, by inode.
fn sockets(table: &str, wanted: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let text = fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default();
    let cells = text.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    cells.filter(|cells| wanted(cells[3])).map(|cells| cells[9].to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_node_has_no_port_to_ask_it_anything_by() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let fake = Fake::start().await;
    let bank = Bank::joined(&fake, "north").await;
    let node = start(&bank);
    bank.until_status(|status| status.connected).await;
    let files = fs::read_dir(format!("/proc/{}/fd", node.id())).unwrap();
    let links = files.filter_map(|file| fs::read_link(file.unwrap().path()).ok());
    let inode = |link: std::path::PathBuf| {
        let name = link.to_string_lossy().into_owned();
        Some(name.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
    };
    let own: BTreeSet<String> = links.filter_map(inode).collect();
    // Listening is state 0A. The one TCP socket that it has is its connection to the coordinator.
    let listening = |table| &own & &sockets(table, |state| state == "0A");
    assert!(listening("tcp").is_empty() && listening("tcp6").is_empty());
    assert_eq!((&own & &sockets("tcp", |_| true)).len(), 1);
    assert!((&own & &(&sockets("udp", |_| true) | &sockets("udp6", |_| true))).is_empty());
    assert_eq!(end(&bank, node).await.code(), Some(0));
}
