//! End-to-end, fault and attack tests.
