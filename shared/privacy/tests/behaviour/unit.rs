use privacy::{
    Delta, Grouping, Mechanism, Order, PrivacyError, PrivacyEvent, SamplingRate, TaskChange,
    UnitRelation,
};
use proptest::prelude::*;

use crate::event;

#[test]
fn the_unit_table_is_the_agreed_one() {
    use Grouping::{Buckets, UnitPerTask};
    use UnitRelation::{AddRemove, ReplaceOne};
    for (grouping, relation, change, sensitivity) in [
        (UnitPerTask, AddRemove, TaskChange::Appears, 1.0),
        (UnitPerTask, ReplaceOne, TaskChange::ContentChanges, 2.0),
        (Buckets, AddRemove, TaskChange::ContentChanges, 2.0),
        (Buckets, ReplaceOne, TaskChange::TwoContentsChange, 4.0),
    ] {
        assert_eq!(TaskChange::of(grouping, relation), change);
        assert_eq!(change.sensitivity().to_bits(), f64::to_bits(sensitivity));
    }
}

#[test]
fn names_are_the_same_in_text_and_in_json() {
    fn check<T>(values: &[(T, &str)])
    where
        T: Copy + PartialEq + core::fmt::Debug + core::fmt::Display,
        T: core::str::FromStr<Err = PrivacyError> + serde::Serialize + serde::de::DeserializeOwned,
    {
        for &(value, name) in values {
            assert_eq!(value.to_string(), name);
            assert_eq!(name.parse(), Ok(value));
            assert_eq!(serde_json::to_string(&value).unwrap(), format!("\"{name}\""));
            assert_eq!(serde_json::from_str::<T>(&format!("\"{name}\"")).unwrap(), value);
        }
        assert!("other".parse::<T>().is_err());
    }
    check(&[(UnitRelation::AddRemove, "add-remove"), (UnitRelation::ReplaceOne, "replace-one")]);
    check(&[(Grouping::UnitPerTask, "unit-per-task"), (Grouping::Buckets, "buckets")]);
    check(&[
        (TaskChange::Appears, "appears"),
        (TaskChange::ContentChanges, "content"),
        (TaskChange::TwoContentsChange, "two-contents"),
    ]);
}

#[test]
fn an_event_survives_json() {
    let event = event(1.5, 0.1, 7, TaskChange::ContentChanges);
    let text = serde_json::to_string(&event).unwrap();
    assert_eq!(serde_json::from_str::<PrivacyEvent>(&text).unwrap(), event);
    let bad = text.replace("0.1", "1.1");
    let error = serde_json::from_str::<PrivacyEvent>(&bad).unwrap_err().to_string();
    assert!(error.contains("sampling rate must be above 0 and at most 1, not 1.1"), "{error}");
}

#[test]
fn a_plain_gaussian_samples_everyone() {
    let sampled = event(1.5, 1.0, 1, TaskChange::Appears).mechanism;
    let plain = Mechanism::Gaussian { noise_multiplier: sampled.noise() };
    assert_eq!(plain.sampling_rate(), SamplingRate::ALL);
}

proptest! {
    #[test]
    fn no_quantity_holds_a_number_outside_its_range(value in prop::num::f64::ANY) {
        prop_assert_eq!(Delta::new(value).is_ok(), value > 0.0 && value < 1.0);
        prop_assert_eq!(SamplingRate::new(value).is_ok(), value > 0.0 && value <= 1.0);
        prop_assert_eq!(Order::new(value).is_ok(), (1.001..=1e9).contains(&value));
    }
}
