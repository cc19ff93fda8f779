//! From bytes to a checked [`Plan`].

use ledger::digest::{Digest, sha256};
use ledger::record::Institution;

use super::terms::Terms;
use super::{Plan, PlanText, check};
use crate::limits::PLAN_BYTES_MAX;

/// Why bytes are not a plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Too long.
    #[error("a plan has at most {PLAN_BYTES_MAX} bytes, this one has {0}")]
    TooLong(usize),
    /// Not text.
    #[error("a plan is UTF-8 text: {0}")]
    NotText(String),
    /// Not the TOML of a plan: a missing, unknown or mistyped key.
    #[error("{message}{}", suggestion(hint.as_deref()))]
    Format {
        /// What the parser says, with line and column.
        message: String,
        /// The known key that an unknown one resembles.
        hint: Option<String>,
    },
    /// A value that breaks a rule.
    #[error("{key}: {what}")]
    Rule {
        /// The key, dotted.
        key: String,
        /// What was expected and what came.
        what: String,
    },
}

fn suggestion(hint: Option<&str>) -> String {
    hint.map(|known| format!("\ndid you mean `{known}`?")).unwrap_or_default()
}

impl Plan {
    /// Reads a plan from its exact bytes and checks every rule.
    ///
    /// # Errors
    ///
    /// A [`PlanError`] that names the key, what was expected and what came.
    pub fn parse(bytes: &[u8]) -> Result<Self, PlanError> {
        if bytes.len() > PLAN_BYTES_MAX {
            return Err(PlanError::TooLong(bytes.len()));
        }
        let source = std::str::from_utf8(bytes).map_err(|e| PlanError::NotText(e.to_string()))?;
        let text: PlanText = toml::from_str(source).map_err(|error| format_error(&error))?;
        let (consortium, cohort) = identities(&text)?;
        let promise = check::check(&text)?;
        let digest = sha256(bytes);
        let terms = Terms::of(&text, promise)
            .map_err(|what| PlanError::Rule { key: "privacy".to_owned(), what })?;
        Ok(Self { text, bytes: bytes.to_vec(), digest, consortium, cohort, terms })
    }
}

/// The consortium, and the cohort ascending.
fn identities(text: &PlanText) -> Result<(Digest, Vec<Institution>), PlanError> {
    let consortium = text.consortium.parse::<Digest>().map_err(|e| PlanError::Rule {
        key: "consortium".to_owned(),
        what: format!("expected the genesis digest in hex: {e}"),
    })?;
    let cohort = text.cohort.iter().map(|participant| {
        participant.institution.parse::<Institution>().map_err(|e| PlanError::Rule {
            key: "cohort.institution".to_owned(),
            what: e.to_string(),
        })
    });
    let mut cohort = cohort.collect::<Result<Vec<_>, _>>()?;
    cohort.sort();
    Ok((consortium, cohort))
}

/// The parser's message, and the nearest known key when a key is unknown.
fn format_error(error: &toml::de::Error) -> PlanError {
    // The parser shows the line: what is in it must not move the cursor of whoever prints it.
    let printable = |c: char| if c.is_control() && c != '\n' { '\u{fffd}' } else { c };
    let message = error.to_string().chars().map(printable).collect();
    let hint = unknown_field(error.message()).and_then(|(unknown, known)| {
        known
            .into_iter()
            .map(|key| (strsim::damerau_levenshtein(unknown, key), key))
            .filter(|(distance, key)| *distance <= (key.len() / 2).min(3))
            .min()
            .map(|(_, key)| key.to_owned())
    });
    PlanError::Format { message, hint }
}

/// The unknown key and the known ones: "unknown field `x`, expected one of `a`, `b`" in serde's
/// words, "unexpected keys in table: x, available keys: a, b" in those of the TOML crate.
fn unknown_field(message: &str) -> Option<(&str, Vec<&str>)> {
    if let Some(rest) = message.strip_prefix("unexpected keys in table: ") {
        let (unknown, known) = rest.split_once(", available keys: ")?;
        return Some((unknown.split(", ").next()?, known.split(", ").collect()));
    }
    let rest = message
        .strip_prefix("unknown field `")
        .or_else(|| message.strip_prefix("unknown variant `"))?;
    let mut quoted = rest.split('`');
    let unknown = quoted.next()?;
    let known = quoted.skip(1).step_by(2).collect();
    Some((unknown, known))
}
