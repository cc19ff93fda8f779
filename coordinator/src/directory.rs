//! The coordinator's state directory.
//!
//! ```text
//! log.sqlite, blobs/     the log and what its leaves name
//! keys/                  operator.pem, log.pem, ca.pem, server.pem, log.next.pem while that key is being changed; mode 0600
//! ca.crt, server.crt     certificates
//! settings.json          where to listen, under which names, what kind of certificates to issue
//! invitations/           one file an invitation, named by the SHA-256 of its secret; mode 0600
//! certificates/          one file a certificate issued, named by its serial number
//! control.sock           commands, while the coordinator runs
//! ```

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use ledger::signing::{Pkcs8, SigningKey};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use wire::NodeKey;

use crate::error::Error;

/// What `init` was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The socket address to listen on.
    pub listen: String,
    /// `host:port` as clients reach it; its host is in the server's certificate.
    pub endpoint: String,
    /// Further names in the server's certificate.
    pub names: Vec<String>,
    /// How long a client certificate is valid, in seconds; it is renewed at half of that.
    pub certificate_seconds: u64,
    /// A loopback address for Prometheus metrics; none if empty.
    pub metrics: String,
    /// Who may look at the pages.
    pub pages: Pages,
}

/// Who may look at the pages on the port that members reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Pages {
    /// Nobody: there are none.
    Off,
    /// Members, by their certificates.
    Members,
    /// Members, and without a certificate everybody the promises and the log's head.
    Public,
}

/// The state directory.
#[derive(Debug, Clone)]
pub struct Directory {
    root: PathBuf,
}

impl Directory {
    /// The directory at `root`; nothing is read or made yet.
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_path_buf() }
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The control socket.
    pub fn control(&self) -> PathBuf {
        self.root.join("control.sock")
    }

    pub(crate) fn invitations(&self) -> PathBuf {
        self.root.join("invitations")
    }

    pub(crate) fn certificates(&self) -> PathBuf {
        self.root.join("certificates")
    }

    /// Makes the directory and its folders, mode 0700.
    pub(crate) fn create(&self) -> Result<(), Error> {
        for folder in
            [self.root.clone(), self.key_folder(), self.invitations(), self.certificates()]
        {
            let mut builder = fs::DirBuilder::new();
            builder.recursive(true).mode(0o700);
            builder.create(&folder).map_err(|error| Error::file(&folder, &error))?;
        }
        Ok(())
    }

    pub(crate) fn settings(&self) -> Result<Settings, Error> {
        self.read_json(&self.root.join("settings.json"))
    }

    pub(crate) fn write_settings(&self, settings: &Settings) -> Result<(), Error> {
        write_json(&self.root.join("settings.json"), settings)
    }

    pub(crate) fn signing_key(&self, name: &str) -> Result<SigningKey, Error> {
        let path = self.key_folder().join(format!("{name}.pem"));
        let pem = read_secret(&path)?;
        let pkcs8 = Pkcs8::from_pem(&pem).map_err(|error| Error::file(&path, &error))?;
        SigningKey::from_pkcs8(pkcs8.as_der()).map_err(|error| Error::file(&path, &error))
    }

    /// Whether there is a key of this name.
    pub(crate) fn has_key(&self, name: &str) -> bool {
        self.key_folder().join(format!("{name}.pem")).exists()
    }

    /// The log's next key becomes its key; nothing is left of the one before. Nothing to do if it has become that already.
    pub(crate) fn promote_log_key(&self) -> Result<(), Error> {
        if self.has_key("log.next") {
            self.write_key("log", &self.key_pem("log.next")?)?;
            let next = self.key_folder().join("log.next.pem");
            fs::remove_file(&next).map_err(|error| Error::file(&next, &error))?;
        }
        Ok(())
    }

    pub(crate) fn node_key(&self, name: &str) -> Result<NodeKey, Error> {
        let path = self.key_folder().join(format!("{name}.pem"));
        NodeKey::from_pem(&read_secret(&path)?).map_err(|error| Error::file(&path, &error))
    }

    pub(crate) fn key_pem(&self, name: &str) -> Result<zeroize::Zeroizing<String>, Error> {
        read_secret(&self.key_folder().join(format!("{name}.pem")))
    }

    pub(crate) fn write_key(&self, name: &str, pem: &str) -> Result<(), Error> {
        write_durably(&self.key_folder().join(format!("{name}.pem")), pem.as_bytes())
    }

    pub(crate) fn certificate(&self, name: &str) -> Result<String, Error> {
        let path = self.root.join(format!("{name}.crt"));
        fs::read_to_string(&path).map_err(|error| Error::file(&path, &error))
    }

    pub(crate) fn write_certificate(&self, name: &str, pem: &str) -> Result<(), Error> {
        write_durably(&self.root.join(format!("{name}.crt")), pem.as_bytes())
    }

    fn key_folder(&self) -> PathBuf {
        self.root.join("keys")
    }

    fn read_json<T: DeserializeOwned>(&self, path: &Path) -> Result<T, Error> {
        if !path.exists() {
            return Err(Error::NotFound(format!(
                "{} is not a coordinator's state directory: make one with \
                 `counterfoil-coordinator init --state {}`",
                self.root.display(),
                self.root.display()
            )));
        }
        read_json(path)
    }
}

pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let text = fs::read_to_string(path).map_err(|error| Error::file(path, &error))?;
    serde_json::from_str(&text).map_err(|error| Error::file(path, &error))
}

pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), Error> {
    let text = serde_json::to_vec_pretty(value).map_err(|error| Error::file(path, &error))?;
    write_durably(path, &text)
}

/// Replaces a file whole or not at all; mode 0600.
pub(crate) fn write_durably(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let failed = |error: std::io::Error| Error::file(path, &error);
    let temporary = path.with_extension("tmp");
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)
        .map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&temporary, path).map_err(failed)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

/// A secret; refused if others than its owner may read it.
fn read_secret(path: &Path) -> Result<zeroize::Zeroizing<String>, Error> {
    let failed = |error: std::io::Error| Error::file(path, &error);
    let mode = fs::metadata(path).map_err(failed)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let why = format!("expected mode 0600, got {mode:04o}: chmod 600 {}", path.display());
        return Err(Error::File { path: path.to_path_buf(), why });
    }
    fs::read_to_string(path).map(zeroize::Zeroizing::new).map_err(failed)
}
