//! Who may read what: every page, file and call, for everybody who must not have it.

use conformance::raw::Raw;
use coordinator::Pages;
use coordinator::control::Command;
use tonic::Code;
use tonic::codegen::http::Method;
use wire::authority::VerifiedRequest;
use wire::{Authority, Identity, NodeKey, Role, Validity};

use crate::trained::{BANKS, Trained};

/// Every page and file; `⟨run⟩` and `⟨blob⟩` stand for those of the consortium.
const PATHS: [&str; 33] = [
    "/",
    "/budgets",
    "/budgets.json",
    "/budgets.csv",
    "/budgets/⟨run⟩",
    "/budgets/⟨run⟩.json",
    "/runs",
    "/runs.json",
    "/runs.csv",
    "/runs/⟨run⟩",
    "/runs/⟨run⟩.json",
    "/runs/⟨run⟩.csv",
    "/evidence",
    "/evidence?q=east",
    "/evidence.json",
    "/evidence.csv",
    "/evidence/0",
    "/evidence/0.json",
    "/evidence/0.csv",
    "/evidence/0.proof",
    "/approvals",
    "/approvals.json",
    "/approvals.csv",
    "/health",
    "/health.json",
    "/health.csv",
    "/public",
    "/public.json",
    "/checkpoint",
    "/tile/0/000.p/1",
    "/tile/entries/000.p/1",
    "/blob/⟨blob⟩",
    "/style.css",
];
/// What the public may read where it is let in.
const PUBLIC: [&str; 6] =
    ["/", "/public", "/public.json", "/checkpoint", "/tile/0/000.p/1", "/style.css"];
/// Every call of the service, by its definition: none is forgotten when one is added.
fn calls() -> impl Iterator<Item = &'static str> {
    let definition = include_str!("../../../proto/counterfoil/v1/coordinator.proto");
    let calls = definition.lines().filter_map(|line| line.trim().strip_prefix("rpc "));
    calls.filter_map(|call| call.split('(').next())
}

async fn paths(trained: &Trained) -> Vec<String> {
    let (_, blob) = trained.contribution("north").await;
    let whole =
        |path: &&str| path.replace("⟨run⟩", &trained.run).replace("⟨blob⟩", &blob.to_string());
    PATHS.iter().map(whole).collect()
}

/// A certificate of the consortium's own CA that says what it likes.
fn forged(trained: &Trained, role: Role, institution: &str) -> (Vec<u8>, NodeKey) {
    let state = trained.consortium.path("coordinator");
    let read = |name: &str| std::fs::read_to_string(state.join(name)).unwrap();
    let authority = Authority::load(&read("ca.crt"), &read("keys/ca.pem")).unwrap();
    let key = NodeKey::generate().unwrap();
    let request = VerifiedRequest::verify(&key.csr().unwrap()).unwrap();
    let identity =
        Identity::new(*trained.consortium.genesis.as_bytes(), role, institution).unwrap();
    let now = Validity::of_certificate(trained.auditor.joined.certificate()).unwrap();
    (authority.issue_client(&request, &identity, now).unwrap().certificate, key)
}

async fn all(reader: &Raw, paths: &[String], status: u16, who: &str) {
    for path in paths {
        let page = reader.get(path).await;
        assert_eq!(page.status, status, "{who} {path}: {}", page.text());
        assert!(!page.text().contains("north"), "{who} {path}");
    }
}

#[tokio::test]
async fn the_auditor_reads_everything_and_does_nothing() {
    let trained = Trained::new(Pages::Members).await;
    let auditor = trained.auditor().await;
    for path in paths(&trained).await {
        let page = auditor.get(&path).await;
        assert_eq!(page.status, 200, "{path}: {}", page.text());
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{path}");
    }
    for call in ["Contribute", "Approve"] {
        let refused = auditor.call(call).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{call}: {refused}");
    }
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
        assert_eq!(auditor.ask(method.clone(), "/budgets").await.status, 405, "{method}");
    }
    assert_eq!(auditor.ask(Method::HEAD, "/budgets").await.status, 200);
    for path in [
        "/nothing",
        "/runs/00",
        "/evidence/99999",
        "/evidence/x",
        "/budgets.xml",
        "/tile/0/009",
        "/blob/00",
        "/../keys/ca.pem",
    ] {
        assert_eq!(auditor.get(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn a_bank_reads_no_blob_and_nothing_that_counts_another_bank() {
    let trained = Trained::new(Pages::Members).await;
    let (east, auditor) = (trained.bank("east").await, trained.auditor().await);
    let (of_north, blob) = trained.contribution("north").await;
    assert_eq!(east.get(&format!("/blob/{blob}")).await.status, 403);
    let (_, own) = trained.contribution("east").await;
    assert_eq!(east.get(&format!("/blob/{own}")).await.status, 403, "its own is no exception");

    // No figure of another bank: what the auditor's page has of north, east's has not.
    for path in
        ["/budgets", "/budgets.json", "/budgets.csv", &format!("/budgets/{}.json", trained.run)]
    {
        assert!(auditor.get(path).await.text().contains("north"), "{path}");
        let seen = east.get(path).await.text();
        assert!(seen.contains("east") && !seen.contains("north"), "{path}: {seen}");
    }
    let run = east.get(&format!("/runs/{}.json", trained.run)).await.json();
    let sections = run["sections"].as_array().unwrap();
    let cohort = sections.iter().find(|section| section["name"] == "cohort").unwrap();
    for row in cohort["rows"].as_array().unwrap() {
        assert_eq!(row["acknowledged"].is_null(), row["institution"] != "east", "{row}");
    }
    // No list of its contributions, under any of its names.
    let records =
        |page: &serde_json::Value| page["sections"][1]["rows"].as_array().unwrap().clone();
    let listed = records(&east.get("/evidence.json?q=north").await.json());
    assert!(!listed.is_empty() && listed.iter().all(|row| row["kind"] != "accepted"), "{listed:?}");
    let counted = records(&auditor.get("/evidence.json?q=north").await.json());
    assert_eq!(counted.iter().filter(|row| row["kind"] == "accepted").count(), 2);
    let newest = records(&east.get("/evidence.json").await.json());
    let named =
        newest.iter().filter(|row| row["kind"] == "accepted" && row["institution"] == "north");
    assert_eq!(named.count(), 0);
    // A single record is every member's: it follows the log.
    assert_eq!(east.get(&format!("/evidence/{of_north}")).await.status, 200);
    let health = east.get("/health.json").await.text();
    assert!(!health.contains("connections") && !health.contains("\"missing\""), "{health}");
}

#[tokio::test]
async fn who_is_no_active_member_reads_nothing() {
    let trained = Trained::new(Pages::Members).await;
    let paths = paths(&trained).await;
    let stranger = trained.stranger().await;
    all(&stranger, &paths, 401, "nobody").await;
    for call in calls().filter(|call| *call != "Join") {
        assert_eq!(stranger.call(call).await.unwrap_err().code(), Code::Unauthenticated, "{call}");
    }
    // Certificates that the CA signed, and the roster does not bear out.
    let liars = [
        (Role::Operator, "east", "an operator"),
        (Role::Operator, "operator", "an operator of no name"),
        (Role::Auditor, "east", "a bank as an auditor"),
        (Role::Bank, "watch", "an auditor as a bank"),
        (Role::Auditor, "watch", "the auditor with another key"),
        (Role::Bank, "east", "a bank with another key"),
        (Role::Auditor, "nobody", "an auditor that never joined"),
    ];
    for (role, institution, who) in liars {
        let (certificate, key) = forged(&trained, role, institution);
        let liar = Raw::showing(&trained.auditor, &certificate, &key).await.unwrap();
        all(&liar, &paths, 401, who).await;
        for call in calls().filter(|call| *call != "Join") {
            let refused = liar.call(call).await.unwrap_err();
            assert_eq!(refused.code(), Code::PermissionDenied, "{who} {call}: {refused}");
        }
    }
    // Put out: the connection ends, and no other begins.
    let reader = trained.auditor().await;
    assert_eq!(reader.get("/budgets").await.status, 200);
    let (institution, reason) = ("watch".to_owned(), "over".to_owned());
    trained.consortium.command(&Command::Revoke { institution, reason }).await.unwrap();
    let again = Raw::member(&trained.auditor).await;
    if let Ok(again) = again {
        let page = tokio::spawn(async move { again.get("/budgets").await.status }).await;
        assert!(page.is_err(), "a revoked certificate was answered: {page:?}");
    }
}

#[tokio::test]
async fn the_public_is_let_in_to_promises_and_hashes_alone_and_only_if_told() {
    let trained = Trained::new(Pages::Public).await;
    let stranger = trained.stranger().await;
    for path in paths(&trained).await {
        let page = stranger.get(&path).await;
        let open = PUBLIC.contains(&path.as_str());
        assert_eq!(page.status, if open { 200 } else { 401 }, "{path}: {}", page.text());
        for name in BANKS {
            assert!(!page.text().contains(name), "{path} names {name}");
        }
    }
    assert!(stranger.get("/").await.text().contains("a test"));
    for call in calls().filter(|call| *call != "Join") {
        assert_eq!(stranger.call(call).await.unwrap_err().code(), Code::Unauthenticated, "{call}");
    }
    let (certificate, key) = forged(&trained, Role::Operator, "operator");
    let liar = Raw::showing(&trained.auditor, &certificate, &key).await.unwrap();
    assert_eq!(liar.get("/").await.status, 401, "a false certificate is worse than none");
}

#[tokio::test]
async fn no_pages_are_served_if_told_so() {
    let trained = Trained::new(Pages::Off).await;
    let auditor = trained.auditor().await;
    for path in paths(&trained).await {
        let page = auditor.get(&path).await;
        assert!(page.body.is_empty() && page.headers.contains_key("grpc-status"), "{path}");
    }
}
