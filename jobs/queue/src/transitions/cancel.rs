//! Cancel: calls a job off; a waiting one at once, a running one through its worker. Upholds I3, I11.

use sqlx::PgConnection;

use crate::read::find_state;
use crate::{Error, JobId, JobState, WorkerId};

/// What a cancel did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// It waited, and is cancelled now.
    Ended,
    /// It runs; its worker was told and has its grace. Carries the worker, for waking it.
    Requested(WorkerId),
    /// It had ended already, like this.
    AlreadyEnded(JobState),
    /// There is no such job.
    NotFound,
}

/// Cancels a job.
pub async fn cancel(
    conn: &mut PgConnection,
    id: JobId,
    reason: Option<&str>,
) -> Result<Cancelled, Error> {
    // A job may be claimed, or given back, between the two statements; a second round meets it as it then is.
    for _ in 0..3 {
        if end_waiting(conn, id, reason).await? {
            return Ok(Cancelled::Ended);
        }
        if let Some(worker) = signal_running(conn, id, reason).await? {
            return Ok(Cancelled::Requested(worker));
        }
        match find_state(conn, id).await? {
            None => return Ok(Cancelled::NotFound),
            Some(state) if state.is_terminal() => return Ok(Cancelled::AlreadyEnded(state)),
            Some(_) => {}
        }
    }
    let problem = "it changes hands faster than it can be cancelled; try again";
    Err(Error::WrongState {
        id,
        state: JobState::Running,
        problem,
    })
}

async fn end_waiting(
    conn: &mut PgConnection,
    id: JobId,
    reason: Option<&str>,
) -> Result<bool, Error> {
    let ended = sqlx::query_scalar!(
        r#"-- queue.cancel
        SELECT fleet.end_jobs(ARRAY[$1::uuid], NULL, NULL, ARRAY['cancelled'::fleet.job_state], ARRAY[$2::text], NULL) AS "ended!""#,
        id.0,
        reason,
    )
    .fetch_one(conn)
    .await
    .map_err(Error::database("queue.cancel"))?;
    Ok(!ended.is_empty())
}

async fn signal_running(
    conn: &mut PgConnection,
    id: JobId,
    reason: Option<&str>,
) -> Result<Option<WorkerId>, Error> {
    let worker = sqlx::query_scalar!(
        r#"-- queue.cancel_running
        WITH told AS (
            UPDATE fleet.job SET cancel_requested_at = COALESCE(cancel_requested_at, fleet.clock()), cancel_reason = COALESCE(cancel_reason, $2)
            WHERE id = $1 AND state = 'running'
            RETURNING id, worker_id, token
        ), signal AS (
            INSERT INTO fleet.cancel_signal (worker_id, job_id, token) SELECT worker_id, id, token FROM told ON CONFLICT DO NOTHING
        )
        SELECT worker_id AS "worker_id!" FROM told"#,
        id.0,
        reason,
    )
    .fetch_optional(conn)
    .await
    .map_err(Error::database("queue.cancel"))?;
    Ok(worker.map(WorkerId))
}
