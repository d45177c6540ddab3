//! What can go wrong in the scheduler. Only bad settings end it; the rest is tried again.

/// The scheduler did not start.
#[derive(Debug, thiserror::Error)]
pub enum SchedulerError {
    /// A setting contradicts itself or another.
    #[error("scheduler setting {setting}: {problem}")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// What is wrong with it, and what would be right.
        problem: String,
    },
}

/// One round of a duty failed; whatever it did was rolled back.
#[derive(Debug, thiserror::Error)]
pub enum DutyError {
    /// The engine, or the database under it, refused.
    #[error("the engine refused: {0}")]
    Engine(#[from] fleet_queue::Error),
    /// A test stopped it.
    #[error("stopped by a test: {0}")]
    Probe(#[from] fleet_queue::ProbeFailed),
    /// A defect: the round panicked.
    #[error("the round panicked: {0}")]
    Panicked(String),
}
