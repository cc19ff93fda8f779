//! Every limit of the protocol, in one place.

/// The longest plan, in bytes.
pub const PLAN_BYTES_MAX: usize = 32 * 1024;
/// The most institutions in a cohort.
pub const COHORT_MAX: usize = 512;
/// The most rounds of a run.
pub const ROUNDS_MAX: u32 = 100_000;
/// The most parameters of a model.
pub const PARAMETERS_MAX: usize = 8_000_000;
/// The most hidden layers.
pub const LAYERS_MAX: usize = 16;
/// The widest layer.
pub const WIDTH_MAX: u32 = 65_536;
/// The most derived columns.
pub const DERIVED_MAX: usize = 512;
/// The longest name or label in a plan, in characters.
pub const NAME_MAX: usize = 64;
/// The longest reason, in characters.
pub const REASON_MAX: usize = 256;
/// The most edges of a histogram of norms.
pub const NORM_EDGES_MAX: usize = 32;
/// The most tasks of one institution.
pub const TASKS_MAX: u32 = 10_000_000;
/// The most inner or adaptation steps.
pub const STEPS_MAX: u32 = 1_000;
/// The longest deadline, extension or slot: thirty days.
pub const DURATION_MS_MAX: u64 = 30 * 24 * 3600 * 1000;
/// The most proposed plans that wait for signatures.
pub const PROPOSALS_MAX: usize = 64;
/// The most members of a consortium, revoked ones included.
pub const MEMBERS_MAX: usize = 4_096;
/// The most decisions that one member may record.
pub const DECISIONS_PER_MEMBER_MAX: u32 = 1_000;
/// The most contradictions recorded against one key of the log: one convicts, and who has the key could make more without end.
pub const CONTRADICTIONS_PER_KEY_MAX: usize = 16;
/// How often a member may change keys.
pub const ROTATIONS_PER_MEMBER_MAX: usize = 64;
/// The most pieces of evidence recorded against one institution in one run: a liar cannot fill the log.
pub const EVIDENCE_PER_RUN_MAX: u32 = 16;
