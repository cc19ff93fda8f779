//! The dashboard: the log for people, read-only, on the port that members reach.
//!
//! A page is a function of the [`Projection`], of who looks ([`Viewer`]) and of its path; HTML, JSON and
//! CSV come from the same value. Nothing is computed while somebody waits: the projection follows the
//! log and keeps certificates. No script, no cookie, no form but the search, no address elsewhere.
//!
//! Who looks is read from the certificate and looked up in the roster at every request, as for calls.
//! | | auditor | bank | nobody, if `public` |
//! |---|---|---|---|
//! | pages | everything | itself; of others what no list or figure counts | promises alone |
//! | `/checkpoint`, `/tile/⟨L⟩/…` | yes | yes | yes |
//! | `/tile/entries/…` | yes | yes | no: records name banks |
//! | `/blob/…` | yes | no | no |

mod chart;
mod files;
mod formats;
mod html;
mod page;
mod pages;
mod projection;
mod serve;
mod viewer;

pub use projection::Projection;
pub(crate) use projection::Updater;
pub(crate) use serve::{Dashboard, is_public};
pub use viewer::Viewer;

use ledger::time::Timestamp;

use page::Page;
use pages::Now;

/// The content type of each form of a page.
const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";
const CSV: &str = "text/csv; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

/// A form in which a page is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Html,
    Json,
    Csv,
}

/// The path without its suffix, and what the suffix asks for.
fn form(path: &str) -> (&str, Form) {
    if let Some(stem) = path.strip_suffix(".json") {
        (stem, Form::Json)
    } else if let Some(stem) = path.strip_suffix(".csv") {
        (stem, Form::Csv)
    } else {
        (path, Form::Html)
    }
}

/// The pages that need nothing but the projection; none if there is no such page for this viewer.
fn page(projection: &Projection, viewer: &Viewer, path: &str, now: &Now) -> Option<Page> {
    let standing = projection.standing.as_ref()?;
    if *viewer == Viewer::Public {
        return matches!(path, "/" | "/public").then(|| pages::public(projection, standing));
    }
    match path {
        "/" | "/budgets" => pages::budgets(projection, viewer, None),
        "/runs" => Some(pages::runs(projection)),
        "/approvals" => Some(pages::approvals(&standing.state)),
        "/health" => Some(pages::health(projection, standing, viewer, now)),
        "/public" => Some(pages::public(projection, standing)),
        _ => {
            if let Some(id) = path.strip_prefix("/runs/") {
                return pages::run(projection, standing, viewer, id);
            }
            pages::budgets(projection, viewer, Some(path.strip_prefix("/budgets/")?))
        }
    }
}

/// A page in one of its forms: its content type and its text.
fn written(
    projection: &Projection,
    viewer: &Viewer,
    page: &Page,
    form: Form,
    table: Option<&str>,
) -> Option<(&'static str, String)> {
    let standing = projection.standing.as_ref()?;
    match form {
        Form::Html => Some((HTML, html::html(page, standing, viewer))),
        Form::Json => Some((JSON, formats::json(page, standing, viewer))),
        Form::Csv => formats::csv(page, table).map(|text| (CSV, text)),
    }
}

/// A page as it is served to `viewer`, without the server around it: for measurements and tests.
pub fn render(projection: &Projection, viewer: &Viewer, path: &str) -> Option<String> {
    let now = Now {
        at: Timestamp::default(),
        connections: 0,
        published: projection.size(),
        cosigned: None,
    };
    let (path, form) = form(path);
    let page = page(projection, viewer, path, &now)?;
    written(projection, viewer, &page, form, None).map(|(_, text)| text)
}
