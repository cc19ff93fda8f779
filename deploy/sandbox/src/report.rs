//! What the demo prints at its end.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use client::evaluate::Evaluation;
use ledger::digest::Digest;
use round::Plan;
use serde_json::{Value, json};

use crate::bench::Figures;
use crate::error::SandboxError;

/// The version of the JSON envelope.
const SCHEMA_VERSION: u32 = 1;
/// A gain of adapting below this is said to be none.
const NO_GAIN: f64 = 0.002;

/// What the demo came to.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) plan: Plan,
    pub(crate) genesis: Digest,
    /// Each bank's own ledger, as `ledger show` reports it.
    pub(crate) ledgers: Vec<Value>,
    pub(crate) audit: audit::Report,
    pub(crate) evaluation: Vec<Evaluation>,
    pub(crate) directory: PathBuf,
}

impl Report {
    /// Prints the report; the exit code is the audit's.
    pub(crate) fn print(&self, json: bool) -> ExitCode {
        let code = self.audit.exit_code();
        if json {
            envelope(if code == 0 { "ok" } else { "failed" }, code, &self.data());
        } else {
            let _ = io::stdout().write_all(self.text().as_bytes());
        }
        ExitCode::from(code)
    }

    fn data(&self) -> Value {
        let institutions: Vec<Value> = self
            .audit
            .institutions
            .iter()
            .map(|bank| {
                let ledger = self.ledger_of(&bank.name);
                json!({
                    "name": bank.name, "unit": bank.unit, "relation": bank.relation,
                    "epsilon": { "lower": bank.epsilon.lower, "upper": bank.epsilon.upper },
                    "charged_epsilon": ledger.and_then(|l| l.get("spent")),
                    "delta": bank.delta,
                    "cap": ledger.and_then(|l| l.get("cap")),
                })
            })
            .collect();
        json!({
            "rounds": self.plan.text().rounds,
            "learner": self.plan.text().learner.family,
            "genesis": self.genesis.to_string(),
            "institutions": institutions,
            "evaluation": self.evaluation,
            "audit": {
                "records": self.audit.records,
                "verified": self.audit.verified,
                "models_replayed": self.audit.models_replayed,
                "finding": self.audit.finding,
            },
            "dir": self.directory,
        })
    }

    fn text(&self) -> String {
        let mut text = String::new();
        self.write_text(&mut text).map_or_else(|_| String::new(), |()| text)
    }

    fn write_text(&self, out: &mut String) -> std::fmt::Result {
        let plan = self.plan.text();
        let privacy = &plan.privacy;
        writeln!(
            out,
            "\nThe banks are fictional: one real bank's card holders, split by education,"
        )?;
        writeln!(
            out,
            "credit limit and age. The split is ours; the people and defaults are real.\n"
        )?;
        writeln!(
            out,
            "What it cost ({:?}, {} rounds, noise {:.2} x clip {}, sampling rate {}; unit {}, relation {},\n\
             task change {}; charged to the lifetime filter, acknowledged as certified):",
            plan.learner.family,
            plan.rounds,
            privacy.noise_multiplier,
            privacy.clip_norm,
            privacy.sampling_rate,
            privacy.unit,
            privacy.relation,
            plan.task_change(),
        )?;
        writeln!(out, "  bank      charged   acknowledged epsilon   delta   cap")?;
        for bank in &self.audit.institutions {
            let ledger = self.ledger_of(&bank.name);
            let figure = |key: &str| ledger.and_then(|l| l.get(key)).and_then(Value::as_f64);
            writeln!(
                out,
                "  {:<9} {:>7.3}   {:>6.3} to {:<6.3}        {:<7e} {}",
                bank.name,
                figure("spent").unwrap_or(f64::NAN),
                bank.epsilon.lower,
                bank.epsilon.upper,
                bank.delta,
                figure("cap").unwrap_or(f64::NAN),
            )?;
        }
        self.write_evaluation(out)?;
        let verdict = match &self.audit.finding {
            None => "verified".to_owned(),
            Some(finding) => format!(
                "FAILED at {}: expected {}, found {}",
                finding.place, finding.expected, finding.found
            ),
        };
        writeln!(
            out,
            "\nAudit: {verdict}; {} records, {} models replayed bit for bit, every epsilon recomputed.",
            self.audit.records, self.audit.models_replayed
        )?;
        let export = self.directory.join("export");
        writeln!(out, "Everything is in {}. Check it yourself:", self.directory.display())?;
        writeln!(
            out,
            "  cargo run --release -p audit -- verify {} --genesis {}",
            export.display(),
            self.genesis
        )
    }

    fn write_evaluation(&self, out: &mut String) -> std::fmt::Result {
        writeln!(
            out,
            "\nAn unseen bank with K labelled examples of each class (mean AUC over episodes):"
        )?;
        writeln!(out, "  K    adapted  unadapted  alone   gain over alone [95 %]")?;
        for row in &self.evaluation {
            writeln!(
                out,
                "  {:<4} {:.3}    {:.3}      {:.3}   {:+.3} [{:+.3}, {:+.3}]",
                row.shots,
                row.adapted,
                row.unadapted,
                row.local_only,
                row.adapted - row.local_only,
                row.interval95[0],
                row.interval95[1],
            )?;
        }
        let Some(first) = self.evaluation.first() else { return Ok(()) };
        let gain = self.evaluation.iter().map(|e| e.adapted - e.unadapted).fold(f64::MIN, f64::max);
        if first.steps == 0 {
            writeln!(
                out,
                "The tuning bank preferred 0 adaptation steps: the gain is that of the shared"
            )?;
            writeln!(out, "initialization, and adapting added nothing.")
        } else if gain < NO_GAIN {
            writeln!(
                out,
                "Adapting ({} steps, chosen by the tuning bank) added nothing.",
                first.steps
            )
        } else {
            writeln!(
                out,
                "{} adaptation steps, chosen by the tuning bank, added {gain:.3}.",
                first.steps
            )
        }
    }

    /// What a bank's own ledger says.
    fn ledger_of(&self, name: &str) -> Option<&Value> {
        let position = self.plan.text().cohort.iter().position(|p| p.institution == name)?;
        self.ledgers.get(position)
    }
}

/// Prints a benchmark's figures.
pub(crate) fn print_figures(figures: &Figures, json: bool) -> ExitCode {
    if json {
        envelope("ok", 0, &figures.data());
    } else {
        let _ = io::stdout().write_all(figures.text().as_bytes());
    }
    ExitCode::SUCCESS
}

/// A failure as the JSON envelope says it.
pub(crate) fn print_failure(error: &SandboxError) {
    envelope("failed", error.exit_code(), &json!({ "error": error.to_string() }));
}

fn envelope(status: &str, exit_code: u8, data: &Value) {
    let envelope = json!({
        "schema_version": SCHEMA_VERSION,
        "status": status,
        "exit_code": exit_code,
        "data": data,
    });
    let _ = writeln!(io::stdout(), "{envelope}");
}
