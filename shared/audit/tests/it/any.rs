//! What the auditor says of directories that nobody exported: anything, but never that they verify.

use audit::Options;
use proptest::prelude::*;

use crate::world::HONEST;

/// A file's name: one that the format knows, nearly one, or anything.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("genesis".to_owned()),
        Just("checkpoint".to_owned()),
        "tile/(entries|[0-9])/(x[0-9]{3}/)?[0-9]{3}(\\.p/[0-9]{1,3})?",
        "blob/[0-9a-f]{64}",
        "[a-z]{1,8}(/[a-z.]{1,8})?",
    ]
}

fn contents() -> impl Strategy<Value = Vec<u8>> {
    let log = |name: &'static str| {
        let bytes = HONEST.export().read(name);
        (0..=bytes.len()).prop_map(move |length| bytes.get(..length).expect("within").to_vec())
    };
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..400),
        log("genesis"),
        log("checkpoint"),
        "[ -~\n]{0,200}".prop_map(String::into_bytes),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn no_heap_of_files_verifies(files in proptest::collection::vec((name(), contents()), 0..8)) {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, bytes) in files {
            let path = folder.path().join(name);
            // A name may need a folder where there is a file; then it stays out.
            if std::fs::create_dir_all(path.parent().expect("a parent")).is_ok() {
                let _ = std::fs::write(path, bytes);
            }
        }
        let report = audit::verify(folder.path(), &Options::default());
        prop_assert_eq!(report.exit_code(), 6);
        prop_assert!(!report.verified && report.institutions.is_empty());
    }

    #[test]
    fn leaves_in_any_order_verify_only_in_their_own(order in any_order(HONEST.leaves.len())) {
        let sorted = order.is_sorted();
        let mut world = HONEST.clone();
        let shuffled = order.iter().map(|at| HONEST.leaves.get(*at).expect("a leaf").clone());
        world.leaves = shuffled.collect();
        let code = world.export().code();
        prop_assert!(if sorted { code == 0 } else { code == 6 || code == 7 }, "{}", code);
    }
}

/// All leaves but the genesis, which names the log, in any order.
fn any_order(count: usize) -> impl Strategy<Value = Vec<usize>> {
    Just((1..count).collect::<Vec<_>>()).prop_shuffle().prop_map(|mut order| {
        order.insert(0, 0);
        order
    })
}

#[test]
fn an_export_taken_at_any_commit_verifies() {
    for size in 1..=HONEST.leaves.len() {
        let mut world = HONEST.clone();
        world.leaves.truncate(size);
        let report = world.export().verify();
        assert_eq!(report.finding, None, "after {size} records");
        assert_eq!(report.records, u64::try_from(size).expect("small"));
    }
}
