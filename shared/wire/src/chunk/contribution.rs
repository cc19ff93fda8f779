//! A contribution as messages.

use std::{pin::Pin, time::Duration};

use prost::bytes::Bytes;
use tokio_stream::Stream;
use tonic::Status;

use super::{Assembly, next, pieces};
use crate::{
    Error,
    limits::HEADER_BYTES_MAX,
    proto::{ContributeRequest, ContributionHeader, contribute_request::Part},
};

/// The header and then the vector. Nothing is copied.
pub(crate) fn contribution(
    header: ContributionHeader,
    vector: Bytes,
) -> impl Iterator<Item = ContributeRequest> + Send + 'static {
    std::iter::once(Part::Header(header))
        .chain(pieces(vector).map(Part::Data))
        .map(|part| ContributeRequest { part: Some(part) })
}

/// The server's side of one `Contribute` call: first the header, and only if that is acceptable the
/// vector, of the length that the plan says.
#[derive(Debug)]
pub struct ContributionReader<S> {
    stream: Pin<Box<S>>,
    progress: Duration,
}

impl<S> ContributionReader<S>
where
    S: Stream<Item = Result<ContributeRequest, Status>>,
{
    /// Reads from `stream`, whose next message must always come within `progress`.
    pub fn new(stream: S, progress: Duration) -> Self {
        Self { stream: Box::pin(stream), progress }
    }

    /// The header, which must be the first message. Nothing in it is verified here but its size.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfOrder`], [`Error::TooLong`], [`Error::Stalled`], or the sender's own error.
    pub async fn header(&mut self) -> Result<ContributionHeader, Error> {
        let header = match self.part().await? {
            Some(Part::Header(header)) => header,
            Some(Part::Data(_)) => return Err(out_of_order("the header", "data")),
            None => return Err(out_of_order("the header", "the end")),
        };
        let length = header.contribution.len().max(header.signature.len());
        if length > HEADER_BYTES_MAX {
            return Err(Error::TooLong {
                what: "contribution header",
                length: length as u64,
                limit: HEADER_BYTES_MAX as u64,
            });
        }
        Ok(header)
    }

    /// The vector of `length` bytes and the end of the stream.
    ///
    /// # Errors
    ///
    /// [`Error::TooLong`] if `length` is above `limit` or more comes, [`Error::Truncated`],
    /// [`Error::TooSmall`], [`Error::OutOfOrder`], [`Error::Stalled`], or the sender's own error.
    pub async fn vector(mut self, length: u64, limit: u64) -> Result<Vec<u8>, Error> {
        let mut assembly = Assembly::new("vector", length, limit)?;
        loop {
            match self.part().await? {
                Some(Part::Data(data)) => assembly.push(&data)?,
                Some(Part::Header(_)) => return Err(out_of_order("data", "a second header")),
                None => return assembly.finish(),
            }
        }
    }

    async fn part(&mut self) -> Result<Option<Part>, Error> {
        match next(&mut self.stream, self.progress).await? {
            None => Ok(None),
            Some(ContributeRequest { part: Some(part) }) => Ok(Some(part)),
            Some(ContributeRequest { part: None }) => {
                Err(out_of_order("a header or data", "an empty message"))
            }
        }
    }
}

const fn out_of_order(expected: &'static str, got: &'static str) -> Error {
    Error::OutOfOrder { expected, got }
}
