//! A release as a bank's ledger records it.

use std::sync::Arc;

use ledger::{
    digest::Digest,
    memory::{MemoryBlobs, MemoryLog},
    population::{
        Cap, Opened, PopulationLedger, Released, ReserveOutcome, ReserveRequest, RunTerms, Sketch,
        UnitRelation,
    },
    record::{Charge, Contribution, Institution, TaskChange, Text},
    signing::{Signature, SigningKey},
    time::Timestamp,
};
use prost::bytes::Bytes;
use ring::rand::SystemRandom;
use wire::{Error, connection::Upload};

/// A durable release and the contribution that says so. Its round is the vector's length, for the
/// test's server.
pub(crate) struct Release {
    released: Released,
    pub(crate) contribution: Contribution,
}

impl Release {
    pub(crate) fn of(vector: &[u8]) -> Self {
        let key = Arc::new(SigningKey::generate(&SystemRandom::new()).unwrap().0);
        let at = Timestamp::from_millis(1);
        let opened = Opened {
            institution: Institution::new("north").unwrap(),
            population: Text::new("cards").unwrap(),
            unit: Text::new("customer").unwrap(),
            relation: UnitRelation::AddRemove,
            nonce: [1; 32],
            sketch: Sketch::default(),
        };
        let north = opened.institution.clone();
        let record_key = SigningKey::generate(&SystemRandom::new()).unwrap().0;
        let mut ledger =
            PopulationLedger::register(MemoryLog::default(), key, at, opened, &[]).unwrap();
        ledger.enroll(at, Digest::from_bytes([2; 32]), &north, &record_key).unwrap();
        ledger.set_cap(at, Cap::new(1.0, 1e-6, 2.0, 1.0, Text::default()).unwrap()).unwrap();
        let request = ReserveRequest {
            consortium: Digest::from_bytes([2; 32]),
            run: [3; 32].into(),
            round: u32::try_from(vector.len()).unwrap(),
            plan: Digest::from_bytes([4; 32]),
            model: Digest::from_bytes([5; 32]),
            charge: Charge::new(1.0, 0.5, TaskChange::Content).unwrap(),
            rdp: 0.5,
            terms: RunTerms::new(u32::MAX, 1.0, 1e-6, 1.0).unwrap(),
        };
        let ReserveOutcome::Compute(reservation) = ledger.reserve(at, request).unwrap() else {
            panic!("a new ledger has no charge")
        };
        let blobs = MemoryBlobs::new();
        let released = ledger.release(at, &reservation, vector.to_vec(), &blobs).unwrap();
        let contribution = ledger.contribution(&released).unwrap();
        Self { released, contribution }
    }

    pub(crate) fn upload(&self, vector: Bytes) -> Result<Upload, Error> {
        let signature = Signature::from_bytes([7; 64]);
        Upload::new(&self.released, &self.contribution, &signature, vector)
    }
}
