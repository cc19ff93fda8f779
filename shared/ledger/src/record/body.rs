//! What the records of a consortium's log say.

use super::{
    Abandoned, Approval, Closed, Contradicted, Contribution, Decision, Evidence, Extended, Genesis,
    LogKey, Member, Model, Paused, PlanProposed, Recalled, RoundOpened, RunFinished, RunStarted,
    payload,
};

payload! {
    /// What a record of a consortium's log says.
    pub enum Body, genesis Genesis {
        /// The birth of the consortium. Leaf 0, by the operator.
        1 => Genesis(Genesis),
        /// An institution is added or revoked, or has other keys. By the operator.
        2 => Member(Member),
        /// A plan is put before the members. By the operator.
        3 => PlanProposed(PlanProposed),
        /// A member signs a plan. By the member.
        4 => Approval(Approval),
        /// A plan has its quorum; the approvals are spent. By the operator.
        5 => RunStarted(RunStarted),
        /// A round begins. By the operator.
        6 => RoundOpened(RoundOpened),
        /// A contribution was received whole and is durable. By the contributing member.
        7 => Accepted(Contribution),
        /// The deadline passed without a quorum; the round goes on. By the operator.
        8 => Extended(Extended),
        /// A round is over; what counts is fixed. By the operator.
        9 => Closed(Closed),
        /// A meta-initialization. By the operator.
        10 => Model(Model),
        /// A run ends without its last round. By the operator.
        11 => Abandoned(Abandoned),
        /// A run's last round is closed. By the operator.
        12 => RunFinished(RunFinished),
        /// A member misbehaved. By the operator.
        13 => Evidence(Evidence),
        /// A run opens no further round for now, or goes on. By the operator.
        14 => Paused(Paused),
        /// Models of an ended run are withdrawn. By the operator.
        15 => Recalled(Recalled),
        /// What a member decided, for the record. By the member.
        16 => Decision(Decision),
        /// Another key signs the checkpoints from here on. By the operator.
        17 => LogKey(LogKey),
        /// A key of the log signed two histories. By the member that hands it in.
        18 => Contradiction(Contradicted),
    }
}
