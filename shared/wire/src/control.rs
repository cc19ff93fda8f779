//! How a daemon is controlled: one JSON line in, one JSON line out, over a Unix socket in its state
//! directory. Whoever may open the directory may command; nothing of this is reachable from outside.

use std::{
    future::Future,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::{Arc, Weak},
    time::Duration,
};

use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    time::{sleep, timeout},
};

use crate::{Error, limits};

const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// A socket that answers commands until it is dropped.
#[derive(Debug)]
pub struct Control {
    listener: UnixListener,
    token: Arc<()>,
}

/// The conversations of a socket that are under way. A daemon that is told to end says so before it
/// does: it waits for [`Conversations::ended`].
#[derive(Debug, Clone)]
pub struct Conversations(Weak<()>);

impl Conversations {
    /// Waits until the socket is dropped and every answer is sent, for [`limits::CONTROL_DRAIN`] at
    /// most.
    pub async fn ended(&self) {
        let waiting = async {
            while self.0.strong_count() > 0 {
                sleep(LOOK_AGAIN).await;
            }
        };
        // A caller that does not read its answer is not waited for.
        let _ = timeout(limits::CONTROL_DRAIN, waiting).await;
    }
}

impl Control {
    /// Binds the socket, mode 0600. A socket left by a killed daemon is replaced: the caller holds
    /// the lock of the state directory, so no other daemon can be behind it.
    ///
    /// # Errors
    ///
    /// [`Error::Control`] if the path cannot be bound.
    pub fn bind(path: &Path) -> Result<Self, Error> {
        let failed = |error: std::io::Error| Error::control(path, &error);
        if path.exists() {
            std::fs::remove_file(path).map_err(failed)?;
        }
        let listener = UnixListener::bind(path).map_err(failed)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
        Ok(Self { listener, token: Arc::new(()) })
    }

    /// The conversations under way.
    pub fn conversations(&self) -> Conversations {
        Conversations(Arc::downgrade(&self.token))
    }

    /// Answers each command with what `answer` gives, for ever. A line that is no command is
    /// answered by `refuse`, with what was wrong with it.
    pub async fn serve<C, A, F>(
        self,
        answer: impl Fn(C) -> F + Clone + Send + Sync + 'static,
        refuse: impl Fn(String) -> A + Clone + Send + Sync + 'static,
    ) where
        C: DeserializeOwned + Send + 'static,
        A: Serialize + Send + 'static,
        F: Future<Output = A> + Send + 'static,
    {
        loop {
            let Ok((stream, _)) = self.listener.accept().await else { continue };
            let (answer, refuse) = (answer.clone(), refuse.clone());
            let token = Arc::clone(&self.token);
            tokio::spawn(async move {
                // A caller that goes away has its answer dropped; there is nobody to tell.
                let _ = conversation(stream, answer, refuse).await;
                drop(token);
            });
        }
    }
}

async fn conversation<C, A, F>(
    stream: UnixStream,
    answer: impl Fn(C) -> F,
    refuse: impl Fn(String) -> A,
) -> std::io::Result<()>
where
    C: DeserializeOwned,
    A: Serialize,
    F: Future<Output = A>,
{
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read.take(limits::CONTROL_BYTES_MAX)).lines();
    let Some(line) = lines.next_line().await? else { return Ok(()) };
    let reply = match serde_json::from_str(&line) {
        Ok(command) => answer(command).await,
        Err(error) => refuse(error.to_string()),
    };
    let mut bytes = serde_json::to_vec(&reply)?;
    bytes.push(b'\n');
    write.write_all(&bytes).await
}

/// Sends one command to the daemon behind `path` and waits for its answer.
///
/// # Errors
///
/// [`Error::Control`] if no daemon listens, it does not answer in time, or its answer is no answer.
pub async fn call<C: Serialize, A: DeserializeOwned>(path: &Path, command: &C) -> Result<A, Error> {
    let exchange = async {
        let (read, mut write) = UnixStream::connect(path).await?.into_split();
        let mut bytes = serde_json::to_vec(command)?;
        bytes.push(b'\n');
        write.write_all(&bytes).await?;
        let mut line = String::new();
        BufReader::new(read.take(limits::CONTROL_BYTES_MAX)).read_line(&mut line).await?;
        Ok(serde_json::from_str(&line)?)
    };
    match timeout(limits::CONTROL_TIMEOUT, exchange).await {
        Ok(answer) => answer.map_err(|error: std::io::Error| Error::control(path, &error)),
        Err(_) => Err(Error::control(path, &std::io::ErrorKind::TimedOut.into())),
    }
}
