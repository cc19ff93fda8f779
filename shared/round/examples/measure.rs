//! Measures what reading a plan costs. Prints one line each.
//!
//! `cargo run --release -p round --example measure`

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program that measures wall time and prints"
)]

use std::time::Instant;

use round::Plan;

const EXAMPLE: &str = include_str!("../tests/it/support/plan.toml");

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let per_task = EXAMPLE.replace("grouping = \"buckets\"", "grouping = \"unit-per-task\"");
    let replace_one = EXAMPLE
        .replace("relation = \"add-remove\"", "relation = \"replace-one\"")
        .replace("noise_multiplier = 3.0", "noise_multiplier = 6.0");
    let plans = [("content", EXAMPLE), ("appears", &per_task), ("two-contents", &replace_one)];
    for (what, text) in plans {
        let start = Instant::now();
        let plan = Plan::parse(text.as_bytes())?;
        let parsed = start.elapsed();
        // The certificate of all rounds is kept; one round more is certified anew.
        let start = Instant::now();
        let certificate = plan.spent(plan.text().rounds + 1)?;
        println!(
            "{what}: parse {:.1} ms; one certificate {:.1} ms (ε at most {:.4})",
            parsed.as_secs_f64() * 1e3,
            start.elapsed().as_secs_f64() * 1e3,
            certificate.epsilon_upper
        );
    }
    Ok(())
}
