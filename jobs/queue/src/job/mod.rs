//! What an author of jobs sees: the trait, its results, its context, and the registry.

mod context;
mod lent;
mod outcome;
mod registry;

use std::future::Future;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use context::{Cx, JobInfo, LOG_BYTES_MAX, LOG_LINES_MAX};
pub use outcome::{Done, DoneKind, ErrorAdvice, JobError, JobResult, OrDiscard};
pub use registry::{Handler, Registry, RunInput};

use crate::Policy;

/// A kind of job: its payload is the type, its work is `run`.
///
/// A job may run more than once: after a crash, or when its worker loses its lease in the middle.
/// Make outside effects repeatable with [`Cx::idempotency_key`], and effects on our own database exact with [`Cx::settle_in`].
pub trait Job: Serialize + DeserializeOwned + JsonSchema + Send + 'static {
    /// `family.verb`; it stays forever, because jobs of it wait in databases.
    const KIND: &'static str;
    /// Raise it when the payload's shape changes so that older binaries cannot read it.
    const VERSION: i16 = 1;
    /// What it does, in a sentence.
    const DESCRIPTION: &'static str;

    /// What it works with, besides the database.
    type Deps: Clone + Send + Sync + 'static;

    /// Its defaults.
    fn policy() -> Policy {
        Policy::DEFAULT
    }

    /// A payload that works: for the API's documentation and for the tests every kind gets.
    fn example() -> Self;

    /// Does the work. `?` means: try again later.
    fn run(self, cx: Cx<Self::Deps>) -> impl Future<Output = JobResult> + Send;
}
