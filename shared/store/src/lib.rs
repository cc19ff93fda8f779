//! The embedded default store: an SQLite log and content-addressed blobs.
