//! How a command ends, as a number that scripts can rely on.

/// The exit code of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Ok = 0,
    /// It failed for a reason that has no code of its own.
    Failure = 1,
    /// The bank's policy refuses.
    Refused = 2,
    /// The lifetime budget does not allow it.
    Budget = 3,
    /// Keys, certificates or an invitation were not accepted.
    Authentication = 4,
    /// What was named does not exist.
    NotFound = 5,
    /// Something that is signed or recorded was changed, or the log went back.
    Tampered = 6,
    /// All that is there is right, but something is missing.
    Incomplete = 9,
    /// The network or the coordinator cannot be reached.
    Network = 10,
    /// The command was not understood.
    Usage = 64,
}

impl Exit {
    /// The number.
    pub const fn code(self) -> u8 {
        self as u8
    }
}
