//! Charts as SVG: each says in its description what it shows, and its numbers are in a table beside it.

use maud::{Markup, html};

/// The drawing's size in its own units; the page scales it.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 300.0;
/// Where the plot lies in it.
const LEFT: f64 = 52.0;
const RIGHT: f64 = 624.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = 256.0;
/// The most bars of a timeline; with more rounds each bar stands for several.
const BARS_MAX: usize = 160;

/// How ε grows with the rounds of a plan.
#[derive(Debug)]
pub(super) struct Steps<'a> {
    /// Rounds, and what is proved of so many.
    pub(super) points: &'a [(u32, f64)],
    /// The plan's ε.
    pub(super) cap: f64,
    /// The plan's last round.
    pub(super) end: u32,
    /// The last round that the cap would cover, and whether it was computed.
    pub(super) covered: Option<u32>,
    /// The fewest and the most rounds that are acknowledged of a bank.
    pub(super) acknowledged: (u32, u32),
    /// What the picture says, in words.
    pub(super) described: String,
}

/// A linear scale from values to places.
#[derive(Clone, Copy)]
struct Scale {
    from: f64,
    to: f64,
    low: f64,
    high: f64,
}

impl Scale {
    fn at(self, value: f64) -> f64 {
        let part =
            if self.to > self.from { (value - self.from) / (self.to - self.from) } else { 0.0 };
        self.low + part.clamp(0.0, 1.0) * (self.high - self.low)
    }

    /// Round values at which lines are drawn.
    fn ticks(self) -> Vec<f64> {
        let rough = (self.to - self.from) / 4.0;
        if rough <= 0.0 || !rough.is_finite() {
            return vec![self.from];
        }
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * power).find(|s| *s >= rough);
        let step = step.unwrap_or(10.0 * power);
        let count = ((self.to - self.from) / step).floor();
        let mut ticks = vec![];
        let mut at = 0.0;
        while at <= count {
            ticks.push(self.from + at * step);
            at += 1.0;
        }
        ticks
    }
}

/// The staircase of cumulative ε, with the plan's ε, the plan's end, and where it would be exhausted.
pub(super) fn steps(chart: &Steps<'_>) -> Markup {
    let last = chart.points.last().copied().unwrap_or((1, 0.0));
    let x = Scale { from: 0.0, to: f64::from(last.0.max(chart.end)), low: LEFT, high: RIGHT };
    let y = Scale { from: 0.0, to: chart.cap.max(last.1) * 1.12, low: BOTTOM, high: TOP };
    let inside: Vec<_> = chart.points.iter().filter(|(at, _)| *at <= chart.end).copied().collect();
    let from_end = inside.last().copied().unwrap_or((0, 0.0));
    let beyond: Vec<_> = chart.points.iter().filter(|(at, _)| *at > chart.end).copied().collect();
    let (least, most) = chart.acknowledged;
    let end = x.at(f64::from(chart.end));
    html! {
        figure.chart {
            svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-labelledby="steps-chart steps-chart-text" {
                title #steps-chart { "Cumulative ε over rounds" }
                desc #steps-chart-text { (chart.described) }
                (axes(x, y, "rounds", "ε"))
                @if most > 0 { path.done d=(under(&inside, most, x, y)) {} }
                line.cap x1=(number(LEFT)) x2=(number(RIGHT)) y1=(number(y.at(chart.cap))) y2=(number(y.at(chart.cap))) {}
                text.label.cap x=(number(LEFT + 6.0)) y=(number(y.at(chart.cap) - 6.0)) { (format!("the plan’s ε {}", chart.cap)) }
                line.end x1=(number(end)) x2=(number(end)) y1=(number(TOP)) y2=(number(BOTTOM)) {}
                path.curve d=(staircase((0, 0.0), &inside, x, y)) {}
                @if !beyond.is_empty() { path.curve.beyond d=(staircase(from_end, &beyond, x, y)) {} }
                @if most > 0 { (here(chart.points, least, most, x, y)) }
            }
            figcaption {
                span { span.key.curve {} " proved upper end of ε" }
                span { span.key.end {} (format!(" the plan ends at round {}", chart.end)) }
                @match chart.covered {
                    Some(at) if at > chart.end => { span { span.key.beyond {} (format!(" if it went on, exhausted after round {at}")) } },
                    Some(_) => { span { "its ε is exhausted when it ends" } },
                    None => { span { "its ε would cover more than four times its rounds" } },
                }
            }
        }
    }
}

/// The area under the staircase up to `most` rounds.
fn under(points: &[(u32, f64)], most: u32, x: Scale, y: Scale) -> String {
    let mut done: Vec<_> = points.iter().copied().take_while(|(at, _)| *at < most).collect();
    done.extend(points.get(done.len()).map(|(_, upper)| (most, *upper)));
    format!("{}V{}Z", staircase((0, 0.0), &done, x, y), number(y.at(0.0)))
}

/// Where the banks stand on the staircase.
fn here(points: &[(u32, f64)], least: u32, most: u32, x: Scale, y: Scale) -> Markup {
    let value =
        |rounds: u32| points.iter().find(|(at, _)| *at >= rounds).map_or(0.0, |(_, upper)| *upper);
    let label = if least == most {
        format!("{most} acknowledged")
    } else {
        format!("{least} to {most} acknowledged")
    };
    let (at, up) = (x.at(f64::from(most)), y.at(value(most)));
    let (anchor, beside) =
        if at > f64::midpoint(LEFT, RIGHT) { ("end", -10.0) } else { ("start", 10.0) };
    html! {
        circle.here cx=(number(at)) cy=(number(up)) r="5" {}
        text.label x=(number(at + beside)) y=(number((up + 34.0).min(BOTTOM - 6.0))) text-anchor=(anchor) { (label) }
    }
}

/// A path of steps that never lies below a proved value: it rises at the beginning of each step.
fn staircase(from: (u32, f64), points: &[(u32, f64)], x: Scale, y: Scale) -> String {
    let start = format!("M{} {}", number(x.at(f64::from(from.0))), number(y.at(from.1)));
    points.iter().fold(start, |path, (at, upper)| {
        format!("{path}V{}H{}", number(y.at(*upper)), number(x.at(f64::from(*at))))
    })
}

fn axes(x: Scale, y: Scale, below: &str, beside: &str) -> Markup {
    html! {
        @for tick in y.ticks() {
            line.grid x1=(number(LEFT)) x2=(number(RIGHT)) y1=(number(y.at(tick))) y2=(number(y.at(tick))) {}
            text.tick x=(number(LEFT - 8.0)) y=(number(y.at(tick) + 4.0)) text-anchor="end" { (short(tick)) }
        }
        @for tick in x.ticks() {
            text.tick x=(number(x.at(tick))) y=(number(BOTTOM + 18.0)) text-anchor="middle" { (short(tick)) }
        }
        text.axis x=(number(RIGHT)) y=(number(BOTTOM + 38.0)) text-anchor="end" { (below) }
        text.axis x="4" y=(number(TOP - 12.0)) { (beside) }
    }
}

/// How long each round took, and which were extended.
pub(super) fn timeline(rounds: &[(f64, bool)], described: &str) -> Markup {
    let together = rounds.len().div_ceil(BARS_MAX).max(1);
    let bars: Vec<(f64, bool)> = rounds
        .chunks(together)
        .map(|several| {
            let longest = several.iter().map(|(seconds, _)| *seconds).fold(0.0, f64::max);
            (longest, several.iter().any(|(_, extended)| *extended))
        })
        .collect();
    let longest = bars.iter().map(|(seconds, _)| *seconds).fold(0.0, f64::max);
    let x = Scale { from: 0.0, to: real(rounds.len()), low: LEFT, high: RIGHT };
    let y = Scale { from: 0.0, to: longest.max(0.001) * 1.1, low: BOTTOM, high: TOP };
    let step = (RIGHT - LEFT) / real(bars.len().max(1));
    let gap = if step > 4.0 { 1.0 } else { 0.0 };
    html! {
        figure.chart {
            svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-labelledby="timeline-chart timeline-chart-text" {
                title #timeline-chart { "How long each round took" }
                desc #timeline-chart-text { (described) }
                (axes(x, y, "round", "seconds"))
                @for (at, (seconds, extended)) in bars.iter().enumerate() {
                    rect class=(if *extended { "round extended" } else { "round" })
                        x=(number(LEFT + real(at) * step)) y=(number(y.at(*seconds)))
                        width=(number((step - gap).max(0.5))) height=(number(BOTTOM - y.at(*seconds))) {}
                }
            }
            figcaption {
                span {
                    span.key.bar {}
                    @if together > 1 { (format!(" the longest of {together} rounds")) } @else { " from opening to close" }
                }
                @if bars.iter().any(|(_, extended)| *extended) {
                    span { span.key.extended {} " with an extension" }
                }
            }
        }
    }
}

/// An estimate over rounds with a band of twice its standard error.
pub(super) fn band(points: &[(u32, f64, f64)], what: &str) -> Markup {
    let low = points.iter().map(|(_, value, error)| value - 2.0 * error).fold(0.0, f64::min);
    let high = points.iter().map(|(_, value, error)| value + 2.0 * error).fold(f64::MIN, f64::max);
    let last = points.last().map_or(1, |(round, ..)| *round);
    let x = Scale { from: 0.0, to: f64::from(last.max(1)), low: LEFT, high: RIGHT };
    let y =
        Scale { from: low, to: if high > low { high } else { low + 1.0 }, low: BOTTOM, high: TOP };
    let place = |round: u32, value: f64| {
        format!("{} {}", number(x.at(f64::from(round))), number(y.at(value)))
    };
    let upper = points.iter().map(|(round, value, error)| place(*round, value + 2.0 * error));
    let lower = points.iter().rev().map(|(round, value, error)| place(*round, value - 2.0 * error));
    let around: Vec<String> = upper.chain(lower).collect();
    let line: Vec<String> = points.iter().map(|(round, value, _)| place(*round, *value)).collect();
    let id = what.replace(' ', "-");
    html! {
        figure.chart {
            svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-labelledby=(format!("{id}-chart")) {
                title id=(format!("{id}-chart")) { (what) ", each round, with twice the standard error that the noise gives it" }
                (axes(x, y, "round", what))
                @if points.len() > 1 {
                    polygon.band points=(around.join(" ")) {}
                    polyline.curve points=(line.join(" ")) {}
                }
                @for (round, value, _) in points.iter().take(if points.len() > 60 { 0 } else { 60 }) {
                    circle.here cx=(number(x.at(f64::from(*round)))) cy=(number(y.at(*value))) r="3" {}
                }
            }
            figcaption {
                span { span.key.curve {} " estimate" }
                span { span.key.band {} " ± 2 standard errors of the noise" }
            }
        }
    }
}

/// A coordinate with a tenth of a unit.
fn number(value: f64) -> String {
    format!("{value:.1}")
}

/// A tick's value without needless digits.
fn short(value: f64) -> String {
    let text = format!("{value:.3}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[expect(clippy::cast_precision_loss, reason = "a run has at most 100,000 rounds")]
fn real(count: usize) -> f64 {
    count as f64
}
