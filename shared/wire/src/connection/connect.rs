//! From an address to a channel.

use std::io;

use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;

use crate::{Error, limits, tls::ClientTls};

/// Less than a frame, so that bulk reads go past it.
const READ_AHEAD_BYTES: usize = 4 * 1024;

/// A channel to `address` that is connected now and connects again when it has to.
pub(super) async fn channel(address: &str, tls: &ClientTls) -> Result<Channel, Error> {
    let invalid = || Error::Address(address.to_owned());
    let uri: Uri = format!("https://{address}").parse().map_err(|_| invalid())?;
    let (Some(host), Some(_), "/") = (uri.host(), uri.port(), uri.path()) else {
        return Err(invalid());
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(host.to_owned()).map_err(|_| invalid())?;
    // tonic must not add TLS of its own: it is given plain http, and told what to write in requests.
    let endpoint = Endpoint::from_shared(format!("http://{address}"))
        .map_err(|_| invalid())?
        .origin(uri.clone())
        .initial_stream_window_size(limits::STREAM_WINDOW_BYTES)
        .initial_connection_window_size(limits::CONNECTION_WINDOW_BYTES)
        .max_frame_size(limits::FRAME_BYTES_MAX)
        .http2_max_header_list_size(limits::HEADER_LIST_BYTES_MAX)
        .http2_keep_alive_interval(limits::KEEPALIVE_INTERVAL)
        .keep_alive_timeout(limits::KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true);
    let (address, tls) = (address.to_owned(), tls.clone());
    let connector = service_fn(move |_: Uri| {
        let (address, name, tls) = (address.clone(), name.clone(), tls.clone());
        async move {
            let connecting = connect(&address, name, &tls);
            let connected = timeout(limits::CONNECT_TIMEOUT, connecting).await;
            let stream = connected.map_err(|_| timed_out())??;
            Ok::<_, io::Error>(TokioIo::new(stream))
        }
    });
    endpoint.connect_with_connector(connector).await.map_err(|error| Error::transport(&error))
}

/// A TLS connection on which the server has said its first word.
///
/// In TLS 1.3 a client is done before the server has looked at its certificate. Waiting for the
/// server's HTTP/2 settings turns "your certificate is refused" into an error of the connection
/// instead of one of some later call.
async fn connect(
    address: &str,
    name: ServerName<'static>,
    tls: &ClientTls,
) -> io::Result<BufReader<TlsStream<TcpStream>>> {
    let tcp = TcpStream::connect(address).await?;
    tcp.set_nodelay(true)?;
    let stream = TlsConnector::from(tls.config()).connect(name, tcp).await?;
    let mut stream = BufReader::with_capacity(READ_AHEAD_BYTES, stream);
    if stream.fill_buf().await?.is_empty() {
        let why = "the coordinator hung up before its first word";
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, why));
    }
    Ok(stream)
}

fn timed_out() -> io::Error {
    let why = format!("the coordinator did not answer within {:?}", limits::CONNECT_TIMEOUT);
    io::Error::new(io::ErrorKind::TimedOut, why)
}
