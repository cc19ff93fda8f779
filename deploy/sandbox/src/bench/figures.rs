//! What the benchmark prints.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Measured;
use super::machine::{self, Disk, Usage, quantile};
use super::members::{Member, Seen};
use crate::cli::BenchOptions;

/// The figures of one benchmark.
pub(crate) struct Figures {
    options: BenchOptions,
    /// From the opening of a round to the opening of the next, as the last member sees both.
    whole: Spread,
    /// Until every member has the model.
    fetch: Spread,
    /// From then until every member has its receipt.
    receive: Spread,
    /// From then until every member sees the next round open.
    close: Spread,
    receipts: usize,
    syncs_per_round: f64,
    cpu_ms_per_round: f64,
    coordinator: Usage,
    bench: Usage,
    disk: Disk,
    floor: Option<Value>,
    /// Rounds of a demo with real clients.
    full: Option<Spread>,
}

/// Median and 95th percentile.
#[derive(Clone, Copy, Default)]
struct Spread {
    median: Duration,
    p95: Duration,
}

impl Figures {
    pub(super) fn new(
        options: &BenchOptions,
        measured: Measured,
        disk: Disk,
        floor: Option<Value>,
        full: Option<Vec<Duration>>,
    ) -> Self {
        let Measured { members, receipts, before, after, syncs } = measured;
        let played = f64::from(options.rounds + 1);
        let opened = |round| last(&members, round, |seen| seen.opened);
        let fetched = |round| last(&members, round, |seen| seen.fetched);
        let receipted = |round| last(&members, round, |seen| seen.receipted);
        // Round 0 warms up.
        let rounds = 1..=options.rounds as usize;
        let spread = |from: &dyn Fn(usize) -> Option<Instant>,
                      to: &dyn Fn(usize) -> Option<Instant>| {
            let between = |round| Some(to(round)?.saturating_duration_since(from(round)?));
            Spread::of(rounds.clone().filter_map(between).collect())
        };
        Self {
            options: options.clone(),
            whole: spread(&opened, &|round| opened(round + 1)),
            fetch: spread(&opened, &fetched),
            receive: spread(&fetched, &receipted),
            close: spread(&receipted, &|round| opened(round + 1)),
            receipts,
            #[expect(clippy::cast_precision_loss, reason = "a count far below 2^53")]
            syncs_per_round: syncs as f64 / played,
            cpu_ms_per_round: (after.cpu_seconds - before.cpu_seconds) * 1e3 / played,
            coordinator: after,
            bench: machine::usage(std::process::id()),
            disk,
            floor,
            full: full.map(Spread::of),
        }
    }

    /// The figures as JSON.
    pub(crate) fn data(&self) -> Value {
        json!({
            "banks": self.options.banks,
            "dimension": self.options.dimension,
            "rounds": self.options.rounds,
            "models_fetched": !self.options.without_models,
            "round_ms": self.whole.data(),
            "fetch_ms": self.fetch.data(),
            "receive_ms": self.receive.data(),
            "close_ms": self.close.data(),
            "receipts_verified": self.receipts,
            "syncs_per_round": self.syncs_per_round,
            "sync_ms": ms(self.disk.sync),
            "blob_write_ms": ms(self.disk.blob),
            "coordinator": {
                "cpu_ms_per_round": self.cpu_ms_per_round,
                "resident_kib": self.coordinator.resident_kib,
                "resident_max_kib": self.coordinator.resident_max_kib,
            },
            "members": {
                "resident_kib": self.bench.resident_kib,
                "resident_max_kib": self.bench.resident_max_kib,
            },
            "floor": self.floor,
            "ratio_to_floor": self.ratio(),
            "demo_round_ms": self.full.map(Spread::data),
        })
    }

    /// The figures for people.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text).map_or_else(|_| String::new(), |()| text)
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let options = &self.options;
        writeln!(
            out,
            "{} banks, {} parameters, {} rounds; {} receipts verified",
            options.banks, options.dimension, options.rounds, self.receipts
        )?;
        let model = if options.without_models { "" } else { ", the model fetched by every bank" };
        writeln!(out, "whole round    {}{model}", self.whole)?;
        writeln!(out, "  model        {}", self.fetch)?;
        writeln!(out, "  receipts     {}", self.receive)?;
        writeln!(out, "  next round   {}", self.close)?;
        writeln!(
            out,
            "disk           {:.1} fsyncs a round; one {:.2} ms; one vector as a file {:.2} ms",
            self.syncs_per_round,
            ms(self.disk.sync),
            ms(self.disk.blob)
        )?;
        writeln!(
            out,
            "coordinator    {:.1} ms of processor a round; {} KiB resident, at most {}",
            self.cpu_ms_per_round, self.coordinator.resident_kib, self.coordinator.resident_max_kib
        )?;
        writeln!(
            out,
            "all members    one process with every prepared vector; at most {} KiB resident",
            self.bench.resident_max_kib
        )?;
        if let Some(full) = &self.full {
            writeln!(out, "demo's round   {full}, real clients with ledgers and noise")?;
        }
        match (&self.floor, self.ratio()) {
            (Some(floor), Some(ratio)) => writeln!(
                out,
                "raw floor      {:.2} ms, TCP and numpy; ratio {ratio:.1}",
                floor_ms(floor).unwrap_or(f64::NAN)
            ),
            _ => writeln!(out, "raw floor      not run: COUNTERFOIL_REFERENCE_DIR is not set"),
        }
    }

    /// The whole round over the floor's, medians.
    fn ratio(&self) -> Option<f64> {
        self.floor.as_ref().and_then(floor_ms).map(|floor| ms(self.whole.median) / floor)
    }
}

fn floor_ms(floor: &Value) -> Option<f64> {
    floor.get("median_s").and_then(Value::as_f64).map(|seconds| seconds * 1e3)
}

impl Spread {
    fn of(mut values: Vec<Duration>) -> Self {
        Self { median: quantile(&mut values, 0.5), p95: quantile(&mut values, 0.95) }
    }

    fn data(self) -> Value {
        json!({ "median": ms(self.median), "p95": ms(self.p95) })
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.2} ms (95 % below {:.2})", ms(self.median), ms(self.p95))
    }
}

/// When the last member came to a point of a round.
fn last(members: &[Member], round: usize, point: fn(&Seen) -> Instant) -> Option<Instant> {
    let of = |member: &Member| match member.seen.get(round) {
        Some(seen) => Some(point(seen)),
        None => member.ended,
    };
    members.iter().map(of).collect::<Option<Vec<_>>>()?.into_iter().max()
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
