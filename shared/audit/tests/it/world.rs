//! A consortium of three banks that runs one plan to its end, by the protocol's own rules.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use ledger::checkpoint::SignedCheckpoint;
use ledger::digest::{Digest, sha256};
use ledger::log_store::LogStore as _;
use ledger::memory::{MemoryBlobs, MemoryLog};
use ledger::receipt::Receipt;
use ledger::record::{
    Approval, Body, Canonical as _, Contribution, Genesis, Institution, Leaf, MemberAdded,
    MemberKeys, QuorumRule, Record, Role, Text,
};
use ledger::signing::SigningKey;
use ledger::time::Timestamp;
use ledger::tree::inclusion_proof;
use round::decide::NewModel;
use round::initialization::initial_weights;
use round::outer::{Master, Scale};
use round::{Plan, Request, State, apply, decide};
use tempfile::TempDir;

pub(crate) const BANKS: [&str; 3] = ["alder", "birch", "cedar"];
const ROUNDS: u32 = 3;

pub(crate) struct Keys {
    operator: SigningKey,
    pub(crate) log: SigningKey,
    pub(crate) record: Vec<Arc<SigningKey>>,
    pub(crate) cosign: Vec<SigningKey>,
}

pub(crate) static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys {
    operator: generate(),
    log: generate(),
    record: BANKS.iter().map(|_| Arc::new(generate())).collect(),
    cosign: BANKS.iter().map(|_| generate()).collect(),
});

fn generate() -> SigningKey {
    SigningKey::generate(&ring::rand::SystemRandom::new()).expect("randomness").0
}

/// What this consortium does otherwise than an honest one would, or otherwise than all present.
#[derive(Clone, Copy, Default)]
pub(crate) struct Story {
    /// The last bank does not contribute to the last round, which closes at its deadline.
    pub(crate) absent: bool,
    /// Added to one coordinate of the last bank's vector in round 1.
    pub(crate) excess: i32,
    /// The last bank's vector in round 1 lacks a coordinate.
    pub(crate) short: bool,
    /// Added to one coordinate of the sum of round 1.
    pub(crate) sum_error: i64,
    /// Added to one weight of the model after round 1.
    pub(crate) model_error: f64,
    /// The last bank signs a second vector in round 1.
    pub(crate) equivocates: bool,
    /// How often the plan is signed and run again, each time with more noise.
    pub(crate) repeats: u32,
    /// How many auditors join before the first run.
    pub(crate) auditors: u32,
    /// The plan's `[metrics]`, if not those of the example.
    pub(crate) metrics: Option<&'static str>,
}

/// A log and the blobs it names.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) leaves: Vec<Leaf>,
    pub(crate) blobs: BTreeMap<Digest, Vec<u8>>,
    /// The blinded head in the header of each bank's contribution to each round, if not the same in all.
    heads: BTreeMap<(usize, u32), Digest>,
    story: Story,
    state: State,
    seconds: u64,
}

/// The honest world.
pub(crate) static HONEST: LazyLock<World> = LazyLock::new(|| World::play(Story::default()));

pub(crate) fn genesis_digest() -> Digest {
    HONEST.leaves.first().expect("a leaf").digest()
}

impl World {
    pub(crate) fn play(story: Story) -> Self {
        Self::play_with(story, BTreeMap::new())
    }

    /// The same with the heads that the banks' ledgers had, by bank and round.
    pub(crate) fn play_with(story: Story, heads: BTreeMap<(usize, u32), Digest>) -> Self {
        let mut world = Self {
            leaves: vec![],
            blobs: BTreeMap::new(),
            heads,
            story,
            state: State::empty(),
            seconds: 0,
        };
        world.found();
        for number in 0..=story.repeats {
            world.run(number);
        }
        world
    }

    fn run(&mut self, number: u32) {
        let plan = self.begin(number);
        let weights = initial_weights(plan.layout(), &plan.text().model.initialization);
        let mut master = Master::new(weights, &plan.text().optimizer);
        let model = self.keep_model(&master);
        self.ask(Request::Begin(model));
        for round in 0..ROUNDS {
            self.round(round, &plan, &mut master);
        }
    }

    fn found(&mut self) {
        self.ask(Request::Found(Genesis {
            name: Text::new("orchard").expect("a name"),
            operator_key: KEYS.operator.public(),
            log_key: KEYS.log.public(),
            ca_digest: sha256(b"ca"),
            quorum: QuorumRule::more_than(1, 2).expect("a fraction"),
            nonce: [7; 32],
        }));
        let genesis = self.genesis();
        for ((name, record), cosign) in BANKS.iter().zip(&KEYS.record).zip(&KEYS.cosign) {
            self.admit(name, Role::Bank, record, cosign, &genesis);
        }
        for number in 0..self.story.auditors {
            let name = format!("auditor-{number}");
            self.admit(&name, Role::Auditor, &generate(), &generate(), &genesis);
        }
    }

    fn admit(
        &mut self,
        name: &str,
        role: Role,
        record: &SigningKey,
        cosign: &SigningKey,
        genesis: &Digest,
    ) {
        let keys = MemberKeys {
            institution: institution(name),
            tls_key_digest: sha256(name.as_bytes()),
            record_key: record.public(),
            cosign_key: cosign.public(),
        };
        self.ask(Request::Admit(MemberAdded::prove(keys, role, record, cosign, genesis)));
    }

    /// Proposes and signs the plan; a repeat has more noise and half the δ.
    fn begin(&mut self, number: u32) -> Plan {
        let genesis = self.genesis();
        let zeros = Digest::ZERO.to_string();
        let mut text = include_str!("plan.toml").replace(&zeros, &genesis.to_string());
        if let Some(metrics) = self.story.metrics {
            text = text.replace("share = 0.0\nmeasures = []", metrics);
        }
        if number > 0 {
            let noise = format!("noise_multiplier = {}.0", 60 + 20 * number);
            text = text.replace("noise_multiplier = 60.0", &noise);
            text = text.replace("delta = 1e-6", "delta = 5e-7");
        }
        let plan = Plan::parse(text.as_bytes()).expect("a plan");
        self.ask(Request::Propose(plan.bytes().to_vec()));
        for (name, key) in BANKS.iter().zip(&KEYS.record) {
            let approval = Approval { institution: institution(name), plan: plan.digest() };
            let signature = key.sign_body("approval", &genesis, &approval.encode());
            self.ask(Request::Approve(approval, signature));
        }
        plan
    }

    fn round(&mut self, round: u32, plan: &Plan, master: &mut Master) {
        let absent = self.story.absent && round + 1 == ROUNDS;
        let present = if absent { 2 } else { 3 };
        let mut sum = vec![0_i64; plan.contribution_dimension()];
        for (bank, name) in BANKS.iter().enumerate().take(present) {
            let vector = self.vector(round, bank, plan.contribution_dimension());
            sum.iter_mut().zip(&vector).for_each(|(sum, value)| *sum += i64::from(*value));
            self.contribute(round, name, bank, plan, &vector);
            if self.story.equivocates && round == 1 && bank == 2 {
                self.contribute(round, name, bank, plan, &vec![1; plan.contribution_dimension()]);
            }
        }
        if round == 1 {
            *sum.first_mut().expect("a coordinate") += self.story.sum_error;
        }
        let survivors: Vec<_> = BANKS.iter().take(present).map(|name| institution(name)).collect();
        master.step(plan.encoding().gradient(&sum), Scale::of(plan, &survivors));
        if round == 1 && self.story.model_error != 0.0 {
            let mut weights = master.weights().to_vec();
            *weights.first_mut().expect("a weight") += self.story.model_error;
            *master = Master::new(weights, &plan.text().optimizer);
        }
        let aggregate = self.keep(sum.iter().flat_map(|value| value.to_le_bytes()).collect());
        let model = self.keep_model(master);
        if absent {
            self.seconds += 60;
        }
        let survivors = survivors.into_iter().collect();
        self.ask(Request::Close { round, survivors, aggregate, model });
    }

    pub(crate) fn vector(&self, round: u32, bank: usize, dimension: usize) -> Vec<i32> {
        // No two runs have the same vectors.
        let runs = self.leaves.iter().filter(|leaf| matches!(leaf.body(), Body::RunStarted(_)));
        let run = 100 * i32::try_from(runs.count()).expect("small").saturating_sub(1);
        let round_seed = 10 * i32::try_from(round).expect("small");
        let seed = i32::try_from(bank).expect("small") + round_seed + run;
        let mut vector: Vec<i32> = (1..)
            .take(dimension)
            .map(|i: i32| (i * 7919 + seed * 104_729) % 50_021 - 25_000)
            .collect();
        if round == 1 && bank == 2 {
            *vector.first_mut().expect("a coordinate") += self.story.excess;
            vector.truncate(dimension - usize::from(self.story.short));
        }
        vector
    }

    fn contribute(&mut self, round: u32, name: &str, bank: usize, plan: &Plan, vector: &[i32]) {
        let run = self.state.run().expect("a run");
        let (run, model) = (run.id, run.model.expect("a model").theta);
        let contribution = Contribution {
            run,
            round,
            plan: plan.digest(),
            model,
            institution: institution(name),
            vector: self.keep(vector.iter().flat_map(|value| value.to_le_bytes()).collect()),
            ledger_head: self.heads.get(&(bank, round)).copied().unwrap_or_else(|| sha256(b"head")),
            charge: plan.charge(),
        };
        let key = KEYS.record.get(bank).expect("a bank");
        let signature = key.sign_body("accepted", &self.genesis(), &contribution.encode());
        self.ask(Request::Contribute(contribution, signature));
    }

    /// Every request comes a second after the one before.
    fn ask(&mut self, request: Request) {
        self.seconds += 1;
        let at = Timestamp::from_millis(self.seconds * 1000);
        let drafts = decide(&self.state, at, request).expect("a request that is allowed");
        assert!(!drafts.is_empty(), "the request is answered by records");
        for draft in drafts {
            let genesis = self.leaves.first().map_or(Digest::ZERO, Leaf::digest);
            let leaf = draft.seal(&KEYS.operator, &genesis).expect("a leaf");
            self.state = apply(std::mem::take(&mut self.state), &leaf).expect("it follows");
            self.leaves.push(leaf);
        }
    }

    fn keep(&mut self, bytes: Vec<u8>) -> Digest {
        let digest = sha256(&bytes);
        self.blobs.insert(digest, bytes);
        digest
    }

    pub(crate) fn keep_model(&mut self, master: &Master) -> NewModel {
        let run = self.state.run().expect("a run").id;
        let theta = self.keep(master.theta_bytes());
        NewModel { run, theta, master: self.keep(master.to_bytes()) }
    }

    pub(crate) fn genesis(&self) -> Digest {
        self.leaves.first().expect("a leaf").digest()
    }

    /// The same record, with another body, by the operator.
    pub(crate) fn forge(&self, index: usize, body: Body) -> Leaf {
        let at = self.leaves.get(index).expect("a leaf").at();
        let record = Record { at, author: KEYS.operator.public(), body };
        record.sign(&KEYS.operator, &self.genesis()).expect("a leaf")
    }

    /// The tree over the leading `size` leaves, with a checkpoint of it.
    fn log(&self, size: usize) -> (MemoryLog, SignedCheckpoint) {
        let mut log = MemoryLog::new(MemoryBlobs::new());
        let leaves: Vec<_> = self.leaves.iter().take(size).map(|l| l.bytes().clone()).collect();
        let head = log.append(&log.head(), &leaves, &[]).expect("memory");
        let checkpoint =
            SignedCheckpoint::sign(&self.genesis(), head, &KEYS.log).expect("a checkpoint");
        (log, checkpoint)
    }

    /// A checkpoint of these leaves in the name of another consortium.
    pub(crate) fn checkpoint_for(&self, genesis: &Digest) -> String {
        let (log, _) = self.log(self.leaves.len());
        let signed = SignedCheckpoint::sign(genesis, log.head(), &KEYS.log);
        signed.expect("a checkpoint").text().to_owned()
    }

    /// The receipt for leaf `index` when the log had `size` leaves.
    pub(crate) fn receipt(&self, index: usize, size: usize) -> Receipt {
        let (log, checkpoint) = self.log(size);
        let number = |n: usize| u64::try_from(n).expect("small");
        Receipt {
            index: number(index),
            leaf: self.leaves.get(index).expect("a leaf").bytes().clone(),
            proof: inclusion_proof(&log, number(index), number(size)).expect("a proof"),
            checkpoint: checkpoint.text().to_owned(),
        }
    }

    /// The export, newly signed: nothing but the files, as a dishonest operator would make them.
    pub(crate) fn export(&self) -> Export {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("export");
        let (_, checkpoint) = self.log(self.leaves.len());
        let leaves = self.leaves.iter().map(|leaf| Ok::<_, Infallible>(leaf.bytes().clone()));
        let blob = |digest: &Digest| Ok(self.blobs.get(digest).cloned());
        let records =
            audit::export::write(&path, leaves, checkpoint.text(), blob).expect("written");
        assert_eq!(usize::try_from(records), Ok(self.leaves.len()));
        Export { folder, path }
    }
}

/// An export in a folder that goes when the test ends.
pub(crate) struct Export {
    folder: TempDir,
    pub(crate) path: PathBuf,
}

impl Export {
    pub(crate) fn verify(&self) -> audit::Report {
        audit::verify(&self.path, &audit::Options::default())
    }

    pub(crate) fn code(&self) -> u8 {
        self.verify().exit_code()
    }

    /// The code with a receipt at hand.
    pub(crate) fn code_with(&self, receipt: &str) -> u8 {
        let path = self.folder.path().join("receipt");
        std::fs::write(&path, receipt).expect("written");
        let receipts = vec![path];
        audit::verify(&self.path, &audit::Options { receipts, ..audit::Options::default() })
            .exit_code()
    }

    /// Every file, by its path within the export.
    pub(crate) fn files(&self) -> Vec<String> {
        fn walk(root: &Path, folder: &Path, into: &mut Vec<String>) {
            for entry in std::fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    walk(root, &path, into);
                } else {
                    let name = path.strip_prefix(root).expect("within").to_string_lossy();
                    into.push(name.into_owned());
                }
            }
        }
        let mut files = vec![];
        walk(&self.path, &self.path, &mut files);
        files.sort();
        files
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path.join(name)).expect("a file")
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path.join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, bytes).expect("written");
    }

    pub(crate) fn remove(&self, name: &str) {
        std::fs::remove_file(self.path.join(name)).expect("removed");
    }

    /// The code with one byte changed; the file is whole again afterwards.
    pub(crate) fn code_with_flip(&self, name: &str, at: usize, mask: u8) -> u8 {
        let whole = self.read(name);
        let mut bytes = whole.clone();
        *bytes.get_mut(at).expect("a byte") ^= mask;
        self.write(name, &bytes);
        let code = self.code();
        self.write(name, &whole);
        code
    }
}

pub(crate) fn institution(name: &str) -> Institution {
    name.parse().expect("a name")
}
