//! Differential privacy: events, accountants, the lifetime filter, the clipping grid and exact samplers.
