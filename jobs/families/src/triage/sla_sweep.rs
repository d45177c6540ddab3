//! `triage.sla_sweep`: the net under the exact jobs: clocks that are overdue, tickets that nobody has sorted.
//!
//! Trigger: a schedule, every five minutes.
//! Effect: what `triage.sla_deadline` would have done; a job for each ticket that has waited for its sorting.
//! Safe to repeat because: it does what those jobs do, and they hold the ticket and read anew.
//! Gives up when: never; what one attempt leaves, the next takes.

use std::time::Duration;

use fleet_queue::transitions::enqueue::enqueue;
use fleet_queue::{Cx, Done, Job, JobError, JobResult, Policy, TenantId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::sla::keep;
use super::ticket::Ticket;
use crate::tickets::{TicketError, hold};

/// Tickets that one pass takes.
const MOST: i64 = 2_000;

/// Looks for what was missed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SlaSweep {}

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Swept {
    /// Tickets with an overdue clock.
    pub overdue: u64,
    /// Of these promises, how many were found broken.
    pub breached: u64,
    /// Tickets that had to be sorted yet.
    pub unsorted: u64,
}

impl Job for SlaSweep {
    const KIND: &'static str = "triage.sla_sweep";
    const DESCRIPTION: &'static str =
        "Looks for overdue clocks and unsorted tickets that their own jobs have missed.";

    type Deps = ();

    fn policy() -> Policy {
        Policy {
            timeout: Duration::from_mins(5),
            max_attempts: 5,
            ..Policy::DEFAULT
        }
    }

    fn example() -> Self {
        Self::default()
    }

    async fn run(self, cx: Cx<()>) -> JobResult {
        if cx.tenant() != TenantId::PLATFORM {
            return Err(JobError::discard("only the platform sweeps"));
        }
        Done::output(&sweep(cx.pool()).await?)
    }
}

/// Goes over everything once.
pub async fn sweep(pool: &PgPool) -> Result<Swept, TicketError> {
    let mut swept = Swept::default();
    for (tenant, ticket) in overdue(&mut *pool.acquire().await?).await? {
        let mut tx = pool.begin().await?;
        if hold(&mut tx, tenant, ticket).await?.is_some() {
            let kept = keep(&mut tx, tenant, ticket, None)
                .await?
                .unwrap_or_default();
            swept.breached += u64::from(kept.breached);
        }
        tx.commit().await?;
        swept.overdue += 1;
    }
    let mut tx = pool.begin().await?;
    for (tenant, job) in unsorted(&mut tx).await? {
        enqueue(&mut tx, &job.new_job(tenant)).await?;
        swept.unsorted += 1;
    }
    tx.commit().await?;
    Ok(swept)
}

/// Past their time by a minute: until then their own job is on its way.
async fn overdue(conn: &mut PgConnection) -> Result<Vec<(TenantId, Uuid)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"-- triage.overdue
        SELECT DISTINCT tenant_id, ticket_id FROM (
            SELECT tenant_id, ticket_id FROM fleet.ticket_clocks
            WHERE state = 'running' AND due_at < fleet.clock() - interval '1 minute'
            ORDER BY due_at
            LIMIT $1) AS c
        ORDER BY tenant_id, ticket_id"#,
        MOST,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (TenantId(row.tenant_id), row.ticket_id))
        .collect())
}

/// One whose job still waits gets no second: they share a key.
async fn unsorted(conn: &mut PgConnection) -> Result<Vec<(TenantId, Ticket)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"-- triage.unsorted
        SELECT t.tenant_id, t.ticket_id, t.revision
        FROM fleet.tickets AS t
        WHERE t.triaged_revision IS DISTINCT FROM t.revision AND t.status <> 'resolved' AND t.opened_at < fleet.clock() - interval '10 minutes'
          AND t.client_id <> '00000000-0000-0000-0000-000000000000'
        ORDER BY t.opened_at
        LIMIT $1"#,
        MOST,
    )
    .fetch_all(conn)
    .await?;
    let jobs = rows.into_iter().map(|row| {
        let job = Ticket {
            ticket_id: row.ticket_id,
            revision: row.revision,
        };
        (TenantId(row.tenant_id), job)
    });
    Ok(jobs.collect())
}
