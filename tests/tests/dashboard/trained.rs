//! A consortium that has trained, with an auditor.

use conformance::consortium::{Consortium, until};
use conformance::member::Member;
use conformance::plans;
use conformance::program::Daemon;
use conformance::raw::Raw;
use coordinator::Pages;
use ledger::digest::Digest;

pub(crate) const BANKS: [&str; 3] = ["east", "north", "south"];
pub(crate) const ROUNDS: u32 = 2;

pub(crate) struct Trained {
    pub(crate) consortium: Consortium,
    pub(crate) banks: Vec<Member>,
    pub(crate) auditor: Member,
    pub(crate) plan: String,
    pub(crate) run: String,
    _nodes: Vec<Daemon>,
}

impl Trained {
    /// Founds, joins and trains; returns when the pages have caught up.
    pub(crate) async fn new(pages: Pages) -> Self {
        let consortium = Consortium::with_pages(pages).await;
        let (mut banks, mut nodes) = (vec![], vec![]);
        for name in BANKS {
            let member = Member::join(&consortium, name, "bank").await;
            member.prepare();
            nodes.push(Daemon::start("client", member.state.root()));
            banks.push(member);
        }
        let auditor = Member::join(&consortium, "watch", "auditor").await;
        let plan = plans::text(&consortium.genesis, &BANKS, ROUNDS);
        let digest = consortium.propose(&plan).await;
        for bank in &banks {
            bank.approve(digest).await;
        }
        until(async || consortium.finished().await.then_some(())).await;
        let status = consortium.status().await;
        let run = status["ended"][0]["run"].as_str().unwrap().to_owned();
        let trained = Self { consortium, banks, auditor, plan, run, _nodes: nodes };
        if pages != Pages::Off {
            trained.caught_up(status["records"].as_u64().unwrap()).await;
        }
        trained
    }

    /// Waits until the pages speak of `records` records and their figures are there.
    pub(crate) async fn caught_up(&self, records: u64) {
        let reader = self.auditor().await;
        until(async || {
            let page = reader.get("/budgets.json").await;
            let page = (page.status == 200).then(|| page.json())?;
            let rows = page["sections"].as_array()?.iter();
            let growth = rows.clone().find(|section| section["name"] == "growth")?;
            let told = rows.clone().find(|section| section["name"] == "acknowledged")?;
            let there = page["records"].as_u64()? >= records
                && !growth["rows"].as_array()?.is_empty()
                && told["rows"][0]["rounds"] == ROUNDS;
            there.then_some(())
        })
        .await;
    }

    pub(crate) async fn auditor(&self) -> Raw {
        Raw::member(&self.auditor).await.unwrap()
    }

    pub(crate) async fn bank(&self, name: &str) -> Raw {
        let bank = self.banks.iter().find(|bank| bank.institution().as_str() == name).unwrap();
        Raw::member(bank).await.unwrap()
    }

    pub(crate) async fn stranger(&self) -> Raw {
        Raw::stranger(&self.auditor).await
    }

    /// The digest of a contribution of a bank, and the record that it is.
    pub(crate) async fn contribution(&self, name: &str) -> (u64, Digest) {
        let (_, leaves) = self.auditor.state().await;
        let found = leaves.iter().zip(0..).find_map(|(leaf, index)| {
            let ledger::record::Body::Accepted(of) = leaf.body() else { return None };
            (of.institution.as_str() == name).then_some((index, of.vector))
        });
        found.unwrap()
    }
}
