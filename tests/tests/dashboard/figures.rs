//! Pages and files say what the log says.

use coordinator::Pages;
use ledger::checkpoint::{LogIdentity, SignedCheckpoint};
use ledger::receipt::Receipt;
use ledger::record::Body;
use ledger::tile::{Tile, parse_entry_bundle, parse_hash_tile};
use ledger::tree::{Frontier, leaf_hash};
use privacy::{Delta, PrivacyEvent};
use serde_json::Value;

use crate::trained::{BANKS, ROUNDS, Trained};

fn rows<'a>(page: &'a Value, section: &str) -> &'a Vec<Value> {
    let mut sections = page["sections"].as_array().unwrap().iter();
    sections.find(|of| of["name"] == section).unwrap()["rows"].as_array().unwrap()
}

fn command<'a>(page: &'a Value, section: &str) -> &'a str {
    let mut sections = page["sections"].as_array().unwrap().iter();
    sections.find(|of| of["name"] == section).unwrap()["command"].as_str().unwrap()
}

#[tokio::test]
async fn the_budgets_are_the_accountants_and_the_printed_command_gives_them_again() {
    let trained = Trained::new(Pages::Members).await;
    let page = trained.auditor().await.get("/budgets.json").await.json();
    let plan = round::Plan::parse(trained.plan.as_bytes()).unwrap();
    let certificate = plan.spent(ROUNDS).unwrap();
    let told = rows(&page, "acknowledged");
    assert_eq!(told.len(), BANKS.len());
    for (row, name) in told.iter().zip(BANKS) {
        assert_eq!((&row["institution"], &row["rounds"]), (&name.into(), &ROUNDS.into()));
        assert_eq!(row["epsilon"]["lower"], certificate.epsilon_lower);
        assert_eq!(row["epsilon"]["upper"], certificate.epsilon_upper);
        assert_eq!((row["unit"].as_str(), row["delta"].as_f64()), (Some("customer"), Some(1e-5)));
        assert!(row["epsilon_rdp"].as_f64().unwrap() >= certificate.epsilon_upper);
    }
    // The command on the page, as a shell would split it.
    let command = command(&page, "label");
    let (events, rest) = command.strip_prefix("echo '").unwrap().split_once('\'').unwrap();
    let events: Vec<PrivacyEvent> = serde_json::from_str(events).unwrap();
    assert!(rest.contains("--delta 1e-5 --method pld"), "{rest}");
    let again = privacy::epsilon(&events, Delta::new(1e-5).unwrap()).unwrap();
    assert_eq!(again.epsilon_upper.to_bits(), certificate.epsilon_upper.to_bits());
    let growth = rows(&page, "growth");
    assert_eq!(growth[1]["rounds"], ROUNDS);
    assert_eq!(growth[1]["epsilon_upper"], certificate.epsilon_upper);

    let csv = trained.auditor().await.get("/budgets.csv?table=acknowledged").await.text();
    let lines: Vec<&str> = csv.split("\r\n").collect();
    assert!(lines[0].starts_with("institution,rounds,epsilon_lower,epsilon_upper,"), "{csv}");
    assert_eq!(lines.len(), BANKS.len() + 2);
    let width = lines[0].split(',').count();
    assert!(lines[1..=BANKS.len()].iter().all(|line| line.split(',').count() == width));
}

#[tokio::test]
async fn the_tiles_are_the_tree_under_the_checkpoint() {
    let trained = Trained::new(Pages::Members).await;
    let reader = trained.auditor().await;
    let (state, leaves) = trained.auditor.state().await;
    trained.caught_up(state.size).await;
    let Body::Genesis(genesis) = leaves[0].body() else { unreachable!("leaf 0") };
    let identity = LogIdentity { genesis: trained.consortium.genesis, key: genesis.log_key };
    let checkpoint = reader.get("/checkpoint").await.text();
    let head = SignedCheckpoint::open(&checkpoint, &identity).unwrap().head();
    let path = |kind: &str| format!("tile/{kind}/000.p/{}", head.size);
    let tile: Tile = path("entries").parse().unwrap();
    let bundle = reader.get(&format!("/{}", path("entries"))).await;
    let entries = parse_entry_bundle(&tile, &bundle.body).unwrap();
    let mut frontier = Frontier::new();
    for entry in &entries {
        frontier.push(leaf_hash(entry.as_slice()), |_, _, _| ());
    }
    assert_eq!(frontier.head(), head);
    let tile: Tile = path("0").parse().unwrap();
    let hashes = reader.get(&format!("/{}", path("0"))).await;
    let hashes = parse_hash_tile(&tile, &hashes.body).unwrap();
    assert!(entries.iter().zip(&hashes).all(|(entry, hash)| leaf_hash(entry.as_slice()) == *hash));
    for beyond in [
        format!("/tile/0/000.p/{}", head.size + 1),
        "/tile/1/000.p/1".to_owned(),
        "/tile/entries/001".to_owned(),
    ] {
        assert_eq!(reader.get(&beyond).await.status, 404, "{beyond}");
    }
}

#[tokio::test]
async fn what_is_searched_is_found_with_a_proof_that_holds() {
    let trained = Trained::new(Pages::Members).await;
    let reader = trained.auditor().await;
    let (index, vector) = trained.contribution("north").await;
    let (_, leaves) = trained.auditor.state().await;
    let leaf = &leaves[usize::try_from(index).unwrap()];
    let hash = leaf_hash(leaf.bytes().as_slice()).to_string();
    let digits = &vector.to_string()[..8];
    for asked in
        [vector.to_string(), digits.to_owned(), digits.to_uppercase(), hash, index.to_string()]
    {
        let page = reader.get(&format!("/evidence.json?q={asked}")).await.json();
        let found = rows(&page, "records");
        let leaf = index.to_string();
        assert!(found.iter().any(|row| row["leaf"] == leaf.as_str()), "{asked}: {found:?}");
    }
    let run = reader.get(&format!("/evidence.json?q={}", trained.run)).await.json();
    assert_eq!(rows(&run, "records")[0]["kind"], "run-started");
    for nothing in ["zz", "abc", &"0".repeat(64), "%3Cscript%3Ealert(1)%3C/script%3E", "%00"] {
        let page = reader.get(&format!("/evidence?q={nothing}")).await;
        assert!(page.status == 200 && page.text().contains("Nothing in the log"), "{nothing}");
        assert!(!page.text().contains("<script"), "{nothing}");
    }
    let receipt = reader.get(&format!("/evidence/{index}.proof")).await.text();
    let Body::Genesis(genesis) = leaves[0].body() else { unreachable!("leaf 0") };
    let identity = LogIdentity { genesis: trained.consortium.genesis, key: genesis.log_key };
    let proven = Receipt::from_text(&receipt).unwrap().verify::<Body>(&identity).unwrap();
    assert_eq!((proven.index, &proven.leaf), (index, leaf));
}
