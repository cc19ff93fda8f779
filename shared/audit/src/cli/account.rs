//! What events cost: ε, δ, whole curves, and the parameters that keep a promise.

use std::io::{self, BufRead, Read as _, Write as _};

use clap::{Args, ValueEnum};
use privacy::{
    Certificate, Delta, Epsilon, Interval, Method, Order, PrivacyError, PrivacyEvent, TaskChange,
    calibrate_count, calibrate_noise, calibrate_rate, epsilon_by, rdp_curve,
};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;

use super::events::{EVENTS_BYTES_MAX, Fields, Listed, Refused, failed, parse, usage};
use crate::finding::Kind;

/// The δ of a curve's points if none are asked for.
const DELTAS: [f64; 10] = [1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12];

/// The ε of a list of events.
#[derive(Debug, Args)]
pub(super) struct EpsilonArguments {
    #[command(flatten)]
    listed: Listed,
    /// The δ at which ε is computed.
    #[arg(long, required_unless_present = "batch")]
    delta: Option<f64>,
    /// How the upper bound is proved: pld or rdp.
    #[arg(long, default_value = "pld")]
    method: Method,
    /// Read one JSON object a line, {"events", "delta", "change", "method"}, and write one a line.
    #[arg(long)]
    batch: bool,
}

/// The δ of a list of events.
#[derive(Debug, Args)]
pub(super) struct DeltaArguments {
    #[command(flatten)]
    listed: Listed,
    /// The ε at which δ is computed.
    #[arg(long)]
    epsilon: f64,
    /// How the upper bound is proved: pld or rdp.
    #[arg(long, default_value = "pld")]
    method: Method,
}

/// Which parameter is searched.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Parameter {
    /// The least noise.
    Noise,
    /// The largest sampling rate.
    Rate,
    /// The most releases.
    Count,
}

/// A parameter of one event that keeps a promise.
#[derive(Debug, Args)]
pub(super) struct CalibrateArguments {
    #[command(flatten)]
    listed: Listed,
    /// The promised ε.
    #[arg(long)]
    epsilon: f64,
    /// The δ of the promise.
    #[arg(long)]
    delta: f64,
    /// What is searched; the event's own value of it is ignored.
    #[arg(long, default_value = "noise")]
    search: Parameter,
}

/// A whole curve.
#[derive(Debug, Args)]
pub(super) struct CurveArguments {
    #[command(flatten)]
    listed: Listed,
    /// pld for ε over δ, rdp for the Rényi divergence over its order.
    #[arg(long, default_value = "pld")]
    method: Method,
    /// The orders of the divergence.
    #[arg(long, value_delimiter = ',', value_name = "ORDER,…")]
    orders: Vec<f64>,
    /// The δ of the points.
    #[arg(long, value_delimiter = ',', value_name = "DELTA,…")]
    deltas: Vec<f64>,
}

/// The certificate of a list, and of the same events under the neighbouring task changes.
#[derive(Debug, Serialize)]
pub(super) struct Priced {
    #[serde(flatten)]
    pub(super) certificate: Certificate,
    /// The same events under other changes; an ε that cannot be certified is left out.
    pub(super) beside: Vec<Certificate>,
}

/// δ between bounds.
#[derive(Debug, Serialize)]
pub(super) struct Loss {
    pub(super) delta: Interval,
    pub(super) epsilon: f64,
    pub(super) method: Method,
}

/// A parameter found, and what it costs.
#[derive(Debug, Serialize)]
pub(super) struct Calibrated {
    /// The event as it may be run.
    pub(super) event: PrivacyEvent,
    pub(super) certificate: Certificate,
}

/// A point of a curve of divergences.
#[derive(Debug, Serialize)]
pub(super) struct Divergence {
    pub(super) order: f64,
    pub(super) value: f64,
}

/// A curve.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Curve {
    Rdp(Vec<Divergence>),
    Pld(Vec<Certificate>),
}

/// The ε of the events, as they are and under the other task changes.
pub(super) fn epsilon(arguments: &EpsilonArguments) -> Result<Option<Priced>, Refused> {
    if arguments.batch {
        return batch(arguments).map(|()| None);
    }
    let delta = Delta::new(arguments.delta.unwrap_or_default()).map_err(usage)?;
    let events = arguments.listed.read()?;
    let certificate = epsilon_by(arguments.method, &events, delta).map_err(refused)?;
    Ok(Some(Priced { beside: beside(&events, &certificate), certificate }))
}

/// The certificates of `events` under the task changes that they do not speak of.
fn beside(events: &[PrivacyEvent], certificate: &Certificate) -> Vec<Certificate> {
    let Some(own) = certificate.change else { return Vec::new() };
    [TaskChange::Appears, TaskChange::ContentChanges, TaskChange::TwoContentsChange]
        .into_iter()
        .filter(|change| *change != own)
        .filter_map(|change| {
            let events: Vec<PrivacyEvent> =
                events.iter().map(|event| PrivacyEvent { change, ..*event }).collect();
            epsilon_by(certificate.method, &events, certificate.delta).ok()
        })
        .collect()
}

/// The δ of the events.
pub(super) fn delta(arguments: &DeltaArguments) -> Result<Loss, Refused> {
    let epsilon = Epsilon::new(arguments.epsilon).map_err(usage)?;
    let events = arguments.listed.read()?;
    let delta = privacy::delta(arguments.method, &events, epsilon).map_err(refused)?;
    Ok(Loss { delta, epsilon: epsilon.get(), method: arguments.method })
}

/// The parameter that keeps the promise.
pub(super) fn calibrate(arguments: &CalibrateArguments) -> Result<Calibrated, Refused> {
    let target = Epsilon::new(arguments.epsilon).map_err(usage)?;
    let delta = Delta::new(arguments.delta).map_err(usage)?;
    let events = arguments.listed.read()?;
    let [event] = events.as_slice() else {
        return Err(usage(format!("expected one event to calibrate, got {}", events.len())));
    };
    let found = match arguments.search {
        Parameter::Noise => calibrate_noise(target, delta, event)
            .map(|noise| PrivacyEvent { mechanism: event.mechanism.with_noise(noise), ..*event }),
        Parameter::Rate => calibrate_rate(target, delta, event)
            .map(|rate| PrivacyEvent { mechanism: event.mechanism.with_rate(rate), ..*event }),
        Parameter::Count => {
            calibrate_count(target, delta, event).map(|count| PrivacyEvent { count, ..*event })
        }
    };
    let event = found.map_err(refused)?;
    let certificate = privacy::epsilon(&[event], delta).map_err(refused)?;
    Ok(Calibrated { event, certificate })
}

/// The whole curve.
pub(super) fn curve(arguments: &CurveArguments) -> Result<Curve, Refused> {
    let events = arguments.listed.read()?;
    match arguments.method {
        Method::Rdp => {
            if arguments.orders.is_empty() {
                return Err(usage("expected --orders, for example 2,8,32, got none"));
            }
            let orders: Vec<Order> = arguments
                .orders
                .iter()
                .map(|&order| Order::new(order))
                .collect::<Result<_, _>>()
                .map_err(usage)?;
            let values = rdp_curve(&events, &orders).map_err(refused)?;
            let pairs = orders.iter().zip(values);
            Ok(Curve::Rdp(
                pairs.map(|(order, value)| Divergence { order: order.get(), value }).collect(),
            ))
        }
        Method::Pld => {
            let deltas = if arguments.deltas.is_empty() { &DELTAS[..] } else { &arguments.deltas };
            let point = |&delta: &f64| {
                privacy::epsilon(&events, Delta::new(delta).map_err(usage)?).map_err(refused)
            };
            Ok(Curve::Pld(deltas.iter().map(point).collect::<Result<_, Refused>>()?))
        }
    }
}

/// One question of a batch.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    events: Vec<Fields>,
    delta: Delta,
    // A key that is there says something: null is no answer.
    #[serde(default, deserialize_with = "said")]
    change: Option<TaskChange>,
    #[serde(default, deserialize_with = "said")]
    method: Option<Method>,
}

fn said<'de, T: Deserialize<'de>, D: Deserializer<'de>>(found: D) -> Result<Option<T>, D::Error> {
    T::deserialize(found).map(Some)
}

/// Answers a question a line as it comes. A question that has no answer gets its error, and the next one is read.
fn batch(arguments: &EpsilonArguments) -> Result<(), Refused> {
    let mut source = arguments.listed.source()?;
    let mut out = std::io::stdout().lock();
    loop {
        let line = match next_line(&mut source) {
            Ok(Some(line)) => line,
            Ok(None) => return Ok(()),
            Err(error) => return Err(failed("batch".as_ref(), &error)),
        };
        if line.as_ref().is_ok_and(|line| line.trim().is_empty()) {
            continue;
        }
        let answer = match line.and_then(|line| answered(&line, arguments)) {
            Ok(certificate) => json!(certificate),
            Err(error) => json!({ "error": error }),
        };
        // A reader that has gone away wants no more answers.
        if writeln!(out, "{answer}").and_then(|()| out.flush()).is_err() {
            return Ok(());
        }
    }
}

/// The next line, or what is wrong with it; none at the end. A line is one question, however long: what follows it is read next.
fn next_line(source: &mut impl BufRead) -> io::Result<Option<Result<String, String>>> {
    let mut line = Vec::new();
    let limit = EVENTS_BYTES_MAX + 1;
    if source.by_ref().take(limit).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.len() as u64 > EVENTS_BYTES_MAX && !line.ends_with(b"\n") {
        source.skip_until(b'\n')?;
        return Ok(Some(Err(format!("expected a line of at most {EVENTS_BYTES_MAX} bytes"))));
    }
    Ok(Some(String::from_utf8(line).map_err(|error| format!("expected UTF-8: {error}"))))
}

fn answered(line: &str, arguments: &EpsilonArguments) -> Result<Certificate, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let question: Question = serde_json::from_str(line).map_err(|error| text(&error))?;
    let change = question.change.unwrap_or(arguments.listed.change());
    let events = parse(question.events, change)?;
    let method = question.method.unwrap_or(arguments.method);
    epsilon_by(method, &events, question.delta).map_err(|error| text(&error))
}

/// A figure that cannot be certified.
pub(super) fn refused(error: PrivacyError) -> Refused {
    (Kind::Failure.exit_code(), error.to_string())
}
