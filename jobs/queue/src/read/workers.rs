//! Worker processes as people look at them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use crate::{Error, WorkerId};

/// Whether a worker takes jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WorkerState {
    /// Its lease is good and it takes jobs.
    Living,
    /// It finishes what it has and takes nothing new.
    Draining,
    /// Its lease ran out: its jobs are rescued.
    Dead,
    /// It stopped in good order.
    Stopped,
}

/// A worker process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WorkerInfo {
    /// Its id, new at each start.
    pub id: WorkerId,
    /// Whether it takes jobs.
    pub state: WorkerState,
    /// Its host.
    pub host: String,
    /// Its process.
    pub pid: i32,
    /// Its binary's version.
    pub version: String,
    /// Queue to the number of handlers it runs at most for it.
    pub queues: BTreeMap<String, i64>,
    /// Kinds it serves.
    pub kinds: Vec<String>,
    /// Handlers at most.
    pub capacity: i32,
    /// Handlers running, as it said last.
    pub running: i32,
    /// When it started.
    pub started_at: DateTime<Utc>,
    /// When it renewed its lease last.
    pub renewed_at: DateTime<Utc>,
    /// Until when its lease is good.
    pub lease_until: DateTime<Utc>,
    /// Share of one core.
    pub cpu: Option<f32>,
    /// Resident memory.
    pub memory_bytes: Option<i64>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// How it ended: "stopped" or "lease expired".
    pub end_reason: Option<String>,
}

/// The workers that run, and those that ended within the last day, newest first.
pub async fn list_workers(conn: &mut PgConnection) -> Result<Vec<WorkerInfo>, Error> {
    let rows = sqlx::query!(
        r#"-- read.list_workers
        SELECT id AS "id: WorkerId", host, pid, version, queues, kinds, capacity, running, started_at, renewed_at, lease_until, cpu, memory_bytes, ended_at, end_reason,
            draining, lease_until <= fleet.clock() AS "late!"
        FROM fleet.worker WHERE ended_at IS NULL OR ended_at > fleet.clock() - interval '1 day'
        ORDER BY ended_at DESC NULLS FIRST, started_at DESC, id LIMIT 1000"#
    )
    .fetch_all(conn)
    .await
    .map_err(Error::database("read.list_workers"))?;
    Ok(rows
        .into_iter()
        .map(|row| WorkerInfo {
            state: state(row.end_reason.as_deref(), row.late, row.draining),
            id: row.id,
            host: row.host,
            pid: row.pid,
            version: row.version,
            queues: serde_json::from_value(row.queues).unwrap_or_default(),
            kinds: row.kinds,
            capacity: row.capacity,
            running: row.running,
            started_at: row.started_at,
            renewed_at: row.renewed_at,
            lease_until: row.lease_until,
            cpu: row.cpu,
            memory_bytes: row.memory_bytes,
            ended_at: row.ended_at,
            end_reason: row.end_reason,
        })
        .collect())
}

fn state(end_reason: Option<&str>, late: bool, draining: bool) -> WorkerState {
    match end_reason {
        Some("stopped") => WorkerState::Stopped,
        Some(_) => WorkerState::Dead,
        None if late => WorkerState::Dead,
        None if draining => WorkerState::Draining,
        None => WorkerState::Living,
    }
}
