//! Every write of a bank's round fails once: killed before it, refused by a full or broken disk, cut short.
//!
//! Whatever fails, nothing was sent that is not charged, nothing is charged twice, and the next start goes on. A tracer makes the
//! faults in a real process; `cargo test -p conformance --test faults -- --nocapture` prints the table of points.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test that cannot go on must stop, and the table is printed"
)]

#[path = "faults/bank.rs"]
mod bank;
#[path = "faults/points.rs"]
mod points;
#[path = "faults/table.rs"]
mod table;

use std::process::Command;

use bank::{Bank, Size};
use points::{Fault, points};
use table::Table;

fn has(tool: &str) -> bool {
    let found = Command::new(tool).arg("--version").output().is_ok_and(|out| out.status.success());
    if !found {
        println!("skipped: {tool} is not installed");
    }
    found
}

fn try_every_point(size: Size) {
    if !has("strace") {
        return;
    }
    let template = Bank::prepared(size);
    let points = points(&template);
    assert!(points.len() > 60, "only {} points were found", points.len());
    let table = Table::default();
    table.fill(&points, |point| template.copied().suffers(&Fault::At(point.clone())));
    println!("a contribution of {} bytes:\n{table}", template.vector_bytes());
    table.check();
}

#[test]
fn no_write_that_fails_releases_anything_uncharged() {
    try_every_point(Size::Small);
}

#[test]
fn no_write_that_fails_releases_anything_uncharged_from_a_file_of_its_own() {
    try_every_point(Size::Large);
}

#[test]
fn no_write_that_is_cut_short_releases_anything_uncharged() {
    if !has("prlimit") {
        return;
    }
    let template = Bank::prepared(Size::Large);
    // No file may grow beyond this many bytes: a write across it is cut there, the next one fails.
    let log = template.log_bytes();
    let limits: Vec<u64> = (0..80).map(|step| log + 997 * step).chain([0, 100, 50_000]).collect();
    let table = Table::default();
    table.fill(&limits, |limit| template.copied().suffers(&Fault::FileLimit(*limit)));
    println!(
        "no file may grow beyond the {log} bytes of the ledger's log and up to 79 kB more:\n{table}"
    );
    table.check();
}

#[test]
fn a_disk_that_is_full_releases_nothing_uncharged() {
    let template = Bank::prepared(Size::Large);
    let used = template.disk_bytes();
    let room: Vec<u64> = (0..60).map(|pages| used + 4096 * pages * 2).collect();
    let Some(mount) = bank::Tmpfs::possible() else {
        println!("skipped: a small disk cannot be mounted here");
        return;
    };
    drop(mount);
    let table = Table::default();
    table.fill(&room, |bytes| template.on_a_disk_of(*bytes));
    println!("a disk with 0 to 480 KiB left:\n{table}");
    table.check();
}
