//! The components of a differential privacy guarantee, filled from facts.
//!
//! Components and section numbers are those of NIST SP 800-226, initial public draft of December 2023: its figure 1 (the pyramid) and
//! its contents were read. The final publication of March 2025 was not re-read.

use serde::Serialize;

use crate::facts::Facts;
use crate::report::Report;
use crate::rounded::up;

/// One component, and what the evidence says of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Item {
    /// The component.
    pub component: &'static str,
    /// Its section.
    pub section: &'static str,
    /// Which kind of answer.
    pub answer: Answer,
    /// The answer.
    pub text: String,
}

/// Which kind of answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Computed or checked from the export.
    Checked,
    /// Written in a signed plan.
    Stated,
    /// How the software works; the export does not show that a bank ran it.
    ByDesign,
    /// The export says nothing of it.
    NotInEvidence,
    /// Not protected.
    NotProtected,
}

impl Answer {
    /// In words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Checked => "checked",
            Self::Stated => "stated in the signed plan",
            Self::ByDesign => "by design, not shown by the export",
            Self::NotInEvidence => "not in the evidence",
            Self::NotProtected => "not protected",
        }
    }
}

/// The checklist of a log that verified; empty if nothing was run.
pub(super) fn of(report: &Report, facts: &Facts) -> Vec<Item> {
    if report.institutions.is_empty() {
        return Vec::new();
    }
    let mut items = guarantee(report, facts);
    items.extend(algorithms(report, facts));
    items.extend(deployment(facts));
    items
}

fn item(
    component: &'static str,
    section: &'static str,
    answer: Answer,
    text: impl Into<String>,
) -> Item {
    Item { component, section, answer, text: text.into() }
}

fn guarantee(report: &Report, facts: &Facts) -> Vec<Item> {
    let most = report.totals.iter().map(|of| of.epsilon.upper).fold(0.0, f64::max);
    let deltas = listed(report.institutions.iter().map(|of| format!("{:e}", of.delta)));
    let units = listed(report.totals.iter().map(|of| format!("{}, {}", of.unit, of.relation)));
    let others = report.institutions.iter().filter_map(|of| of.beside.as_ref());
    let other = others.map(|of| of.epsilon.upper).fold(0.0, f64::max);
    let shared = report.shared.iter().map(|of| {
        let upper = up(of.epsilon_upper, 4);
        format!("at {} institutions ε ≤ {upper}, δ = {:e}", of.banks, of.delta)
    });
    let shared: Vec<_> = shared.collect();
    let (checked, open) = (Answer::Checked, Answer::NotProtected);
    let mut items = vec![
        item(
            "Privacy parameter ε",
            "2.2",
            checked,
            format!(
                "ε ≤ {} for a customer of one institution over all {} runs, computed from mechanism parameters alone; \
                 a logged ε is never used.",
                up(most, 4),
                report.runs.len()
            ),
        ),
        item(
            "Variant",
            "2.3",
            checked,
            format!(
                "(ε, δ) with δ = {deltas}, at most 1/(10 · declared units) of each institution in a run. \
                     Computational: the noise is expanded from a seed by AES-256."
            ),
        ),
        item("Unit of privacy", "2.4", Answer::Stated, format!("{units}.")),
        item(
            "Unit of privacy: the other relation",
            "2.4",
            checked,
            format!(
                "The same contributions cost ε ≤ {} in one run under the relation that the plan does not speak of.",
                up(other, 4)
            ),
        ),
        item(
            "Comparing guarantees",
            "2.5",
            checked,
            "Unit, relation, task change, δ and method stand beside every figure; figures with others are not comparable.",
        ),
        item(
            "A person at several institutions",
            "2.4",
            open,
            format!(
                "Beyond the sum: {}.",
                if shared.is_empty() { "one institution".into() } else { shared.join("; ") }
            ),
        ),
        item(
            "Other releases of the same data",
            "2.6",
            open,
            "That an institution takes part, what is true of the institution as a whole, and anything that it releases elsewhere.",
        ),
    ];
    let measured: Vec<_> = facts.runs.iter().filter_map(|run| facts.plan_of(&run.id)).collect();
    if measured.iter().any(|plan| plan.metrics.share > 0.0) {
        items.push(item(
            "Metrics",
            "2.6",
            checked,
            "Measured as further coordinates of the same clipped and noised vector: inside the same ε.",
        ));
    }
    items
}

fn algorithms(report: &Report, facts: &Facts) -> Vec<Item> {
    let models = facts.models.len();
    let mechanisms = listed(facts.runs.iter().filter_map(|run| {
        let plan = &facts.plan_of(&run.id)?.privacy;
        Some(format!(
            "noise {} × clip {}, sampling rate {}, grid of 2^-{} clip",
            plan.noise_multiplier, plan.clip_norm, plan.sampling_rate, plan.grid_bits
        ))
    }));
    let convicted = report.evidence.len();
    let measured = report.runs.iter().filter(|run| !run.metrics.is_empty()).count();
    vec![
        item(
            "Algorithms and correctness",
            "3",
            Answer::Checked,
            format!(
                "{} of {models} models computed anew from the contributions, bit for bit; every vector within its public bound; \
                 {convicted} institutions convicted by evidence in the log.",
                report.models_replayed
            ),
        ),
        item(
            "Algorithms and correctness: mechanism",
            "3.5",
            Answer::Stated,
            format!("Poisson-sampled Gaussian: {mechanisms}."),
        ),
        item(
            "Algorithms and correctness: clipping and noise",
            "3.5",
            Answer::ByDesign,
            "Done inside each institution before anything leaves it; its own ledger binds it, and the public bound limits it.",
        ),
        if measured > 0 {
            item(
                "Utility",
                "3.2",
                Answer::Checked,
                format!(
                    "Estimates with standard errors for {measured} runs, from the noised sums alone."
                ),
            )
        } else {
            item("Utility", "3.2", Answer::NotInEvidence, "No plan measures anything.")
        },
        item("Bias", "3.3", Answer::NotInEvidence, "The log holds no figure by group of persons."),
    ]
}

fn deployment(facts: &Facts) -> Vec<Item> {
    let plans: Vec<_> = facts.runs.iter().filter_map(|run| facts.plan_of(&run.id)).collect();
    let hurried = plans.iter().filter(|plan| plan.schedule.send == round::plan::Send::Asap).count();
    let sides = if hurried > 0 {
        item(
            "Side channels: time",
            "4.3",
            Answer::NotProtected,
            format!(
                "{hurried} runs send as soon as possible: the moment of sending shows how long an institution computed."
            ),
        )
    } else {
        item(
            "Side channels: time",
            "4.3",
            Answer::Stated,
            "Institutions send at the end of a slot that the plan fixes, whatever they computed.",
        )
    };
    vec![
        item(
            "Query model",
            "4.1",
            Answer::Checked,
            "Not interactive: each run is one plan, signed before it began, with a fixed number of rounds.",
        ),
        item(
            "Threat model",
            "4.2",
            Answer::ByDesign,
            "No trusted curator: each institution adds all the noise itself. The operator, the other institutions and all users of the \
             model may be curious.",
        ),
        item(
            "Threat model: a hostile machine inside an institution",
            "4.2",
            Answer::NotProtected,
            "It sees the rows.",
        ),
        item(
            "Mechanism implementation: floating point",
            "4.3",
            Answer::Checked,
            "Contributions are integers on the plan's grid; sums are exact. Sampling of the noise is by design exact.",
        ),
        sides,
        item(
            "Side channels: size, silence, refusal",
            "4.3",
            Answer::ByDesign,
            "Every contribution has the plan's length, an empty sample too; no refusal after the charge depends on rows.",
        ),
        item(
            "Security and access control",
            "4.4",
            Answer::NotInEvidence,
            "Rows never leave an institution, and the export holds none; how each keeps them is its own affair.",
        ),
        item(
            "Data collection exposure",
            "4.5",
            Answer::NotProtected,
            "What the institutions collected, and how, before any noise.",
        ),
    ]
}

/// Each text once, in order.
fn listed(texts: impl Iterator<Item = String>) -> String {
    let mut once: Vec<String> = Vec::new();
    for text in texts {
        if !once.contains(&text) {
            once.push(text);
        }
    }
    once.join("; ")
}
