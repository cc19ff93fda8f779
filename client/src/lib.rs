//! The bank's node.

pub mod data;
pub mod evaluate;
pub mod tasks;
