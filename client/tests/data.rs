//! What a bank's file may be, and what is said of one that is not.
#![expect(clippy::unwrap_used, reason = "a failed set-up fails the test")]

use std::fs;
use std::io::Write;

use client::data::{DataError, DataSource, Keep, attach};
use privacy::Grouping;
use round::plan::{DataSpec, DerivedColumn, Head, LabelSpec, Operation, TaskSpec};

const GOOD: &str = "id,amount,bad,branch\na,100,0,north\nb,20,1,south\nc,,0,north\n";

fn spec() -> DataSpec {
    let derived = |name: &str, compute: Operation, clip| DerivedColumn {
        name: name.to_owned(),
        compute,
        minus: 0.0,
        divide: 1.0,
        clip,
    };
    DataSpec {
        unit_column: "id".to_owned(),
        label: LabelSpec::Class { column: "bad".to_owned() },
        row_norm_max: 5.0,
        derived: vec![
            derived("capped", Operation::Identity { of: "amount".to_owned() }, [-1.0, 50.0]),
            derived(
                "high",
                Operation::AtLeast { of: "capped".to_owned(), value: 30.0 },
                [0.0, 1.0],
            ),
        ],
        features: vec!["high".to_owned()],
    }
}

fn tasks(rows_per_unit_max: u32) -> TaskSpec {
    TaskSpec {
        grouping: Grouping::Buckets,
        nominal_units: 10,
        support_share: 0.5,
        rows_per_unit_max,
    }
}

/// Attaches this text under the specification, changed by `change`; the number of rows and units.
fn read(text: &[u8], change: impl FnOnce(&mut DataSource)) -> Result<(usize, usize), DataError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text).unwrap();
    let mut source = DataSource::file(file.path());
    change(&mut source);
    attach(&source, &spec(), &tasks(1), Head::Binary {}).map(|rows| (rows.len(), rows.units()))
}

/// What is said of this text, without the file's name.
fn refusal(text: &str, change: impl FnOnce(&mut DataSource)) -> String {
    let Err(error) = read(text.as_bytes(), change) else { return "accepted".to_owned() };
    let said = error.to_string();
    match said.split_once(" line ") {
        Some((_, rest)) => format!("line {rest}"),
        None => said.split_once(": ").map_or(said.clone(), |(_, rest)| rest.to_owned()),
    }
}

fn plain(_: &mut DataSource) {}

fn packed(text: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(text).unwrap();
    packer.finish().unwrap()
}

#[test]
fn a_file_may_be_plain_or_packed() {
    assert_eq!(read(GOOD.as_bytes(), plain).unwrap(), (3, 3));
    assert_eq!(read(&packed(GOOD.as_bytes()), plain).unwrap(), (3, 3));
}

#[test]
fn headers_delimiter_and_kept_rows_are_the_banks_own() {
    let text = "key;sum;bad;branch\na;100;0;north\nb;20;1;south\n";
    let counts = read(text.as_bytes(), |source| {
        source.delimiter = ';';
        source.columns.insert("id".to_owned(), "key".to_owned());
        source.columns.insert("amount".to_owned(), "sum".to_owned());
        source.keep = Some(Keep { column: "branch".to_owned(), equals: "south".to_owned() });
    });
    assert_eq!(counts.unwrap(), (1, 1));
}

#[test]
fn every_malformed_file_is_refused_with_its_place() {
    let cases = [
        ("", "expected a header line, got an empty file"),
        ("id,amount,bad\n", "expected at least one row"),
        ("id,bad\na,0\n", "line 1: expected a column \"amount\""),
        ("id,amount,bad,bad\na,1,0,0\n", "line 1: expected the column \"bad\" once"),
        ("id,amount,bad\na,1\n", "line 2: expected 3 cells, got 2"),
        ("id,amount,bad\na,1,0\nb,1,0,9\n", "line 3: expected 3 cells, got 4"),
        (
            "id,amount,bad\na,\"1,5\",0\n",
            "line 2 column \"amount\": expected a finite number, got \"1,5\"",
        ),
        (
            "id,amount,bad\na,inf,0\n",
            "line 2 column \"amount\": expected a finite number, got \"inf\"",
        ),
        (
            "id,amount,bad\na,NaN,0\n",
            "line 2 column \"amount\": expected a finite number, got \"NaN\"",
        ),
        (
            "id,amount,bad\n ,1,0\n",
            "line 2 column \"id\": expected a name of 1 to 256 bytes of text, got \"\"",
        ),
        ("id,amount,bad\na,1,\n", "line 2 column \"bad\": expected a label, got \"\""),
        (
            "id,amount,bad\na,1,2\n",
            "line 2 column \"bad\": expected a class from 0 to 1, got \"2\"",
        ),
        (
            "id,amount,bad\na,1,0.5\n",
            "line 2 column \"bad\": expected a class from 0 to 1, got \"0.5\"",
        ),
        ("id,amount,bad\na,1,0\nb,1,0\na,2,0\n", "line 4: expected at most 1 rows of one unit"),
    ];
    for (text, expected) in cases {
        assert_eq!(refusal(text, plain), expected, "{text:?}");
    }
}

#[test]
fn a_unit_in_two_tasks_is_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "id,amount,bad,branch\na,1,0,north\nb,1,0,south\na,2,0,south\n")
        .unwrap();
    let source =
        DataSource { task_column: Some("branch".to_owned()), ..DataSource::file(file.path()) };
    let refused = attach(&source, &spec(), &tasks(2), Head::Binary {});
    let expected = DataError::UnitInTwoTasks {
        file: file.path().to_owned(),
        line: 4,
        column: "branch".to_owned(),
        line_before: 2,
    };
    assert_eq!(refused.err().unwrap().to_string(), expected.to_string());
}

#[test]
fn a_mapping_that_the_plan_does_not_read_is_refused() {
    let said = refusal(GOOD, |source| {
        source.columns.insert("amuont".to_owned(), "amount".to_owned());
    });
    assert_eq!(said, "expected under [columns] names that the plan reads, got \"amuont\"");
}

#[test]
fn a_file_that_breaks_off_or_is_missing_is_refused() {
    let text = format!("id,amount,bad\n{}", "a,1,0\n".repeat(50));
    let whole = packed(text.as_bytes());
    let broken = read(&whole[..whole.len() - 9], plain);
    assert!(matches!(broken, Err(DataError::Corrupt { .. } | DataError::TooManyRows { .. })));
    let missing = read(b"", |source| source.path = "no such file".into());
    assert!(matches!(missing, Err(DataError::Open { .. })));
    let not_text = read(b"id,amount,bad\n\xff\xfe,1,0\n", plain);
    assert!(matches!(not_text, Err(DataError::Cell { line: 2, .. })));
}

#[test]
fn a_specification_says_what_is_wrong_with_it() {
    let wrong = |text: &str| DataSource::parse(text).err().unwrap().to_string();
    assert!(wrong("path = \"x.csv\"\ncolour = 1").contains("unknown field `colour`"));
    assert!(wrong("delimiter = \",\"").contains("missing field `path`"));
    assert!(wrong("path = \"x\"\ndelimiter = \"→\"").contains("one ASCII character"));
}

#[test]
fn a_relative_path_starts_at_the_specification() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("rows.csv"), GOOD).unwrap();
    fs::write(folder.path().join("data.toml"), "path = \"rows.csv\"").unwrap();
    let source = DataSource::load(&folder.path().join("data.toml")).unwrap();
    assert_eq!(attach(&source, &spec(), &tasks(1), Head::Binary {}).unwrap().len(), 3);
}
