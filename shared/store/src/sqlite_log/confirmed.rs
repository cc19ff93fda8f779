//! The head that is kept a second time.

use std::path::Path;

use ledger::log_store::LogStore as _;
use ledger::tree::Head;

use super::SqliteLog;
use crate::error::StoreError;
use crate::second_place::SecondPlace;

/// How many leaves the second place may lag behind: what one append adds. The head is kept after each append, so more is no crash.
const LAG_MAX: u64 = 1;

impl SqliteLog {
    /// Confirms the log by the head that a second place holds, and keeps each later head there before an append returns.
    ///
    /// The directory must be there. A log that is still empty is confirmed by an empty directory. For logs that grow leaf by leaf:
    /// a place that lags by more than a leaf is refused, because somebody else appends and does not keep the head.
    ///
    /// # Errors
    ///
    /// [`StoreError::RolledBack`] if the log does not go on from the head that is kept, [`StoreError::Lagging`] if it went on too
    /// far, [`StoreError::Unconfirmed`] if none is kept of a log that has leaves (see [`SqliteLog::start_second_place`]), or the
    /// second place cannot be read and written.
    pub fn confirmed_by(mut self, directory: &Path) -> Result<Self, StoreError> {
        // A log with one owner is held already, without the place.
        self.end_turn();
        self.held = false;
        self.second = Some(SecondPlace::open(directory)?);
        self.hold()?;
        // A place that cannot be written is found out at once.
        let found = self.head();
        if let Some(second) = &self.second {
            second.replace(Some(&found), &found)?;
        }
        self.let_go();
        Ok(self)
    }

    /// Confirms the log by the head that a second place holds, and changes nothing there.
    ///
    /// # Errors
    ///
    /// As [`SqliteLog::confirmed_by`].
    pub fn check_second_place(&self, directory: &Path) -> Result<(), StoreError> {
        let kept = SecondPlace::head_in(directory)?;
        self.check_goes_on_from(kept.as_ref(), directory)?;
        self.check_lag(kept.as_ref(), directory)
    }

    /// Keeps the log's head in a second place that has never held one, or an older one of this log: an operator's word that this
    /// log is the newest.
    ///
    /// # Errors
    ///
    /// [`StoreError::RolledBack`] if it holds a head that this log does not go on from, or it cannot be read and written.
    pub fn start_second_place(&mut self, directory: &Path) -> Result<Head, StoreError> {
        self.hold()?;
        let started = self.start_held(directory);
        self.let_go();
        started
    }

    fn start_held(&self, directory: &Path) -> Result<Head, StoreError> {
        let place = SecondPlace::open(directory)?;
        place.take()?;
        let (kept, found) = (place.head()?, self.head());
        if kept.is_some() {
            self.check_goes_on_from(kept.as_ref(), directory)?;
        }
        place.replace(kept.as_ref(), &found)?;
        place.let_go();
        Ok(found)
    }

    /// Takes the second place and confirms the log by what it holds. What a crash has left behind is caught up with.
    pub(super) fn confirm(&self, place: &SecondPlace) -> Result<(), StoreError> {
        place.take()?;
        let confirmed = self.confirm_by(place);
        if confirmed.is_err() {
            place.let_go();
        }
        confirmed
    }

    fn confirm_by(&self, place: &SecondPlace) -> Result<(), StoreError> {
        let (kept, found) = (place.head()?, self.head());
        self.check_goes_on_from(kept.as_ref(), place.directory())?;
        self.check_lag(kept.as_ref(), place.directory())?;
        if kept == Some(found) { Ok(()) } else { place.replace(kept.as_ref(), &found) }
    }

    fn check_goes_on_from(&self, kept: Option<&Head>, place: &Path) -> Result<(), StoreError> {
        let found = self.head();
        match kept {
            Some(kept) if self.extends(kept)? => Ok(()),
            Some(kept) => {
                Err(StoreError::RolledBack { place: place.to_owned(), kept: *kept, found })
            }
            None if found.size == 0 => Ok(()),
            None => Err(StoreError::Unconfirmed { place: place.to_owned(), leaves: found.size }),
        }
    }

    fn check_lag(&self, kept: Option<&Head>, place: &Path) -> Result<(), StoreError> {
        let found = self.head();
        match kept {
            Some(kept) if found.size - kept.size.min(found.size) > LAG_MAX => {
                Err(StoreError::Lagging { place: place.to_owned(), kept: *kept, found })
            }
            _ => Ok(()),
        }
    }
}
