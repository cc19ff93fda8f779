use std::path::{Path, PathBuf};

use thiserror::Error;

use super::Policy;
use crate::state_dir::read_text;

/// Why there is no policy, so that everything is refused.
#[derive(Debug, Error)]
pub enum PolicyError {
    /// There is no file.
    #[error("expected a policy in {}: without one every plan is refused", .0.display())]
    Missing(PathBuf),
    /// The file cannot be read.
    #[error("expected a readable policy: {0}")]
    Unreadable(String),
    /// A place that depends on where the node is started.
    #[error("expected an absolute path in population.{key}, got {}", path.display())]
    Relative {
        /// The key.
        key: &'static str,
        /// What it says.
        path: PathBuf,
    },
    /// A ledger for several nodes that nothing confirms.
    #[error(
        "expected population.second_place beside population.ledger: a ledger that several nodes share may be put back without any \
         one consortium's log showing it"
    )]
    Unconfirmed,
    /// A missing, unknown or mistyped key.
    #[error("{}{message}{}", place(file.as_deref()), suggestion(hint.as_deref()))]
    Format {
        /// The file, if it is one.
        file: Option<PathBuf>,
        /// What the parser says, with line and column.
        message: String,
        /// The known key that an unknown one resembles.
        hint: Option<String>,
    },
}

impl Policy {
    /// Reads a policy from its text.
    ///
    /// # Errors
    ///
    /// [`PolicyError::Format`] with the line, and the key that was perhaps meant, [`PolicyError::Relative`], or
    /// [`PolicyError::Unconfirmed`].
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        Self::parse_named(text, None)
    }

    /// Reads a policy from a file.
    ///
    /// # Errors
    ///
    /// [`PolicyError::Missing`], [`PolicyError::Unreadable`], or as [`Policy::parse`].
    pub fn load(file: &Path) -> Result<Self, PolicyError> {
        let text = read_text(file).map_err(|error| PolicyError::Unreadable(error.to_string()))?;
        let text = text.ok_or_else(|| PolicyError::Missing(file.to_owned()))?;
        Self::parse_named(&text, Some(file))
    }

    fn parse_named(text: &str, file: Option<&Path>) -> Result<Self, PolicyError> {
        let policy: Self = toml::from_str(text).map_err(|error| format_error(file, &error))?;
        let places = [
            ("ledger", &policy.population.ledger),
            ("second_place", &policy.population.second_place),
            ("registry", &policy.population.registry),
        ];
        for (key, place) in places {
            if let Some(path) = place.as_ref().filter(|path| !path.is_absolute()) {
                return Err(PolicyError::Relative { key, path: path.clone() });
            }
        }
        if policy.population.ledger.is_some() && policy.population.second_place.is_none() {
            return Err(PolicyError::Unconfirmed);
        }
        Ok(policy)
    }
}

fn format_error(file: Option<&Path>, error: &toml::de::Error) -> PolicyError {
    let hint = unknown(error.message()).and_then(|(unknown, known)| {
        let near = known.into_iter().map(|key| (strsim::damerau_levenshtein(unknown, key), key));
        near.filter(|(distance, _)| *distance <= 3).min().map(|(_, key)| key.to_owned())
    });
    let message = error.to_string().trim_end().to_owned();
    PolicyError::Format { file: file.map(ToOwned::to_owned), message, hint }
}

/// Splits "unknown field `x`, expected one of `a`, `b`" into x and [a, b].
fn unknown(message: &str) -> Option<(&str, Vec<&str>)> {
    let rest = message
        .strip_prefix("unknown field `")
        .or_else(|| message.strip_prefix("unknown variant `"))?;
    let mut quoted = rest.split('`');
    let unknown = quoted.next()?;
    Some((unknown, quoted.skip(1).step_by(2).collect()))
}

fn place(file: Option<&Path>) -> String {
    file.map(|file| format!("{}: ", file.display())).unwrap_or_default()
}

fn suggestion(hint: Option<&str>) -> String {
    hint.map(|known| format!("\ndid you mean `{known}`?")).unwrap_or_default()
}
