use std::collections::BTreeSet;
use std::fmt::Display;

use ledger::record::Institution;
use round::plan::{Family, Plan};

use super::{AllowRules, Policy, Verdict};

impl Policy {
    /// What each rule says of `plan`, for `institution`. Pure, and speaks of public facts alone.
    pub fn check(&self, plan: &Plan, institution: &Institution) -> Vec<Verdict> {
        let mut verdicts = vec![self.genesis(plan), in_cohort(plan, institution)];
        verdicts.extend([self.unit(plan), self.population_relation(plan)]);
        let allow = &self.allow;
        verdicts.extend([allow.application(plan), allow.learner(plan)]);
        verdicts.extend(allow.model(plan));
        verdicts.extend([allow.columns(plan), allow.metrics(plan)]);
        verdicts.extend(allow.privacy(plan));
        verdicts.extend(allow.shape(plan));
        verdicts
    }

    fn genesis(&self, plan: &Plan) -> Verdict {
        let genesis = self.consortium.genesis.as_ref();
        let value = plan.consortium();
        Verdict::of(
            "consortium.genesis",
            value,
            genesis,
            |g| (*g).clone(),
            |g| **g == value.to_string(),
        )
    }

    fn unit(&self, plan: &Plan) -> Verdict {
        let (value, limit) = (&plan.text().privacy.unit, &self.population.unit);
        Verdict::new("population.unit", value, limit, value == limit)
    }

    fn population_relation(&self, plan: &Plan) -> Verdict {
        let (value, limit) = (plan.text().privacy.relation, self.population.relation);
        Verdict::new("population.relation", value, limit, value == limit)
    }
}

fn in_cohort(plan: &Plan, institution: &Institution) -> Verdict {
    let names: Vec<_> = plan.cohort().iter().map(Institution::as_str).collect();
    let found = plan.participant(institution).is_some();
    Verdict::new("cohort", names.join(", "), format!("with {institution}"), found)
}

impl AllowRules {
    fn application(&self, plan: &Plan) -> Verdict {
        one_of("allow.applications", &plan.text().application, self.applications.as_ref())
    }

    fn learner(&self, plan: &Plan) -> Verdict {
        let family = match plan.text().learner.family {
            Family::Maml => "maml",
            Family::Fomaml => "fomaml",
            Family::Fedsgd => "fedsgd",
        };
        one_of("allow.learners", family, self.learners.as_ref())
    }

    fn model(&self, plan: &Plan) -> [Verdict; 3] {
        let hidden = &plan.text().model.hidden;
        let width = hidden.iter().copied().max().unwrap_or(0);
        let models = self.models.as_ref();
        [
            at_most(
                "allow.models.hidden_layers_max",
                hidden.len(),
                models.map(|m| m.hidden_layers_max),
            ),
            at_most("allow.models.width_max", width, models.map(|m| m.width_max)),
            at_most(
                "allow.models.parameters_max",
                plan.dimension(),
                models.map(|m| m.parameters_max),
            ),
        ]
    }

    /// The columns that the plan reads beyond those that are allowed.
    fn columns(&self, plan: &Plan) -> Verdict {
        let read: Vec<&str> = source_columns(plan).into_iter().collect();
        all_of("allow.columns", &read, self.columns.as_ref())
    }

    /// What the plan measures beyond what is allowed. Nothing is always allowed.
    fn metrics(&self, plan: &Plan) -> Verdict {
        const RULE: &str = "allow.metrics";
        let measured = plan.text().metrics.names();
        if measured.is_empty() {
            return Verdict::new(RULE, "none", "none needs no rule", true);
        }
        all_of(RULE, &measured, self.metrics.as_ref())
    }

    fn privacy(&self, plan: &Plan) -> [Verdict; 6] {
        let text = plan.text();
        let spec = &text.privacy;
        [
            at_least(
                "allow.noise_multiplier_min",
                spec.noise_multiplier,
                self.noise_multiplier_min,
            ),
            at_most("allow.clip_norm_max", spec.clip_norm, self.clip_norm_max),
            at_most("allow.sampling_rate_max", spec.sampling_rate, self.sampling_rate_max),
            self.epsilon(plan),
            at_most("allow.delta_max", spec.delta, self.delta_max),
            Verdict::of("allow.relation", spec.relation, self.relation, ToString::to_string, |r| {
                *r == spec.relation
            }),
        ]
    }

    /// By the bank's own accountant, not by what the plan promises.
    fn epsilon(&self, plan: &Plan) -> Verdict {
        const RULE: &str = "allow.epsilon_per_run_max";
        match plan.spent(plan.text().rounds) {
            Ok(certificate) => at_most(RULE, certificate.epsilon_upper, self.epsilon_per_run_max),
            Err(error) => Verdict::new(RULE, error, "a figure", false),
        }
    }

    fn shape(&self, plan: &Plan) -> [Verdict; 3] {
        let text = plan.text();
        [
            at_most("allow.rounds_max", text.rounds, self.rounds_max),
            at_most("allow.inner_steps_max", text.learner.inner_steps, self.inner_steps_max),
            at_least("allow.cohort_min", plan.cohort().len(), self.cohort_min),
        ]
    }
}

/// The columns of the bank's file that a plan reads: unit, label and what features come from.
fn source_columns(plan: &Plan) -> BTreeSet<&str> {
    let data = &plan.text().data;
    let derived: BTreeSet<&str> = data.derived.iter().map(|column| column.name.as_str()).collect();
    let inputs = data.derived.iter().flat_map(|column| column.compute.columns());
    let inputs = inputs.filter(|name| !derived.contains(name));
    inputs.chain([data.unit_column.as_str(), data.label.column()]).collect()
}

fn one_of(rule: &'static str, value: &str, allowed: Option<&Vec<String>>) -> Verdict {
    let show = |allowed: &&Vec<String>| allowed.join(", ");
    Verdict::of(rule, value, allowed, show, |allowed| allowed.iter().any(|a| a == value))
}

/// Shows what is beyond the list, or everything if nothing is.
fn all_of(rule: &'static str, values: &[&str], allowed: Option<&Vec<String>>) -> Verdict {
    let allowed_names = allowed.map_or(&[][..], Vec::as_slice);
    let beyond = values.iter().filter(|value| !allowed_names.iter().any(|a| a == *value));
    let beyond: Vec<&str> = beyond.copied().collect();
    let shown = if beyond.is_empty() { values } else { &beyond };
    let show = |allowed: &&Vec<String>| allowed.join(", ");
    Verdict::of(rule, shown.join(", "), allowed, show, |_| beyond.is_empty())
}

fn at_most<T: PartialOrd + Display + Copy>(
    rule: &'static str,
    value: T,
    limit: Option<T>,
) -> Verdict {
    Verdict::of(rule, value, limit, |limit| format!("at most {limit}"), |limit| value <= *limit)
}

fn at_least<T: PartialOrd + Display + Copy>(
    rule: &'static str,
    value: T,
    limit: Option<T>,
) -> Verdict {
    Verdict::of(rule, value, limit, |limit| format!("at least {limit}"), |limit| value >= *limit)
}
