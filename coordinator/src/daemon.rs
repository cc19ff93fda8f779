//! The running coordinator: everything started, watched and ended.

use std::path::Path;
use std::sync::mpsc::{channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use ledger::log_store::{BlobStore, LogStore};
use ledger::signing::PublicKey;
use round::state::{Consortium, State};
use store::{Blobs, SqliteLog, Syncs};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use wire::control::Control;
use wire::tls::{AcceptLimits, Acceptor, ServerTls, system_clock};

use crate::aggregate::{self, Aggregator};
use crate::api::{Service, Shelf};
use crate::clock;
use crate::control::{Operator, Reply};
use crate::dashboard::{Dashboard, Projection, Updater, is_public};
use crate::directory::{Directory, Pages, Settings};
use crate::error::Error;
use crate::governance::{Certificates, Invitations};
use crate::log_keys::LogSigners;
use crate::metrics;
use crate::recovery::{Recovered, Scrub, recover};
use crate::sequencer::{Handle, Keys, Parts, Sequencer};
use crate::witnesses::Witnesses;

/// Commands that may wait for the sequencer.
const INBOX_MAX: usize = 4096;
/// Time that running calls have to end after the signal to stop.
const GRACE: Duration = Duration::from_secs(2);
/// How often the server's certificate and the revocation list are made anew.
const REFRESH: Duration = Duration::from_hours(24);

/// Runs the coordinator in `root` until it is told to stop.
///
/// # Errors
///
/// [`Error`] if it cannot start, or if storage fails while it runs: then it ends rather than promise
/// what it cannot keep.
pub fn run(root: &Path) -> Result<(), Error> {
    let directory = Directory::at(root);
    directory.settings()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Error::storage(&error))?;
    runtime.block_on(serve(directory))
}

/// Everything recovered and put together, nothing started.
struct Assembled {
    service: Arc<Service<Blobs>>,
    acceptor: Acceptor,
    sequencer: Sequencer<SqliteLog, Blobs>,
    aggregator: Aggregator<Blobs>,
    scrub: Scrub,
    syncs: Syncs,
}

fn assemble(directory: &Directory) -> Result<Assembled, Error> {
    let (log, blobs) = store::open(directory.root()).map_err(|error| Error::storage(&error))?;
    let syncs = log.syncs().clone();
    let log_keys = LogSigners::of(directory)?;
    let keys = Keys { operator: directory.signing_key("operator")?, log: log_keys };
    let started = std::time::Instant::now();
    let Recovered { state, library, covered, scrub } = recover(&log, &keys.log.public())?;
    let library = Arc::new(library);
    let elapsed_ms = started.elapsed().as_millis();
    tracing::info!(records = state.size, covered, elapsed_ms, "recovered");
    let consortium = state.consortium.as_ref().ok_or_else(|| {
        Error::NotFound("the log is empty: found the consortium with `init`".to_owned())
    })?;
    let genesis = consortium.digest;
    finish_change(directory, &keys.log, consortium.log_keys.newest().key)?;
    let leaf0 = log.leaf(0).map_err(|error| Error::storage(&error))?;
    let leaf0 = leaf0.ok_or_else(|| Error::Damaged("leaf 0 is missing".to_owned()))?;
    let certificates = Arc::new(Certificates::open(directory, genesis)?);
    let acceptor = acceptor(&certificates, &state, consortium)?;

    let (requests, inbox) = sync_channel(INBOX_MAX);
    let (jobs, job_queue) = channel();
    let witnesses = Arc::new(Witnesses::new());
    let aggregator = Aggregator::new(blobs.clone(), job_queue, requests.clone());
    let (sequencer, window) = Sequencer::new(Parts {
        log,
        blobs: blobs.clone(),
        keys,
        genesis,
        state,
        inbox,
        aggregator: aggregate::Handle::new(jobs),
        library: Arc::clone(&library),
        witnesses: Arc::clone(&witnesses),
        covered,
        clock: clock::now,
    })?;
    let service = Arc::new(Service {
        sequencer: Handle::new(requests),
        published: window.published,
        tail: window.tail,
        witnesses,
        library,
        blobs,
        shelf: Shelf::default(),
        certificates,
        invitations: Invitations::of(directory),
        genesis: leaf0.as_slice().into(),
        clock: clock::now,
    });
    Ok(Assembled { service, acceptor, sequencer, aggregator, scrub, syncs })
}

/// Finishes a change of the log's key that a crash broke off after it was on record.
fn finish_change(directory: &Directory, keys: &LogSigners, newest: PublicKey) -> Result<(), Error> {
    let next = directory.has_key("log.next").then(|| directory.signing_key("log.next"));
    match next.transpose()? {
        Some(next) if next.public() == newest && keys.public().len() > 1 => {
            directory.promote_log_key()
        }
        Some(_) | None => Ok(()),
    }
}

/// The acceptor of the one port; who is revoked in the log is refused from the first handshake on.
fn acceptor(
    certificates: &Certificates,
    state: &State,
    consortium: &Consortium,
) -> Result<Acceptor, Error> {
    let material = certificates.material(|name| revoked(state, name), clock::now())?;
    let genesis = *consortium.digest.as_bytes();
    let tls = ServerTls::new(&certificates.server(&material), genesis, system_clock())?;
    let acceptor = Acceptor::new(tls, AcceptLimits::default());
    for (name, member) in &consortium.members {
        if member.revoked.is_some() {
            acceptor.revocations().revoke_institution(name.as_str());
        }
    }
    Ok(acceptor)
}

async fn serve(directory: Directory) -> Result<(), Error> {
    let settings = directory.settings()?;
    let Assembled { service, acceptor, sequencer, aggregator, scrub, syncs } =
        assemble(&directory)?;
    let handle = service.sequencer.clone();
    let incoming = acceptor.listen(settings.listen.as_str()).await?;
    let (shutdown, stopping) = watch::channel(false);
    let control = Control::bind(&directory.control())?;
    let operator = Arc::new(Operator {
        service: Arc::clone(&service),
        acceptor: acceptor.clone(),
        settings: settings.clone(),
        directory: directory.clone(),
        shutdown: shutdown.clone(),
        syncs,
    });
    let conversations = control.conversations();
    let commands = tokio::spawn(control.serve(
        move |command| {
            let operator = Arc::clone(&operator);
            async move { operator.answer(command).await }
        },
        |why| Reply::Refused { message: format!("not a command: {why}"), exit_code: 64 },
    ));
    tokio::spawn(refresh_daily(Arc::clone(&service), acceptor.clone()));
    metrics::serve(&settings.metrics, service.published.clone(), acceptor.clone()).await?;

    let failure = Arc::new(Mutex::new(None));
    let writer = start_threads(sequencer, aggregator, &failure, shutdown.clone())?;
    start_scrub(scrub, handle.clone())?;
    tracing::info!(address = %incoming.local_addr(), "serving");
    let router = router(&acceptor, Arc::clone(&service), &settings).await?;
    let served =
        wire::server::serve(router, &acceptor, incoming, until_stopped(stopping), GRACE).await;
    commands.abort();
    conversations.ended().await;
    handle.stop();
    // The writer ends after its turn: what it was asked before is committed and answered.
    let joined = tokio::task::spawn_blocking(move || writer.join()).await;
    let _ = std::fs::remove_file(directory.control());
    if let Some(error) = failure.lock().unwrap_or_else(PoisonError::into_inner).take() {
        return Err(error);
    }
    served?;
    match joined {
        Ok(Ok(())) => {
            tracing::info!("stopped cleanly");
            Ok(())
        }
        Ok(Err(_)) | Err(_) => Err(Error::Damaged("the writer ended abnormally".to_owned())),
    }
}

/// The writer and the aggregator, each on a thread of its own. When the writer fails, everything
/// else is told to stop.
fn start_threads<L, B>(
    sequencer: Sequencer<L, B>,
    aggregator: Aggregator<B>,
    failure: &Arc<Mutex<Option<Error>>>,
    shutdown: watch::Sender<bool>,
) -> Result<std::thread::JoinHandle<()>, Error>
where
    L: LogStore + Send + 'static,
    B: BlobStore + Send + Sync + 'static,
{
    let failure = Arc::clone(failure);
    let named = |name: &str| std::thread::Builder::new().name(name.to_owned());
    let failed = |error: std::io::Error| Error::storage(&error);
    named("aggregator").spawn(move || aggregator.run()).map_err(failed)?;
    named("sequencer")
        .spawn(move || {
            if let Err(error) = sequencer.run() {
                tracing::error!(%error, "nothing further can be promised: stopping");
                *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            }
            shutdown.send_replace(true);
        })
        .map_err(failed)
}

/// Checks, on a thread of its own, what the start took on trust; if it is wrong, the writer is told to sign
/// nothing further.
fn start_scrub(scrub: Scrub, sequencer: Handle) -> Result<(), Error> {
    let check = move || match scrub.run(|range| sequencer.leaves_blocking(range)) {
        Ok(()) => {
            tracing::info!(records = scrub.size(), "the log is what was served from the start");
        }
        Err(error @ (Error::Damaged(_) | Error::Storage(_))) => sequencer.fail(error),
        Err(error) => tracing::info!(%error, "the check of the log was not finished"),
    };
    let thread = std::thread::Builder::new().name("scrub".to_owned());
    thread.spawn(check).map(drop).map_err(|error| Error::storage(&error))
}

/// The services of the one port.
async fn router<B: BlobStore + Clone + Send + Sync + 'static>(
    acceptor: &Acceptor,
    service: Arc<Service<B>>,
    settings: &Settings,
) -> Result<tonic::transport::server::Router<wire::server::Guarded>, Error> {
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter
        .set_service_status("counterfoil.v1.Coordinator", tonic_health::ServingStatus::Serving)
        .await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(wire::proto::FILE_DESCRIPTOR_SET)
        .build_v1()
        .map_err(|error| Error::Damaged(error.to_string()))?;
    let mut calls = tonic::service::Routes::builder();
    calls.add_service(health);
    calls.add_service(reflection);
    calls.add_service(wire::server::coordinator(crate::api::Shared(Arc::clone(&service))));
    let public = match settings.pages {
        Pages::Off | Pages::Members => wire::server::nothing_public,
        Pages::Public => is_public,
    };
    let routes = match settings.pages {
        Pages::Off => calls.routes(),
        Pages::Members | Pages::Public => pages(calls.routes(), service, acceptor, settings.pages),
    };
    Ok(wire::server::builder(acceptor, public).add_routes(routes))
}

/// What is no call is a page. A call that nobody answers is told so in its own terms.
fn pages<B: BlobStore + Clone + Send + Sync + 'static>(
    calls: tonic::service::Routes,
    service: Arc<Service<B>>,
    acceptor: &Acceptor,
    pages: Pages,
) -> tonic::service::Routes {
    let projection = Arc::new(RwLock::new(Projection::default()));
    let updater = Updater {
        projection: Arc::clone(&projection),
        sequencer: service.sequencer.clone(),
        tail: Arc::clone(&service.tail),
        blobs: service.blobs.clone(),
    };
    tokio::spawn(updater.run(service.published.clone()));
    let dashboard = Arc::new(Dashboard { service, acceptor: acceptor.clone(), projection, pages });
    let answer = move |request: axum::extract::Request| {
        let dashboard = Arc::clone(&dashboard);
        async move {
            let kind = request.headers().get(axum::http::header::CONTENT_TYPE);
            if kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc")) {
                return tonic::Status::unimplemented("").into_http();
            }
            dashboard.answer(request).await
        }
    };
    calls.into_axum_router().fallback(answer).into()
}

async fn until_stopped(mut stopping: watch::Receiver<bool>) {
    let terminate = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = stopping.wait_for(|stop| *stop) => {}
        _ = tokio::signal::ctrl_c() => {}
        () = terminate => {}
    }
    tracing::info!("stopping");
}

async fn refresh_daily<B: BlobStore + Clone + Send + Sync + 'static>(
    service: Arc<Service<B>>,
    acceptor: Acceptor,
) {
    loop {
        tokio::time::sleep(REFRESH).await;
        if let Err(error) = refresh(&service, &acceptor) {
            tracing::error!(%error, "the server's certificate could not be renewed");
        }
    }
}

/// Makes the server's certificate and the revocation list anew, and uses them.
pub(crate) fn refresh<B>(service: &Service<B>, acceptor: &Acceptor) -> Result<(), Error> {
    let state = Arc::clone(&service.published.borrow().state);
    let certificates = &service.certificates;
    let material = certificates.material(|name| revoked(&state, name), (service.clock)())?;
    acceptor.reload(&certificates.server(&material))?;
    Ok(())
}

fn revoked(state: &State, institution: &str) -> bool {
    let consortium = state.consortium.as_ref();
    consortium.is_some_and(|consortium| {
        let mut members = consortium.members.iter();
        members.any(|(name, member)| name.as_str() == institution && member.revoked.is_some())
    })
}
