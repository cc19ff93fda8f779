//! Figures for Prometheus, on a loopback address of the operator's choice.
//!
//! Only what the log says or the operator owns: records, rounds, contributions, connections. Nothing
//! that a bank computed from its rows is among them; what a run measured, noised, is in `run_metrics`.

use std::net::SocketAddr;
use std::sync::Arc;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Duration, timeout};
use wire::tls::Acceptor;

use crate::error::Error;
use crate::sequencer::Published;

/// A scrape's request is a line and a few headers.
const REQUEST_BYTES_MAX: usize = 4096;
const SCRAPE_TIMEOUT: Duration = Duration::from_secs(5);

/// Serves `GET /metrics` on `address`, if there is one; it must be a loopback address.
pub(crate) async fn serve(
    address: &str,
    published: watch::Receiver<Arc<Published>>,
    acceptor: Acceptor,
) -> Result<(), Error> {
    if address.is_empty() {
        return Ok(());
    }
    let address: SocketAddr = address.parse().map_err(|_| {
        Error::Usage(format!(
            "metrics: expected an address such as 127.0.0.1:9464, got {address:?}"
        ))
    })?;
    if !address.ip().is_loopback() {
        return Err(Error::Usage(format!(
            "metrics: expected a loopback address, got {address}: metrics are served without TLS"
        )));
    }
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    // A second coordinator in one process keeps the first one's recorder.
    let _ = metrics::set_global_recorder(recorder);
    let listener =
        TcpListener::bind(address).await.map_err(|error| Error::Usage(error.to_string()))?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            observe(&published.borrow().clone(), &acceptor);
            let _ = timeout(SCRAPE_TIMEOUT, answer(stream, &handle)).await;
        }
    });
    Ok(())
}

fn observe(published: &Published, acceptor: &Acceptor) {
    let state = &published.state;
    #[expect(clippy::cast_precision_loss, reason = "gauges are f64; counts stay below 2^53")]
    let gauge = |name: &'static str, value: u64| metrics::gauge!(name).set(value as f64);
    gauge("counterfoil_log_records", state.size);
    gauge("counterfoil_log_last_record_milliseconds", state.at.as_millis());
    gauge("counterfoil_connections", acceptor.connections().count() as u64);
    let round = state.round();
    gauge("counterfoil_round_open", u64::from(round.is_some()));
    gauge("counterfoil_round_number", round.map_or(0, |round| u64::from(round.number)));
    gauge("counterfoil_round_extensions", round.map_or(0, |round| u64::from(round.extensions)));
    gauge("counterfoil_round_accepted", round.map_or(0, |round| round.accepted.len() as u64));
    gauge("counterfoil_round_expected", round.map_or(0, |round| round.cohort.len() as u64));
}

async fn answer(mut stream: TcpStream, handle: &PrometheusHandle) -> std::io::Result<()> {
    let mut request = [0; REQUEST_BYTES_MAX];
    let length = stream.read(&mut request).await?;
    let line = request.get(..length).unwrap_or_default();
    let (status, body) = if line.starts_with(b"GET /metrics ") {
        ("200 OK", handle.render())
    } else {
        ("404 Not Found", "only GET /metrics\n".to_owned())
    };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain; version=0.0.4\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await
}
