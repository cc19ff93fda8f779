//! What a checked plan means in the terms of the accountant, the grid and the log.

use ledger::record::{Charge, Institution};
use privacy::{
    Certificate, Delta, Grid, Mechanism, NoiseMultiplier, PrivacyError, PrivacyEvent, PublicBound,
    SamplingRate, TaskChange,
};

use super::{Plan, PlanText, PredictedCost};
use crate::layout::Layout;
use crate::metrics::Encoding;

impl PlanText {
    /// What a change of one unit does to the tasks, by the plan's grouping and unit relation.
    pub fn task_change(&self) -> TaskChange {
        TaskChange::of(self.tasks.grouping, self.privacy.relation)
    }

    /// `rounds` rounds as the accountant sees them.
    ///
    /// # Errors
    ///
    /// [`PrivacyError`] if a parameter is out of its range; a checked plan has none.
    pub fn event(&self, rounds: u32) -> Result<PrivacyEvent, PrivacyError> {
        let noise_multiplier = NoiseMultiplier::new(self.privacy.noise_multiplier)?;
        let sampling_rate = SamplingRate::new(self.privacy.sampling_rate)?;
        Ok(PrivacyEvent {
            mechanism: Mechanism::PoissonGaussian { noise_multiplier, sampling_rate },
            change: self.task_change(),
            count: u64::from(rounds),
        })
    }
}

/// The terms of a checked plan, computed once.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Terms {
    pub(super) layout: Layout,
    pub(super) encoding: Encoding,
    pub(super) charge: Charge,
    pub(super) event: PrivacyEvent,
    pub(super) cost: PredictedCost,
    pub(super) delta: Delta,
    /// What all rounds cost; certifying takes a while, and everybody asks.
    pub(super) promise: Certificate,
}

impl Terms {
    pub(super) fn of(text: &PlanText, promise: Certificate) -> Result<Self, String> {
        let spec = &text.privacy;
        let change = match text.task_change() {
            TaskChange::Appears => ledger::record::TaskChange::Appears,
            TaskChange::ContentChanges => ledger::record::TaskChange::Content,
            TaskChange::TwoContentsChange => ledger::record::TaskChange::TwoContents,
        };
        let text_of = |error: PrivacyError| error.to_string();
        let layout = Layout::of(text.data.features.len(), &text.model);
        let grid = text.grid().map_err(text_of)?;
        Ok(Self {
            encoding: Encoding::new(grid, layout.dimension(), text.metrics.clone()),
            layout,
            charge: Charge::new(spec.noise_multiplier, spec.sampling_rate, change)
                .map_err(|error| error.to_string())?,
            event: text.event(1).map_err(text_of)?,
            cost: text.predicted_cost().map_err(text_of)?,
            delta: Delta::new(spec.delta).map_err(text_of)?,
            promise,
        })
    }
}

impl Plan {
    /// Where each weight lies.
    pub fn layout(&self) -> &Layout {
        &self.terms.layout
    }

    /// The length of the meta-initialization.
    pub fn dimension(&self) -> usize {
        self.terms.layout.dimension()
    }

    /// The length of a contribution and of a round's sum: the model's weights, none in a pilot, and
    /// then the metrics.
    pub fn contribution_dimension(&self) -> usize {
        self.terms.encoding.dimension()
    }

    /// How a task becomes a vector.
    pub fn encoding(&self) -> &Encoding {
        &self.terms.encoding
    }

    /// The grid that contributions lie on.
    pub fn grid(&self) -> Grid {
        self.terms.encoding.grid()
    }

    /// How many tasks are expected in a round that `survivors` contributed to: the sampling rate times
    /// their declared tasks, at least one. A public number; how many took part is nobody's to know.
    pub fn expected_tasks<'a>(&self, survivors: impl IntoIterator<Item = &'a Institution>) -> f64 {
        let declared = survivors.into_iter().filter_map(|name| self.participant(name));
        let tasks: u64 = declared.map(|participant| u64::from(participant.tasks)).sum();
        #[expect(clippy::cast_precision_loss, reason = "at most 2^33 tasks")]
        let tasks = tasks.max(1) as f64;
        self.text.privacy.sampling_rate * tasks
    }

    /// What every contribution must state as its charge.
    pub fn charge(&self) -> Charge {
        self.terms.charge
    }

    /// One round as the accountant sees it.
    pub fn event(&self) -> PrivacyEvent {
        self.terms.event
    }

    /// The δ of the plan's guarantee.
    pub fn delta(&self) -> Delta {
        self.terms.delta
    }

    /// What `rounds` rounds cost one institution, certified.
    ///
    /// # Errors
    ///
    /// [`PrivacyError`] if the figure cannot be certified.
    pub fn spent(&self, rounds: u32) -> Result<Certificate, PrivacyError> {
        if rounds == self.text.rounds {
            return Ok(self.terms.promise);
        }
        let event = PrivacyEvent { count: u64::from(rounds), ..self.terms.event };
        privacy::epsilon(&[event], self.terms.delta)
    }

    /// What the privacy is predicted to cost in quality.
    pub fn predicted_cost(&self) -> PredictedCost {
        self.terms.cost
    }

    /// The public bound that an institution's contribution must lie within; none if it is not in
    /// the plan.
    pub fn public_bound(&self, institution: &Institution) -> Option<PublicBound> {
        let participant = self.participant(institution)?;
        self.text.public_bound(participant.tasks, self.contribution_dimension()).ok()
    }
}
