//! What is a plan, and what is none.

use ledger::digest::sha256;
use round::plan::{DerivedColumn, Operation, PlanError};
use round::{Plan, PlanError as Error};
use toml::{Table, Value};

use crate::support::{EXAMPLE, with};

fn parse(text: &str) -> Result<Plan, PlanError> {
    Plan::parse(text.as_bytes())
}

fn error(text: &str) -> String {
    parse(text).expect_err("not a plan").to_string()
}

/// A key on the way from the top: a table's key, or a place in an array.
#[derive(Debug, Clone, PartialEq)]
enum Part {
    Key(String),
    Place(usize),
}

/// Every key below `value`, outermost first.
fn keys(value: &Value, path: &[Part], found: &mut Vec<Vec<Part>>) {
    let below = |part: Part| [path, &[part]].concat();
    match value {
        Value::Table(table) => {
            for (key, value) in table {
                let path = below(Part::Key(key.clone()));
                found.push(path.clone());
                keys(value, &path, found);
            }
        }
        Value::Array(values) => {
            for (place, value) in values.iter().enumerate() {
                keys(value, &below(Part::Place(place)), found);
            }
        }
        _ => {}
    }
}

/// The text without the key at `path`, and the key's name.
fn without(text: &str, path: &[Part]) -> (String, String) {
    let mut root = Value::Table(text.parse::<Table>().expect("toml"));
    let mut at = &mut root;
    let (last, way) = path.split_last().expect("a path");
    for part in way {
        at = match part {
            Part::Key(key) => at.get_mut(key.as_str()),
            Part::Place(place) => at.get_mut(*place),
        }
        .expect("a path that is there");
    }
    let Part::Key(key) = last else { panic!("{last:?} is no key") };
    at.as_table_mut().expect("a table").remove(key).expect("a key that is there");
    (toml::to_string(&root).expect("toml"), key.clone())
}

const NO_METRICS: &str = "share = 0.0\nmeasures = []";

/// Keys that name one of several alternatives: without one, what is missing has no single name.
const ALTERNATIVES: [&str; 10] = [
    "equals",
    "identity",
    "log-ratio",
    "log1p",
    "at-least",
    "ratio",
    "binary",
    "log-loss",
    "adam",
    "class",
];

#[test]
fn the_example_is_a_plan_and_every_key_of_it_is_required() {
    let plan = parse(EXAMPLE).expect("the example is a plan");
    assert_eq!((plan.dimension(), plan.cohort().len()), (6, 3));
    let mut found = vec![];
    keys(&Value::Table(EXAMPLE.parse().expect("toml")), &[], &mut found);
    assert!(found.len() > 100, "{} keys", found.len());
    for path in found {
        let (text, key) = without(EXAMPLE, &path);
        let message = error(&text);
        let named = message.contains(&format!("`{key}`")) || ALTERNATIVES.contains(&key.as_str());
        assert!(named, "without {path:?}: {message}");
    }
}

/// Each alternative that the example does not use, complete; then without each of its keys.
#[test]
fn every_key_of_every_alternative_is_required() {
    let compute = "{ identity = { of = \"AGE\" } }";
    let label = "{ equals = { column = \"DEFAULT\", value = 1.0 } }";
    let adam = "[optimizer.adam]\nlearning_rate = 0.01\nbeta1 = 0.9\nbeta2 = 0.99\nepsilon = 0.001";
    let alternatives = [
        (compute, "{ at-most = { of = \"AGE\", value = 1.0 } }"),
        (compute, "{ equals = { of = \"AGE\", value = 1.0 } }"),
        (compute, "{ one-of = { of = \"AGE\", values = [1.0, 2.0] } }"),
        (compute, "{ mean = { of = [\"AGE\"] } }"),
        (compute, "{ difference = { of = \"AGE\", less = \"BILL\" } }"),
        (compute, "{ count = { of = [\"AGE\"], at_least = 1.0 } }"),
        (label, "{ class = { column = \"DEFAULT\" } }"),
        (adam, "[optimizer.sgd]\nlearning_rate = 3.0"),
        (adam, "[optimizer.momentum]\nlearning_rate = 3.0\nmomentum = 0.9"),
        (NO_METRICS, "share = 0.2\nmeasures = [{ query-loss = { max = 4.0 } }, { clipped = {} }]"),
        (NO_METRICS, "share = 1.0\nmeasures = [{ norm-histogram = { edges = [0.1, 0.2] } }]"),
        (adam, "[optimizer.yogi]\nlearning_rate = 3.0\nbeta1 = 0.9\nbeta2 = 0.99\nepsilon = 0.001"),
    ];
    for (from, to) in alternatives {
        let text = with(from, to);
        parse(&text).unwrap_or_else(|error| panic!("{to}: {error}"));
        let mut found = vec![];
        keys(&Value::Table(text.parse().expect("toml")), &[], &mut found);
        for path in found {
            assert!(parse(&without(&text, &path).0).is_err(), "{to} without {path:?}");
        }
    }
}

#[test]
fn a_regression_and_a_multiclass_plan_are_plans() {
    let regression = with("{ binary = {} }", "{ regression = {} }")
        .replace("[loss.log-loss]\nclass_weights = [0.64, 2.27]", "[loss.squared-error]")
        .replace(
            "{ equals = { column = \"DEFAULT\", value = 1.0 } }",
            "{ value = { column = \"DEFAULT\", clip = [0.0, 1.0] } }",
        );
    assert!(parse(&regression).is_ok(), "{:?}", parse(&regression));
    let classes = with("{ binary = {} }", "{ classes = { count = 3 } }")
        .replace("[0.64, 2.27]", "[1.0, 1.0, 1.0]")
        .replace(
            "{ equals = { column = \"DEFAULT\", value = 1.0 } }",
            "{ class = { column = \"DEFAULT\" } }",
        )
        .replace("hidden = []", "hidden = [4]");
    assert_eq!(parse(&classes).map(|plan| plan.dimension()), Ok(4 * 6 + 3 * 5));
}

#[test]
fn an_unknown_key_is_refused_and_a_near_one_suggested() {
    for (from, to, hint) in [
        ("rounds = 2\n", "rouns = 2\n", Some("rounds")),
        ("epsilon = 3.0", "epsilon = 3.0\nclip_nrom = 0.5", Some("clip_norm")),
        ("[optimizer.adam]", "[optimizer.adm]", Some("adam")),
        ("send = \"slot-end\"", "send = \"slot-ende\"", Some("slot-end")),
        ("grouping = \"buckets\"", "grouping = \"bucket\"", Some("buckets")),
        ("{ identity = { of", "{ identity = { fo", Some("of")),
        ("measures = []", "measures = [{ query-los = { max = 1.0 } }]", Some("query-loss")),
        ("version = 1\n", "version = 1\nsomething_else = 1\n", None),
        ("{ identity = { of", "{ identity = { xy", None),
    ] {
        let message = error(&with(from, to));
        match hint {
            Some(key) => {
                assert!(message.ends_with(&format!("did you mean `{key}`?")), "{to}: {message}");
            }
            None => assert!(!message.contains("did you mean"), "{to}: {message}"),
        }
    }
}

/// Text of the example, what stands there instead, the key that the error names.
const RULES: [(&str, &str, &str); 68] = [
    ("version = 1\n", "version = 2\n", "version"),
    ("\"orchard credit\"", "\"\"", "name"),
    ("\"orchard credit\"", "\"a\\u0007b\"", "name"),
    ("\"credit-risk\"", "\"\"", "application"),
    (
        "\"0000000000000000000000000000000000000000000000000000000000000000\"",
        "\"00\"",
        "consortium",
    ),
    ("rounds = 2\n", "rounds = 0\n", "rounds"),
    ("rounds = 2\n", "rounds = 100001\n", "rounds"),
    ("\"birch\"", "\"alder\"", "cohort.institution"),
    ("\"birch\"", "\"Birch\"", "cohort.institution"),
    ("declared_units = 10000", "declared_units = 0", "cohort.declared_units"),
    ("declared_units = 10000", "declared_units = 4294967296", "cohort.declared_units"),
    ("tasks = 100\n", "tasks = 0\n", "cohort.tasks"),
    ("tasks = 100\n", "tasks = 10000001\n", "cohort.tasks"),
    ("unit = \"customer\"", "unit = \"\"", "privacy.unit"),
    ("epsilon = 3.0", "epsilon = 0.5", "privacy.epsilon"),
    ("epsilon = 3.0", "epsilon = 0.0", "privacy.epsilon"),
    ("epsilon = 3.0", "epsilon = nan", "privacy.epsilon"),
    ("delta = 1e-6", "delta = 1e-5", "privacy.delta"),
    ("delta = 1e-6", "delta = 0.0", "privacy.delta"),
    ("noise_multiplier = 3.0", "noise_multiplier = 0.0", "privacy.noise_multiplier"),
    ("noise_multiplier = 3.0", "noise_multiplier = inf", "privacy.noise_multiplier"),
    ("noise_multiplier = 3.0", "noise_multiplier = 3000.0", "privacy.grid_bits"),
    ("sampling_rate = 0.2", "sampling_rate = 0.0", "privacy.sampling_rate"),
    ("sampling_rate = 0.2", "sampling_rate = 1.1", "privacy.sampling_rate"),
    ("sampling_rate = 0.2", "sampling_rate = nan", "privacy.sampling_rate"),
    ("clip_norm = 0.5", "clip_norm = -1.0", "privacy.clip_norm"),
    ("grid_bits = 18", "grid_bits = 15", "privacy.grid_bits"),
    ("grid_bits = 18", "grid_bits = 21", "privacy.grid_bits"),
    ("tasks = 200\n", "tasks = 9000\n", "privacy.grid_bits"),
    ("nominal_units = 30", "nominal_units = 0", "tasks.nominal_units"),
    ("support_share = 0.5", "support_share = 0.96", "tasks.support_share"),
    ("support_share = 0.5", "support_share = 0.0", "tasks.support_share"),
    ("rows_per_unit_max = 1", "rows_per_unit_max = 0", "tasks.rows_per_unit_max"),
    ("unit_column = \"ID\"", "unit_column = \"\"", "data.unit_column"),
    ("unit_column = \"ID\"", "unit_column = \"DEFAULT\"", "data.label.column"),
    ("unit_column = \"ID\"", "unit_column = \"AGE\"", "data.derived.age"),
    ("column = \"DEFAULT\"", "column = \"AGE\"", "data.derived.age"),
    ("column = \"DEFAULT\"", "column = \"age\"", "data.derived.age"),
    ("unit_column = \"ID\"", "unit_column = \"late\"", "data.derived.late"),
    ("column = \"DEFAULT\", value = 1.0", "column = \"DEFAULT\", value = inf", "data.label.value"),
    ("row_norm_max = 5.0", "row_norm_max = 0.0", "data.row_norm_max"),
    ("name = \"late\"", "name = \"paid\"", "data.derived.paid"),
    ("of = \"DELAY\"", "of = \"late\"", "data.derived"),
    ("minus = 35.0", "minus = nan", "data.derived.age"),
    ("divide = 10.0", "divide = 0.0", "data.derived.age"),
    ("clip = [-2.0, 3.0]", "clip = [3.0, -2.0]", "data.derived.age"),
    ("clip = [-2.0, 3.0]", "clip = [-2.0, inf]", "data.derived.age"),
    ("scale = 2000.0", "scale = 0.0", "data.derived.paid"),
    ("reference = 150000.0", "reference = -1.0", "data.derived.limit"),
    ("floor = 1.0", "floor = 0.0", "data.derived.used"),
    ("[\"age\", \"limit\", \"paid\", \"late\", \"used\"]", "[]", "data.features"),
    ("[\"age\", \"limit\", \"paid\", \"late\", \"used\"]", "[\"age\", \"age\"]", "data.features"),
    ("[\"age\", \"limit\", \"paid\", \"late\", \"used\"]", "[\"AGE\"]", "data.features"),
    ("hidden = []", "hidden = [0]", "model.hidden"),
    ("hidden = []", "hidden = [60000, 200]", "model"),
    ("scale = 0.1", "scale = 10.5", "model.initialization.scale"),
    ("family = \"fomaml\"", "family = \"fedsgd\"", "learner"),
    ("inner_steps = 3", "inner_steps = 1001", "learner.inner_steps"),
    ("[0, 1, 3, 10]", "[1, 1]", "learner.adaptation_steps"),
    ("[0, 1, 3, 10]", "[]", "learner.adaptation_steps"),
    ("[0.64, 2.27]", "[1.0]", "loss.log-loss.class_weights"),
    ("beta1 = 0.9\n", "beta1 = 1.0\n", "optimizer.adam.beta1"),
    ("learning_rate = 0.01", "learning_rate = 0.0", "optimizer.adam.learning_rate"),
    ("slot_ms = 1000", "slot_ms = 0", "schedule.slot_ms"),
    ("deadline_ms = 20000", "deadline_ms = 2592000001", "schedule.deadline_ms"),
    ("quorum = 2\nwit", "quorum = 4\nwit", "schedule.quorum"),
    ("witness_quorum = 0", "witness_quorum = 3", "schedule.witness_quorum"),
    (
        "keep_contributions_rounds = 1",
        "keep_contributions_rounds = 0",
        "schedule.keep_contributions_rounds",
    ),
];

#[test]
fn a_value_beyond_its_limit_is_refused_by_its_key() {
    for (from, to, key) in RULES {
        let message = error(&with(from, to));
        assert!(message.starts_with(&format!("{key}: ")), "{to}: expected {key}, got {message}");
    }
}

/// What stands in `[metrics]`, and the whole error.
const METRICS: [(&str, &str); 16] = [
    ("share = -0.1\nmeasures = []", "metrics.share: expected 0, or 0.01 to 1, got -0.1"),
    ("share = 1.1\nmeasures = []", "metrics.share: expected 0, or 0.01 to 1, got 1.1"),
    ("share = 0.009\nmeasures = []", "metrics.share: expected 0, or 0.01 to 1, got 0.009"),
    ("share = nan\nmeasures = []", "metrics.share: expected 0, or 0.01 to 1, got NaN"),
    (
        "share = 0.2\nmeasures = []",
        "metrics.measures: expected none with share 0 and some with any other, got 0 with share 0.2",
    ),
    (
        "share = 0.0\nmeasures = [{ clipped = {} }]",
        "metrics.measures: expected none with share 0 and some with any other, got 1 with share 0",
    ),
    (
        "share = 0.2\nmeasures = [{ clipped = {} }, { clipped = {} }]",
        "metrics.measures.clipped: is named twice",
    ),
    (
        "share = 1.0\nmeasures = [{ clipped = {} }]",
        "metrics.measures.clipped: expected a share below 1: with 1 no gradient is sent",
    ),
    (
        "share = 0.2\nmeasures = [{ query-loss = { max = 0.0 } }]",
        "metrics.measures.query-loss.max: expected a positive number, got 0",
    ),
    (
        "share = 0.2\nmeasures = [{ query-loss = { max = inf } }]",
        "metrics.measures.query-loss.max: expected a positive number, got inf",
    ),
    (
        "share = 0.2\nmeasures = [{ norm-histogram = { edges = [] } }]",
        "metrics.measures.norm-histogram.edges: expected 1 to 32, got 0",
    ),
    (
        "share = 0.2\nmeasures = [{ norm-histogram = { edges = [0.2, 0.1] } }]",
        "metrics.measures.norm-histogram.edges: expected distinct numbers, ascending",
    ),
    (
        "share = 0.2\nmeasures = [{ norm-histogram = { edges = [0.1, 0.1] } }]",
        "metrics.measures.norm-histogram.edges: expected distinct numbers, ascending",
    ),
    (
        "share = 0.2\nmeasures = [{ norm-histogram = { edges = [0.0, 0.1] } }]",
        "metrics.measures.norm-histogram.edges: expected a positive number, got 0",
    ),
    (
        "share = 0.2\nmeasures = [{ norm-histogram = { edges = [0.1, nan] } }]",
        "metrics.measures.norm-histogram.edges: expected a positive number, got NaN",
    ),
    (
        "share = 0.2\nmeasures = [{ norm-histogram = { edges = [0.1, inf] } }]",
        "metrics.measures.norm-histogram.edges: expected a positive number, got inf",
    ),
];

#[test]
fn metrics_that_break_a_rule_are_refused_with_what_was_expected() {
    for (to, message) in METRICS {
        assert_eq!(error(&with(NO_METRICS, to)), message);
    }
    let edges =
        |count: u32| (1..=count).map(|edge| edge.to_string()).collect::<Vec<_>>().join(", ");
    let histogram = |count| {
        let measure = format!("{{ norm-histogram = {{ edges = [{}] }} }}", edges(count));
        with(NO_METRICS, &format!("share = 1\nmeasures = [{measure}]"))
    };
    assert_eq!(parse(&histogram(32)).map(|plan| plan.contribution_dimension()), Ok(33));
    let message = "metrics.measures.norm-histogram.edges: expected 1 to 32, got 33";
    assert_eq!(error(&histogram(33)), message);
}

#[test]
fn no_plan_is_longer_than_its_limit() {
    let padded = |length: usize| format!("{EXAMPLE}#{}", "x".repeat(length - EXAMPLE.len() - 1));
    assert!(parse(&padded(32 * 1024)).is_ok());
    assert_eq!(parse(&padded(32 * 1024 + 1)), Err(Error::TooLong(32 * 1024 + 1)));
}

#[test]
fn what_is_no_text_is_no_plan() {
    let mut bytes = EXAMPLE.as_bytes().to_vec();
    bytes.extend([b'#', 0xff]);
    assert!(matches!(Plan::parse(&bytes), Err(Error::NotText(_))));
    assert!(matches!(Plan::parse(b""), Err(Error::Format { .. })));
}

#[test]
fn an_error_shows_no_control_character() {
    let message = error(&format!("{EXAMPLE}\n# \u{1b}[2J\u{7} red"));
    assert!(message.chars().all(|c| !c.is_control() || c == '\n'), "{message:?}");
}

#[test]
fn the_exact_bytes_are_what_is_hashed_and_kept() {
    let plan = parse(EXAMPLE).expect("the example is a plan");
    assert_eq!((plan.bytes(), plan.digest()), (EXAMPLE.as_bytes(), sha256(EXAMPLE.as_bytes())));
    for same in [
        format!("{EXAMPLE}\n"),
        format!("# a comment\n{EXAMPLE}"),
        with("rounds = 2\n", "rounds  = 2\n"),
    ] {
        let other = parse(&same).expect("the same plan in other bytes");
        assert_eq!(other.text(), plan.text());
        assert_ne!(other.digest(), plan.digest());
    }
}

#[test]
fn the_cohort_is_kept_in_order_and_the_bound_per_bank() {
    let swapped = EXAMPLE.replace("\"alder\"", "\"zelkova\"");
    let plan = parse(&swapped).expect("a plan");
    let names: Vec<&str> = plan.cohort().iter().map(ledger::record::Institution::as_str).collect();
    assert_eq!(names, ["birch", "cedar", "zelkova"]);
    let bound =
        |name: &str| plan.public_bound(&name.parse().expect("a name")).map(|b| b.coordinate());
    assert!(bound("zelkova") > bound("birch") && bound("birch") > bound("cedar"));
    assert_eq!(bound("weasel"), None);
}

/// The clip is [−10, 10], nothing is subtracted, and x, y are what the row holds.
#[test]
fn each_operation_has_its_value_and_an_undefined_one_is_the_lower_bound() {
    use Operation::{
        AtLeast, AtMost, Count, Difference, Equals, Identity, Log1p, LogRatio, Mean, OneOf, Ratio,
    };
    let (nan, inf) = (f64::NAN, f64::INFINITY);
    let x = || "x".to_owned();
    let xy = || vec!["x".to_owned(), "y".to_owned()];
    let ratio = || Ratio { of: vec![x()], over: vec!["y".to_owned()], floor: 0.5 };
    let difference = || Difference { of: x(), less: "y".to_owned() };
    let count = || Count { of: xy(), at_least: 2.0 };
    let one_of = || OneOf { of: x(), values: vec![1.0, 3.0] };
    let log1p = || Log1p { of: x(), scale: 2.0 };
    let log_ratio = || LogRatio { of: x(), reference: 2.0 };
    let table = [
        (Identity { of: x() }, 3.5, 0.0, 3.5),
        (Identity { of: x() }, inf, 0.0, 10.0),
        (Identity { of: x() }, -inf, 0.0, -10.0),
        (Identity { of: x() }, nan, 0.0, -10.0),
        (log1p(), 2.0, 0.0, core::f64::consts::LN_2),
        (log1p(), -5.0, 0.0, 0.0),
        (log1p(), inf, 0.0, 10.0),
        (log1p(), nan, 0.0, -10.0),
        (log_ratio(), 4.0, 0.0, core::f64::consts::LN_2),
        (log_ratio(), 0.0, 0.0, -10.0),
        (log_ratio(), -1.0, 0.0, -10.0),
        (log_ratio(), inf, 0.0, 10.0),
        (AtLeast { of: x(), value: 2.0 }, 2.0, 0.0, 1.0),
        (AtLeast { of: x(), value: 2.0 }, 1.9, 0.0, 0.0),
        (AtLeast { of: x(), value: 2.0 }, nan, 0.0, -10.0),
        (AtMost { of: x(), value: 2.0 }, 2.0, 0.0, 1.0),
        (AtMost { of: x(), value: 2.0 }, inf, 0.0, 0.0),
        (Equals { of: x(), value: 2.0 }, 2.0, 0.0, 1.0),
        (Equals { of: x(), value: 2.0 }, 2.1, 0.0, 0.0),
        (Equals { of: x(), value: 2.0 }, nan, 0.0, -10.0),
        (one_of(), 3.0, 0.0, 1.0),
        (one_of(), 2.0, 0.0, 0.0),
        (one_of(), nan, 0.0, -10.0),
        (ratio(), 3.0, 2.0, 1.5),
        (ratio(), 3.0, -7.0, 6.0),
        (ratio(), inf, inf, -10.0),
        (ratio(), 1.0, nan, -10.0),
        (Mean { of: xy() }, 1.0, 2.0, 1.5),
        (Mean { of: xy() }, nan, 2.0, -10.0),
        (difference(), 5.0, 2.0, 3.0),
        (difference(), inf, inf, -10.0),
        (count(), 2.0, 1.0, 1.0),
        (count(), inf, 2.0, 2.0),
        (count(), 2.0, nan, -10.0),
    ];
    for (compute, first, second, expected) in table {
        let told = format!("{compute:?} of {first}, {second}");
        let column =
            DerivedColumn { name: x(), compute, minus: 0.0, divide: 1.0, clip: [-10.0, 10.0] };
        let value = column.value(|name| if name == "x" { first } else { second });
        assert!((value - expected).abs() < 1e-15, "{told}: expected {expected}, got {value}");
    }
    let shifted = |minus, divide, clip| {
        let compute = Identity { of: x() };
        DerivedColumn { name: x(), compute, minus, divide, clip }.value(|_| 5.0)
    };
    assert!((shifted(1.0, -2.0, [-10.0, 10.0]) + 2.0).abs() < 1e-15);
    assert!((shifted(0.0, 1e-310, [-10.0, 10.0]) - 10.0).abs() < 1e-15);
}
