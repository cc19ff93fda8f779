//! From rows to tasks: which task a unit belongs to, and on which side of it.
//!
//! Both depend on the unit alone, by a keyed hash whose key is fixed for the life of the population.
//! So adding or removing one unit changes one task and nothing else, and the order of rows never
//! matters: that is the sensitivity that the accountant charges for.

mod key;

pub use key::PopulationKey;
use ledger::record::Institution;
use meta::{Examples, Task, TaskKey};
use privacy::{Grouping, PrivacyError, RandomSource, SamplingRate, SourceExhausted, bernoulli};
use round::plan::{Plan, TaskSpec};
use thiserror::Error;

use crate::ClientError;
use crate::data::{DataSource, Rows, attach};

/// Why rows cannot become tasks. It speaks of private rows and stays at the bank.
#[derive(Debug, Error)]
pub enum TaskError {
    /// There are more units than the plan has tasks for.
    #[error("expected at most the {tasks} units that the plan has tasks for, got {units}")]
    TooManyUnits {
        /// The plan's number of tasks.
        tasks: u32,
        /// The number of units. Exact, so for the bank's own eyes.
        units: usize,
    },
    /// There are more units than the plan's delta is small enough for. It names their exact number.
    #[error(transparent)]
    Delta(#[from] PrivacyError),
    /// A plan cannot have buckets without a bucket.
    #[error("expected at least one task")]
    NoTask,
    /// A task column makes no sense where each unit is a task.
    #[error("expected no task column where each unit is its own task")]
    TaskColumn,
}

impl TaskError {
    /// Whether another unit, or one less, might have kept it away.
    pub(crate) const fn depends_on_rows(&self) -> bool {
        match self {
            Self::TooManyUnits { .. } | Self::Delta(_) => true,
            Self::NoTask | Self::TaskColumn => false,
        }
    }
}

/// A bank's tasks.
///
/// It holds people's rows, so it implements neither `Debug` nor `Serialize`.
pub struct Tasks {
    rows: Rows,
    entries: Vec<Entry>,
}

/// One task: which rows it has.
struct Entry {
    key: TaskKey,
    support: Vec<u32>,
    query: Vec<u32>,
}

impl Tasks {
    /// Reads the rows of `institution` as `plan` wants them and forms its tasks. Everything that can be wrong with rows is found
    /// here: before the bank signs the plan, and again before the first charge of a run, since the file may have changed.
    ///
    /// # Errors
    ///
    /// [`ClientError::Data`], [`ClientError::Tasks`], [`ClientError::NotInPlan`].
    pub fn attach(
        source: &DataSource,
        plan: &Plan,
        institution: &Institution,
        key: &PopulationKey,
    ) -> Result<Self, ClientError> {
        let text = plan.text();
        let participant = plan
            .participant(institution)
            .ok_or_else(|| ClientError::NotInPlan(institution.clone()))?;
        let rows = attach(source, &text.data, &text.tasks, text.model.head)?;
        let units = u64::try_from(rows.units()).unwrap_or(u64::MAX);
        // The plan's rule speaks of declared units; the guarantee is about those that are there.
        privacy::check_delta(plan.delta(), units).map_err(TaskError::from)?;
        Ok(Self::form(rows, &text.tasks, participant.tasks, key)?)
    }

    /// Forms the tasks of a bank.
    ///
    /// With buckets there are exactly `tasks`, and an emptied one stays a task. With one unit a task
    /// there are as many as units, at most `tasks`.
    ///
    /// # Errors
    ///
    /// [`TaskError`]; nothing has been charged yet.
    pub fn form(
        rows: Rows,
        spec: &TaskSpec,
        tasks: u32,
        key: &PopulationKey,
    ) -> Result<Self, TaskError> {
        let entries = match spec.grouping {
            Grouping::Buckets => buckets(&rows, spec.support_share, tasks, key)?,
            Grouping::UnitPerTask => units(&rows, spec.support_share, tasks, key)?,
        };
        Ok(Self { rows, entries })
    }

    /// No task at all: a release of them is noise alone.
    pub(crate) const fn none() -> Self {
        Self { rows: Rows::none(), entries: Vec::new() }
    }

    /// The names of the units in the tasks.
    pub fn unit_names(&self) -> impl Iterator<Item = &str> {
        self.rows.unit_names()
    }

    /// How many tasks there are. With one unit a task this is the exact number of units, for the
    /// bank's own eyes.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no task.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The tasks of one round: each joins with probability `rate`, by an exact coin of its own.
    ///
    /// # Errors
    ///
    /// [`SourceExhausted`] from the source.
    pub fn sample(
        &self,
        rate: SamplingRate,
        source: &mut impl RandomSource,
    ) -> Result<Sample<'_>, SourceExhausted> {
        let mut drawn = Vec::new();
        for entry in &self.entries {
            if bernoulli(source, rate)? {
                drawn.push(entry);
            }
        }
        Ok(Sample { rows: &self.rows, drawn: drawn.into_iter() })
    }

    /// Every task, in the fixed order.
    pub fn all(&self) -> Sample<'_> {
        Sample { rows: &self.rows, drawn: self.entries.iter().collect::<Vec<_>>().into_iter() }
    }
}

/// The tasks of one round, copied out one by one. How many there are is private.
pub struct Sample<'a> {
    rows: &'a Rows,
    drawn: std::vec::IntoIter<&'a Entry>,
}

impl Iterator for Sample<'_> {
    type Item = Task;

    fn next(&mut self) -> Option<Task> {
        let entry = self.drawn.next()?;
        let support = examples(self.rows, &entry.support);
        let query = examples(self.rows, &entry.query);
        Some(Task { key: entry.key, support, query })
    }
}

/// Copies rows out as examples, in the order given.
pub(crate) fn examples(rows: &Rows, chosen: &[u32]) -> Examples {
    let features = chosen.iter().flat_map(|&row| rows.features(row)).copied().collect();
    let labels = chosen.iter().map(|&row| rows.label(row)).collect();
    // The shape is right by construction; were it not, a task without examples adds zero.
    Examples::new(rows.columns(), features, labels)
        .unwrap_or_else(|_| Examples::none(rows.columns()))
}

/// A fixed number of tasks; each unit, or each value of the task column, hashes to one of them.
fn buckets(
    rows: &Rows,
    support_share: f64,
    tasks: u32,
    key: &PopulationKey,
) -> Result<Vec<Entry>, TaskError> {
    if tasks == 0 {
        return Err(TaskError::NoTask);
    }
    let mut entries: Vec<Entry> =
        (0..tasks).map(|bucket| Entry::empty(key.bucket_key(bucket))).collect();
    for unit in Unit::all(rows, key) {
        let bucket = key.bucket(unit.task.unwrap_or(unit.name), tasks);
        let Some(entry) = usize::try_from(bucket).ok().and_then(|b| entries.get_mut(b)) else {
            continue;
        };
        let support = key.share(unit.name) < support_share;
        let side = if support { &mut entry.support } else { &mut entry.query };
        side.extend(unit.rows);
    }
    Ok(entries)
}

/// One task a unit, sorted by keyed hash; each row's side is a keyed hash of the unit and the row's
/// rank among the unit's rows.
fn units(
    rows: &Rows,
    support_share: f64,
    tasks: u32,
    key: &PopulationKey,
) -> Result<Vec<Entry>, TaskError> {
    let units = rows.units();
    if usize::try_from(tasks).is_ok_and(|tasks| units > tasks) {
        return Err(TaskError::TooManyUnits { tasks, units });
    }
    let mut entries = Vec::with_capacity(units);
    for unit in Unit::all(rows, key) {
        if unit.task.is_some() {
            return Err(TaskError::TaskColumn);
        }
        let mut entry = Entry::empty(TaskKey(unit.order));
        for (rank, row) in (0_u32..).zip(unit.rows) {
            let support = key.share_of_row(unit.name, rank) < support_share;
            if support { &mut entry.support } else { &mut entry.query }.push(row);
        }
        entries.push(entry);
    }
    Ok(entries)
}

impl Entry {
    fn empty(key: TaskKey) -> Self {
        Self { key, support: Vec::new(), query: Vec::new() }
    }
}

/// A unit with its rows, on the way into a task.
struct Unit<'a> {
    order: [u8; 32],
    name: &'a str,
    task: Option<&'a str>,
    rows: Vec<u32>,
}

impl<'a> Unit<'a> {
    /// All units by keyed hash, each one's rows by content: the order of the file leaves no trace,
    /// not even in the rounding of a sum.
    fn all(rows: &'a Rows, key: &PopulationKey) -> Vec<Self> {
        let mut units: Vec<Self> = rows
            .unit_tasks()
            .map(|(name, task)| Self { order: key.order(name), name, task, rows: Vec::new() })
            .collect();
        for (row, &unit) in (0_u32..).zip(rows.unit_of()) {
            if let Some(unit) = usize::try_from(unit).ok().and_then(|u| units.get_mut(u)) {
                unit.rows.push(row);
            }
        }
        for unit in &mut units {
            unit.rows.sort_by_cached_key(|&row| content(rows, row));
        }
        units.sort_by_key(|unit| unit.order);
        units
    }
}

fn content(rows: &Rows, row: u32) -> (Vec<u32>, u32) {
    let bits = rows.features(row).iter().map(|x| x.to_bits()).collect();
    (bits, rows.label(row).to_bits())
}
