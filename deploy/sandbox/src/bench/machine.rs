//! What the machine says: memory, processor time, the disk, and the floor.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cli::BenchOptions;
use crate::error::SandboxError;

/// Ticks of a second in `/proc`.
const TICKS: f64 = 100.0;
/// How often a short write is timed, and a long one.
const SHORT_WRITES: usize = 200;
const LONG_WRITES: usize = 20;

/// What a process has used, from `/proc`; zero where that does not say.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Usage {
    /// Resident memory now, and the most there was, in KiB.
    pub(super) resident_kib: u64,
    pub(super) resident_max_kib: u64,
    /// Processor time, user and system, in seconds.
    pub(super) cpu_seconds: f64,
}

/// What process `id` has used.
pub(super) fn usage(id: u32) -> Usage {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
    };
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    // After the name in parentheses: the third field is the state, 14 and 15 are the ticks.
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = rest.split_whitespace().skip(11).take(2).filter_map(|t| t.parse::<f64>().ok());
    Usage {
        resident_kib: field("VmRSS:"),
        resident_max_kib: field("VmHWM:"),
        cpu_seconds: ticks.sum::<f64>() / TICKS,
    }
}

/// What the disk under the coordinator's directory takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Disk {
    /// A short write with its fsync, median.
    pub(super) sync: Duration,
    /// A file of one vector's length: written, synced, renamed, its directory synced; median.
    pub(super) blob: Duration,
}

/// Measures the disk under `root`.
pub(super) fn disk(root: &Path, dimension: u32) -> Result<Disk, SandboxError> {
    let failed = |error: std::io::Error| SandboxError::file(root, &error);
    let mut file = File::create(root.join("short")).map_err(failed)?;
    let mut timed = vec![];
    for _ in 0..SHORT_WRITES {
        let begin = Instant::now();
        file.write_all(&[1; 4096]).and_then(|()| file.sync_data()).map_err(failed)?;
        timed.push(begin.elapsed());
    }
    let bytes = vec![1; 4 * dimension as usize];
    let mut long = vec![];
    for number in 0..LONG_WRITES {
        let begin = Instant::now();
        let (unfinished, whole) = (root.join("long"), root.join(format!("long-{number}")));
        let written = File::create_new(&unfinished)
            .and_then(|mut file| file.write_all(&bytes).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&unfinished, &whole))
            .and_then(|()| File::open(root)?.sync_all());
        written.map_err(failed)?;
        long.push(begin.elapsed());
    }
    Ok(Disk { sync: quantile(&mut timed, 0.5), blob: quantile(&mut long, 0.5) })
}

/// The value below which a share of the values lies; the nearest that was measured.
pub(super) fn quantile(values: &mut [Duration], share: f64) -> Duration {
    values.sort_unstable();
    let last = values.len().saturating_sub(1);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index of a list in memory"
    )]
    let place = (share * last as f64).round() as usize;
    values.get(place).copied().unwrap_or_default()
}

/// The same exchange without any framework: raw TCP and numpy. None without the reference data.
pub(super) fn floor(options: &BenchOptions) -> Result<Option<Value>, SandboxError> {
    let Some(reference) = std::env::var_os("COUNTERFOIL_REFERENCE_DIR") else { return Ok(None) };
    let script = Path::new(&reference).join("bench/floor_tcp.py");
    let output = Command::new(&options.python)
        .arg(&script)
        .args([options.banks, options.dimension, options.rounds].map(|number| number.to_string()))
        .output()
        .map_err(|error| SandboxError::file(&options.python, &error))?;
    let answer = serde_json::from_slice(&output.stdout).map_err(|_| {
        let said = String::from_utf8_lossy(&output.stderr);
        SandboxError::Bench(format!("{}: {}", script.display(), said.trim()))
    })?;
    Ok(Some(answer))
}
