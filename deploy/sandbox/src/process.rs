//! Processes of the sandbox: this very program under another name.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::error::SandboxError;

/// How long an ended process may take to be gone.
const END_MAX: Duration = Duration::from_secs(15);

/// A daemon, killed when it is dropped.
pub(crate) struct Daemon {
    name: String,
    log: PathBuf,
    child: Child,
}

impl Daemon {
    /// Starts `counterfoil-sandbox ARGUMENTS…`, its output in `log`.
    pub(crate) fn start(
        name: &str,
        arguments: &[OsString],
        log: &Path,
    ) -> Result<Self, SandboxError> {
        let open = || OpenOptions::new().create(true).append(true).open(log);
        let (out, err) = match (open(), open()) {
            (Ok(out), Ok(err)) => (out, err),
            (Err(error), _) | (_, Err(error)) => return Err(SandboxError::file(log, &error)),
        };
        let child = itself()?
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .map_err(|error| SandboxError::file(log, &error))?;
        Ok(Self { name: name.to_owned(), log: log.to_path_buf(), child })
    }

    /// The system's number of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// An error if the process has ended by itself.
    pub(crate) fn check(&mut self) -> Result<(), SandboxError> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(self.failed(&status.to_string())),
            Err(error) => Err(self.failed(&error.to_string())),
        }
    }

    /// Waits for a process that was told to end.
    pub(crate) fn ended(mut self) -> Result<(), SandboxError> {
        let begin = Instant::now();
        while begin.elapsed() < END_MAX {
            match self.child.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => return Err(self.failed(&status.to_string())),
                Ok(None) => std::thread::sleep(Duration::from_millis(20)),
                Err(error) => return Err(self.failed(&error.to_string())),
            }
        }
        Err(self.failed("it did not end when told to"))
    }

    fn failed(&self, why: &str) -> SandboxError {
        SandboxError::Process {
            what: self.name.clone(),
            why: why.to_owned(),
            log: self.log.clone(),
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // A sandbox that fails leaves nothing running. Errors mean that it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `counterfoil-sandbox ARGUMENTS… --json` to its end and gives the envelope's data.
pub(crate) fn ask(what: &str, arguments: &[OsString], log: &Path) -> Result<Value, SandboxError> {
    let failed =
        |why: String| SandboxError::Process { what: what.to_owned(), why, log: log.to_path_buf() };
    let output = itself()?
        .args(arguments)
        .arg("--json")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| failed(error.to_string()))?;
    let answer: Value = serde_json::from_slice(&output.stdout)
        .map_err(|_| failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()))?;
    let data = answer.get("data").cloned().unwrap_or(Value::Null);
    if output.status.success() {
        Ok(data)
    } else {
        let said = data.get("error").or_else(|| data.get("what"));
        Err(failed(said.map_or_else(|| answer.to_string(), ToString::to_string)))
    }
}

fn itself() -> Result<Command, SandboxError> {
    let path = std::env::current_exe()
        .map_err(|error| SandboxError::file(Path::new("counterfoil-sandbox"), &error))?;
    Ok(Command::new(path))
}
