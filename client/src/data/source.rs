use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::DataError;

/// Where a bank's rows are: the bank's own file, never part of a plan.
///
/// ```
/// # use client::data::DataSource;
/// let source = DataSource::parse(r#"
///     path = "cards.csv.gz"
///     delimiter = ";"              # a comma if left out
///     task_column = "BRANCH"       # if left out, tasks are formed from units alone
///     [columns]                    # only where the file's header differs from the plan's name
///     LIMIT = "CREDIT_LIMIT"
///     [keep]                       # if left out, every row counts
///     column = "COUNTRY"
///     equals = "TW"
/// "#)?;
/// assert_eq!(source.header("LIMIT"), "CREDIT_LIMIT");
/// # Ok::<(), client::data::DataError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSource {
    /// The CSV file, plain or in gzip, told apart by its first bytes.
    pub path: PathBuf,
    /// The header of the column that names units. Only needed where the policy names a registry: the population's sketch is made
    /// from it before there is a plan.
    #[serde(default)]
    pub unit: Option<String>,
    /// What separates cells: one ASCII character.
    #[serde(default = "comma")]
    pub delimiter: char,
    /// The file's header for a column of the plan, where the two differ.
    #[serde(default)]
    pub columns: BTreeMap<String, String>,
    /// Which rows count.
    #[serde(default)]
    pub keep: Option<Keep>,
    /// The header of a column that says which task a unit belongs to. All rows of a unit must agree,
    /// and the column must not be derived from other units.
    #[serde(default)]
    pub task_column: Option<String>,
}

/// Keeps the rows whose cell is exactly this text.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keep {
    /// The header in the file.
    pub column: String,
    /// The text.
    pub equals: String,
}

fn comma() -> char {
    ','
}

impl DataSource {
    /// The source of this file, with every column under the plan's own name.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            unit: None,
            delimiter: comma(),
            columns: BTreeMap::new(),
            keep: None,
            task_column: None,
        }
    }

    /// Reads a data specification from TOML text.
    ///
    /// # Errors
    ///
    /// [`DataError::Specification`] if it is not one.
    pub fn parse(text: &str) -> Result<Self, DataError> {
        Self::parse_named(text, Path::new("data specification"))
    }

    /// Reads a data specification from a TOML file; a relative `path` in it starts at that file.
    ///
    /// # Errors
    ///
    /// [`DataError::Open`] or [`DataError::Specification`].
    pub fn load(file: &Path) -> Result<Self, DataError> {
        let text = std::fs::read_to_string(file)
            .map_err(|source| DataError::Open { file: file.to_owned(), source })?;
        let mut source = Self::parse_named(&text, file)?;
        if let Some(folder) = file.parent() {
            source.path = folder.join(&source.path);
        }
        Ok(source)
    }

    /// The file's header for a column of the plan.
    pub fn header<'a>(&'a self, column: &'a str) -> &'a str {
        self.columns.get(column).map_or(column, String::as_str)
    }

    fn parse_named(text: &str, file: &Path) -> Result<Self, DataError> {
        let wrong = |reason| DataError::Specification { file: file.to_owned(), reason };
        let source: Self =
            toml::from_str(text).map_err(|error| wrong(error.to_string().trim().to_owned()))?;
        let usable = source.delimiter.is_ascii() && !"\"\r\n".contains(source.delimiter);
        if usable {
            Ok(source)
        } else {
            Err(wrong("expected one ASCII character as delimiter".to_owned()))
        }
    }
}
