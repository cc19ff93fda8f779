//! A log that several processes append to in turn.

use std::path::Path;

use ledger::log_store::LogStore as _;

use super::{Owner, SqliteLog, read_frontier};
use crate::error::StoreError;
use crate::lock::SharedLock;

impl SqliteLog {
    /// Opens the log at `path`, which other processes may open too, as [`SqliteLog::open`]. It is held by nobody afterwards.
    ///
    /// # Errors
    ///
    /// As [`SqliteLog::open`]; [`StoreError::Locked`] if others hold it for too long.
    pub fn open_shared(path: &Path) -> Result<Self, StoreError> {
        let mut log = Self::open_held(path)?;
        log.end_turn();
        Ok(log)
    }

    /// As [`SqliteLog::open_shared`], and holds it.
    pub(crate) fn open_held(path: &Path) -> Result<Self, StoreError> {
        let lock = SharedLock::open(path)?;
        lock.take()?;
        Self::open_by(path, Owner::InTurn(lock))
    }

    /// Takes the locks, of the log before that of its second place, and reads what others have appended.
    pub(super) fn take_turn(&mut self) -> Result<(), StoreError> {
        if self.held {
            return Ok(());
        }
        if let Owner::InTurn(lock) = &self.owner {
            lock.take()?;
        }
        let caught_up = self.catch_up();
        self.held = caught_up.is_ok();
        if let (Err(_), Owner::InTurn(lock)) = (&caught_up, &self.owner) {
            lock.let_go();
        }
        caught_up
    }

    pub(super) fn end_turn(&mut self) {
        if let Owner::InTurn(lock) = &self.owner {
            if let Some(second) = &self.second {
                second.let_go();
            }
            lock.let_go();
            self.held = false;
        }
    }

    fn catch_up(&mut self) -> Result<(), StoreError> {
        // Whoever puts a backup back while this process runs leaves it with files that nobody else sees.
        self.file.must_be_at(&self.path)?;
        let before = self.head();
        let newest = read_frontier(&self.connection)?;
        if newest != self.frontier {
            let known = std::mem::replace(&mut self.frontier, newest);
            let goes_on = self.goes_on_from(before);
            if goes_on.is_err() {
                self.frontier = known;
            }
            goes_on?;
        }
        self.second.as_ref().map_or(Ok(()), |second| self.confirm(second))
    }

    fn goes_on_from(&self, before: ledger::tree::Head) -> Result<(), StoreError> {
        self.check_edge()?;
        if self.extends(&before)? {
            Ok(())
        } else {
            Err(StoreError::Damaged { expected: "a log that goes on from what was read before" })
        }
    }
}
