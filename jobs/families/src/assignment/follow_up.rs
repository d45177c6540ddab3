//! Jobs that follow from a decision, enqueued in its transaction.

use fleet_queue::transitions::enqueue;
use fleet_queue::{EnqueueOutcome, NewJob, OnDuplicate, Unique, UniqueScope};
use sqlx::PgConnection;
use uuid::Uuid;

use super::assign::AssignError;

/// Enqueues it; a queue that is full refuses the whole decision, which is then tried again.
pub(super) async fn enqueue(conn: &mut PgConnection, job: &NewJob) -> Result<(), AssignError> {
    let enqueued = enqueue::enqueue(conn, job)
        .await
        .map_err(AssignError::Queue)?;
    match enqueued.outcome {
        EnqueueOutcome::QueueFull => Err(AssignError::QueueFull(job.queue.clone())),
        _ => Ok(()),
    }
}

/// Of a kind's jobs for a client one waits at a time, until it starts: so no change falls between a job that has read and one that was
/// never enqueued.
pub(super) fn once(job: NewJob, client: Uuid, on_duplicate: OnDuplicate) -> NewJob {
    let key = format!("{} {client}", job.kind);
    job.unique(Unique {
        key,
        scope: UniqueScope::Started,
        window_s: None,
        on_duplicate,
    })
}
