//! The report: what it says, what it never says, and that each figure can be had again.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::world::{Export, HONEST, Story, World, genesis_digest};

/// Two runs of the plan, the second with more noise.
static TWICE: LazyLock<World> =
    LazyLock::new(|| World::play(Story { repeats: 1, ..Story::default() }));

fn report(export: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_counterfoil-audit"));
    command.arg("report").arg(export).args(args).output().expect("it runs")
}

fn text(export: &Export, format: &str) -> String {
    let output = report(&export.path, &["--format", format]);
    assert_eq!(output.status.code(), Some(0));
    String::from_utf8(output.stdout).expect("text")
}

fn epsilon(events: &Value, delta: f64) -> (f64, f64) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("events.json");
    std::fs::write(&path, events.to_string()).expect("written");
    let output = Command::new(env!("CARGO_BIN_EXE_counterfoil-audit"))
        .args(["epsilon", "--json", "--delta", &delta.to_string(), "--events"])
        .arg(&path)
        .output()
        .expect("it runs");
    let answer: Value = serde_json::from_slice(&output.stdout).expect("an envelope");
    let of = |name: &str| answer["data"]["epsilon"][name].as_f64().expect("a number");
    (of("lower"), of("upper"))
}

#[test]
fn the_page_needs_nothing_else_and_prints() {
    let page = text(&TWICE.export(), "html");
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
    for absent in ["http:", "https:", "//", "<script", "src=", "href=", "@import", "url("] {
        assert!(!page.contains(absent), "{absent}");
    }
    for present in ["@media print", "color-scheme: light dark", "default-src 'none'"] {
        assert!(page.contains(present), "{present}");
    }
    let open = |name: &str| page.matches(&format!("<{name}>")).count();
    let close = |name: &str| page.matches(&format!("</{name}>")).count();
    for name in ["table", "tr", "h2", "p", "pre", "ul", "li"] {
        assert_eq!(open(name), close(name), "{name}");
    }
}

#[test]
fn nothing_is_claimed_that_an_auditor_cannot_see() {
    let export = TWICE.export();
    let page = format!("{}{}", text(&export, "html"), text(&export, "json")).to_lowercase();
    for claim in ["complian", "anonym", "gdpr", "certified by", "fully private", "no risk"] {
        assert!(!page.contains(claim), "{claim}");
    }
    for said in ["not protected", "not in the evidence", "what this does not show"] {
        assert!(page.contains(said), "{said}");
    }
}

#[test]
fn every_figure_comes_again_from_its_line_alone() {
    let export = TWICE.export();
    let csv = text(&export, "csv");
    let mut lines = csv.lines();
    let columns: Vec<_> = lines.next().expect("a header").split(',').collect();
    let mut figures = 0;
    for line in lines {
        let cells: Vec<_> = line.split(',').collect();
        assert_eq!(cells.len(), columns.len(), "{line}");
        let cell = |name: &str| {
            let at = columns.iter().position(|column| *column == name).expect("a column");
            cells[at].parse::<f64>().expect("a number")
        };
        let change = cells[columns.iter().position(|of| *of == "task_change").expect("a column")];
        let event = json!([{
            "mechanism": "poisson-gaussian", "change": change, "count": cell("count"),
            "noise_multiplier": cell("noise_multiplier"), "sampling_rate": cell("sampling_rate"),
        }]);
        let event: Value =
            serde_json::from_str(&event.to_string().replace("3.0", "3")).expect("JSON");
        let (lower, upper) = epsilon(&event, cell("delta"));
        assert_eq!((lower, upper), (cell("epsilon_lower"), cell("epsilon_upper")), "{line}");
        figures += 1;
    }
    assert_eq!(figures, 3 * 2 * 2, "banks, runs, relations");
}

#[test]
fn every_command_on_the_page_runs_and_gives_the_figure_above_it() {
    let page = text(&TWICE.export(), "html").replace("&quot;", "\"").replace("&#39;", "'");
    let mut commands = 0;
    for (before, rest) in page.match_indices("<pre><code>echo '").map(|(at, _)| page.split_at(at)) {
        let command = rest.split_once("</code>").expect("closed").0;
        let (events, delta) =
            command.split_once("' | counterfoil-audit epsilon --delta ").expect("ours");
        let events = events.strip_prefix("<pre><code>echo '").expect("a list");
        let events: Value = serde_json::from_str(events).expect("a list");
        let (lower, upper) = epsilon(&events, delta.parse().expect("a number"));
        let (_, said) =
            before.trim_end().trim_end_matches("</p>").rsplit_once(": ").expect("a figure");
        let (below, above) = said.split_once(" to ").expect("two bounds");
        let (below, above): (f64, f64) =
            (below.parse().expect("a number"), above.parse().expect("a number"));
        // What is printed is rounded outward.
        assert!(below <= lower && lower < below + 1e-4, "{said} before {command}");
        assert!(above - 1e-4 < upper && upper <= above, "{said} before {command}");
        commands += 1;
    }
    // Two runs under two relations, and the two runs together.
    assert_eq!(commands, 5);
}

#[test]
fn a_figure_stands_with_unit_relation_delta_and_method() {
    let data: Value = serde_json::from_str(&text(&TWICE.export(), "json")).expect("JSON");
    let inputs = data["inputs"].as_array().expect("a list");
    for (input, field) in inputs.iter().flat_map(|input| {
        ["unit", "relation", "task_change", "method", "mechanism"].map(|field| (input, field))
    }) {
        assert!(input[field].as_str().is_some_and(|text| !text.is_empty()), "{field}");
    }
    assert_eq!(data["facts"]["consortium"], "orchard");
    assert_eq!(data["facts"]["roster"].as_array().map(Vec::len), Some(3));
    let sections: Vec<_> =
        data["checklist"].as_array().expect("a list").iter().map(|item| &item["section"]).collect();
    for section in ["2.2", "2.3", "2.4", "3.5", "4.2", "4.3", "4.5"] {
        assert!(sections.contains(&&Value::from(section)), "{section}");
    }
}

#[test]
fn a_registry_record_has_every_part_of_tier_three() {
    let data: Value = serde_json::from_str(&text(&TWICE.export(), "json")).expect("JSON");
    let records = data["registry"].as_array().expect("a list");
    assert_eq!(records.len(), 2, "one a run");
    for record in records {
        assert_eq!((&record["tier"], &record["status"]), (&json!(3), &json!("Draft")));
        for part in [
            "basic",
            "dp_variant",
            "privacy_loss",
            "deployment_model",
            "accounting",
            "implementation",
            "administrative",
        ] {
            assert!(record["deployment"][part].is_object(), "{part}");
        }
        let loss = &record["deployment"]["privacy_loss"]["privacy_parameters"];
        assert!(loss["epsilon"].as_f64().is_some_and(|epsilon| epsilon > 0.0), "{loss}");
    }
}

#[test]
fn an_export_that_is_wrong_gives_no_figure() {
    let export = World::play(Story { model_error: 0.125, ..Story::default() }).export();
    for format in ["html", "csv", "json"] {
        let output = report(&export.path, &["--format", format]);
        assert_eq!(output.status.code(), Some(6), "{format}");
        let said = String::from_utf8(output.stdout).expect("text");
        assert!(said.contains("the weights of model 2"), "{said}");
        assert!(!said.contains("pld") && !said.contains("alder"), "{said}");
    }
}

#[test]
fn a_missing_blob_takes_no_figure_away() {
    let export = HONEST.export();
    let blob = export.files().into_iter().find(|name| name.starts_with("blob/")).expect("a blob");
    export.remove(&blob);
    let output = report(&export.path, &[]);
    assert_eq!(output.status.code(), Some(9));
    let page = String::from_utf8(output.stdout).expect("text");
    assert!(page.contains("incomplete (exit 9)") && page.contains("add-remove"), "{page}");
}

#[test]
fn a_folder_holds_all_of_it_once() {
    let export = HONEST.export();
    let folder = export.path.with_file_name("report");
    let out = folder.to_str().expect("text");
    let genesis = genesis_digest().to_string();
    let args = ["--genesis", &genesis, "--out", out];
    assert_eq!(report(&export.path, &args).status.code(), Some(0));
    let mut names: Vec<_> = std::fs::read_dir(&folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("text"))
        .collect();
    names.sort();
    let [csv, record, page, everything] = names.as_slice() else { panic!("four files: {names:?}") };
    assert_eq!((csv.as_str(), page.as_str()), ("accountant.csv", "report.html"));
    assert_eq!(everything, "report.json");
    assert!(record.starts_with("counterfoil-"), "{record}");
    assert_eq!(report(&export.path, &args).status.code(), Some(64), "never over another");
}
