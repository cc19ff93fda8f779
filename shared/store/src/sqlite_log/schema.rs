//! The tables of a log, and how the database is set up.

use rusqlite::Connection;

use crate::error::StoreError;

/// The format of the tables below.
const FORMAT: i64 = 1;

/// Each table whose only row has id 0 holds one thing.
const TABLES: &str = "
    CREATE TABLE leaf (position INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
    CREATE TABLE node (key INTEGER PRIMARY KEY, hash BLOB NOT NULL) STRICT;
    CREATE TABLE blob (digest BLOB PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
    CREATE TABLE frontier (id INTEGER PRIMARY KEY CHECK (id = 0), bytes BLOB NOT NULL) STRICT;
    CREATE TABLE checkpoint (
        id INTEGER PRIMARY KEY CHECK (id = 0),
        size INTEGER NOT NULL,
        root BLOB NOT NULL,
        text TEXT NOT NULL
    ) STRICT;
    CREATE TABLE snapshot (
        id INTEGER PRIMARY KEY CHECK (id = 0),
        size INTEGER NOT NULL,
        bytes BLOB NOT NULL
    ) STRICT;
    PRAGMA user_version = 1;
";

/// Sets the connection up for durable commits, and creates the tables in an empty database.
pub(super) fn prepare(connection: &Connection) -> Result<(), StoreError> {
    // WAL with FULL: a commit is durable when it returns, and costs one fsync.
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(StoreError::Damaged {
            expected: "a file system that allows a write-ahead log",
        });
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    match found {
        FORMAT => Ok(()),
        // In one transaction: a crash here leaves no tables or all of them.
        0 => Ok(connection.execute_batch(&format!("BEGIN IMMEDIATE; {TABLES} COMMIT;"))?),
        found => Err(StoreError::Format { expected: FORMAT, found }),
    }
}

/// Nodes of one level lie side by side: level in the upper bits, index in the lower 56.
pub(super) fn node_key(level: u8, index: u64) -> Result<i64, StoreError> {
    let outside = StoreError::NoNode { level, index };
    if index >> 56 != 0 || level >= 128 {
        return Err(outside);
    }
    i64::try_from(u64::from(level) << 56 | index).map_err(|_| outside)
}
