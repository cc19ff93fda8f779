//! One bank's card holders as seven fictional banks.
//!
//! The data set knows no banks: the split by education, credit limit and age is ours, chosen so that
//! the banks differ. Whoever prints a figure from it says so.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use thiserror::Error;

/// 30,000 card holders of a bank in Taiwan, as CSV in gzip; `data/README.md` has source and licence.
pub const CARD_HOLDERS: &[u8] = include_bytes!("../data/taiwan-credit-default.csv.gz");

/// How many fictional banks there are.
pub const BANKS: usize = 7;

/// A credit limit above this is high, in New Taiwan dollars.
const HIGH_LIMIT: f64 = 150_000.0;
/// A card holder below this age is young, in years.
const YOUNG: f64 = 35.0;

/// What a fictional bank is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A member: it trains.
    Training,
    /// It only tunes settings; its rows train nothing.
    Tuning,
    /// Nobody has seen it: results are reported on it.
    Unseen,
}

/// A fictional bank's rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bank {
    /// Its number from 0: five train, then the one that tunes, then the unseen one.
    pub number: usize,
    /// What it is for.
    pub role: Role,
    /// Its CSV file.
    pub path: PathBuf,
    /// How many card holders it has.
    pub card_holders: u32,
}

/// Why the card holders cannot be split.
#[derive(Debug, Error)]
pub enum SplitError {
    /// The packed rows are not what this split was written for.
    #[error("card holders, line {line}: expected {expected}")]
    Rows {
        /// The line, from 1.
        line: u64,
        /// What was expected.
        expected: String,
    },
    /// A bank's file cannot be written.
    #[error("{}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The fictional bank of a card holder.
///
/// `education` is 1 for graduate school and 2 for university; `limit` is in New Taiwan dollars and
/// `age` in years.
///
/// ```
/// # use sandbox::split::bank_of;
/// assert_eq!(bank_of(1.0, 200_000.0, 29.0), 0);
/// assert_eq!(bank_of(2.0, 50_000.0, 40.0), 5);
/// assert_eq!(bank_of(3.0, 150_000.0, 35.0), 6);
/// ```
pub fn bank_of(education: f64, limit: f64, age: f64) -> usize {
    let (high, young) = (limit > HIGH_LIMIT, age < YOUNG);
    let is = |code: f64| (education - code).abs() < 0.5;
    match (is(1.0), is(2.0)) {
        (true, _) => usize::from(!high),
        (_, true) if high => 2,
        (_, true) if young => 3,
        (_, true) => 5,
        _ if high || young => 4,
        _ => 6,
    }
}

/// What a fictional bank is for.
pub fn role_of(bank: usize) -> Role {
    match bank {
        0..5 => Role::Training,
        5 => Role::Tuning,
        _ => Role::Unseen,
    }
}

/// Writes each fictional bank's card holders to a CSV file of its own in `folder`.
///
/// # Errors
///
/// [`SplitError::Rows`] if `packed` is not such a data set; [`SplitError::Write`] if a file cannot be
/// written.
pub fn write_banks(packed: &[u8], folder: &Path) -> Result<Vec<Bank>, SplitError> {
    let (texts, counts) = split(packed)?;
    let banks = texts.into_iter().zip(counts).enumerate();
    banks
        .map(|(number, (text, card_holders))| {
            let role = role_of(number);
            let name = match role {
                Role::Training => format!("bank-{}.csv", number + 1),
                Role::Tuning => "tuning.csv".to_owned(),
                Role::Unseen => "unseen.csv".to_owned(),
            };
            let path = folder.join(name);
            fs::write(&path, text)
                .map_err(|source| SplitError::Write { path: path.clone(), source })?;
            Ok(Bank { number, role, path, card_holders })
        })
        .collect()
}

/// Each fictional bank's rows as CSV with the header, and how many there are.
fn split(packed: &[u8]) -> Result<([Vec<u8>; BANKS], [u32; BANKS]), SplitError> {
    let wrong = |line, expected: &str| SplitError::Rows { line, expected: expected.to_owned() };
    let mut text = String::new();
    GzDecoder::new(packed)
        .read_to_string(&mut text)
        .map_err(|error| wrong(1, &format!("CSV in gzip: {error}")))?;
    let mut lines = (1..).zip(text.lines());
    let (_, header) = lines.next().ok_or_else(|| wrong(1, "a header"))?;
    let places = ["EDUCATION", "LIMIT_BAL", "AGE"]
        .map(|name| header.split(',').position(|h| h == name).ok_or_else(|| wrong(1, name)));
    let [education, limit, age] = places;
    let (education, limit, age) = (education?, limit?, age?);
    let start = || format!("{header}\n").into_bytes();
    let mut texts: [Vec<u8>; BANKS] = std::array::from_fn(|_| start());
    let mut counts = [0; BANKS];
    for (line, row) in lines {
        let number = |place: usize| {
            let cell = row.split(',').nth(place).and_then(|cell| cell.parse::<f64>().ok());
            cell.ok_or_else(|| wrong(line, "education, limit and age as numbers"))
        };
        let bank = bank_of(number(education)?, number(limit)?, number(age)?);
        if let (Some(text), Some(count)) = (texts.get_mut(bank), counts.get_mut(bank)) {
            text.extend_from_slice(row.as_bytes());
            text.push(b'\n');
            *count += 1;
        }
    }
    Ok((texts, counts))
}
