//! What a bank sends, and how long it may take.

use std::{
    fmt,
    future::Future,
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use ledger::{
    population::Released,
    record::{Canonical as _, Contribution},
    signing::Signature,
};
use prost::bytes::Bytes;
use tokio::{sync::watch, time::timeout};
use tokio_stream::Stream;
use tonic::Status;

use crate::{
    Error, chunk,
    digest::sha256,
    limits::BLOB_BYTES_MAX,
    proto::{ContributeRequest, ContributionHeader},
};

/// A contribution ready to be sent: its signed header and its vector, the same bytes at each retry.
#[derive(Clone)]
pub struct Upload {
    header: ContributionHeader,
    vector: Bytes,
}

impl Upload {
    /// The contribution of `released`, with the record key's signature on its canonical body, and
    /// the vector. A [`Released`] exists only once the charge and these very bytes are durable.
    ///
    /// # Errors
    ///
    /// [`Error::WrongDigest`] if the vector is not the one that was released,
    /// [`Error::NotReleased`] if the contribution speaks of another release, [`Error::TooLong`] if
    /// the vector is above its limit.
    pub fn new(
        released: &Released,
        contribution: &Contribution,
        signature: &Signature,
        vector: Bytes,
    ) -> Result<Self, Error> {
        let length = vector.len() as u64;
        if length > BLOB_BYTES_MAX {
            return Err(Error::TooLong { what: "vector", length, limit: BLOB_BYTES_MAX });
        }
        let (expected, got) = (*released.vector().as_bytes(), sha256(&vector));
        if expected != got {
            return Err(Error::WrongDigest { expected, got });
        }
        let request = released.request();
        let told = [
            ("run", contribution.run == request.run),
            ("round", contribution.round == request.round),
            ("plan", contribution.plan == request.plan),
            ("model", contribution.model == request.model),
            ("vector", contribution.vector == *released.vector()),
            ("charge", contribution.charge == request.charge),
        ];
        if let Some((what, _)) = told.into_iter().find(|(_, same)| !same) {
            return Err(Error::NotReleased(what));
        }
        let header = ContributionHeader {
            contribution: contribution.encode().into(),
            signature: signature.as_bytes().to_vec().into(),
        };
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
