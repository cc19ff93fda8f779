//! What a bank sends, and how long it may take.

use std::{
    fmt,
    future::Future,
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use prost::bytes::Bytes;
use tokio::{sync::watch, time::timeout};
use tokio_stream::Stream;
use tonic::Status;

use crate::{
    Error, chunk,
    limits::{BLOB_BYTES_MAX, HEADER_BYTES_MAX},
    proto::{ContributeRequest, ContributionHeader},
};

/// A contribution ready to be sent: its signed header and its vector, the same bytes at each retry.
#[derive(Clone)]
pub struct Upload {
    header: ContributionHeader,
    vector: Bytes,
}

impl Upload {
    /// The canonical Contribution body, the record key's signature on it, and the vector.
    ///
    /// # Errors
    ///
    /// [`Error::TooLong`] if the body or the vector is above its limit.
    pub fn new(contribution: Vec<u8>, signature: Vec<u8>, vector: Bytes) -> Result<Self, Error> {
        within("contribution header", contribution.len(), HEADER_BYTES_MAX as u64)?;
        within("vector", vector.len(), BLOB_BYTES_MAX)?;
        let header =
            ContributionHeader { contribution: contribution.into(), signature: signature.into() };
        Ok(Self { header, vector })
    }

    /// The messages, and a sign of life each time one is taken.
    pub(super) fn into_messages(self) -> (Messages, watch::Receiver<()>) {
        let (taken, watched) = watch::channel(());
        let messages = Box::new(chunk::contribution(self.header, self.vector));
        (Messages { messages, taken }, watched)
    }
}

impl fmt::Debug for Upload {
    /// Without the vector, which nobody should find in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Upload({} bytes)", self.vector.len())
    }
}

pub(super) struct Messages {
    messages: Box<dyn Iterator<Item = ContributeRequest> + Send>,
    taken: watch::Sender<()>,
}

impl Stream for Messages {
    type Item = ContributeRequest;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<ContributeRequest>> {
        self.taken.send_replace(());
        Poll::Ready(self.messages.next())
    }
}

/// The answer of `call`, as long as within each `progress` a message is taken or the answer comes.
pub(super) async fn while_taken<T>(
    call: impl Future<Output = Result<T, Status>>,
    mut taken: watch::Receiver<()>,
    progress: Duration,
) -> Result<T, Error> {
    let mut call = pin!(call);
    loop {
        let next = async {
            tokio::select! {
                answer = &mut call => Some(answer),
                Ok(()) = taken.changed() => None,
            }
        };
        match timeout(progress, next).await {
            Ok(Some(answer)) => return Ok(answer?),
            Ok(None) => {}
            Err(_) => return Err(Error::Stalled(progress)),
        }
    }
}

const fn within(what: &'static str, length: usize, limit: u64) -> Result<(), Error> {
    let length = length as u64;
    if length > limit { Err(Error::TooLong { what, length, limit }) } else { Ok(()) }
}
