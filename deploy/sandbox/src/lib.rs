//! A whole consortium on one machine.

pub mod split;
