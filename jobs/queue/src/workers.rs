//! Worker processes as the database knows them: one row each, from start to end.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use sqlx::{Acquire, PgConnection};

use crate::transitions::rescue::take_jobs;
use crate::{Error, WorkerId};

/// What a worker says of itself when it starts.
#[derive(Clone, Debug)]
pub struct Introduction {
    /// Its id, new at each start.
    pub id: WorkerId,
    /// Its host's name.
    pub host: String,
    /// Its process.
    pub pid: i32,
    /// Its binary's version.
    pub version: String,
    /// Queue to the number of handlers at most.
    pub queues: BTreeMap<String, usize>,
    /// Kinds it serves.
    pub kinds: Vec<String>,
    /// Handlers at most, in all.
    pub capacity: usize,
}

/// Registers a worker and gives it its first lease.
pub async fn register(
    conn: &mut PgConnection,
    worker: &Introduction,
    ttl: Duration,
) -> Result<(), Error> {
    sqlx::query!(
        r#"-- workers.register
        INSERT INTO fleet.worker (id, host, pid, version, queues, kinds, capacity, started_at, renewed_at, lease_until)
        SELECT $1, $2, $3, $4, $5, $6, $7, c.now, c.now, c.now + make_interval(secs => $8) FROM (SELECT fleet.clock() AS now) c"#,
        worker.id.0,
        worker.host,
        worker.pid,
        worker.version,
        json!(worker.queues),
        &worker.kinds,
        i32::try_from(worker.capacity).unwrap_or(i32::MAX),
        ttl.as_secs_f64(),
    )
    .execute(conn)
    .await
    .map_err(Error::database("workers.register"))?;
    Ok(())
}

/// Ends a worker that stops in good order; whatever it still held goes back without costing anything.
///
/// All of it or nothing: jobs of a worker that is ended already are nobody's to rescue (I2, I3).
pub async fn depart(conn: &mut PgConnection, worker: WorkerId) -> Result<usize, Error> {
    let failed = Error::database;
    let mut tx = conn.begin().await.map_err(failed("workers.depart"))?;
    let ended = sqlx::query_scalar!(
        r#"-- workers.depart
        UPDATE fleet.worker SET ended_at = fleet.clock(), end_reason = 'stopped', running = 0
        WHERE id = $1 AND ended_at IS NULL RETURNING id"#,
        worker.0,
    )
    .fetch_all(&mut *tx)
    .await
    .map_err(failed("workers.depart"))?;
    let taken = take_jobs(&mut tx, &ended, "interrupted").await?;
    tx.commit().await.map_err(failed("workers.depart"))?;
    Ok(taken.returned)
}

/// Asks a worker to take no more jobs, or to take them again. False where there is no such living worker.
pub async fn set_draining(
    conn: &mut PgConnection,
    worker: WorkerId,
    draining: bool,
) -> Result<bool, Error> {
    sqlx::query!(
        r#"-- workers.set_draining
        UPDATE fleet.worker SET draining = $2 WHERE id = $1 AND ended_at IS NULL"#,
        worker.0,
        draining,
    )
    .execute(conn)
    .await
    .map(|done| done.rows_affected() == 1)
    .map_err(Error::database("workers.set_draining"))
}
