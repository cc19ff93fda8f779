//! Where a round writes, and what can go wrong there.

use std::collections::BTreeMap;
use std::process::Command;

use super::bank::Bank;

/// What changes a disk, or makes a change durable.
const CALLS: [&str; 8] =
    ["write", "pwrite64", "fsync", "fdatasync", "ftruncate", "openat", "rename", "unlink"];

/// One call of a traced run, and what happens to it.
#[derive(Clone, Debug)]
pub(crate) struct Point {
    pub(crate) call: &'static str,
    /// Which one of its kind, from 1.
    pub(crate) occurrence: u32,
    pub(crate) harm: Harm,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Harm {
    /// The process dies before the call.
    Killed,
    /// The call fails once.
    FailsOnce,
    /// The call and every later one of its kind fails.
    FailsFromThereOn,
}

#[derive(Clone, Debug)]
pub(crate) enum Fault {
    At(Point),
    /// No file may grow beyond so many bytes.
    FileLimit(u64),
}

impl Point {
    /// The tracer's words for it.
    pub(crate) fn injection(&self) -> String {
        let Self { call, occurrence, harm } = self;
        // A disk that is full refuses new bytes; one that is broken refuses to make them durable.
        let error = if call.contains("sync") { "EIO" } else { "ENOSPC" };
        match harm {
            Harm::Killed => format!("inject={call}:signal=KILL:when={occurrence}"),
            Harm::FailsOnce => format!("inject={call}:error={error}:when={occurrence}"),
            Harm::FailsFromThereOn => format!("inject={call}:error={error}:when={occurrence}+"),
        }
    }
}

/// Every point of a round: what a traced run without a fault does to the bank's own files.
pub(crate) fn points(template: &Bank) -> Vec<Point> {
    let bank = template.copied();
    let log = bank.root().join("trace");
    let calls = CALLS.join(",");
    let traced = Command::new("strace")
        .args(["-y", "-o", log.to_str().unwrap(), "-e", &format!("trace={calls}")])
        .args(bank.round())
        .output()
        .unwrap();
    assert!(traced.status.success(), "{}", String::from_utf8_lossy(&traced.stderr));
    let root = bank.root().to_str().unwrap().to_owned();
    let (mut counts, mut points) = (BTreeMap::new(), Vec::new());
    for line in std::fs::read_to_string(log).unwrap().lines() {
        let name = line.split('(').next().unwrap_or_default();
        let Some(call) = CALLS.into_iter().find(|call| *call == name) else { continue };
        let occurrence: &mut u32 = counts.entry(call).or_default();
        *occurrence += 1;
        // A file that is only read is not written wrongly.
        let writes = call != "openat" || line.contains("O_CREAT");
        if line.contains(&root) && writes {
            let harms = [Harm::Killed, Harm::FailsOnce, Harm::FailsFromThereOn];
            let point = |harm| Point { call, occurrence: *occurrence, harm };
            points.extend(harms.map(point));
        }
    }
    points
}
