//! Requests for pages and files, and their answers.

use std::sync::{Arc, PoisonError, RwLock};

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use ledger::digest::Digest;
use ledger::log_store::BlobStore;
use ledger::record::{Leaf, LeafBytes, Role};
use wire::tls::{Acceptor, Peer};

use super::pages::{self, Found, Now};
use super::{Form, HTML, Projection, TEXT, Viewer, files, form, html, page, written};
use crate::api::Service;
use crate::directory::Pages;
use crate::error::Error;

const STYLE: &str = include_str!("style.css");
const ICON: &str = include_str!("icon.svg");
const BYTES: &str = "application/octet-stream";
/// Nothing is loaded but our own style and icon, nothing runs, and no other page may frame this one.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
    base-uri 'none'; frame-ancestors 'none'";
/// The longest question that is looked up.
const ASKED_MAX: usize = 64;

/// The dashboard.
pub(crate) struct Dashboard<B> {
    pub(crate) service: Arc<Service<B>>,
    pub(crate) acceptor: Acceptor,
    pub(crate) projection: Arc<RwLock<Projection>>,
    pub(crate) pages: Pages,
}

/// Why there is no answer.
enum Refused {
    /// No certificate, or one that the roster does not know.
    Denied(&'static str),
    /// The role may not have it.
    Forbidden(&'static str),
    NotFound,
    /// The log was not read yet.
    Starting,
    Failed(Error),
}

/// An answer before its headers.
struct Answer {
    kind: &'static str,
    body: Vec<u8>,
    /// True if the same path always has the same bytes.
    immutable: bool,
}

/// What may be read without a certificate where the operator lets the public in. Tiles of entries are
/// not: records name banks, and who has them all can count.
pub(crate) fn is_public(path: &str) -> bool {
    matches!(
        path,
        "/" | "/public"
            | "/public.json"
            | "/public.csv"
            | "/checkpoint"
            | "/style.css"
            | "/icon.svg"
    ) || files::is_hashes(path)
}

impl<B: BlobStore + Clone + Send + Sync + 'static> Dashboard<B> {
    /// The answer to a request that the gate let through.
    pub(crate) async fn answer(&self, request: Request) -> Response<Body> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let text = "Pages are read, and nothing else is done here.";
            return refusal(StatusCode::METHOD_NOT_ALLOWED, "Not allowed", text);
        }
        let answer = match self.viewer(&request) {
            Ok(viewer) => self.find(&viewer, request.uri().path(), request.uri().query()).await,
            Err(refused) => Err(refused),
        };
        match answer {
            Ok(answer) => sent(answer),
            Err(refused) => refused.into_response(),
        }
    }

    /// Who asks: by the certificate and by the roster as it is now.
    fn viewer(&self, request: &Request) -> Result<Viewer, Refused> {
        let peer = request.extensions().get::<Peer>();
        let peer = peer.ok_or(Refused::Denied("The request came past the acceptor."))?;
        match &peer.certificate {
            Some(certificate) => match self.service.caller(certificate) {
                Ok(caller) => Ok(Viewer::member(caller.institution, caller.role)),
                Err(_) => Err(Refused::Denied("This certificate is not an active member’s.")),
            },
            None if self.pages == Pages::Public && is_public(request.uri().path()) => {
                Ok(Viewer::Public)
            }
            None => Err(Refused::Denied("A client certificate of this consortium is needed.")),
        }
    }

    async fn find(
        &self,
        viewer: &Viewer,
        path: &str,
        query: Option<&str>,
    ) -> Result<Answer, Refused> {
        match path {
            "/style.css" => return Ok(Answer::of("text/css; charset=utf-8", STYLE.to_owned())),
            "/icon.svg" => return Ok(Answer::of("image/svg+xml", ICON.to_owned())),
            "/checkpoint" => return self.checkpoint(viewer),
            _ => {}
        }
        if let Some(hex) = path.strip_prefix("/blob/") {
            return self.blob(viewer, hex).await;
        }
        if path.starts_with("/tile/entries/") {
            return self.entries(viewer, path).await;
        }
        if path.starts_with("/tile/") {
            let bytes = self.look(|projection| files::hashes(projection, path))?;
            return bytes
                .map(|body| Answer { kind: BYTES, body, immutable: true })
                .ok_or(Refused::NotFound);
        }
        if let Some(rest) = path.strip_prefix("/evidence")
            && *viewer != Viewer::Public
        {
            return self.evidence(viewer, rest, query).await;
        }
        let (stem, form) = form(path);
        let (now, table) = (self.now(), value(query, "table"));
        let text = self.look(|projection| {
            let page = page(projection, viewer, stem, &now)?;
            written(projection, viewer, &page, form, table.as_deref())
        })?;
        text.map(|(kind, text)| Answer::of(kind, text)).ok_or(Refused::NotFound)
    }

    /// The search, one record, or a record's proof as a file.
    async fn evidence(
        &self,
        viewer: &Viewer,
        rest: &str,
        query: Option<&str>,
    ) -> Result<Answer, Refused> {
        let proof = rest.strip_suffix(".proof");
        let (stem, form) = form(proof.unwrap_or(rest));
        let table = value(query, "table");
        let page = if stem.is_empty() {
            let asked: String =
                value(query, "q").unwrap_or_default().trim().chars().take(ASKED_MAX).collect();
            let asked = asked.to_ascii_lowercase();
            let (leaves, note) =
                self.look(|projection| pages::found_by(projection, viewer, &asked))?;
            let mut found = Found { asked, note, leaves: vec![] };
            for index in leaves {
                let leaf = self.leaf(index).await?;
                if pages::listed(&found.asked, index, &leaf) {
                    found.leaves.push((index, leaf));
                }
            }
            if found.leaves.is_empty() {
                found.note = pages::nothing(&found.asked);
            }
            pages::evidence(viewer, &found)
        } else {
            let index = stem.strip_prefix('/').and_then(|index| index.parse().ok());
            let index: u64 = index.ok_or(Refused::NotFound)?;
            let leaf = self.leaf(index).await?;
            let made = self.look(|projection| {
                let standing = projection.standing.clone()?;
                pages::record(projection, &standing, index, &leaf)
            })?;
            let (page, receipt) = made.ok_or(Refused::NotFound)?;
            if proof.is_some() && form == Form::Html {
                return Ok(Answer::of(TEXT, receipt.to_text()));
            }
            page
        };
        let text =
            self.look(|projection| written(projection, viewer, &page, form, table.as_deref()))?;
        text.map(|(kind, text)| Answer::of(kind, text)).ok_or(Refused::NotFound)
    }

    /// The signed head. Cosignatures name their witnesses, so the public gets the log's own signature.
    fn checkpoint(&self, viewer: &Viewer) -> Result<Answer, Refused> {
        let standing =
            self.look(|projection| projection.standing.clone())?.ok_or(Refused::Starting)?;
        let cosigned = match viewer {
            Viewer::Auditor(_) | Viewer::Bank(_) => self.service.witnesses.of(standing.state.size),
            Viewer::Public => None,
        };
        let text = cosigned.unwrap_or_else(|| standing.checkpoint.to_string());
        Ok(Answer::of(TEXT, text))
    }

    async fn entries(&self, viewer: &Viewer, path: &str) -> Result<Answer, Refused> {
        if *viewer == Viewer::Public {
            return Err(Refused::Forbidden(
                "Records name banks: they are for members and auditors.",
            ));
        }
        let range = self.look(|projection| files::entries(projection, path))?;
        let leaves = self.leaves(range.ok_or(Refused::NotFound)?).await?;
        Ok(Answer { kind: BYTES, body: files::bundle(&leaves), immutable: true })
    }

    /// A blob, for auditors alone: a guarantee for customers says nothing of a whole bank's vector.
    async fn blob(&self, viewer: &Viewer, hex: &str) -> Result<Answer, Refused> {
        if !viewer.sees_all() {
            return Err(Refused::Forbidden(
                "Contributions and models are served here to auditors alone.",
            ));
        }
        let digest: Digest = hex.parse().map_err(|_| Refused::NotFound)?;
        if !self.service.library.readable(&digest, Role::Auditor) {
            return Err(Refused::NotFound);
        }
        let blobs = self.service.blobs.clone();
        let read = tokio::task::spawn_blocking(move || blobs.get(&digest)).await;
        let read = read.map_err(|_| Refused::Failed(Error::stopping()))?;
        let bytes = read.map_err(|error| Refused::Failed(Error::storage(&error)))?;
        bytes.map(|body| Answer { kind: BYTES, body, immutable: true }).ok_or(Refused::NotFound)
    }

    async fn leaf(&self, index: u64) -> Result<Leaf, Refused> {
        let leaves = self.leaves(index..index.saturating_add(1)).await?;
        let bytes = leaves.into_iter().next().ok_or(Refused::NotFound)?;
        Leaf::decode(bytes.into_vec())
            .map_err(|error| Refused::Failed(Error::Damaged(format!("leaf {index}: {error}"))))
    }

    /// Leaves, from memory if they are new.
    async fn leaves(&self, range: std::ops::Range<u64>) -> Result<Vec<LeafBytes>, Refused> {
        if let Some(leaves) = self.service.tail.leaves(&range) {
            return Ok(leaves);
        }
        self.service.sequencer.leaves(range).await.map_err(Refused::Failed)
    }

    fn now(&self) -> Now {
        let published = self.service.published.borrow().state.size;
        Now {
            at: (self.service.clock)(),
            connections: self.acceptor.connections().count(),
            published,
            cosigned: self.service.witnesses.newest(),
        }
    }

    /// Looks at the projection once it stands somewhere. Milliseconds at most, so no thread of its own.
    fn look<T>(&self, look: impl FnOnce(&Projection) -> T) -> Result<T, Refused> {
        let projection = self.projection.read().unwrap_or_else(PoisonError::into_inner);
        if projection.standing.is_none() {
            return Err(Refused::Starting);
        }
        Ok(look(&projection))
    }
}

impl Answer {
    fn of(kind: &'static str, text: String) -> Self {
        Self { kind, body: text.into_bytes(), immutable: false }
    }
}

impl Refused {
    fn into_response(self) -> Response<Body> {
        match self {
            Self::Denied(why) => refusal(StatusCode::UNAUTHORIZED, "Who are you?", why),
            Self::Forbidden(why) => refusal(StatusCode::FORBIDDEN, "Not for this role", why),
            Self::NotFound => {
                refusal(StatusCode::NOT_FOUND, "Not found", "There is no such page, record or run.")
            }
            Self::Starting => {
                let why = "The log is being read. Look again in a moment.";
                refusal(StatusCode::SERVICE_UNAVAILABLE, "Not yet", why)
            }
            Self::Failed(error) => {
                tracing::error!(%error, "a page failed");
                let why = "The coordinator cannot read this now.";
                refusal(StatusCode::SERVICE_UNAVAILABLE, "Not now", why)
            }
        }
    }
}

fn refusal(status: StatusCode, title: &str, why: &str) -> Response<Body> {
    let mut response = sent(Answer::of(HTML, html::message(title, why)));
    *response.status_mut() = status;
    response
}

fn sent(answer: Answer) -> Response<Body> {
    let mut response = Response::new(Body::from(answer.body));
    let headers: &mut HeaderMap = response.headers_mut();
    let cached = if answer.immutable { "private, max-age=31536000, immutable" } else { "no-store" };
    for (name, value) in [
        (header::CONTENT_TYPE, answer.kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, cached),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    response
}

/// The value of one key of a query, decoded.
fn value(query: Option<&str>, key: &str) -> Option<String> {
    let pairs = query?.split('&').filter_map(|pair| pair.split_once('='));
    let found = pairs.filter(|(name, _)| *name == key).map(|(_, value)| value).next()?;
    let (mut bytes, mut rest) = (vec![], found.bytes());
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_decoded_and_nonsense_is_none() {
        assert_eq!(value(Some("q=a%2Fb+c&table=x"), "q").as_deref(), Some("a/b c"));
        assert_eq!(value(Some("q=a&table=x"), "table").as_deref(), Some("x"));
        for nonsense in ["q=%", "q=%z1", "q=%ff", "p=1", "q"] {
            assert_eq!(value(Some(nonsense), "q"), None, "{nonsense}");
        }
    }

    #[test]
    fn the_public_gets_the_head_and_the_hashes_and_no_names() {
        for open in [
            "/",
            "/public.json",
            "/checkpoint",
            "/style.css",
            "/tile/0/000",
            "/tile/1/x001/002.p/7",
        ] {
            assert!(is_public(open), "{open}");
        }
        let closed = [
            "/budgets",
            "/budgets.json",
            "/runs",
            "/evidence",
            "/evidence/0",
            "/approvals",
            "/health",
            "/tile/entries/000",
            "/tile/entries/000.p/3",
            "/blob/00",
            "/tile/0/../entries/000",
            "/tile/0",
        ];
        for closed in closed {
            assert!(!is_public(closed), "{closed}");
        }
    }
}
