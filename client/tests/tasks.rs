//! What one unit changes, and what it does not.
#![expect(clippy::unwrap_used, reason = "a failed set-up fails the test")]

use std::fmt::Write;
use std::fs;

use client::data::{DataSource, Rows, attach};
use client::tasks::{PopulationKey, TaskError, Tasks};
use meta::{Examples, Task};
use privacy::{Grouping, Keystream, SamplingRate};
use proptest::prelude::*;
use round::plan::{DataSpec, DerivedColumn, Head, LabelSpec, Operation, TaskSpec};
use zeroize::Zeroizing;

const BUCKETS: u32 = 5;

/// A row: its unit, its amount and its label.
type Row = (u8, i16, bool);

fn rows(of: &[Row], task_column: Option<&str>) -> Rows {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut text = "id,amount,bad,branch\n".to_owned();
    for (unit, amount, bad) in of {
        writeln!(text, "u{unit},{amount},{},b{}", u8::from(*bad), unit % 3).unwrap();
    }
    fs::write(file.path(), text).unwrap();
    let column = DerivedColumn {
        name: "x".to_owned(),
        compute: Operation::Identity { of: "amount".to_owned() },
        minus: 0.0,
        divide: 1e4,
        clip: [-9.0, 9.0],
    };
    let data = DataSpec {
        unit_column: "id".to_owned(),
        label: LabelSpec::Class { column: "bad".to_owned() },
        row_norm_max: 5.0,
        derived: vec![column],
        features: vec!["x".to_owned()],
    };
    let source =
        DataSource { task_column: task_column.map(str::to_owned), ..DataSource::file(file.path()) };
    attach(&source, &data, &spec(Grouping::Buckets), Head::Binary {}).unwrap()
}

fn spec(grouping: Grouping) -> TaskSpec {
    TaskSpec { grouping, nominal_units: 4, support_share: 0.4, rows_per_unit_max: 100 }
}

fn key() -> PopulationKey {
    PopulationKey::new(&Zeroizing::new([3; 32]))
}

fn form(of: &[Row], grouping: Grouping, bound: u32) -> Vec<Task> {
    Tasks::form(rows(of, None), &spec(grouping), bound, &key()).unwrap().all().collect()
}

fn same(a: &Task, b: &Task) -> bool {
    let bits =
        |e: &Examples| e.iter().map(|(x, y)| (x[0].to_bits(), y.to_bits())).collect::<Vec<_>>();
    a.key == b.key && bits(&a.support) == bits(&b.support) && bits(&a.query) == bits(&b.query)
}

fn drawn() -> impl Strategy<Value = Vec<Row>> {
    prop::collection::vec((0_u8..30, any::<i16>(), any::<bool>()), 2..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn removing_a_unit_changes_its_bucket_and_nothing_else(
        all in drawn(),
        pick in any::<prop::sample::Index>(),
    ) {
        let gone = all[pick.index(all.len())].0;
        let rest: Vec<Row> = all.iter().copied().filter(|row| row.0 != gone).collect();
        prop_assume!(!rest.is_empty());
        let (with, without) = (form(&all, Grouping::Buckets, BUCKETS), form(&rest, Grouping::Buckets, BUCKETS));
        prop_assert_eq!(with.len(), BUCKETS as usize);
        prop_assert_eq!(without.len(), BUCKETS as usize);
        let changed = with.iter().zip(&without).filter(|(a, b)| !same(a, b)).count();
        prop_assert_eq!(changed, 1);
    }

    #[test]
    fn removing_a_unit_removes_its_task_and_nothing_else(
        all in drawn(),
        pick in any::<prop::sample::Index>(),
    ) {
        let gone = all[pick.index(all.len())].0;
        let rest: Vec<Row> = all.iter().copied().filter(|row| row.0 != gone).collect();
        prop_assume!(!rest.is_empty());
        let (with, without) = (form(&all, Grouping::UnitPerTask, 30), form(&rest, Grouping::UnitPerTask, 30));
        prop_assert_eq!(with.len(), without.len() + 1);
        let left: Vec<&Task> = with.iter().filter(|t| without.iter().any(|u| u.key == t.key)).collect();
        prop_assert_eq!(left.len(), without.len());
        prop_assert!(left.into_iter().zip(&without).all(|(a, b)| same(a, b)));
    }

    #[test]
    fn the_order_of_rows_leaves_no_trace(all in drawn(), turn in any::<prop::sample::Index>()) {
        for grouping in [Grouping::Buckets, Grouping::UnitPerTask] {
            let tasks = form(&all, grouping, 30);
            let mut other = all.clone();
            other.rotate_left(turn.index(all.len()));
            other.reverse();
            let turned = form(&other, grouping, 30);
            prop_assert_eq!(tasks.len(), turned.len());
            prop_assert!(tasks.iter().zip(&turned).all(|(a, b)| same(a, b)));
        }
    }

    #[test]
    fn no_row_is_lost_and_a_units_rows_stay_together(all in drawn()) {
        let tasks = form(&all, Grouping::Buckets, BUCKETS);
        let count: usize = tasks.iter().map(|t| t.support.len() + t.query.len()).sum();
        prop_assert_eq!(count, all.len());
        for unit in 0..30 {
            let own: Vec<Row> = all.iter().copied().filter(|row| row.0 == unit).collect();
            if own.is_empty() {
                continue;
            }
            let alone = form(&own, Grouping::Buckets, BUCKETS);
            let sides = alone.iter().flat_map(|t| [&t.support, &t.query]);
            prop_assert_eq!(sides.filter(|side| !side.is_empty()).count(), 1);
        }
    }
}

#[test]
fn another_key_gives_other_tasks() {
    let all: Vec<Row> = (0..30).map(|unit| (unit, i16::from(unit), false)).collect();
    let other = PopulationKey::new(&Zeroizing::new([4; 32]));
    let tasks = form(&all, Grouping::Buckets, BUCKETS);
    let others = Tasks::form(rows(&all, None), &spec(Grouping::Buckets), BUCKETS, &other).unwrap();
    assert!(tasks.iter().zip(others.all()).any(|(a, b)| a.query != b.query));
    assert_eq!(format!("{other:?}"), "PopulationKey(..)");
}

#[test]
fn units_with_the_same_task_column_share_a_bucket() {
    let all: Vec<Row> = (0..30).map(|unit| (unit, i16::from(unit), false)).collect();
    let tasks =
        Tasks::form(rows(&all, Some("branch")), &spec(Grouping::Buckets), 1000, &key()).unwrap();
    let full = tasks.all().filter(|t| !t.query.is_empty() || !t.support.is_empty()).count();
    assert!(full <= 3, "{full}");
    let refused = Tasks::form(rows(&all, Some("branch")), &spec(Grouping::UnitPerTask), 30, &key());
    assert!(matches!(refused, Err(TaskError::TaskColumn)));
}

#[test]
fn more_units_than_the_plan_has_tasks_for_are_refused() {
    let all: Vec<Row> = (0..30).map(|unit| (unit, 0, false)).collect();
    let refused = Tasks::form(rows(&all, None), &spec(Grouping::UnitPerTask), 29, &key());
    assert!(matches!(refused, Err(TaskError::TooManyUnits { tasks: 29, units: 30 })));
    let none = Tasks::form(rows(&all, None), &spec(Grouping::Buckets), 0, &key());
    assert!(matches!(none, Err(TaskError::NoTask)));
}

#[test]
fn each_task_joins_by_a_coin_of_its_own() {
    let all: Vec<Row> = (0..30).map(|unit| (unit, i16::from(unit), false)).collect();
    let tasks = Tasks::form(rows(&all, None), &spec(Grouping::Buckets), 2000, &key()).unwrap();
    let mut source = Keystream::from_seed(&Zeroizing::new([9; 32]));
    let half = SamplingRate::new(0.5).unwrap();
    let mut count = || tasks.sample(half, &mut source).unwrap().count();
    let (first, second) = (count(), count());
    // 2,000 fair coins: 8 standard deviations either side of 1,000.
    assert!((820..1180).contains(&first) && (820..1180).contains(&second));
    let few = Tasks::form(rows(&all, None), &spec(Grouping::Buckets), 4, &key()).unwrap();
    let first = few.all().next().unwrap().key;
    let joined =
        (0..400).filter(|_| few.sample(half, &mut source).unwrap().any(|task| task.key == first));
    // 400 fair coins: 6 standard deviations either side of 200.
    assert!((140..260).contains(&joined.count()));
    let everybody = SamplingRate::new(1.0).unwrap();
    let mut source = Keystream::from_seed(&Zeroizing::new([9; 32]));
    assert_eq!(tasks.sample(everybody, &mut source).unwrap().count(), 2000);
}
