//! How far a run is: a bar on a terminal, a line every few seconds elsewhere.

use std::io::Write;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(3);

/// Progress on standard error.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    rounds: u32,
    last_line: Instant,
}

impl Progress {
    /// Progress over `rounds` rounds.
    pub(crate) fn new(rounds: u32, terminal: bool) -> Self {
        let bar = terminal.then(|| {
            let style =
                ProgressStyle::with_template("{msg} [{bar:40}] {pos}/{len} rounds, {eta} left");
            ProgressBar::new(u64::from(rounds))
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
                .with_message("training")
        });
        Self { bar, rounds, last_line: Instant::now() }
    }

    /// A step before training.
    pub(crate) fn step(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => {
                let _ = writeln!(std::io::stderr(), "{text}");
            }
        }
    }

    /// `closed` rounds are closed.
    pub(crate) fn closed(&mut self, closed: u32) {
        if let Some(bar) = &self.bar {
            bar.set_position(u64::from(closed));
        } else if self.last_line.elapsed() >= LINE_EVERY || closed == self.rounds {
            let _ = writeln!(std::io::stderr(), "training: {closed} of {} rounds", self.rounds);
            self.last_line = Instant::now();
        }
    }

    /// Training is over.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
