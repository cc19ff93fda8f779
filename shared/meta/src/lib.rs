//! Meta-learning: tasks, learners and the models that they train.
//!
//! A [`Task`] goes in, one vector of the model's size comes out ([`MetaLearner::meta_gradient`]), and a
//! bank's tasks become one sum of integers ([`MetaLearner::clipped_sum`]). At an institution,
//! [`MetaLearner::adapt`] turns a meta-initialization and a few labelled examples into a [`Predictor`].

mod clipped;
mod error;
#[cfg(test)]
mod example_tasks;
mod gradient;
mod inner;
mod learner;
mod loss;
mod network;
mod predictor;
mod second_order;
mod task;

pub use clipped::ClippedSum;
pub use error::LearnerError;
pub use learner::{EpisodeShape, GradientLearner, Judged, MetaLearner, learner};
pub use predictor::Predictor;
pub use task::{Examples, Task, TaskKey};
