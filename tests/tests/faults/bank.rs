//! A bank on a disk of its own, one round at a time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use conformance::plans;
use ledger::digest::Digest;
use serde_json::Value;
use tempfile::TempDir;

use super::points::Fault;
use super::table::Outcome;

/// The round that suffers; round 0 was whole.
const ROUND: u32 = 1;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// The vector is kept in the ledger's own database.
    Small,
    /// The vector is kept in a file beside it.
    Large,
}

pub(crate) struct Bank {
    root: PathBuf,
    dimension: usize,
    _owner: Option<TempDir>,
    _disk: Option<Tmpfs>,
}

impl Bank {
    /// A bank that has taken part in round 0.
    pub(crate) fn prepared(size: Size) -> Self {
        let owner = TempDir::new().unwrap();
        let root = owner.path().to_owned();
        let genesis = Digest::from_bytes([7; 32]);
        let plan = plans::text(&genesis, &["north"], 5);
        let plan = match size {
            Size::Small => plan,
            Size::Large => plan.replace("hidden = []", "hidden = [150, 150]"),
        };
        fs::create_dir(root.join("state")).unwrap();
        let state = root.join("state");
        fs::write(state.join("plan.toml"), &plan).unwrap();
        fs::write(state.join("rows.csv"), plans::rows()).unwrap();
        fs::write(state.join("data.toml"), "path = \"rows.csv\"\n").unwrap();
        fs::create_dir(root.join("elsewhere")).unwrap();
        let dimension = round::plan::Plan::parse(plan.as_bytes()).unwrap().dimension();
        let bank = Self { root, dimension, _owner: Some(owner), _disk: None };
        bank.write_policy();
        let begun = bank.run(0);
        assert!(begun.status.success(), "{}", String::from_utf8_lossy(&begun.stderr));
        bank
    }

    fn write_policy(&self) {
        let place = format!(
            "delta = 1e-5\nsecond_place = \"{}\"\n[allow]",
            self.root.join("elsewhere").display()
        );
        let policy = plans::policy(&Digest::from_bytes([7; 32]));
        let policy = policy.replace("delta = 1e-5\n[allow]", &place);
        fs::write(self.root.join("state").join("policy.toml"), policy).unwrap();
    }

    /// The same bank in another place.
    pub(crate) fn copied(&self) -> Self {
        let owner = TempDir::new().unwrap();
        let bank = self.copied_to(owner.path().to_owned());
        Self { _owner: Some(owner), ..bank }
    }

    fn copied_to(&self, root: PathBuf) -> Self {
        copy(&self.root, &root);
        let bank = Self { root, dimension: self.dimension, _owner: None, _disk: None };
        bank.write_policy();
        bank
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn vector_bytes(&self) -> usize {
        4 * self.dimension
    }

    /// What the bank's files take on a disk of pages.
    pub(crate) fn disk_bytes(&self) -> u64 {
        fn of(path: &Path) -> u64 {
            let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
            entries.map(|p| if p.is_dir() { of(&p) } else { pages(&p) }).sum()
        }
        fn pages(path: &Path) -> u64 {
            fs::metadata(path).unwrap().len().div_ceil(4096) * 4096
        }
        of(&self.root)
    }

    /// The size of the ledger's write-ahead log, which the round makes longer.
    pub(crate) fn log_bytes(&self) -> u64 {
        let log = self.root.join("state").join("population").join("log.sqlite-wal");
        fs::metadata(log).unwrap().len()
    }

    /// The command of the round that suffers.
    pub(crate) fn round(&self) -> [PathBuf; 3] {
        let program = env!("CARGO_BIN_EXE_one-round");
        [program.into(), self.root.join("state"), ROUND.to_string().into()]
    }

    fn run(&self, round: u32) -> Output {
        let [program, state, _] = self.round();
        Command::new(program).arg(state).arg(round.to_string()).output().unwrap()
    }

    /// A round with a fault, then one without: what was sent, and what is charged for it.
    pub(crate) fn suffers(&self, fault: &Fault) -> Outcome {
        let mut command = match fault {
            Fault::At(point) => {
                let mut command = Command::new("strace");
                // What is not traced is not harmed either.
                let traced = format!("trace={}", point.call);
                command.args(["-o", "/dev/null", "-e", &traced, "-e", &point.injection()]);
                command
            }
            Fault::FileLimit(bytes) => {
                let mut command = Command::new("prlimit");
                command.arg(format!("--fsize={bytes}")).args(["env", "--ignore-signal=XFSZ"]);
                command
            }
        };
        let failed = command.args(self.round()).output().unwrap();
        self.recovers(&failed)
    }

    /// The same with so small a disk, which has more room afterwards.
    pub(crate) fn on_a_disk_of(&self, bytes: u64) -> Outcome {
        let disk = Tmpfs::of(1 << 26).unwrap();
        let bank = self.copied_to(disk.path().join("bank"));
        disk.resize(bytes);
        let failed = bank.run(ROUND);
        disk.resize(1 << 26);
        let bank = Self { _disk: Some(disk), ..bank };
        bank.recovers(&failed)
    }

    fn recovers(&self, failed: &Output) -> Outcome {
        let between = self.charge();
        let again = self.run(ROUND);
        assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
        let (first, second) = (sent(failed), sent(&again));
        let charge = self.charge().expect("the round is charged");
        // What was sent, before the fault or after it, is what is charged: once, and always the same.
        let vector = charge.vector.expect("the round is released");
        for sent in first.iter().chain(&second) {
            assert_eq!(*sent, vector, "sent and not charged");
        }
        assert!(first.is_some() || second.is_some(), "the round was never sent");
        match (first, between) {
            (Some(_), _) => Outcome::Sent,
            (None, None) => Outcome::Nothing,
            (None, Some(Charge { vector: None })) => Outcome::Charged,
            (None, Some(Charge { vector: Some(_) })) => Outcome::Released,
        }
    }

    /// The charge of the round, once the whole ledger is found to be sound.
    fn charge(&self) -> Option<Charge> {
        let [program, state, _] = self.round();
        let shown = Command::new(program).arg(state).output().unwrap();
        assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
        let ledger: Value = serde_json::from_slice(&shown.stdout).unwrap();
        let charges = ledger["charges"].as_array().unwrap();
        let of_round = charges.iter().filter(|charge| charge["round"] == ROUND);
        let of_round: Vec<&Value> = of_round.collect();
        assert!(of_round.len() <= 1, "a round is charged once");
        assert!(charges.len() <= 2 && charges.iter().all(|charge| charge["standing"] != "voided"));
        let vector = of_round.first()?["vector"].as_str().map(ToOwned::to_owned);
        Some(Charge { vector })
    }
}

/// What is charged for the round.
struct Charge {
    /// The digest of what may be sent.
    vector: Option<String>,
}

/// The digest that a round printed as sent.
fn sent(output: &Output) -> Option<String> {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().find_map(|line| line.strip_prefix("sent ")).map(ToOwned::to_owned)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            // Most of a store's directories are empty, and made again when it is opened.
            let is_empty = fs::read_dir(entry.path()).unwrap().next().is_none();
            if !is_empty {
                copy(&entry.path(), &target);
            }
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A small disk in memory.
pub(crate) struct Tmpfs(TempDir);

impl Tmpfs {
    /// One, if this process may mount it.
    pub(crate) fn possible() -> Option<Self> {
        Self::of(1 << 20)
    }

    fn of(bytes: u64) -> Option<Self> {
        let place = TempDir::new().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs"]).arg(place.path());
        mount.output().is_ok_and(|out| out.status.success()).then_some(Self(place))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn resize(&self, bytes: u64) {
        let mut mount = Command::new("mount");
        mount.args(["-o", &format!("remount,size={bytes}")]).arg(self.0.path());
        assert!(mount.output().unwrap().status.success());
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // What cannot be unmounted stays until the machine ends.
        let _ = Command::new("umount").arg(self.0.path()).output();
    }
}
