//! What an honest export says.

use std::convert::Infallible;

use audit::export::{self, ExportError};
use audit::{Kind, Options, RunStatus};
use ledger::digest::{Digest, sha256};

use crate::world::{BANKS, HONEST, Story, World, genesis_digest};

#[test]
fn an_honest_export_verifies_and_every_model_is_replayed() {
    let report = HONEST.export().verify();
    assert_eq!(report.finding, None);
    assert_eq!((report.exit_code(), report.verified, report.anchored), (0, true, false));
    assert_eq!(report.models_replayed, 4);
    assert_eq!(report.records, u64::try_from(HONEST.leaves.len()).expect("small"));
    let run = report.runs.first().expect("a run");
    assert_eq!((run.rounds, run.rounds_closed, run.status), (3, 3, RunStatus::Finished));
}

#[test]
fn each_institution_is_charged_for_what_was_accepted_of_it() {
    let report = World::play(Story { absent: true, ..Story::default() }).export().verify();
    assert_eq!(report.finding, None);
    let rounds: Vec<_> = report.institutions.iter().map(|i| (i.name.as_str(), i.rounds)).collect();
    assert_eq!(rounds, [("alder", 3), ("birch", 3), ("cedar", 2)]);
    let [alder, birch, cedar] = report.institutions.as_slice() else { panic!("three banks") };
    assert_eq!(alder.epsilon, birch.epsilon);
    assert!(cedar.epsilon.upper < alder.epsilon.upper);
    for bank in &report.institutions {
        assert!(0.0 < bank.epsilon.lower && bank.epsilon.lower <= bank.epsilon.upper);
        assert!(bank.epsilon.upper <= bank.promise, "the plan keeps its promise");
        assert_eq!((bank.unit.as_str(), bank.relation.as_str()), ("customer", "add-remove"));
        assert_eq!((bank.task_change.as_str(), bank.method.as_str()), ("content", "pld"));
    }
    assert_eq!(report.institutions.len(), BANKS.len());
}

#[test]
fn the_anchor_is_compared() {
    let export = HONEST.export();
    let with = |genesis| {
        audit::verify(&export.path, &Options { genesis: Some(genesis), ..Options::default() })
    };
    let right = with(genesis_digest());
    assert_eq!((right.exit_code(), right.anchored), (0, true));
    assert_eq!(with(sha256(b"another")).exit_code(), 6);
}

#[test]
fn a_directory_that_is_not_there_is_not_found() {
    let export = HONEST.export();
    let absent = audit::verify(&export.path.join("nowhere"), &Options::default());
    assert_eq!(absent.exit_code(), 5);
    let file = audit::verify(&export.path.join("genesis"), &Options::default());
    assert_eq!(file.finding.map(|finding| finding.kind), Some(Kind::NotFound));
}

#[test]
fn an_export_is_never_written_over_another_and_leaves_nothing_when_it_fails() {
    let export = HONEST.export();
    let text = String::from_utf8(export.read("checkpoint")).expect("text");
    let leaves = || HONEST.leaves.iter().map(|leaf| Ok::<_, Infallible>(leaf.bytes().clone()));
    let blob = |_: &Digest| Ok(None);
    let again = export::write(&export.path, leaves(), &text, blob);
    assert!(matches!(again, Err(ExportError::Exists(_))));
    let beside = export.path.with_file_name("second");
    let fewer = export::write(&beside, leaves().skip(1), &text, blob);
    assert!(matches!(fewer, Err(ExportError::NotGenesis)));
    let cut = export::write(&beside, leaves().take(5), &text, blob);
    assert!(matches!(cut, Err(ExportError::Head { .. })));
    let failing = (0..1).map(|_| Err(std::io::Error::other("gone")));
    let failed = export::write(&beside, failing, &text, |_| Ok(None));
    assert!(matches!(failed, Err(ExportError::Source(_))));
    let parent = export.path.parent().expect("a folder");
    assert_eq!(std::fs::read_dir(parent).expect("a folder").count(), 1, "only the export is there");
}
