//! A page for people: HTML without scripts, styles in one file.

use ledger::time::Timestamp;
use maud::{DOCTYPE, Markup, html};

use super::page::{Body, Cell, Column, Fact, Kind, Page, Section, Table};
use super::projection::Standing;
use super::viewer::Viewer;

/// The menu: path and title.
const MENU: [(&str, &str); 5] = [
    ("/budgets", "Budgets"),
    ("/runs", "Runs"),
    ("/evidence", "Evidence"),
    ("/approvals", "Approvals"),
    ("/health", "Health"),
];
/// How many digits of a digest are shown.
const DIGITS: usize = 12;

/// The whole page.
pub(super) fn html(page: &Page, standing: &Standing, viewer: &Viewer) -> String {
    let consortium = standing.state.consortium.as_ref();
    let name = consortium.map_or("", |consortium| consortium.genesis.name.as_str());
    let public = *viewer == Viewer::Public;
    let markup = html! {
        (head(&format!("{} · {name}", page.title)))
        body {
            a.skip href="#main" { "Skip to content" }
            header.top {
                a.brand href="/" { "Counterfoil" }
                span.consortium { (name) }
                @if !public {
                    nav aria-label="Pages" {
                        ul {
                            @for (path, title) in MENU {
                                li { a href=(path) aria-current=[(path == page.menu).then_some("page")] { (title) } }
                            }
                        }
                    }
                }
            }
            main #main tabindex="-1" {
                h1 #page-title { (page.title) }
                p.lead { (page.lead) }
                @for part in &page.sections { (section(page, part)) }
            }
            (footer(page, standing, viewer))
        }
    };
    markup.into_string()
}

/// A refusal or a missing page.
pub(super) fn message(title: &str, text: &str) -> String {
    let markup = html! {
        (head(title))
        body {
            header.top { a.brand href="/" { "Counterfoil" } }
            main #main { h1 #page-title { (title) } p.lead { (text) } }
        }
    };
    markup.into_string()
}

fn head(title: &str) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en";
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            title { (title) }
            link rel="icon" type="image/svg+xml" href="/icon.svg";
            link rel="stylesheet" href="/style.css";
        }
    }
}

fn footer(page: &Page, standing: &Standing, viewer: &Viewer) -> Markup {
    let genesis = standing.state.consortium.as_ref().map(|c| c.digest.to_string());
    let root = standing.checkpoint.lines().nth(2).unwrap_or_default();
    html! {
        footer {
            p {
                "Read from the log up to record " strong { (count(standing.state.size)) }
                ", " (time(standing.state.at)) ". Root " code { (root) } ". Shown to " (viewer.name()) "."
            }
            p {
                "Genesis " code { (genesis.unwrap_or_default()) } ". Compare it with the one that you were given by another way."
            }
            @if *viewer != Viewer::Public {
                p.formats {
                    "This page as " a href=(format!("{}.json", page.path)) { "JSON" }
                    " · " a href=(format!("{}.csv", page.path)) { "CSV" }
                    ". The log itself: " a href="/checkpoint" { "checkpoint" } "."
                }
            }
        }
    }
}

fn section(page: &Page, part: &Section) -> Markup {
    html! {
        section id=(part.key) aria-labelledby=(title_id(part)) {
            @if !part.title.is_empty() { h2 id=(title_id(part)) { (part.title) } }
            @if !part.text.is_empty() { p.text { (part.text) } }
            @if let Some(figure) = &part.figure { (figure) }
            (body(part))
            (how(page, part))
        }
    }
}

/// What names a section: its own title, or else the page's.
fn title_id(part: &Section) -> String {
    if part.title.is_empty() { "page-title".to_owned() } else { format!("{}-title", part.key) }
}

fn body(part: &Section) -> Markup {
    match &part.body {
        // A picture says it already: its numbers wait behind it.
        Body::Table(rows) if part.figure.is_some() => html! {
            details.numbers { summary { "The numbers of the picture" } (table(part, rows)) }
        },
        Body::Table(rows) => table(part, rows),
        Body::Facts(facts) => html! { dl.facts { @for fact in facts { (figure(fact)) } } },
        Body::List(items) => html! { ul.list { @for item in items { li { (item) } } } },
        Body::Exact(text) => html! {
            pre tabindex="0" role="region" aria-label=(part.title) { code { (text) } }
        },
        Body::Search(asked) => html! {
            form.search method="get" action="/evidence" role="search" {
                label for="q" { "A hash or the first digits of one, a record's number, or an institution" }
                div.line {
                    input #q type="search" name="q" value=(asked) maxlength="64" autocomplete="off" spellcheck="false";
                    button type="submit" { "Search" }
                }
            }
        },
    }
}

fn figure(fact: &Fact) -> Markup {
    html! {
        div {
            dt { (fact.title) }
            dd { span.value { (cell(&fact.cell)) } @if !fact.note.is_empty() { span.note { (fact.note) } } }
        }
    }
}

fn table(part: &Section, table: &Table) -> Markup {
    let shown = table.shown.unwrap_or(usize::MAX).min(table.rows.len());
    let columns: Vec<(usize, &Column)> =
        table.columns.iter().enumerate().filter(|(_, column)| !column.is_data()).collect();
    html! {
        @if table.rows.is_empty() { p.none { "Nothing yet." } } @else {
            div.scroll tabindex="0" role="region" aria-labelledby=(title_id(part)) {
                table.dense[table.dense] {
                    thead { tr { @for (_, column) in &columns {
                        th scope="col" class=[class(column.kind)] { (column.title) }
                    } } }
                    tbody { @for row in &table.rows[..shown] { tr {
                        @for (place, (at, column)) in columns.iter().enumerate() {
                            @if let Some(value) = row.get(*at) {
                                @if place == 0 { th scope="row" class=[class(column.kind)] { (cell(value)) } }
                                @else if let Cell::Heat(part) = value { td class=(shade(*part)) { (percent(*part)) } }
                                @else { td class=[class(column.kind)] { (cell(value)) } }
                            }
                        }
                    } } }
                }
            }
            @if shown < table.rows.len() {
                p.more { (shown) " of " (count(table.rows.len() as u64)) " are shown; JSON and CSV have all." }
            }
        }
    }
}

fn how(page: &Page, part: &Section) -> Markup {
    let columns: Vec<(&str, &str)> = match &part.body {
        Body::Table(table) => {
            let explained = table.columns.iter().filter(|column| !column.how.is_empty());
            explained.map(|column| (column.title.as_str(), column.how)).collect()
        }
        Body::Facts(_) | Body::List(_) | Body::Exact(_) | Body::Search(_) => vec![],
    };
    let is_table = matches!(part.body, Body::Table(_));
    html! {
        @if !part.how.is_empty() || !columns.is_empty() || part.command.is_some() {
            details.how {
                summary { "How this is computed, and how to check it" }
                @if !part.how.is_empty() { p { (part.how) } }
                @if !columns.is_empty() { dl { @for (title, how) in columns { dt { (title) } dd { (how) } } } }
                @if let Some(command) = &part.command { pre tabindex="0" role="region" aria-label="The command" { code { (command) } } }
                @if is_table {
                    p { a href=(format!("{}.csv?table={}", page.path, part.key)) { "This table as CSV" } }
                }
            }
        }
    }
}

const fn class(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Text => None,
        Kind::Number | Kind::Interval => Some("number"),
    }
}

fn cell(cell: &Cell) -> Markup {
    html! { @match cell {
        Cell::Nothing => { span.nothing { "–" } },
        Cell::Text(text) => { (text) },
        Cell::Link(text, to) => { a href=(to) { (text) } },
        Cell::Count(number) => { (count(*number)) },
        Cell::Number(number) => { (decimal(*number)) },
        Cell::Small(number) => { (format!("{number:e}")) },
        Cell::Interval(interval) => {
            span.interval { (decimal(interval.lower)) " – " b { (decimal(interval.upper)) } }
        },
        Cell::At(at) => { (time(*at)) },
        Cell::Lasted(milliseconds) => { (lasted(*milliseconds)) },
        Cell::Hash(hex) => {
            a.hash href=(format!("/evidence?q={hex}")) title=(hex) { (hex.get(..DIGITS).unwrap_or(hex)) }
        },
        Cell::Whole(hex) => { a.hash href=(format!("/evidence?q={hex}")) { (hex) } },
        Cell::Share(part) | Cell::Heat(part) => { (bar(*part)) },
        Cell::Mark(well, text) => {
            span class=(if *well { "mark well" } else { "mark due" }) { (text) }
        },
    } }
}

fn bar(part: f64) -> Markup {
    let width = format!("{:.1}", part.clamp(0.0, 1.0) * 60.0);
    html! {
        span.share {
            svg.bar viewBox="0 0 60 6" width="60" height="6" aria-hidden="true" {
                rect.track width="60" height="6" rx="3" {}
                rect.fill width=(width) height="6" rx="3" {}
            }
            (percent(part))
        }
    }
}

/// One of eleven shades; the last is for what is above its promise.
fn shade(part: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 9")]
    let tenth = (part.clamp(0.0, 1.0) * 9.0).ceil() as u32;
    if part > 1.0 { "heat above".to_owned() } else { format!("heat h{tenth}") }
}

fn percent(part: f64) -> String {
    format!("{:.0} %", (part * 100.0).ceil())
}

fn decimal(number: f64) -> String {
    if number.is_finite() { format!("{number:.4}") } else { "∞".to_owned() }
}

/// A number with its thousands apart.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// A duration in the unit that fits it.
pub(super) fn lasted(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    match seconds {
        0 => format!("{milliseconds} ms"),
        1..60 => format!("{}.{} s", seconds, milliseconds % 1000 / 100),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// Date and time in UTC.
fn time(at: Timestamp) -> Markup {
    let seconds = i64::try_from(at.as_millis() / 1000).unwrap_or(i64::MAX);
    let Ok(date) = time::OffsetDateTime::from_unix_timestamp(seconds) else {
        return html! { (at.as_millis()) };
    };
    let (year, month, day) = (date.year(), u8::from(date.month()), date.day());
    let (hour, minute, second) = (date.hour(), date.minute(), date.second());
    let exact = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z");
    html! {
        time datetime=(exact) {
            (format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")) " UTC"
        }
    }
}
