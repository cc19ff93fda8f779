//! Pairs of distributions on the line that no neighbours are told apart better than.

use core::f64::consts::FRAC_1_SQRT_2;

use crate::PrivacyError;
use crate::special::log_add;

/// Newton's steps before bisection, which is enough for the last bit.
const NEWTON_STEPS: u32 = 12;
const BISECTIONS: u32 = 80;
/// How far from its neighbour a place is looked for, in scales of the noise.
const FAR: f64 = 1e4;
/// Half of the distance between 1 and the next number.
const ROUNDING: f64 = 0.5 * f64::EPSILON;

/// The distribution of the noise, in its own unit of scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Noise {
    /// Standard deviation 1.
    Gaussian,
    /// Density e^(−|x|)/2.
    Laplace,
}

/// A weight above 0, and a shift of the noise.
pub(crate) type Moved = (f64, f64);

/// A side of a pair; its weights are 1 in sum.
type Side = Vec<Moved>;

/// Two mixtures of translates of one noise whose privacy loss ln(p/q) never falls from left to right.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    noise: Noise,
    p: Side,
    q: Side,
    /// The relative rounding of the weights, which are the same on both sides.
    weight_error: f64,
    /// How the second side stands to the first.
    against: Against,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Against {
    /// Nothing at all is moved.
    Absent,
    /// Everything is moved the other way.
    Mirrored,
}

/// Probabilities between two places, and bounds on their errors.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mass {
    pub(crate) value: f64,
    pub(crate) error: f64,
}

impl Line {
    /// `tasks` tasks, each there with probability `rate` and then moving the noise by `shift`, against none.
    pub(crate) fn appearing(noise: Noise, tasks: u32, rate: f64, shift: f64) -> Self {
        let (p, weight_error) = binomial(tasks, rate, shift);
        Self { noise, p, q: vec![(1.0, 0.0)], weight_error, against: Against::Absent }
    }

    /// `tasks` tasks, each there with probability `rate` and then moving the noise by `shift`, against as many that move it
    /// by −`shift`.
    pub(crate) fn changing(noise: Noise, tasks: u32, rate: f64, shift: f64) -> Self {
        let (p, weight_error) = binomial(tasks, rate, shift);
        let q = p.iter().map(|&(weight, shift)| (weight, -shift)).collect();
        Self { noise, p, q, weight_error, against: Against::Mirrored }
    }

    /// Whether exchanging the sides mirrors the loss, so that one direction says all.
    pub(crate) const fn is_symmetric(&self) -> bool {
        matches!(self.against, Against::Mirrored)
    }

    /// The least and the greatest loss, where they are taken with positive probability.
    pub(crate) fn atoms(&self) -> Option<(f64, f64)> {
        match self.noise {
            Noise::Gaussian => None,
            Noise::Laplace => Some((self.loss(-self.reach()), self.loss(self.reach()))),
        }
    }

    /// The noise, and the two sides.
    pub(crate) fn sides(&self) -> (Noise, &[Moved], &[Moved]) {
        (self.noise, self.p.as_slice(), self.q.as_slice())
    }

    fn reach(&self) -> f64 {
        self.p.iter().map(|part| part.1).fold(0.0, f64::max)
    }

    /// ln(p/q) at `x`.
    pub(crate) fn loss(&self, x: f64) -> f64 {
        self.log_ratio(&self.p, x) - self.log_ratio(&self.q, x)
    }

    /// ln of the density of `side` over that of the noise unmoved, at `x`.
    fn log_ratio(&self, side: &Side, x: f64) -> f64 {
        let excess = side
            .iter()
            .fold(0.0, |sum, &(w, shift)| sum + w * libm::expm1(self.exponent(x, shift)));
        if excess > -0.5 && excess < 1.0 {
            return libm::log1p(excess);
        }
        side.iter().fold(f64::NEG_INFINITY, |sum, &(weight, shift)| {
            log_add(sum, libm::log(weight) + self.exponent(x, shift))
        })
    }

    fn exponent(&self, x: f64, shift: f64) -> f64 {
        match self.noise {
            Noise::Gaussian => shift * (x - 0.5 * shift),
            Noise::Laplace => x.abs() - (x - shift).abs(),
        }
    }

    /// A bound on the loss error of [`Line::place`] anywhere in [−`reach`, `reach`].
    pub(crate) fn place_error(&self, reach: f64) -> f64 {
        64.0 * ROUNDING * (1.0 + self.reach() * (reach + self.reach())) + 2.0 * self.weight_error
    }

    /// The place left of which the loss is at most `loss` and right of which it is at least that; infinite if it is so nowhere or
    /// everywhere.
    ///
    /// # Errors
    ///
    /// [`PrivacyError::NotFinite`] if the shift is too large for the computation.
    pub(crate) fn place(&self, loss: f64, near: f64) -> Result<f64, PrivacyError> {
        let (rate, shift) = match self.p.as_slice() {
            [(_, shift)] => (1.0, *shift),
            [_, (rate, shift)] => (*rate, *shift),
            _ => return Ok(self.search(loss, near)),
        };
        let place = match (self.noise, self.against) {
            // 1 − q + q·y = eˡ, with y the density ratio of the moved noise.
            (_, Against::Absent) => {
                // Whichever of the two cancels less.
                let moved = if loss < -0.5 {
                    libm::exp(loss) - (1.0 - rate)
                } else {
                    libm::expm1(loss) + rate
                };
                self.place_of_ratio(moved / rate, shift)
            }
            (Noise::Gaussian, Against::Mirrored) => mirrored_gaussian(loss, rate, shift),
            (Noise::Laplace, Against::Mirrored) => {
                let height = loss.abs();
                let far = rate * libm::exp(height - shift);
                let ratio = (libm::expm1(height) * (1.0 - rate) + far) / rate;
                self.place_of_ratio(ratio, shift) * loss.signum()
            }
        };
        if place.is_nan() {
            Err(PrivacyError::NotFinite { figure: "privacy loss" })
        } else {
            Ok(place)
        }
    }

    /// Where the density of the noise moved by `shift` is `ratio` times that of the noise.
    fn place_of_ratio(&self, ratio: f64, shift: f64) -> f64 {
        if ratio <= 0.0 {
            return f64::NEG_INFINITY;
        }
        match self.noise {
            Noise::Gaussian => libm::log(ratio) / shift + 0.5 * shift,
            Noise::Laplace => (0.5 * (libm::log(ratio) + shift)).clamp(-shift, shift),
        }
    }

    /// [`Line::place`] for a smooth loss with no closed inverse: Newton's method, and bisection where that strays.
    fn search(&self, loss: f64, near: f64) -> f64 {
        let accuracy = 4.0 * ROUNDING * (1.0 + loss.abs());
        let mut place = near;
        for _ in 0..NEWTON_STEPS {
            let (at, slope) = self.loss_and_slope(place);
            if (at - loss).abs() <= accuracy {
                return place;
            }
            let next = place - (at - loss) / slope;
            if !next.is_finite() || (next - near).abs() > FAR {
                break;
            }
            place = next;
        }
        let (mut low, mut high) = (near - FAR, near + FAR);
        if self.loss(low) > loss {
            return f64::NEG_INFINITY;
        }
        if self.loss(high) <= loss {
            return f64::INFINITY;
        }
        for _ in 0..BISECTIONS {
            let middle = 0.5 * (low + high);
            if self.loss(middle) > loss { high = middle } else { low = middle }
        }
        low
    }

    /// The loss and its derivative under Gaussian noise; not finite where an exponent overflows.
    fn loss_and_slope(&self, x: f64) -> (f64, f64) {
        let of = |side: &Side| {
            let (excess, sum, slope) =
                side.iter().fold((0.0, 0.0, 0.0), |(excess, sum, slope), &(weight, shift)| {
                    let more = libm::expm1(self.exponent(x, shift));
                    // Near −1 the excess has lost the sum's digits: so it has a sum of its own.
                    let term = weight * libm::exp(self.exponent(x, shift));
                    (excess + weight * more, sum + term, slope + shift * term)
                });
            let is_near = excess > -0.5 && excess < 1.0;
            (if is_near { libm::log1p(excess) } else { libm::log(sum) }, slope / sum)
        };
        let ((p, p_slope), (q, q_slope)) = (of(&self.p), of(&self.q));
        (p - q, p_slope - q_slope)
    }

    /// The two sides cut at `place`.
    pub(crate) fn cut(&self, place: f64) -> (Cut, Cut) {
        let cut = |side: &Side| Cut(side.iter().map(|part| self.tail(place, part.1)).collect());
        (cut(&self.p), cut(&self.q))
    }

    /// The probability between two cuts, the lower one first, on each side.
    pub(crate) fn between(&self, low: &(Cut, Cut), high: &(Cut, Cut)) -> (Mass, Mass) {
        let mass = |side: &Side, low: &Cut, high: &Cut| {
            side.iter().zip(low.0.iter().zip(&high.0)).fold(
                Mass::default(),
                |sum, (&(weight, _), (low, high))| {
                    let straddle = if !low.upper && high.upper { 1.0 } else { 0.0 };
                    let value = (straddle + low.signed() - high.signed()).max(0.0);
                    let error = low.error + high.error + 2.0 * ROUNDING * (straddle + value);
                    let error = error + self.weight_error * value;
                    Mass { value: sum.value + weight * value, error: sum.error + weight * error }
                },
            )
        };
        (mass(&self.p, &low.0, &high.0), mass(&self.q, &low.1, &high.1))
    }

    /// The smaller tail of the noise moved by `shift`, cut at `place`.
    fn tail(&self, place: f64, shift: f64) -> Tail {
        let z = place - shift;
        let (tail, steepness) = match self.noise {
            Noise::Gaussian => (0.5 * libm::erfc(z.abs() * FRAC_1_SQRT_2), z.abs()),
            Noise::Laplace => (0.5 * libm::exp(-z.abs()), 1.0),
        };
        // The argument's rounding moves the tail by its steepness, the function's own by a unit or two in the last place.
        let moved =
            if z.is_finite() { steepness * (z.abs() + place.abs() + shift.abs()) } else { 0.0 };
        let error = ROUNDING * tail * (8.0 + 2.0 * moved);
        Tail { mass: tail, upper: z > 0.0, error }
    }
}

/// A distribution cut in two, component by component.
#[derive(Clone, Debug)]
pub(crate) struct Cut(Vec<Tail>);

#[derive(Clone, Copy, Debug)]
struct Tail {
    mass: f64,
    upper: bool,
    error: f64,
}

impl Tail {
    /// What lies above the cut, less 1 if the lower tail is the smaller one.
    fn signed(self) -> f64 {
        if self.upper { self.mass } else { -self.mass }
    }
}

/// The place where (1−q + qAy)/(1−q + qA/y) = eˡ with y = e^(sx) and A = e^(−s²/2): the root of a quadratic.
fn mirrored_gaussian(loss: f64, rate: f64, shift: f64) -> f64 {
    let height = loss.abs();
    let density = rate * libm::exp(-0.5 * shift * shift);
    let linear = (1.0 - rate) * libm::expm1(height);
    // Not by squares, which overflow at losses that are allowed.
    let root = libm::hypot(linear, 2.0 * density * libm::exp(0.5 * height));
    let ratio = (linear + root) / (2.0 * density);
    let log_ratio = if ratio == f64::INFINITY && density > 0.0 {
        libm::log(linear + root) - libm::log(2.0 * density)
    } else {
        libm::log(ratio)
    };
    log_ratio / shift * loss.signum()
}

/// The weights of Binomial(`tasks`, `rate`) at multiples of `shift`, and their relative rounding; those below the smallest number
/// are left to its neighbour.
fn binomial(tasks: u32, rate: f64, shift: f64) -> (Side, f64) {
    if rate >= 1.0 {
        return (vec![(1.0, f64::from(tasks) * shift)], 0.0);
    }
    if tasks == 1 {
        return (vec![(1.0 - rate, 0.0), (rate, shift)], 0.0);
    }
    let mut side = Vec::new();
    let (mut log_choose, mut largest): (f64, f64) = (0.0, 0.0);
    for drawn in 0..=tasks {
        let (there, absent) = (f64::from(drawn), f64::from(tasks - drawn));
        let log_weight = log_choose + there * libm::log(rate) + absent * libm::log1p(-rate);
        side.push((libm::exp(log_weight), there * shift));
        largest = largest.max(log_choose.abs());
        log_choose += libm::log(absent) - libm::log(there + 1.0);
    }
    // Each step of `log_choose` rounds it once; a weight that counts has a logarithm above −745, its parts are below that and the
    // largest `log_choose` together.
    let (tasks, parts) = (f64::from(tasks), 745.0 + 2.0 * largest);
    (side, f64::EPSILON * (tasks * (largest + 8.0) + 3.0 * parts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_the_loss_that_was_asked_for_however_near_to_one_the_rate_is() {
        for absent in [1e-12, 6.4e-9, 1e-4, 0.3] {
            for (tasks, shift) in [(1, 4.0), (2, 1.0 / 0.4375), (3, 2.0), (5, 0.1)] {
                for new in [Line::appearing, Line::changing] {
                    let line = new(Noise::Gaussian, tasks, 1.0 - absent, shift);
                    for at in -26..=26 {
                        let loss = line.loss(0.5 * f64::from(at));
                        // Far to the left the loss is as good as the least, which is taken nowhere.
                        let place = line.place(loss, 0.5 * f64::from(at) + 0.1).unwrap().max(-40.0);
                        let error = (line.loss(place) - loss).abs();
                        assert!(error <= line.place_error(13.0), "{absent} {tasks} {at}: {error}");
                    }
                }
            }
        }
    }

    #[test]
    fn losses_of_hundreds_have_a_place() {
        let line = Line::changing(Noise::Gaussian, 1, 0.5, 20.0);
        for loss in [300.0, 400.0, 599.0] {
            let place = line.place(loss, 0.0).unwrap();
            assert!((line.loss(place) - loss).abs() <= line.place_error(place), "{loss}: {place}");
        }
    }
}
