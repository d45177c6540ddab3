//! Bulk enqueue over one connection, a commit a batch; and, to compare, the same rows straight into the table.

use fleet_queue::transitions::enqueue::enqueue_many;
use fleet_queue::{Connection, Db, NewJob};

use super::left;
use crate::kinds::noops;
use crate::stage::{Stage, Summary};

pub(super) async fn play(db: &Db, batch: usize, jobs: u64) -> anyhow::Result<()> {
    let mut conn = db.connect("bench.enqueue").await?;
    let waiting = noops(jobs);
    let stage = Stage::enter().await?;
    for jobs in waiting.chunks(batch) {
        enqueue_many(&mut conn, jobs).await?;
    }
    finish(db, stage, jobs).await
}

pub(super) async fn play_bare(db: &Db, batch: usize, jobs: u64) -> anyhow::Result<()> {
    let mut conn = db.connect("bench.unnest").await?;
    let waiting = noops(jobs);
    let stage = Stage::enter().await?;
    for jobs in waiting.chunks(batch) {
        insert(&mut conn, jobs).await?;
    }
    finish(db, stage, jobs).await
}

async fn finish(db: &Db, mut stage: Stage, jobs: u64) -> anyhow::Result<()> {
    stage.done().await?;
    let stored = left(db).await?;
    stage.leave(&Summary {
        ran: stored,
        left: jobs.abs_diff(stored),
        ..Summary::default()
    })
}

/// No answer for each job, no announcement, no count, no check of anything: rows, and the table's own indexes.
async fn insert(conn: &mut Connection, jobs: &[NewJob]) -> anyhow::Result<()> {
    let ids: Vec<_> = jobs.iter().map(|job| job.id.0).collect();
    let tenants: Vec<_> = jobs.iter().map(|job| job.tenant.0).collect();
    let kinds: Vec<&str> = jobs.iter().map(|job| job.kind.as_str()).collect();
    let queues: Vec<&str> = jobs.iter().map(|job| job.queue.as_str()).collect();
    let payloads: Vec<_> = jobs.iter().map(|job| &job.payload).collect();
    sqlx::query!(
        r#"-- bench.unnest
        INSERT INTO fleet.job (id, tenant_id, kind, queue, payload, state, run_at, created_at)
        SELECT id, tenant_id, kind, queue, payload, 'available', now(), now()
        FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::jsonb[]) AS r (id, tenant_id, kind, queue, payload)"#,
        &ids,
        &tenants,
        &kinds as &[&str],
        &queues as &[&str],
        &payloads as &[&serde_json::Value],
    )
    .execute(conn)
    .await?;
    Ok(())
}
