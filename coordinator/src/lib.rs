//! The consortium's coordinator.
