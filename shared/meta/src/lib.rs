//! Meta-learning: tasks, episodes, learners and models.
