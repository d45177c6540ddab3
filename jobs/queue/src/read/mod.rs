//! What people and programs look at. Nothing here writes, and nothing counts rows without a bound.
//!
//! Every function sees what its session may see: under the API's role the database's policies decide (I12).

mod find;
mod list;
mod parts;
mod queues;
mod throughput;
mod why;
mod workers;

pub use find::{JobDetail, find_job, find_state};
pub use list::{JobFilter, JobPage, JobSummary, PAGE_MAX, list_jobs};
pub use parts::{AttemptRow, LogRow, StepRow, find_attempts, find_logs, find_steps, unfinished};
pub use queues::{PauseInfo, QueueInfo, QueueRates, list_pauses, list_queues};
pub use throughput::{MinuteRow, ThroughputFilter, throughput};
pub use why::{Dependency, QueueAhead, Reason, Why, why};
pub use workers::{WorkerInfo, WorkerState, list_workers};
