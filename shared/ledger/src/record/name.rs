//! Names and texts in records.

use std::fmt;
use std::str::FromStr;

use super::RecordError;
use super::refused;

/// The name of an institution: 1 to 32 of a–z, 0–9 and `-`, beginning with a letter.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Institution(String);

impl Institution {
    /// The most characters a name may have.
    pub const LENGTH_MAX: usize = 32;

    /// The institution called `name`.
    ///
    /// # Errors
    ///
    /// [`RecordError::Field`] if the name breaks the rule above.
    pub fn new(name: impl Into<String>) -> Result<Self, RecordError> {
        let name = name.into();
        let allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        let begins_well = name.as_bytes().first().is_some_and(u8::is_ascii_lowercase);
        if begins_well && name.len() <= Self::LENGTH_MAX && name.bytes().all(allowed) {
            return Ok(Self(name));
        }
        Err(refused(
            "institution",
            "1 to 32 of a-z, 0-9 and '-', beginning with a letter",
            format!("{:?}", name.chars().take(64).collect::<String>()),
        ))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text for people: at most `MAX` characters, none of them a control character.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text<const MAX: usize>(String);

impl<const MAX: usize> Text<MAX> {
    /// The checked text.
    ///
    /// # Errors
    ///
    /// [`RecordError::Field`] if it is too long or holds a control character: a text from elsewhere
    /// must not move the cursor of whoever prints it.
    pub fn new(text: impl Into<String>) -> Result<Self, RecordError> {
        let text = text.into();
        let count = text.chars().count();
        if count > MAX {
            let found = format!("{count} characters, more than {MAX}");
            return Err(refused("a text", "short", found));
        }
        if text.chars().any(char::is_control) {
            let found = format!("{text:?}");
            return Err(refused("a text", "free of control characters", found));
        }
        Ok(Self(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Institution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Institution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Institution {
    type Err = RecordError;

    fn from_str(name: &str) -> Result<Self, RecordError> {
        Self::new(name)
    }
}

impl<const MAX: usize> fmt::Display for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl<const MAX: usize> fmt::Debug for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
