//! Retry: a person sends a job round again: an ended one lives again under its id, a waiting one runs at once. Upholds I3, I5.

use sqlx::PgConnection;

use crate::read::find_state;
use crate::{Error, JobId, JobState};

/// What a retry did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retried {
    /// It had ended and is available again, with fresh attempts and crashes.
    Revived,
    /// It waited for its time and is available now.
    Hastened,
    /// There is no such job.
    NotFound,
}

/// Makes a job available now. Refused for one that is running, blocked, or completed.
pub async fn retry(conn: &mut PgConnection, id: JobId) -> Result<Retried, Error> {
    if super::reschedule::move_waiting(conn, id, None).await? {
        return Ok(Retried::Hastened);
    }
    if revive(conn, id).await? {
        return Ok(Retried::Revived);
    }
    match find_state(conn, id).await? {
        None => Ok(Retried::NotFound),
        Some(state) => Err(Error::WrongState {
            id,
            state,
            problem: problem(state),
        }),
    }
}

fn problem(state: JobState) -> &'static str {
    match state {
        JobState::Completed => "a completed job is not run again; enqueue a new one",
        JobState::Running => "it runs already",
        JobState::Blocked => "it waits for other jobs; see why",
        _ => "another live job holds its unique key, or it was retried meanwhile",
    }
}

async fn revive(conn: &mut PgConnection, id: JobId) -> Result<bool, Error> {
    let row = sqlx::query_scalar!(
        r#"-- queue.retry
        WITH ended AS (
            DELETE FROM fleet.job_history h
            WHERE h.id = $1 AND h.state IN ('cancelled', 'discarded')
              AND NOT EXISTS (SELECT FROM fleet.job j WHERE j.tenant_id = h.tenant_id AND j.unique_key = h.unique_key)
            RETURNING h.*
        ), revived AS (
            INSERT INTO fleet.job (id, tenant_id, kind, version, queue, priority, state, run_at, created_at, max_attempts, claim_no, timeout_ms,
                unique_key, unique_until_started, concurrency_key, concurrency_limit, parent_id, step, traceparent, tags, metadata, payload)
            SELECT id, tenant_id, kind, version, queue, priority, 'available', fleet.clock(), created_at, max_attempts, claim_no, timeout_ms,
                unique_key, unique_until_started, concurrency_key, concurrency_limit, parent_id, step, traceparent, tags, metadata, payload
            FROM ended
            RETURNING id, queue, tenant_id, kind
        ), counted AS (
            INSERT INTO fleet.flow (at, queue, tenant_id, kind, event, n) SELECT fleet.clock(), queue, tenant_id, kind, 'enqueued', 1 FROM revived
        )
        SELECT fleet.announce(array_agg(id)) IS NULL AS "told!" FROM revived HAVING count(*) > 0"#,
        id.0,
    )
    .fetch_optional(conn)
    .await
    .map_err(Error::database("queue.retry"))?;
    Ok(row.is_some())
}
