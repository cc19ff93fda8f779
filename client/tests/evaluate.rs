//! Episodes at an institution that never trained.
#![expect(clippy::unwrap_used, reason = "a failed set-up fails the test")]

use std::fmt::Write;
use std::fs;

use client::data::{DataSource, Rows, attach};
use client::evaluate::{EpisodeSpec, EvaluateError, choose_steps, evaluate};
use meta::{EpisodeShape, GradientLearner};
use privacy::Grouping;
use round::plan::{
    Activation, DataSpec, DerivedColumn, Family, Head, Initialization, LabelSpec, LearnerSpec,
    LossSpec, ModelSpec, Operation, TaskSpec,
};

/// `count` rows whose label follows x; `units` rows share a unit.
fn rows(count: u32, units: u32) -> Rows {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut text = "id,x,noise,y\n".to_owned();
    for k in 0..count {
        let (x, noise) =
            (f64::from(k * 37 % 101) / 50.0 - 1.0, f64::from(k * 53 % 97) / 48.0 - 1.0);
        writeln!(text, "{},{x},{noise},{}", k / units, u8::from(x + 0.3 * noise > 0.0)).unwrap();
    }
    fs::write(file.path(), text).unwrap();
    let column = |name: &str| DerivedColumn {
        name: format!("{name}-feature"),
        compute: Operation::Identity { of: name.to_owned() },
        minus: 0.0,
        divide: 1.0,
        clip: [-2.0, 2.0],
    };
    let data = DataSpec {
        unit_column: "id".to_owned(),
        label: LabelSpec::Class { column: "y".to_owned() },
        row_norm_max: 5.0,
        derived: vec![column("x"), column("noise")],
        features: vec!["x-feature".to_owned(), "noise-feature".to_owned()],
    };
    let tasks = TaskSpec {
        grouping: Grouping::Buckets,
        nominal_units: 10,
        support_share: 0.5,
        rows_per_unit_max: 1000,
    };
    attach(&DataSource::file(file.path()), &data, &tasks, Head::Binary {}).unwrap()
}

fn learner() -> GradientLearner {
    let model = ModelSpec {
        head: Head::Binary {},
        hidden: vec![],
        activation: Activation::Tanh,
        initialization: Initialization { seed: 0, scale: 0.0 },
    };
    let steps = LearnerSpec {
        family: Family::Fomaml,
        inner_steps: 1,
        inner_rate: 0.5,
        inner_step_norm_max: 1.0,
        adaptation_steps: vec![0, 1],
        adaptation_rate: 0.5,
    };
    let loss = LossSpec::LogLoss { class_weights: vec![1.0, 1.0] };
    let shape = EpisodeShape { features: 2, nominal_units: 10, support_share: 0.5 };
    meta::learner(&model, &steps, &loss, shape).unwrap()
}

const SPEC: EpisodeSpec =
    EpisodeSpec { shots: 2, query_positive: 30, query_negative: 60, episodes: 40, seed: 1 };

/// The direction that the labels follow, and its opposite.
const GOOD: [f32; 3] = [1.0, 0.3, 0.0];
const BAD: [f32; 3] = [-1.0, -0.3, 0.0];

#[test]
fn a_good_initialization_beats_learning_alone_and_the_interval_says_so() {
    let found = evaluate(&learner(), &GOOD, &rows(400, 1), 0, SPEC).unwrap();
    assert!((found.unadapted - 1.0).abs() < 1e-9 && (found.adapted - 1.0).abs() < 1e-9);
    assert!(found.local_only > 0.7 && found.local_only < 0.999, "{}", found.local_only);
    let [low, high] = found.interval95;
    let gain = found.adapted - found.local_only;
    assert!(0.0 < low && low < gain && gain < high);
}

#[test]
fn a_bad_initialization_loses_and_wants_many_steps() {
    let rows = rows(400, 1);
    let found = evaluate(&learner(), &BAD, &rows, 0, SPEC).unwrap();
    assert!(found.interval95[1] < 0.0);
    assert_eq!(choose_steps(&learner(), &BAD, &rows, &[0, 1, 30], SPEC).unwrap(), 30);
    // Two guarded steps cannot turn so long a vector, so all are as good: the smallest is taken.
    let long = GOOD.map(|w| 1e6 * w);
    assert_eq!(choose_steps(&learner(), &long, &rows, &[2, 1], SPEC).unwrap(), 1);
}

#[test]
fn the_same_seed_gives_the_same_figures() {
    let rows = rows(400, 1);
    let found = |seed| evaluate(&learner(), &BAD, &rows, 1, EpisodeSpec { seed, ..SPEC }).unwrap();
    assert_eq!(found(1), found(1));
    assert!((found(1).local_only - found(2).local_only).abs() > 0.0);
}

#[test]
fn support_and_query_share_no_unit() {
    // Four units of a hundred rows: a support of forty rows takes rows of all four, and none is left.
    let refused =
        evaluate(&learner(), &GOOD, &rows(400, 100), 0, EpisodeSpec { shots: 20, ..SPEC });
    assert!(matches!(refused, Err(EvaluateError::TooFewRows { .. })));
}

#[test]
fn what_gives_no_episode_is_refused() {
    let rows = rows(100, 1);
    let error = |spec| evaluate(&learner(), &GOOD, &rows, 0, spec).err().unwrap();
    let many = EpisodeSpec { query_positive: 90, ..SPEC };
    assert!(matches!(error(many), EvaluateError::TooFewRows { class: 1, needed: 92, .. }));
    assert!(matches!(error(EpisodeSpec { episodes: 0, ..SPEC }), EvaluateError::NoEpisode));
    let none =
        choose_steps(&learner(), &GOOD, &rows, &[], EpisodeSpec { query_negative: 30, ..SPEC });
    assert!(matches!(none, Err(EvaluateError::NoCandidate)));
    let short = evaluate(&learner(), &[0.0], &rows, 0, EpisodeSpec { query_negative: 30, ..SPEC });
    assert!(matches!(short, Err(EvaluateError::Learner(_))));
}

#[test]
fn an_evaluation_is_written_with_these_keys() {
    let found = evaluate(&learner(), &GOOD, &rows(400, 1), 0, SPEC).unwrap();
    let written = serde_json::to_value(found).unwrap();
    let keys: Vec<&String> = written.as_object().unwrap().keys().collect();
    let expected = [
        "adapted",
        "episodes",
        "interval95",
        "local_only",
        "metric",
        "shots",
        "steps",
        "unadapted",
    ];
    assert!(
        expected.iter().all(|key| keys.iter().any(|k| k == key)) && keys.len() == expected.len()
    );
}
