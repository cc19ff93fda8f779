//! Whoever holds the operator's and the log's keys.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::path::Path;

use conformance::export::files;
use ledger::checkpoint::SignedCheckpoint;
use ledger::digest::{Digest, sha256};
use ledger::log_store::LogStore as _;
use ledger::record::{
    Body, Charge, Closed, Contribution, Institution, Leaf, Model, Plan as Text, PlanProposed,
    Record, TaskChange,
};
use ledger::signing::{Pkcs8, SigningKey};
use ledger::time::Timestamp;
use round::decide::NewModel;
use round::initialization::initial_weights;
use round::outer::{Master, Scale};
use round::{Request, State, apply, decide};

use super::{log_of, position};

/// A log, and the keys to sign it and its records.
pub(super) struct Forger {
    operator: Vec<u8>,
    log: Vec<u8>,
    genesis: Digest,
    pub(super) leaves: Vec<Leaf>,
    blobs: BTreeMap<Digest, Vec<u8>>,
    /// The time of what is written next.
    pub(super) at: Timestamp,
}

fn key(der: &[u8]) -> SigningKey {
    SigningKey::from_pkcs8(der).unwrap()
}

fn read(path: &Path) -> Vec<u8> {
    Pkcs8::from_pem(&std::fs::read_to_string(path).unwrap()).unwrap().as_der().to_vec()
}

fn named(name: &str) -> Institution {
    name.parse().unwrap()
}

impl Forger {
    /// The keys in a coordinator's folder, a true log, and the blobs of its export.
    pub(super) fn of(keys: &Path, genesis: Digest, leaves: Vec<Leaf>, export: &Path) -> Self {
        let blobs = files(&export.join("blob")).into_iter().map(|file| {
            let bytes = std::fs::read(file).unwrap();
            (sha256(&bytes), bytes)
        });
        let at = leaves.last().unwrap().at();
        let (operator, log) = (read(&keys.join("operator.pem")), read(&keys.join("log.pem")));
        Self { operator, log, genesis, leaves, blobs: blobs.collect(), at }
    }

    /// The first `size` records alone.
    pub(super) fn cut(&self, size: usize) -> Self {
        let leaves = self.leaves[..size].to_vec();
        Self {
            operator: self.operator.clone(),
            log: self.log.clone(),
            genesis: self.genesis,
            at: leaves.last().unwrap().at(),
            leaves,
            blobs: self.blobs.clone(),
        }
    }

    pub(super) fn checkpoint(&self) -> SignedCheckpoint {
        SignedCheckpoint::sign(&self.genesis, log_of(&self.leaves).head(), &key(&self.log)).unwrap()
    }

    /// The records from `first` on, as they are served.
    pub(super) fn bytes(&self, first: usize) -> Vec<Vec<u8>> {
        let rest = self.leaves.iter().skip(first);
        rest.map(|leaf| leaf.bytes().as_slice().to_vec()).collect()
    }

    pub(super) fn export(&self, directory: &Path) {
        let leaves = self.leaves.iter().map(|leaf| Ok::<_, Infallible>(leaf.bytes().clone()));
        let blob = |digest: &Digest| Ok(self.blobs.get(digest).cloned());
        let text = self.checkpoint();
        audit::export::write(directory, leaves, text.text(), blob).unwrap();
    }

    // Where things are.

    pub(super) fn accepted(&self, name: &str, round: u32) -> usize {
        position(
            &self.leaves,
            |body| matches!(body, Body::Accepted(c) if c.institution == named(name) && c.round == round),
        )
    }

    pub(super) fn closed(&self, round: u32) -> usize {
        position(&self.leaves, |body| matches!(body, Body::Closed(c) if c.round == round))
    }

    pub(super) fn model(&self, index: u32) -> usize {
        position(&self.leaves, |body| matches!(body, Body::Model(m) if m.index == index))
    }

    pub(super) fn contribution(&self, name: &str, round: u32) -> &Contribution {
        let Body::Accepted(found) = self.leaves[self.accepted(name, round)].body() else {
            unreachable!("it was found as one")
        };
        found
    }

    pub(super) fn model_record(&self, index: u32) -> &Model {
        let Body::Model(found) = self.leaves[self.model(index)].body() else {
            unreachable!("it was found as one")
        };
        found
    }

    pub(super) fn started(&self) -> &Body {
        self.leaves[position(&self.leaves, |body| matches!(body, Body::RunStarted(_)))].body()
    }

    // What is forged.

    /// A record that need not follow from anything, signed by the operator whoever should have signed it.
    pub(super) fn lie(&mut self, body: Body) {
        let operator = key(&self.operator);
        let record = Record { at: self.at, author: operator.public(), body };
        self.leaves.push(record.sign(&operator, &self.genesis).unwrap());
    }

    pub(super) fn lie_with_plan(&mut self, text: &str) {
        self.lie(Body::PlanProposed(PlanProposed { plan: Text::new(text).unwrap() }));
    }

    /// A model with other weights, whose blob is there.
    pub(super) fn lie_with_model(&mut self, honest: &Model, weights: &[u8]) {
        let theta = sha256(weights);
        self.blobs.insert(theta, weights.to_vec());
        self.lie(Body::Model(Model { theta, ..honest.clone() }));
    }

    /// The close of the open round with somebody left out.
    pub(super) fn close_without(&self, name: &str) -> Closed {
        let state = self.state();
        let (run, round) = (state.run().unwrap(), state.round().unwrap());
        let mut survivors: BTreeSet<_> = round.accepted.keys().cloned().collect();
        survivors.remove(&named(name));
        Closed { run: run.id, round: round.number, survivors, aggregate: sha256(b"sum") }
    }

    /// The same contribution for a smaller charge.
    pub(super) fn cheaper(honest: &Contribution) -> Contribution {
        let charge = Charge::new(80.0, 0.5, TaskChange::Appears).unwrap();
        Contribution { charge, ..honest.clone() }
    }

    /// A plan that is put before the members by the rules.
    pub(super) fn propose(&mut self, text: &str) {
        self.ask(Request::Propose(text.as_bytes().to_vec()));
    }

    /// Goes on by the rules to the end of the run, with the other banks' contributions of the first round and the operator's word that
    /// the run is over.
    pub(super) fn finish_without(&mut self, name: &str, honest: &Self) {
        let present = ["east", "north", "south"].into_iter().filter(|other| *other != name);
        let mut sum: Vec<i64> = vec![];
        let mut survivors = vec![];
        for other in present {
            let leaf = &honest.leaves[honest.accepted(other, 0)];
            let Body::Accepted(contribution) = leaf.body() else { unreachable!("found as one") };
            let vector = &self.blobs[&contribution.vector];
            let values =
                vector.as_chunks::<4>().0.iter().map(|x| i64::from(i32::from_le_bytes(*x)));
            sum.resize(vector.len() / 4, 0);
            sum.iter_mut().zip(values).for_each(|(sum, x)| *sum += x);
            survivors.push(named(other));
            if !self.leaves.iter().any(|known| known.body() == leaf.body()) {
                self.ask(Request::Contribute(contribution.clone(), *leaf.signature()));
            }
        }
        let state = self.state();
        let (run, deadline) = (state.run().unwrap(), state.round().unwrap().deadline);
        let plan = &run.plan;
        let mut master = Master::new(
            initial_weights(plan.layout(), &plan.text().model.initialization),
            &plan.text().optimizer,
        );
        master.step(&sum, Scale::of(plan, &survivors));
        let aggregate: Vec<u8> = sum.iter().flat_map(|x| x.to_le_bytes()).collect();
        let mut keep = |bytes: Vec<u8>| {
            let digest = sha256(&bytes);
            self.blobs.insert(digest, bytes);
            digest
        };
        let (theta, master) = (keep(master.theta_bytes()), keep(master.to_bytes()));
        let close = Request::Close {
            round: 0,
            survivors: survivors.into_iter().collect(),
            aggregate: keep(aggregate),
            model: NewModel { run: run.id, theta, master },
        };
        self.at = deadline;
        self.ask(close);
        self.ask(Request::Abandon { run: run.id, reason: "nobody comes".to_owned() });
    }

    fn state(&self) -> State {
        self.leaves.iter().try_fold(State::empty(), apply).unwrap()
    }

    fn ask(&mut self, request: Request) {
        for draft in decide(&self.state(), self.at, request).unwrap() {
            self.leaves.push(draft.seal(&key(&self.operator), &self.genesis).unwrap());
        }
    }
}
