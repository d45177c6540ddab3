//! The commit that many enqueues share: every tenant's part under that tenant's row-level security (I12), its audit with it (I13).

use fleet_queue::transitions::enqueue::{Answer, Columns};
use fleet_queue::{Enqueued, Error, NewJob, Probes};
use sqlx::PgConnection;

use crate::gather::Groups;
use crate::problem::Problem;

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
