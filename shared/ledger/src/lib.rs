//! The transparency log: record encoding, Merkle tree, checkpoints, proofs, receipts and store contracts.
