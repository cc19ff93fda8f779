//! The auditor: verify, replay and recompute, offline.
