//! The sandbox's program: coordinator, client and demo in one binary.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

/// The path of the program, built by the cargo that runs the tests and with the same profile.
pub fn sandbox() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| built("sandbox", "counterfoil-sandbox"))
}

/// Builds a program of ours.
fn built(package: &str, program: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    // …/target/debug/deps/test-1234: two folders up.
    let folder = test.parent().and_then(Path::parent).expect("a test lies in deps/");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--locked", "-p", package, "--bin", program]);
    build.arg("--target-dir").arg(folder.parent().expect("a profile lies in target/"));
    if folder.file_name() == Some(OsStr::new("release")) {
        build.arg("--release");
    }
    let built = build.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).status();
    assert!(built.unwrap().success(), "{program} must build");
    folder.join(program)
}

/// Runs the program to its end.
pub fn run(arguments: &[&OsStr]) -> Output {
    Command::new(sandbox()).args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// A daemon of the program, killed when it is dropped.
#[derive(Debug)]
pub struct Daemon {
    arguments: [String; 4],
    log: PathBuf,
    child: Child,
}

impl Daemon {
    /// Starts `counterfoil-sandbox PROGRAM --state STATE run`, its output appended to `STATE.log`.
    pub fn start(program: &str, state: &Path) -> Self {
        Self::start_as(program, state, "run")
    }

    /// The same with another command than `run`.
    pub fn start_as(program: &str, state: &Path, command: &str) -> Self {
        let state_text = state.to_str().unwrap().to_owned();
        let arguments = [program.to_owned(), "--state".to_owned(), state_text, command.to_owned()];
        let log = state.with_extension("log");
        let child = spawn(&arguments, &log);
        Self { arguments, log, child }
    }

    /// Kills it as a power cut would, and starts it again at once.
    pub fn kill_and_restart(&mut self) {
        self.kill();
        self.child = spawn(&self.arguments, &self.log);
    }

    /// Panics with what the daemon wrote if it has ended by itself.
    pub fn check(&mut self) {
        if let Some(status) = self.child.try_wait().unwrap() {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            panic!("{:?} ended by itself with {status}:\n{log}", self.arguments);
        }
    }

    /// True once it has ended by itself.
    pub fn ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Its exit code, once it has ended by itself.
    pub fn code(&mut self) -> Option<i32> {
        self.child.try_wait().unwrap()?.code()
    }

    /// Tells it to end, as a service manager does.
    pub fn terminate(&self) {
        let told = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(told.unwrap().success(), "the daemon must be there");
    }

    /// What it wrote.
    pub fn written(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Kills it as a power cut would.
    pub fn kill(&mut self) {
        // Errors mean that it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(arguments: &[String], log: &Path) -> Child {
    let log = File::options().create(true).append(true).open(log).unwrap();
    let mut command = Command::new(sandbox());
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    command.spawn().unwrap()
}

/// The path of the auditor's program, built as [`sandbox`] is.
pub fn auditor() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| built("audit", "counterfoil-audit"))
}
