//! The commit that many enqueues share: every tenant's part under that tenant's row-level security (I12), its audit with it (I13).

use std::collections::BTreeMap;

use fleet_queue::transitions::enqueue::{Answer, Columns};
use fleet_queue::{EnqueueOutcome, Enqueued, Error, NewJob, Probes, TenantId};
use sqlx::{Acquire, PgConnection};

use crate::audit::{self, Action};
use crate::auth::Identity;
use crate::enqueue::enqueue_good_part;
use crate::gather::{Group, Groups, Waiter};
use crate::problem::Problem;
use crate::state::act_as;

/// An answer for each job of the groups, in their order.
pub(crate) type Answers = Vec<Result<Enqueued, Problem>>;

/// Every job in one call, which is its own transaction; one bad job fails it whole.
pub(crate) async fn together(
    conn: &mut PgConnection,
    probes: &Probes,
    groups: &Groups,
) -> Result<Answers, Problem> {
    let jobs: Vec<&NewJob> = groups.0.values().flat_map(|group| &group.jobs).collect();
    for job in &jobs {
        job.check()?;
    }
    let reached = probes.at("api.before_commit").await;
    reached.map_err(|_| Problem::unavailable())?;
    let rows = send(conn, groups, &jobs).await?;
    let answers = Answer::for_each(rows).into_iter().zip(jobs);
    Ok(answers
        .map(|(answer, job)| answer.ok_or_else(|| Error::unseen(job).into()))
        .collect())
}

async fn send(
    conn: &mut PgConnection,
    groups: &Groups,
    jobs: &[&NewJob],
) -> Result<Vec<Answer>, Problem> {
    let columns = Columns::of(jobs);
    let waiters = || groups.0.values().flat_map(|group| &group.waiters);
    let keys: Vec<_> = waiters().map(|waiter| waiter.caller.key_id).collect();
    let names: Vec<_> = waiters().map(|waiter| &*waiter.caller.name).collect();
    let requests: Vec<_> = waiters().map(|waiter| &*waiter.request_id).collect();
    let rows = sqlx::query_as!(
        Answer,
        r#"-- api.enqueue_together
        SELECT ord AS "ord!", id AS "id!", outcome AS "outcome!", state::text AS state
        FROM fleet.enqueue_together($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"#,
        &columns.ids,
        &columns.tenants,
        &columns.kinds as &[&str],
        &columns.versions,
        &columns.queues as &[&str],
        &columns.priorities,
        &columns.max_attempts,
        &columns.timeouts,
        &columns.run_ats as &[Option<chrono::DateTime<chrono::Utc>>],
        &columns.payloads as &[&serde_json::Value],
        &columns.options as &[Option<serde_json::Value>],
        &ends(groups),
        &keys,
        &names as &[&str],
        &requests as &[&str],
    )
    .fetch_all(conn)
    .await
    .map_err(|source| Error::Database {
        verb: "api.enqueue_together",
        source,
    })?;
    if rows.len() == jobs.len() {
        return Ok(rows);
    }
    tracing::error!(
        jobs = jobs.len(),
        answers = rows.len(),
        "the database did not answer for every job"
    );
    Err(Problem::unavailable())
}

/// Where each tenant's part ends.
fn ends(groups: &Groups) -> Vec<i32> {
    let sizes = groups.0.values().map(|group| group.jobs.len() as i32);
    sizes
        .scan(0, |end, size| {
            *end += size;
            Some(*end)
        })
        .collect()
}

/// Every job in one transaction in which what the database refuses of one is undone for that one alone.
pub(crate) async fn each_alone(
    conn: &mut PgConnection,
    probes: &Probes,
    groups: &Groups,
) -> Result<Answers, Problem> {
    let mut tx = conn.begin().await?;
    let mut answers = Answers::new();
    for (tenant, Group { jobs, waiters }) in &groups.0 {
        act_as(&mut tx, &tenant.to_string()).await?;
        let enqueued = enqueue_good_part(&mut tx, jobs).await?;
        record(&mut tx, *tenant, waiters, &enqueued).await?;
        answers.extend(enqueued);
    }
    let reached = probes.at("api.before_commit").await;
    reached.map_err(|_| Problem::unavailable())?;
    tx.commit().await?;
    Ok(answers)
}

/// One row of the audit for each key that made jobs of this tenant.
async fn record(
    conn: &mut PgConnection,
    tenant: TenantId,
    waiters: &[Waiter],
    answers: &[Result<Enqueued, Problem>],
) -> Result<(), sqlx::Error> {
    let mut by_key: BTreeMap<_, (&Identity, Vec<_>, Vec<_>)> = BTreeMap::new();
    for (waiter, answer) in waiters.iter().zip(answers) {
        if let Ok(made) = answer
            && made.outcome != EnqueueOutcome::QueueFull
        {
            let shared = by_key
                .entry(waiter.caller.key_id)
                .or_insert_with(|| (&waiter.caller, Vec::new(), Vec::new()));
            shared.1.push(made.id);
            shared.2.push(waiter.request_id.clone());
        }
    }
    for (who, jobs, request_ids) in by_key.values() {
        let action = Action {
            verb: "jobs.enqueue",
            tenant,
            subject: None,
            jobs,
            reason: None,
            detail: None,
        };
        audit::record_for(conn, who, action, request_ids).await?;
    }
    Ok(())
}
