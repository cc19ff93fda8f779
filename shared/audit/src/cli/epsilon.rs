//! The ε of events that somebody lists.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use privacy::{
    Certificate, Delta, Mechanism, NoiseMultiplier, PrivacyEvent, SamplingRate, TaskChange,
};
use serde::Deserialize;

use crate::finding::Kind;

/// The most bytes that a list of events may have.
const EVENTS_BYTES_MAX: u64 = 1024 * 1024;

/// An event as it stands in the list; the change may be left to `--change`.
#[derive(Deserialize)]
#[serde(tag = "mechanism", rename_all = "kebab-case", deny_unknown_fields)]
enum Listed {
    Gaussian {
        noise_multiplier: NoiseMultiplier,
        count: u64,
        change: Option<TaskChange>,
    },
    PoissonGaussian {
        noise_multiplier: NoiseMultiplier,
        sampling_rate: SamplingRate,
        count: u64,
        change: Option<TaskChange>,
    },
}

impl Listed {
    /// The event; none if neither it nor `default` says what a change of one unit does.
    fn event(self, default: Option<TaskChange>) -> Option<PrivacyEvent> {
        let (mechanism, count, change) = match self {
            Self::Gaussian { noise_multiplier, count, change } => {
                (Mechanism::Gaussian { noise_multiplier }, count, change)
            }
            Self::PoissonGaussian { noise_multiplier, sampling_rate, count, change } => {
                (Mechanism::PoissonGaussian { noise_multiplier, sampling_rate }, count, change)
            }
        };
        Some(PrivacyEvent { mechanism, change: change.or(default)?, count })
    }
}

/// The certificate of the events in the file `events`, or an exit code and what is wrong.
pub(super) fn certificate(
    events: &Path,
    delta: Delta,
    change: Option<TaskChange>,
) -> Result<Certificate, (u8, String)> {
    let usage = |what: String| (Kind::Usage.exit_code(), what);
    let listed: Vec<Listed> = serde_json::from_str(&read(events)?)
        .map_err(|error| usage(format!("{}: {error}", events.display())))?;
    let events = listed
        .into_iter()
        .map(|listed| {
            listed.event(change).ok_or_else(|| {
                usage("expected each event's change, or --change for all, got neither".to_owned())
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    privacy::epsilon(&events, delta).map_err(|error| (Kind::Failure.exit_code(), error.to_string()))
}

fn read(path: &Path) -> Result<String, (u8, String)> {
    let failed = |error: io::Error| {
        let absent = error.kind() == io::ErrorKind::NotFound;
        let kind = if absent { Kind::NotFound } else { Kind::Failure };
        (kind.exit_code(), format!("{}: {error}", path.display()))
    };
    let source: Box<dyn Read> = if path.as_os_str() == "-" {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(path).map_err(failed)?)
    };
    let mut text = String::new();
    source.take(EVENTS_BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}
