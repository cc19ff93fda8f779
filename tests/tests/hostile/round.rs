//! An open round, all of its banks played by the test.

use conformance::consortium::{Consortium, until};
use conformance::member::Member;
use conformance::plans;
use conformance::raw::{Raw, data, header};
use ledger::digest::{Digest, sha256};
use ledger::record::{Canonical as _, Contribution};
use round::Plan;
use serde_json::Value;
use tonic::{Code, Status};
use wire::proto::{ContributeRequest, Receipt};

pub(crate) const NAMES: [&str; 3] = ["east", "north", "south"];

/// A run whose round 0 is open, a bank without a part in it, and an auditor.
pub(crate) struct Round {
    pub(crate) consortium: Consortium,
    pub(crate) plan: Plan,
    pub(crate) banks: Vec<Member>,
    pub(crate) outsider: Member,
    pub(crate) auditor: Member,
    facts: Value,
}

/// A contribution and its vector before it is signed.
#[derive(Clone)]
pub(crate) struct Forged {
    pub(crate) body: Contribution,
    pub(crate) vector: Vec<u8>,
}

impl Forged {
    /// The same with another vector, and its digest in the body.
    pub(crate) fn carrying(mut self, vector: Vec<u8>) -> Self {
        self.body.vector = sha256(&vector);
        self.vector = vector;
        self
    }

    /// The same with a change in the body.
    pub(crate) fn saying(mut self, change: impl FnOnce(&mut Contribution)) -> Self {
        change(&mut self.body);
        self
    }

    /// The header, signed by `signer`.
    pub(crate) fn header(&self, signer: &Member) -> ContributeRequest {
        let bytes = self.body.encode();
        let genesis = signer.joined.genesis_digest();
        let signature = signer.keys.record.sign_body(Contribution::TYPE, &genesis, &bytes);
        header(bytes, signature.as_bytes().to_vec())
    }

    /// The messages, signed by `signer`.
    pub(crate) fn messages(&self, signer: &Member) -> Vec<ContributeRequest> {
        vec![self.header(signer), data(self.vector.clone())]
    }
}

impl Round {
    pub(crate) async fn open(rounds: u32) -> Self {
        let consortium = Consortium::start().await;
        let mut banks = vec![];
        for name in NAMES {
            banks.push(Member::join(&consortium, name, "bank").await);
        }
        let outsider = Member::join(&consortium, "west", "bank").await;
        let auditor = Member::join(&consortium, "watch", "auditor").await;
        let text = plans::text(&consortium.genesis, &NAMES, rounds);
        let plan = Plan::parse(text.as_bytes()).unwrap();
        consortium.propose(&text).await;
        for bank in &banks {
            bank.approve(plan.digest()).await;
        }
        let facts = until(async || {
            let facts = consortium.facts().await;
            (facts["run"]["round"] == 0).then_some(facts)
        })
        .await;
        Self { consortium, plan, banks, outsider, auditor, facts }
    }

    /// An honest contribution of `member` to the open round: small numbers that `salt` tells apart.
    pub(crate) async fn honest(&self, member: &Member, salt: i32) -> Forged {
        let (state, _) = self.banks[0].state().await;
        let run = state.run().unwrap();
        let count = i32::try_from(self.plan.contribution_dimension()).unwrap();
        let vector: Vec<u8> = (0..count).flat_map(|i| (i + salt).to_le_bytes()).collect();
        let body = Contribution {
            run: run.id,
            round: state.round().unwrap().number,
            plan: self.plan.digest(),
            model: run.model.unwrap().theta,
            institution: member.institution(),
            vector: sha256(&vector),
            ledger_head: Digest::from_bytes([9; 32]),
            charge: self.plan.charge(),
        };
        Forged { body, vector }
    }

    /// Sends messages under a member's certificate.
    pub(crate) async fn send(
        &self,
        sender: &Member,
        messages: Vec<ContributeRequest>,
    ) -> Result<Receipt, Status> {
        Raw::member(sender).await.unwrap().contribute(messages).await
    }

    /// Sends what must be refused with one of `codes`, and checks that nothing came of it.
    pub(crate) async fn refused(
        &self,
        what: &str,
        codes: &[Code],
        sender: &Member,
        messages: Vec<ContributeRequest>,
    ) {
        let answer = self.send(sender, messages).await;
        let status = answer.err().unwrap_or_else(|| panic!("{what} was accepted"));
        assert!(codes.contains(&status.code()), "{what}: {status}");
        self.unchanged(what).await;
    }

    /// Checks that the coordinator serves and that nothing is recorded since the last look.
    pub(crate) async fn unchanged(&self, what: &str) {
        assert_eq!(self.consortium.facts().await, self.facts, "{what} changed the log");
    }

    /// Checks that exactly one piece of evidence against `member` is what came since the last look.
    pub(crate) async fn convicted(&mut self, member: &Member, fault: ledger::record::Fault) {
        let before = self.facts["records"].as_u64().unwrap();
        let (_, leaves) = self.banks[0].state().await;
        assert_eq!(leaves.len() as u64, before + 1, "one leaf of evidence, and nothing else");
        let ledger::record::Body::Evidence(evidence) = leaves.last().unwrap().body() else {
            panic!("{:?} is no evidence", leaves.last())
        };
        assert_eq!((evidence.fault, &evidence.institution), (fault, &member.institution()));
        evidence.verify(&member.keys.record.public(), &self.consortium.genesis).unwrap();
        let run = self.facts["run"].clone();
        self.look().await;
        assert_eq!(self.facts["run"], run, "evidence changes nothing in the run");
    }

    /// What is true now is what later attacks must leave.
    pub(crate) async fn look(&mut self) {
        self.facts = self.consortium.facts().await;
    }
}
