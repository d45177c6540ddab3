//! Running a handler: its context, its span, its bounds in time. Upholds I4.
//!
//! A handler that was told to stop gets its grace and is then dropped where it waits; one that blocks its thread cannot be.

use std::panic;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use apalis_core::task::Task;
use fleet_queue::{Cx, Done, JobError};
use futures::future::BoxFuture;
use tower::Service;
use tracing::Instrument;

use crate::assignment::Assignment;
use crate::held::{Stop, StopReason};
use crate::shared::Shared;

/// A handler whose claim is lost gets no more than this: its job may be running elsewhere.
const LOST_GRACE: Duration = Duration::from_millis(500);

/// How an attempt did not come to a `Done`.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AttemptError {
    #[error("the handler failed: {0}")]
    Failed(JobError),
    #[error("the handler ran longer than {0:?}")]
    TimedOut(Duration),
    #[error("the handler panicked: {0}")]
    Panicked(String),
    #[error("the handler was stopped")]
    Stopped,
}

/// The innermost service: runs the handler of the job's kind.
#[derive(Clone)]
pub(crate) struct Handlers(pub(crate) Arc<Shared>);

impl Service<Task<Assignment>> for Handlers {
    type Response = Done;
    type Error = AttemptError;
    type Future = BoxFuture<'static, Result<Done, AttemptError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), AttemptError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, task: Task<Assignment>) -> Self::Future {
        let span = span(&task.args);
        Box::pin(attempt(Arc::clone(&self.0), task).instrument(span))
    }
}

fn span(assignment: &Assignment) -> tracing::Span {
    let job = &assignment.job;
    tracing::info_span!(
        "job",
        job.id = %job.id,
        job.kind,
        job.queue,
        job.attempt,
        traceparent = job.traceparent,
    )
}

async fn attempt(shared: Arc<Shared>, task: Task<Assignment>) -> Result<Done, AttemptError> {
    let (assignment, _) = task.take();
    let Assignment {
        job, claim, stop, ..
    } = assignment;
    // A job cancelled, or lost, before its handler began.
    if stop.token().is_cancelled() {
        return Err(AttemptError::Stopped);
    }
    let reached = shared.db.probes().at("worker.before_run").await;
    reached.map_err(|error| AttemptError::Failed(error.into()))?;
    let Some(handler) = shared.registry.handler(&job.kind) else {
        // Claims ask for served kinds alone; a job that slipped through is for another binary.
        return Err(AttemptError::Stopped);
    };
    let limit = job.timeout;
    let cx = Cx::new(shared.db.clone(), job, claim, stop.token().clone());
    let running = handler(cx);
    tokio::select! {
        biased;
        result = running => result.map_err(AttemptError::Failed),
        () = out_of_grace(&stop, &shared) => Err(AttemptError::Stopped),
        limit = out_of_time(limit) => {
            // What the handler left running elsewhere should hear of it too.
            stop.token().cancel();
            Err(AttemptError::TimedOut(limit))
        }
    }
}

async fn out_of_grace(stop: &Stop, shared: &Shared) {
    stop.token().cancelled().await;
    let settings = &shared.settings;
    let grace = match stop.reason() {
        Some(StopReason::LeaseLost) => settings.cancel_grace.min(LOST_GRACE),
        Some(StopReason::Isolated) => settings.isolation_grace(),
        _ => settings.cancel_grace,
    };
    tokio::time::sleep(grace).await;
}

async fn out_of_time(limit: Option<Duration>) -> Duration {
    match limit {
        Some(limit) => {
            tokio::time::sleep(limit).await;
            limit
        }
        None => std::future::pending().await,
    }
}

/// What a panic said.
#[allow(clippy::borrowed_box, reason = "it is the signature that apalis calls")]
pub(crate) fn panicked(payload: &Box<dyn std::any::Any + Send>) -> AttemptError {
    let message = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned());
    AttemptError::Panicked(message.unwrap_or_else(|| "a panic without a message".to_owned()))
}
