//! The policy, rule by rule: one change of the plan or of the policy, one refusal.

use client::policy::{Policy, PolicyError, PolicyRefusal};
use ledger::digest::Digest;
use ledger::record::{Institution, QuorumRule};
use ledger::signing::PublicKey;

use crate::plans::plan;
use crate::world::policy_text;

fn policy(change: impl FnOnce(String) -> String) -> Policy {
    Policy::parse(&change(policy_text(&Digest::from_bytes([7; 32])))).unwrap()
}

fn north() -> Institution {
    Institution::new("north").unwrap()
}

/// The rules that refuse, with the plan's value and the limit.
fn refused(policy: &Policy, plan: &round::Plan) -> Vec<(&'static str, String, String)> {
    let verdicts = policy.check(plan, &north());
    verdicts.into_iter().filter(|v| !v.allowed).map(|v| (v.rule, v.value, v.limit)).collect()
}

#[test]
fn the_tests_plan_is_allowed() {
    assert_eq!(refused(&policy(|p| p), &plan(|p| p)), []);
}

#[test]
fn each_rule_refuses_what_is_just_beyond_it() {
    let cases: &[(&str, &str, &str, &str, &str)] = &[
        ("allow.applications", r#"["credit-risk"]"#, r#"["fraud"]"#, "credit-risk", "fraud"),
        ("allow.learners", r#"["fomaml"]"#, r#"["maml", "fedsgd"]"#, "fomaml", "maml, fedsgd"),
        (
            "allow.models.parameters_max",
            "parameters_max = 10",
            "parameters_max = 1",
            "2",
            "at most 1",
        ),
        ("allow.columns", r#"["id", "x", "y"]"#, r#"["id", "y"]"#, "x", "id, y"),
        ("allow.noise_multiplier_min", "_min = 8.0", "_min = 8.1", "8", "at least 8.1"),
        ("allow.clip_norm_max", "norm_max = 0.5", "norm_max = 0.4", "0.5", "at most 0.4"),
        ("allow.sampling_rate_max", "rate_max = 0.5", "rate_max = 0.4", "0.5", "at most 0.4"),
        ("allow.rounds_max", "rounds_max = 10", "rounds_max = 2", "3", "at most 2"),
        ("allow.inner_steps_max", "steps_max = 1", "steps_max = 0", "1", "at most 0"),
        ("allow.cohort_min", "cohort_min = 1", "cohort_min = 3", "2", "at least 3"),
        ("allow.delta_max", "delta_max = 1e-5", "delta_max = 9e-6", "0.00001", "at most 0.000009"),
        (
            "allow.relation",
            "1e-5\nrelation = \"add-remove\"\n",
            "1e-5\nrelation = \"replace-one\"\n",
            "add-remove",
            "replace-one",
        ),
        ("population.unit", "unit = \"customer\"", "unit = \"account\"", "customer", "account"),
    ];
    for (rule, from, to, value, limit) in cases {
        let strict = policy(|text| {
            assert!(text.contains(from), "{rule}");
            text.replace(from, to)
        });
        let expected = [(*rule, (*value).to_owned(), (*limit).to_owned())];
        assert_eq!(refused(&strict, &plan(|p| p)), expected, "{rule}");
    }
}

#[test]
fn a_plan_beyond_a_rule_is_refused_and_one_at_it_is_allowed() {
    let deep = plan(|text| text.replace("hidden = []", "hidden = [4, 5]"));
    let rules: Vec<_> = refused(&policy(|p| p), &deep).into_iter().map(|r| (r.0, r.1)).collect();
    let expected = [
        ("allow.models.hidden_layers_max", "2"),
        ("allow.models.width_max", "5"),
        ("allow.models.parameters_max", "39"),
    ];
    assert_eq!(rules, expected.map(|(rule, value)| (rule, value.to_owned())));
    let roomy = policy(|text| {
        text.replace("layers_max = 0", "layers_max = 2")
            .replace("width_max = 0", "width_max = 5")
            .replace("parameters_max = 10", "parameters_max = 39")
    });
    assert_eq!(refused(&roomy, &deep), []);
}

#[test]
fn what_a_plan_measures_must_be_named_and_a_plan_without_metrics_needs_no_rule() {
    let measuring = plan(|text| {
        let measures = "[{ query-loss = { max = 4.0 } }, { clipped = {} }]";
        text.replace("share = 0.0\nmeasures = []", &format!("share = 0.2\nmeasures = {measures}"))
    });
    let allowing = |names: &str| policy(|text| text + &format!("metrics = {names}\n"));
    let refused_as = |policy: &Policy, value: &str, limit: &str| {
        let expected = [("allow.metrics", value.to_owned(), limit.to_owned())];
        assert_eq!(refused(policy, &measuring), expected);
    };
    refused_as(&policy(|text| text), "query-loss, clipped", "no rule");
    refused_as(&allowing("[]"), "query-loss, clipped", "");
    refused_as(
        &allowing(r#"["clipped", "norm-histogram"]"#),
        "query-loss",
        "clipped, norm-histogram",
    );
    assert_eq!(refused(&allowing(r#"["clipped", "query-loss"]"#), &measuring), []);
    for policy in [allowing("[]"), allowing(r#"["clipped"]"#), policy(|text| text)] {
        assert_eq!(refused(&policy, &plan(|text| text)), []);
    }
}

#[test]
fn the_cost_of_a_run_is_the_banks_own_figure_and_not_the_plans_promise() {
    let spent = plan(|p| p).spent(3).unwrap().epsilon_upper;
    let at =
        |limit: f64| policy(|text| text.replace("run_max = 8.0", &format!("run_max = {limit}")));
    assert_eq!(refused(&at(spent), &plan(|p| p)), []);
    let below = refused(&at(spent.next_down()), &plan(|p| p));
    assert_eq!(below.iter().map(|r| r.0).collect::<Vec<_>>(), ["allow.epsilon_per_run_max"]);
}

#[test]
fn a_rule_that_is_missing_refuses() {
    let text = policy_text(&Digest::from_bytes([7; 32]));
    let (before, rules) = text.split_once("[allow]\n").unwrap();
    for line in rules.lines().filter(|line| !line.is_empty()) {
        let without = format!("{before}[allow]\n{}", rules.replace(&format!("{line}\n"), ""));
        let policy = Policy::parse(&without).unwrap();
        let refused = refused(&policy, &plan(|p| p));
        let key = line.split_once(" =").unwrap().0;
        assert!(!refused.is_empty(), "{line}");
        assert!(
            refused.iter().all(|(rule, _, limit)| rule.contains(key) && limit == "no rule"),
            "{line}: {refused:?}"
        );
    }
    let nothing = Policy::parse(before).unwrap();
    assert_eq!(refused(&nothing, &plan(|p| p)).len(), 15);
    let anywhere = policy(|text| text.replace("genesis = ", "# genesis = "));
    assert_eq!(refused(&anywhere, &plan(|p| p))[0].0, "consortium.genesis");
}

#[test]
fn a_plan_for_others_or_of_another_consortium_is_refused() {
    let others = plan(|text| text.replace("\"north\"", "\"east\""));
    assert_eq!(refused(&policy(|p| p), &others)[0].0, "cohort");
    let elsewhere = plan(|text| text.replace(&"07".repeat(32), &"08".repeat(32)));
    assert_eq!(refused(&policy(|p| p), &elsewhere)[0].0, "consortium.genesis");
}

#[test]
fn an_unknown_key_is_refused_with_the_one_that_was_meant() {
    let text = policy_text(&Digest::from_bytes([7; 32])).replace("rounds_max", "round_max");
    let error = Policy::parse(&text).unwrap_err();
    assert!(matches!(&error, PolicyError::Format { hint: Some(h), .. } if h == "rounds_max"));
    assert!(error.to_string().contains("did you mean `rounds_max`?"), "{error}");
}

#[test]
fn a_refusal_names_rule_value_and_limit() {
    let strict = policy(|text| text.replace("rounds_max = 10", "rounds_max = 2"));
    let verdicts = strict.check(&plan(|p| p), &north());
    let refusal = PolicyRefusal::unless_all_allow(&verdicts).unwrap_err();
    let expected = "the policy refuses: allow.rounds_max is 3 where the policy says at most 2;";
    assert_eq!(refusal.to_string(), expected);
    assert_eq!(refusal.verdicts().len(), 1);
}

#[test]
fn the_banks_own_signature_counts_only_with_its_own_key() {
    let key = |byte| PublicKey::from_bytes([byte; 32]);
    let name = |name: &str| Institution::new(name).unwrap();
    let half = QuorumRule::more_than(1, 2).unwrap();
    let allowed = |policy: &Policy, signers: &[(&str, u8)]| {
        let signers = signers.iter().map(|(who, byte)| (name(who), key(*byte))).collect();
        let verdicts = policy.check_signers(&signers, &north(), &key(1), half);
        verdicts.iter().map(|v| (v.rule, v.allowed)).collect::<Vec<_>>()
    };
    let open = policy(|text| text);
    assert_eq!(allowed(&open, &[("north", 1)]), [("approvals.own", true)]);
    assert_eq!(allowed(&open, &[("north", 2)]), [("approvals.own", false)]);
    assert_eq!(allowed(&open, &[("south", 1)]), [("approvals.own", false)]);
    assert_eq!(allowed(&open, &[]), [("approvals.own", false)]);

    let pins = format!(
        "[consortium.members]\nnorth = \"{}\"\nsouth = \"{}\"\neast = \"{}\"\n[population]",
        key(1),
        key(2),
        key(3)
    );
    let pinned = policy(|text| text.replacen("[population]", &pins, 1));
    let quorum = |signers: &[(&str, u8)]| allowed(&pinned, signers)[1];
    let rule = "consortium.members";
    assert_eq!(quorum(&[("north", 1), ("south", 2)]), (rule, true));
    assert_eq!(quorum(&[("north", 1)]), (rule, false));
    assert_eq!(quorum(&[("north", 1), ("south", 9)]), (rule, false));
    assert_eq!(quorum(&[("north", 1), ("invented", 2)]), (rule, false));
}
