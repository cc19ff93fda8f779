//! The bank's node.
