//! A page for scripts: JSON, and CSV a table at a time.

use serde_json::{Map, Value, json};

use super::page::{Body, Cell, Column, Kind, Page, Section, Table};
use super::projection::Standing;
use super::viewer::Viewer;

/// The version of the JSON form.
const SCHEMA_VERSION: u32 = 1;

/// The whole page.
pub(super) fn json(page: &Page, standing: &Standing, viewer: &Viewer) -> String {
    let sections: Vec<Value> = page.sections.iter().map(section).collect();
    let value = json!({
        "schema_version": SCHEMA_VERSION,
        "page": page.path,
        "title": page.title,
        "viewer": viewer.name(),
        "records": standing.state.size,
        "at_ms": standing.state.at.as_millis(),
        "checkpoint": &*standing.checkpoint,
        "sections": sections,
    });
    format!("{value}\n")
}

fn section(section: &Section) -> Value {
    let mut value = json!({
        "name": section.key,
        "title": section.title,
        "how": section.how,
        "command": section.command,
    });
    if let Value::Object(fields) = &mut value {
        let (name, data) = match &section.body {
            Body::Table(table) => ("rows", rows(table)),
            Body::Facts(facts) => {
                let facts = facts.iter().map(|fact| (fact.key.to_owned(), fact.cell.json()));
                ("facts", Value::Object(facts.collect()))
            }
            Body::List(items) => ("items", json!(items)),
            Body::Exact(text) => ("text", json!(text)),
            Body::Search(asked) => ("asked", json!(asked)),
        };
        fields.insert(name.to_owned(), data);
    }
    value
}

fn rows(table: &Table) -> Value {
    let row = |cells: &Vec<Cell>| {
        let named = table.columns.iter().zip(cells);
        Value::Object(
            named.map(|(column, cell)| (column.key.clone(), cell.json())).collect::<Map<_, _>>(),
        )
    };
    Value::Array(table.rows.iter().map(row).collect())
}

/// The section called `name`, or the page's first table that is no picture's; none if there is no such section.
pub(super) fn csv(page: &Page, name: Option<&str>) -> Option<String> {
    let first = || {
        let mut sections = page.sections.iter();
        sections
            .find(|section| section.figure.is_none() && matches!(section.body, Body::Table(_)))
            .or_else(|| page.sections.first())
    };
    let section = match name {
        Some(name) => page.sections.iter().find(|section| section.key == name),
        None => first(),
    }?;
    let mut lines = vec![];
    match &section.body {
        Body::Table(table) => {
            lines.push(table.columns.iter().flat_map(headings).collect());
            lines.extend(table.rows.iter().map(|cells| {
                let named = table.columns.iter().zip(cells);
                named.flat_map(|(column, cell)| cell.csv(column.kind)).collect::<Vec<_>>()
            }));
        }
        Body::Facts(facts) => {
            lines.push(vec!["name".to_owned(), "value".to_owned(), "upper".to_owned()]);
            lines.extend(facts.iter().map(|fact| {
                let mut values = fact.cell.csv(Kind::Text);
                values.resize(2, String::new());
                [vec![fact.key.to_owned()], values].concat()
            }));
        }
        Body::List(items) => {
            lines.push(vec!["item".to_owned()]);
            lines.extend(items.iter().map(|item| vec![item.clone()]));
        }
        Body::Exact(text) | Body::Search(text) => {
            lines.push(vec!["text".to_owned()]);
            lines.extend(text.lines().map(|line| vec![line.to_owned()]));
        }
    }
    Some(lines.iter().fold(String::new(), |text, line| {
        let line: Vec<String> = line.iter().map(|field| quoted(field)).collect();
        text + &line.join(",") + "\r\n"
    }))
}

fn headings(column: &Column) -> Vec<String> {
    match column.kind {
        Kind::Interval => vec![format!("{}_lower", column.key), format!("{}_upper", column.key)],
        Kind::Text | Kind::Number => vec![column.key.clone()],
    }
}

/// A field as RFC 4180 writes it. A text that a spreadsheet would compute begins with a quote mark.
fn quoted(field: &str) -> String {
    let computed = field.starts_with(['=', '+', '@', '\t'])
        || (field.starts_with('-') && field.parse::<f64>().is_err());
    let field = if computed { format!("'{field}") } else { field.to_owned() };
    if field.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_that_a_spreadsheet_would_compute_stays_a_text() {
        assert_eq!(quoted("=HYPERLINK(\"x\")"), "\"'=HYPERLINK(\"\"x\"\")\"");
        assert_eq!((quoted("-1.5"), quoted("-x")), ("-1.5".to_owned(), "'-x".to_owned()));
    }
}
