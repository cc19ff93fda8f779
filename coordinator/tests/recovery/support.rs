//! A log on disk, written as the coordinator writes it: decided, sealed, appended.

use std::collections::BTreeSet;

use ledger::digest::{Digest, sha256};
use ledger::log_store::LogStore;
use ledger::record::{
    Approval, Canonical, Contribution, Genesis, Institution, Leaf, MemberAdded, MemberKeys,
    QuorumRule, Role, Text,
};
use ledger::signing::{Pkcs8, SigningKey};
use ledger::time::Timestamp;
use ring::rand::SystemRandom;
use round::decide::{NewModel, Request, decide};
use round::state::State;
use store::SqliteLog;

const BANKS: [&str; 3] = ["alder", "birch", "cedar"];
/// The example plan of the protocol core, for the consortium of zeros.
const PLAN: &str = include_str!("../../../shared/round/tests/it/support/plan.toml");

pub(crate) struct World {
    pub(crate) log: SqliteLog,
    pub(crate) state: State,
    pub(crate) genesis: Digest,
    pub(crate) operator: SigningKey,
    pub(crate) log_key: SigningKey,
    keys: [Pkcs8; 2],
    banks: Vec<SigningKey>,
    _directory: tempfile::TempDir,
}

fn generate() -> (SigningKey, Pkcs8) {
    SigningKey::generate(&SystemRandom::new()).expect("the system has randomness")
}

fn read(key: &Pkcs8) -> SigningKey {
    SigningKey::from_pkcs8(key.as_der()).expect("a key")
}

fn institution(name: &str) -> Institution {
    name.parse().expect("a name")
}

impl World {
    pub(crate) fn founded(nonce: [u8; 32]) -> Self {
        Self::found(nonce, [generate().1, generate().1])
    }

    /// Another log, with the keys of `other`.
    pub(crate) fn founded_with(nonce: [u8; 32], other: &Self) -> Self {
        let copy = |key: &Pkcs8| Pkcs8::from_pem(&key.to_pem()).expect("a key");
        let [operator, log] = &other.keys;
        Self::found(nonce, [copy(operator), copy(log)])
    }

    fn found(nonce: [u8; 32], keys: [Pkcs8; 2]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let (log, _) = store::open(directory.path()).expect("an empty log");
        let [operator, log_key] = keys.each_ref().map(read);
        let genesis = Genesis {
            name: Text::new("orchard").expect("short"),
            operator_key: operator.public(),
            log_key: log_key.public(),
            ca_digest: sha256(b"ca"),
            quorum: QuorumRule::more_than(1, 2).expect("a fraction"),
            nonce,
        };
        let mut world = Self {
            log,
            state: State::empty(),
            genesis: Digest::ZERO,
            operator,
            log_key,
            keys,
            banks: BANKS.map(|_| generate().0).into(),
            _directory: directory,
        };
        world.submit(Request::Found(genesis));
        world.genesis = world.state.consortium.as_ref().expect("founded").digest;
        world
    }

    fn submit(&mut self, request: Request) {
        let at = Timestamp::from_millis(self.state.size);
        let drafts = decide(&self.state, at, request).expect("allowed");
        let mut leaves = vec![];
        for draft in drafts {
            let leaf: Leaf = draft.seal(&self.operator, &self.genesis).expect("it fits");
            self.state = round::apply(self.state.clone(), &leaf).expect("it follows");
            leaves.push(leaf.into_bytes());
        }
        let head = self.log.head();
        self.log.append(&head, &leaves, &[]).expect("appended");
    }

    pub(crate) fn admit_banks(&mut self) {
        for (name, number) in BANKS.iter().zip(0..) {
            let cosign = generate().0;
            let record = self.banks.get(number).expect("a key");
            let keys = MemberKeys {
                institution: institution(name),
                tls_key_digest: sha256(name.as_bytes()),
                record_key: record.public(),
                cosign_key: cosign.public(),
            };
            let added = MemberAdded::prove(keys, Role::Bank, record, &cosign, &self.genesis);
            self.submit(Request::Admit(added));
        }
    }

    /// Proposes the plan, without sampling so that its price is found at once; everybody approves.
    pub(crate) fn start_run(&mut self) {
        let plan = PLAN
            .replace(&Digest::ZERO.to_string(), &self.genesis.to_string())
            .replace("sampling_rate = 0.2", "sampling_rate = 1.0")
            .replace("noise_multiplier = 3.0", "noise_multiplier = 40.0");
        let digest = sha256(plan.as_bytes());
        self.submit(Request::Propose(plan.into_bytes()));
        for (name, number) in BANKS.iter().zip(0..) {
            let approval = Approval { institution: institution(name), plan: digest };
            let key = self.banks.get(number).expect("a key");
            let signature = key.sign_body("approval", &self.genesis, &approval.encode());
            self.submit(Request::Approve(approval, signature));
        }
        let model = self.model(0);
        self.submit(Request::Begin(model));
    }

    /// Everybody contributes who has not, and the round is closed.
    pub(crate) fn play_round(&mut self) {
        let round = self.state.round().expect("an open round");
        let (number, cohort, here) =
            (round.number, round.cohort.clone(), round.accepted.keys().cloned().collect());
        let missing: BTreeSet<Institution> = &cohort - &here;
        for name in &missing {
            self.contribute(name.as_str());
        }
        let model = self.model(number + 1);
        let aggregate = sha256(format!("sum {number}").as_bytes());
        self.submit(Request::Close { round: number, survivors: cohort, aggregate, model });
    }

    /// One bank contributes: a snapshot may fall into an open round.
    pub(crate) fn contribute_once(&mut self) {
        self.contribute("birch");
    }

    /// A member goes after the run.
    pub(crate) fn finish(&mut self) {
        assert!(self.state.run().is_none(), "the plan has two rounds");
        let reason = "left".to_owned();
        self.submit(Request::Revoke { institution: institution("cedar"), reason });
    }

    pub(crate) fn theta(index: u32) -> Digest {
        sha256(format!("theta {index}").as_bytes())
    }

    pub(crate) fn vector(name: &str, round: u32) -> Digest {
        sha256(format!("{name} {round}").as_bytes())
    }

    fn contribute(&mut self, name: &str) {
        let run = self.state.run().expect("a run");
        let round = self.state.round().expect("an open round").number;
        let contribution = Contribution {
            run: run.id,
            round,
            plan: run.plan.digest(),
            model: run.model.expect("a model").theta,
            institution: institution(name),
            vector: Self::vector(name, round),
            ledger_head: sha256(b"head"),
            charge: run.plan.charge(),
        };
        let number = BANKS.iter().position(|bank| *bank == name).expect("a bank");
        let key = self.banks.get(number).expect("a key");
        let signature = key.sign_body("accepted", &self.genesis, &contribution.encode());
        self.submit(Request::Contribute(contribution, signature));
    }

    fn model(&self, index: u32) -> NewModel {
        let run = self.state.run().map(|run| run.id);
        NewModel {
            run: run.expect("a run"),
            theta: Self::theta(index),
            master: sha256(format!("master {index}").as_bytes()),
        }
    }
}
