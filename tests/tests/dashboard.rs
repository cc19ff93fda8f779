//! The pages and files on the members' port: who may read what, and that they say what the log says.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

#[path = "dashboard/access.rs"]
mod access;
#[path = "dashboard/figures.rs"]
mod figures;
#[path = "dashboard/trained.rs"]
mod trained;
