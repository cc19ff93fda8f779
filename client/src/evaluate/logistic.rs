use meta::Examples;

/// The most Newton steps of one fit; a handful suffices.
const STEPS_MAX: usize = 50;
/// A Newton step shorter than this ends the fit.
const STEP_MIN: f64 = 1e-9;
/// Keeps the curvature by the intercept, which is not penalised, away from zero.
const INTERCEPT_RIDGE: f64 = 1e-6;

/// A logistic regression: the intercept, then a coefficient a feature.
pub(super) struct Logistic {
    coefficients: Vec<f64>,
}

impl Logistic {
    /// Minimises Σ ln(1 + e^(∓f)) + penalty/2 · ‖coefficients without intercept‖² by damped Newton
    /// steps. `penalty` is positive, so there is one minimum and the steps reach it.
    pub(super) fn fit(examples: &Examples, penalty: f64) -> Self {
        let mut model = Self { coefficients: vec![0.0; examples.columns() + 1] };
        let mut value = model.objective(examples, penalty);
        for _ in 0..STEPS_MAX {
            let Some(step) = model.newton_step(examples, penalty) else { break };
            let mut factor = 1.0;
            let next = loop {
                let next = model.moved(&step, factor);
                let reached = next.objective(examples, penalty);
                if reached <= value || factor < 1e-6 {
                    value = reached;
                    break next;
                }
                factor /= 2.0;
            };
            model = next;
            if step.iter().map(|x| x * x).sum::<f64>().sqrt() < STEP_MIN {
                break;
            }
        }
        model
    }

    /// The logit of each example.
    pub(super) fn scores(&self, examples: &Examples) -> Vec<f64> {
        examples.iter().map(|(row, _)| self.logit(row)).collect()
    }

    /// Σ ln(1 + e^(∓f)) over the examples.
    pub(super) fn loss(&self, examples: &Examples) -> f64 {
        let loss = |(row, label): (&[f32], f32)| {
            let against = if label > 0.5 { -self.logit(row) } else { self.logit(row) };
            // ln(1 + eˣ) without overflow.
            against.max(0.0) + (-against.abs()).exp().ln_1p()
        };
        examples.iter().map(loss).sum()
    }

    fn logit(&self, row: &[f32]) -> f64 {
        inputs(row).zip(&self.coefficients).map(|(x, c)| x * c).sum()
    }

    fn objective(&self, examples: &Examples, penalty: f64) -> f64 {
        let squares: f64 = self.coefficients.iter().skip(1).map(|c| c * c).sum();
        self.loss(examples) + 0.5 * penalty * squares
    }

    fn moved(&self, step: &[f64], factor: f64) -> Self {
        let coefficients =
            self.coefficients.iter().zip(step).map(|(c, s)| c - factor * s).collect();
        Self { coefficients }
    }

    /// H⁻¹g of the objective; none if H is not positive definite, which rounding alone could cause.
    fn newton_step(&self, examples: &Examples, penalty: f64) -> Option<Vec<f64>> {
        let size = self.coefficients.len();
        let mut gradient = vec![0.0; size];
        let mut curvature = vec![vec![0.0; size]; size];
        let ridges = std::iter::once(INTERCEPT_RIDGE).chain(std::iter::repeat(penalty));
        for (k, ((row, g), (c, ridge))) in curvature
            .iter_mut()
            .zip(&mut gradient)
            .zip(self.coefficients.iter().zip(ridges))
            .enumerate()
        {
            *row.get_mut(k)? = ridge;
            *g = if k == 0 { 0.0 } else { penalty * c };
        }
        for (row, label) in examples.iter() {
            let p = 1.0 / (1.0 + (-self.logit(row)).exp());
            let (error, spread) = (p - f64::from(label), p * (1.0 - p));
            for ((g, h), x) in gradient.iter_mut().zip(&mut curvature).zip(inputs(row)) {
                *g += error * x;
                h.iter_mut().zip(inputs(row)).for_each(|(h, y)| *h += spread * x * y);
            }
        }
        solve(curvature, gradient)
    }
}

/// 1 for the intercept, then the features.
fn inputs(row: &[f32]) -> impl Iterator<Item = f64> {
    std::iter::once(1.0).chain(row.iter().copied().map(f64::from))
}

/// Solves a positive definite system by Cholesky's factorisation.
fn solve(mut a: Vec<Vec<f64>>, mut b: Vec<f64>) -> Option<Vec<f64>> {
    let size = b.len();
    for j in 0..size {
        let rest = a.get_mut(j..)?;
        let (own, below) = rest.split_first_mut()?;
        let pivot = own.get(j)? - own.iter().take(j).map(|x| x * x).sum::<f64>();
        if pivot.is_nan() || pivot <= 0.0 {
            return None;
        }
        let root = pivot.sqrt();
        *own.get_mut(j)? = root;
        for row in below {
            let sum: f64 = row.iter().zip(own.iter()).take(j).map(|(x, y)| x * y).sum();
            let entry = row.get_mut(j)?;
            *entry = (*entry - sum) / root;
        }
    }
    for j in 0..size {
        let row = a.get(j)?;
        let sum: f64 = row.iter().zip(&b).take(j).map(|(x, y)| x * y).sum();
        let pivot = *row.get(j)?;
        let entry = b.get_mut(j)?;
        *entry = (*entry - sum) / pivot;
    }
    for j in (0..size).rev() {
        let sum: f64 =
            a.iter().zip(&b).skip(j + 1).map(|(row, x)| row.get(j).map_or(0.0, |y| y * x)).sum();
        let pivot = *a.get(j)?.get(j)?;
        let entry = b.get_mut(j)?;
        *entry = (*entry - sum) / pivot;
    }
    Some(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fit_is_where_no_direction_lowers_the_objective() {
        let features = vec![1.0, 0.2, -0.5, 0.9, 0.3, -1.0, -0.7, -0.1, 0.6, 0.4];
        let examples = Examples::new(2, features, vec![1.0, 1.0, 0.0, 0.0, 1.0]).unwrap();
        for penalty in [0.01, 1.0, 1000.0] {
            let fit = Logistic::fit(&examples, penalty);
            let least = fit.objective(&examples, penalty);
            for place in 0..3 {
                for by in [-1e-3, 1e-3] {
                    let mut step = vec![0.0; 3];
                    step[place] = by;
                    assert!(fit.moved(&step, 1.0).objective(&examples, penalty) > least);
                }
            }
        }
    }

    #[test]
    fn a_separable_support_still_has_a_finite_fit() {
        let examples = Examples::new(1, vec![-1.0, 1.0], vec![0.0, 1.0]).unwrap();
        let fit = Logistic::fit(&examples, 0.01);
        assert!(fit.coefficients.iter().all(|c| c.is_finite()) && fit.coefficients[1] > 1.0);
    }
}
