//! The source columns that a plan reads, column by column.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use csv::ByteRecord;
use flate2::bufread::MultiGzDecoder;
use round::plan::DataSpec;

use super::{DataError, DataSource};

/// The longest name of a unit or a task, in bytes.
const NAME_LEN_MAX: usize = 256;
/// How much of a cell an error quotes, in characters.
const QUOTE_LEN_MAX: usize = 24;

/// What was read. It holds people's rows, so it implements neither `Debug` nor `Serialize`.
pub(super) struct Table {
    /// The columns' names in the plan.
    pub(super) names: Vec<String>,
    /// The columns' values; an empty cell is NaN, an undefined value.
    pub(super) values: Vec<Vec<f64>>,
    /// Each row's line in the file, for errors.
    pub(super) lines: Vec<u64>,
    /// Each row's unit, as an index into `units`.
    pub(super) unit_of: Vec<u32>,
    pub(super) units: Vec<Unit>,
}

/// A unit, as the file names it.
pub(super) struct Unit {
    pub(super) name: Box<str>,
    /// Its task, if the file says so.
    pub(super) task: Option<Box<str>>,
    rows: u32,
    line: u64,
}

impl Unit {
    /// A unit that is in no file.
    pub(super) fn of_nobody(number: u32) -> Self {
        Self { name: number.to_string().into(), task: None, rows: 1, line: 0 }
    }
}

impl Table {
    pub(super) fn read(
        source: &DataSource,
        data: &DataSpec,
        rows_max: u32,
    ) -> Result<Self, DataError> {
        let names = columns_read(data);
        let wanted = |name: &str| name == data.unit_column || names.iter().any(|n| n == name);
        if let Some(name) = source.columns.keys().find(|name| !wanted(name)) {
            return Err(DataError::UnusedMapping { name: name.clone() });
        }
        let mut reader = reader(source)?;
        let headers = Headers::of(source, source.header(&data.unit_column), &names);
        let places = Places::find(&mut reader, &headers)?;
        let mut filling = Filling::new(source, &data.unit_column, names, rows_max);
        let mut record = ByteRecord::new();
        while next(&mut reader, &mut record, &source.path)? {
            filling.take(&record, &places)?;
        }
        if filling.table.lines.is_empty() {
            return Err(DataError::NoRows { file: source.path.clone() });
        }
        Ok(filling.table)
    }
}

/// The units of all rows that count.
pub(super) fn unit_names(source: &DataSource, header: &str) -> Result<BTreeSet<String>, DataError> {
    let mut reader = reader(source)?;
    let places = Places::find(&mut reader, &Headers::of(source, header, &[]))?;
    let (mut names, mut record) = (BTreeSet::new(), ByteRecord::new());
    while next(&mut reader, &mut record, &source.path)? {
        let line = record.position().map_or(0, csv::Position::line);
        places.check(&record, &source.path, line)?;
        if places.counts(&record, source) {
            names.insert(places.unit(&record, source, header, line)?.to_owned());
        }
    }
    if names.is_empty() {
        return Err(DataError::NoRows { file: source.path.clone() });
    }
    Ok(names)
}

fn reader(source: &DataSource) -> Result<csv::Reader<Box<dyn Read>>, DataError> {
    Ok(csv::ReaderBuilder::new()
        .delimiter(u8::try_from(source.delimiter).unwrap_or(b','))
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(open(&source.path)?))
}

/// The source columns that the plan reads, each once: those of the derived columns, then the label's.
fn columns_read(data: &DataSpec) -> Vec<String> {
    let mut derived = BTreeSet::new();
    let mut names: Vec<String> = Vec::new();
    let mut add = |name: &str, derived: &BTreeSet<&str>| {
        if !derived.contains(name) && !names.iter().any(|n| n == name) {
            names.push(name.to_owned());
        }
    };
    for column in &data.derived {
        column.compute.columns().into_iter().for_each(|name| add(name, &derived));
        derived.insert(column.name.as_str());
    }
    add(data.label.column(), &BTreeSet::new());
    names
}

/// The file's text, unpacked if its first bytes are those of gzip.
fn open(path: &Path) -> Result<Box<dyn Read>, DataError> {
    let failed = |source: io::Error| DataError::Open { file: path.to_owned(), source };
    let mut file = BufReader::with_capacity(1 << 16, File::open(path).map_err(failed)?);
    let packed = file.fill_buf().map_err(failed)?.starts_with(&[0x1f, 0x8b]);
    Ok(if packed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) })
}

fn next(
    reader: &mut csv::Reader<Box<dyn Read>>,
    record: &mut ByteRecord,
    path: &Path,
) -> Result<bool, DataError> {
    reader.read_byte_record(record).map_err(|error| DataError::Corrupt {
        file: path.to_owned(),
        line: error.position().map_or_else(|| reader.position().line(), csv::Position::line),
        reason: error.to_string(),
    })
}

/// Where in a record each column lies.
struct Places {
    cells: usize,
    unit: usize,
    task: Option<usize>,
    keep: Option<usize>,
    values: Vec<usize>,
}

/// The headers of the columns to find.
struct Headers<'a> {
    source: &'a DataSource,
    unit: &'a str,
    values: Vec<&'a str>,
}

impl<'a> Headers<'a> {
    fn of(source: &'a DataSource, unit: &'a str, names: &'a [String]) -> Self {
        Self { source, unit, values: names.iter().map(|name| source.header(name)).collect() }
    }
}

impl Places {
    fn find(
        reader: &mut csv::Reader<Box<dyn Read>>,
        wanted: &Headers<'_>,
    ) -> Result<Self, DataError> {
        let source = wanted.source;
        let file = || source.path.clone();
        let headers = reader.byte_headers().map_err(|error| DataError::Corrupt {
            file: file(),
            line: 1,
            reason: error.to_string(),
        })?;
        if headers.is_empty() {
            return Err(DataError::Empty { file: file() });
        }
        let place = |header: &str| {
            let mut found = headers.iter().enumerate().filter(|(_, h)| *h == header.as_bytes());
            let column = || header.to_owned();
            let first = found.next();
            let (place, _) =
                first.ok_or_else(|| DataError::MissingColumn { file: file(), column: column() })?;
            match found.next() {
                Some(_) => Err(DataError::DuplicateColumn { file: file(), column: column() }),
                None => Ok(place),
            }
        };
        Ok(Self {
            cells: headers.len(),
            unit: place(wanted.unit)?,
            task: source.task_column.as_deref().map(place).transpose()?,
            keep: source.keep.as_ref().map(|keep| place(&keep.column)).transpose()?,
            values: wanted.values.iter().map(|header| place(header)).collect::<Result<_, _>>()?,
        })
    }

    /// Refuses a row that has other cells than the header.
    fn check(&self, record: &ByteRecord, file: &Path, line: u64) -> Result<(), DataError> {
        if record.len() == self.cells {
            return Ok(());
        }
        let (expected, got) = (self.cells, record.len());
        Err(DataError::Ragged { file: file.to_owned(), line, expected, got })
    }

    /// Whether the source keeps the row.
    fn counts(&self, record: &ByteRecord, source: &DataSource) -> bool {
        match (&source.keep, self.keep) {
            (Some(keep), Some(place)) => cell(record, place) == keep.equals.as_bytes(),
            _ => true,
        }
    }

    /// The row's unit.
    fn unit<'a>(
        &self,
        record: &'a ByteRecord,
        source: &DataSource,
        header: &str,
        line: u64,
    ) -> Result<&'a str, DataError> {
        name_in(cell(record, self.unit), source, header, line)
    }
}

fn cell(record: &ByteRecord, place: usize) -> &[u8] {
    record.get(place).unwrap_or_default()
}

fn name_in<'a>(
    cell: &'a [u8],
    source: &DataSource,
    header: &str,
    line: u64,
) -> Result<&'a str, DataError> {
    name(cell).ok_or_else(|| DataError::Cell {
        file: source.path.clone(),
        line,
        column: header.to_owned(),
        expected: format!("a name of 1 to {NAME_LEN_MAX} bytes of text"),
        found: quote(cell),
    })
}

/// A table while it is being read.
struct Filling<'a> {
    source: &'a DataSource,
    unit_header: String,
    rows_max: u32,
    table: Table,
    unit_by_name: HashMap<Box<str>, u32>,
}

impl<'a> Filling<'a> {
    fn new(source: &'a DataSource, unit_column: &str, names: Vec<String>, rows_max: u32) -> Self {
        let unit_header = source.header(unit_column).to_owned();
        let values = vec![Vec::new(); names.len()];
        let (lines, unit_of, units) = (Vec::new(), Vec::new(), Vec::new());
        let table = Table { names, values, lines, unit_of, units };
        Self { source, unit_header, rows_max, table, unit_by_name: HashMap::new() }
    }

    fn take(&mut self, record: &ByteRecord, places: &Places) -> Result<(), DataError> {
        let line = record.position().map_or(0, csv::Position::line);
        places.check(record, &self.source.path, line)?;
        if !places.counts(record, self.source) {
            return Ok(());
        }
        for (values, (name, &place)) in
            self.table.values.iter_mut().zip(self.table.names.iter().zip(&places.values))
        {
            let value = number(cell(record, place)).ok_or_else(|| DataError::Cell {
                file: self.source.path.clone(),
                line,
                column: self.source.header(name).to_owned(),
                expected: "a finite number".to_owned(),
                found: quote(cell(record, place)),
            })?;
            values.push(value);
        }
        let unit = places.unit(record, self.source, &self.unit_header, line)?;
        let task = match (&self.source.task_column, places.task) {
            (Some(column), Some(place)) => {
                Some(name_in(cell(record, place), self.source, column, line)?)
            }
            _ => None,
        };
        self.table.lines.push(line);
        self.count(unit, task, line)
    }

    /// Gives the row to its unit and checks what a unit may be.
    fn count(&mut self, name: &str, task: Option<&str>, line: u64) -> Result<(), DataError> {
        let file = || self.source.path.clone();
        let known = self.unit_by_name.get(name).copied();
        let index = match known {
            Some(index) => index,
            None => u32::try_from(self.table.units.len()).map_err(|_| DataError::Corrupt {
                file: file(),
                line,
                reason: "more than 2^32 units".to_owned(),
            })?,
        };
        if known.is_none() {
            self.unit_by_name.insert(name.into(), index);
            let task = task.map(Box::from);
            self.table.units.push(Unit { name: name.into(), task, rows: 0, line });
        }
        self.table.unit_of.push(index);
        let Some(unit) = usize::try_from(index).ok().and_then(|i| self.table.units.get_mut(i))
        else {
            return Ok(());
        };
        unit.rows = unit.rows.saturating_add(1);
        if unit.rows > self.rows_max {
            return Err(DataError::TooManyRows { file: file(), line, rows_max: self.rows_max });
        }
        if unit.task.as_deref() != task {
            return Err(DataError::UnitInTwoTasks {
                file: file(),
                line,
                column: self.source.task_column.clone().unwrap_or_default(),
                line_before: unit.line,
            });
        }
        Ok(())
    }
}

/// A finite number, or NaN for an empty cell.
fn number(cell: &[u8]) -> Option<f64> {
    if cell.is_empty() {
        return Some(f64::NAN);
    }
    let value: f64 = std::str::from_utf8(cell).ok()?.parse().ok()?;
    value.is_finite().then_some(value)
}

fn name(cell: &[u8]) -> Option<&str> {
    let name = std::str::from_utf8(cell).ok()?;
    (1..=NAME_LEN_MAX).contains(&name.len()).then_some(name)
}

/// The beginning of a cell, for an error that stays at the bank.
pub(super) fn quote(cell: &[u8]) -> String {
    String::from_utf8_lossy(cell).chars().take(QUOTE_LEN_MAX).collect()
}
