//! Seeded draws: the same seed gives the same episodes everywhere.

use meta::Examples;
use privacy::{Keystream, RandomSource, SourceExhausted};
use ring::digest::{SHA256, digest};
use zeroize::Zeroizing;

use super::{EpisodeSpec, EvaluateError};
use crate::data::Rows;
use crate::tasks::examples;

/// A seeded stream of uniform numbers.
pub(super) struct Draw(Keystream);

impl Draw {
    /// The stream of a seed, a purpose and a number of shots.
    pub(super) fn new(seed: u64, purpose: &str, shots: u32) -> Self {
        let mut text = b"counterfoil/v1/evaluate".to_vec();
        text.extend(seed.to_le_bytes());
        text.extend(shots.to_le_bytes());
        text.extend(purpose.as_bytes());
        let mut seed = Zeroizing::new([0; 32]);
        seed.iter_mut().zip(digest(&SHA256, &text).as_ref()).for_each(|(to, from)| *to = *from);
        Self(Keystream::from_seed(&seed))
    }

    /// A uniform number below `bound`; 0 if the bound is 0.
    pub(super) fn below(&mut self, bound: usize) -> Result<usize, SourceExhausted> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes)?;
        // ⌊u·n/2⁶⁴⌋: uniform to within n/2⁶⁴, which no count of episodes shows.
        let place = (u128::from(u64::from_le_bytes(bytes)) * bound as u128) >> 64;
        Ok(usize::try_from(place).unwrap_or(0))
    }

    /// Shuffles ([Durstenfeld 1964]).
    fn shuffle(&mut self, values: &mut [u32]) -> Result<(), SourceExhausted> {
        for last in (1..values.len()).rev() {
            values.swap(last, self.below(last + 1)?);
        }
        Ok(())
    }
}

/// A support and a query that share no unit.
pub(super) struct Episode {
    pub(super) support: Examples,
    pub(super) query: Examples,
}

impl Episode {
    pub(super) fn draw(
        rows: &Rows,
        spec: EpisodeSpec,
        draw: &mut Draw,
    ) -> Result<Self, EvaluateError> {
        let (mut support, mut pools) = (Vec::new(), Vec::new());
        for (class, queried) in [(1, spec.query_positive), (0, spec.query_negative)] {
            let mut pool = of_class(rows, class)?;
            draw.shuffle(&mut pool)?;
            let rest = pool.split_off(pool.len().min(size(spec.shots)));
            support.extend(pool);
            pools.push((class, queried, rest));
        }
        let units: Vec<Option<&u32>> = support.iter().map(|&row| unit(rows, row)).collect();
        let mut query = Vec::new();
        for (class, queried, rest) in pools {
            let others: Vec<u32> =
                rest.into_iter().filter(|&row| !units.contains(&unit(rows, row))).collect();
            let chosen = others.get(..size(queried)).ok_or(EvaluateError::TooFewRows {
                class,
                needed: u64::from(queried) + u64::from(spec.shots),
                got: others.len() + size(spec.shots),
            })?;
            query.extend_from_slice(chosen);
        }
        Ok(Self { support: examples(rows, &support), query: examples(rows, &query) })
    }
}

/// The rows of a class, in an order that is the rows' own.
fn of_class(rows: &Rows, class: u8) -> Result<Vec<u32>, EvaluateError> {
    let mut found = Vec::new();
    for (row, &label) in (0_u32..).zip(rows.labels()) {
        if ![0.0, 1.0].contains(&label) {
            return Err(EvaluateError::NotBinary);
        }
        if (label > 0.5) == (class == 1) {
            found.push(row);
        }
    }
    Ok(found)
}

fn unit(rows: &Rows, row: u32) -> Option<&u32> {
    rows.unit_of().get(size(row))
}

fn size(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}
