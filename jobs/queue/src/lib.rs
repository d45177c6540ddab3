//! The engine: what a job is, how it moves between states, and the SQL that moves it.
//!
//! One verb a file in [`transitions`]; they are the only code that writes the job tables.
//! What an author of jobs sees is in [`job`]; what people look at is in [`read`].
//! It knows no family, no HTTP and no apalis.

mod circle;
mod db;
pub mod duties;
mod error;
pub mod history;
mod ids;
pub mod job;
pub mod kinds;
pub mod limits;
mod new_job;
mod outlook;
mod policy;
mod probe;
pub mod read;
pub mod schedules;
mod state;
pub mod telemetry;
pub mod transitions;
pub mod upkeep;
pub mod wake;
pub mod workers;

pub use db::{Connection, Db, MIGRATOR, Tx, clock, expected_version, schema_version};
pub use error::Error;
pub use ids::{JobId, TenantId, WorkerId};
pub use job::{Cx, Done, ErrorAdvice, Job, JobError, JobResult, OrDiscard, Registry};
pub use new_job::{
    BATCH_MAX, Concurrency, NewJob, OUTPUT_BYTES_MAX, OnDuplicate, PAYLOAD_BYTES_MAX, Rare,
    TAGS_MAX, Unique, UniqueScope,
};
pub use outlook::{Outlook, outlook};
pub use policy::{Backoff, Policy};
pub use probe::{ProbeAction, ProbeFailed, Probes};
pub use state::{JobState, UnknownState};
pub use transitions::claim::{Claim, ClaimRequest, Claimed, Turns};
pub use transitions::enqueue::{EnqueueOutcome, Enqueued};
pub use transitions::settle::{Failure, Outcome, Settled, Settlement};
