//! Measures what the crate costs: accounting, calibration and exact noise. Prints one line each.
//!
//! `cargo run --release -p privacy --example privacy_figures`

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program that measures wall time and prints"
)]

use std::time::Instant;

use privacy::{
    ClipNorm, Delta, DiscreteGaussian, Epsilon, Grid, Keystream, Mechanism, NoiseMultiplier, Order,
    PrivacyError, PrivacyEvent, RoundedGaussian, SamplingRate, TaskChange, calibrate_noise,
    epsilon, rdp_curve,
};
use zeroize::Zeroizing;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    accounting()?;
    noise()?;
    clipping()?;
    Ok(())
}

fn event(change: TaskChange) -> Result<PrivacyEvent, PrivacyError> {
    let mechanism = Mechanism::PoissonGaussian {
        noise_multiplier: NoiseMultiplier::new(1.0)?,
        sampling_rate: SamplingRate::new(0.01)?,
    };
    Ok(PrivacyEvent { mechanism, change, count: 1000 })
}

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    println!("{what}: {:.2} ms", start.elapsed().as_secs_f64() * 1e3);
    result
}

fn accounting() -> Result<(), PrivacyError> {
    let orders: Vec<Order> = (1..100u32)
        .map(|tenths| 1.0 + f64::from(tenths) / 10.0)
        .chain((11..64u32).map(f64::from))
        .chain([128.0, 256.0, 512.0, 1024.0, 2048.0])
        .map(Order::new)
        .collect::<Result<_, _>>()?;
    let delta = Delta::new(1e-5)?;
    for change in [TaskChange::Appears, TaskChange::ContentChanges, TaskChange::TwoContentsChange] {
        let event = event(change)?;
        timed(&format!("rdp curve, {} orders, {change}", orders.len()), || {
            rdp_curve(&[event], &orders)
        })?;
        let found = timed(&format!("certificate, {change}"), || epsilon(&[event], delta))?;
        println!("  {found:?}");
        let rate = SamplingRate::new(0.05)?;
        let target = Epsilon::new(3.0)?;
        let noise = timed(&format!("calibration, {change}"), || {
            calibrate_noise(
                target,
                delta,
                &PrivacyEvent { mechanism: event.mechanism.with_rate(rate), change, count: 300 },
            )
        })?;
        println!("  {noise}");
    }
    Ok(())
}

fn noise() -> Result<(), Box<dyn std::error::Error>> {
    const COORDINATES: usize = 1_000_000;
    let mut source = Keystream::from_seed(&Zeroizing::new([42; 32]));
    for scale in [10, 1000, 1 << 20, 1 << 31] {
        let sampler = RoundedGaussian::new(scale)?;
        let mut sum = vec![0; COORDINATES];
        let start = Instant::now();
        sampler.add_to(&mut sum, &mut source)?;
        let each = start.elapsed().as_secs_f64() * 1e9 / 1e6;
        println!("noise, standard deviation {scale}: {each:.1} ns a coordinate");
    }
    for scale in [10, 1000, 1 << 20] {
        let sampler = DiscreteGaussian::new(scale)?;
        let mut sum = vec![0; COORDINATES];
        let start = Instant::now();
        sampler.add_to(&mut sum, &mut source)?;
        let each = start.elapsed().as_secs_f64() * 1e9 / 1e6;
        println!("discrete noise, scale {scale}: {each:.1} ns a coordinate");
    }
    Ok(())
}

fn clipping() -> Result<(), PrivacyError> {
    let grid = Grid::new(ClipNorm::new(1.0)?, 20)?;
    let gradient: Vec<f32> = (0..50_000u16).map(|i| f32::from(i % 97) - 48.0).collect();
    let mut sum = vec![0; gradient.len()];
    let outcome = timed("clip and add 50,000 coordinates", || grid.contribute(&gradient, &mut sum));
    println!("  {outcome:?}");
    Ok(())
}
