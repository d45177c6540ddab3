//! `triage.ticket`: finds out what a ticket is about, how urgent it is and whose, and starts its clocks.
//!
//! Trigger: a new ticket or a customer's message, in the same transaction; `triage.sla_sweep` for one that was left.
//! Effect: the ticket's category, priority and route, or an approval that waits; its decision, links, suggestions and clocks.
//! Safe to repeat because: a revision is sorted once, and the effect commits together with the job's completion.
//! Gives up when: the ticket is gone or has a later revision, which completes it as skipped.

use std::time::Duration;

use fleet_queue::{Cx, Job, JobResult, NewJob, OnDuplicate, Policy, TenantId, Unique, UniqueScope};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::pool::PoolConnection;
use sqlx::{PgPool, Postgres};
use uuid::Uuid;

use super::Raising;
use super::classifier::classify;
use super::gather::gather;
use super::ground::{Ground, ground};
use super::second_opinion::Endpoint;
use super::sort::{Prepared, sort};
use super::together::Together;
use crate::telemetry;

/// Sorts a ticket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ticket {
    /// The ticket.
    pub ticket_id: Uuid,
    /// The revision that asked for it.
    #[schemars(range(min = 1))]
    pub revision: i32,
}

impl Ticket {
    /// The job. One that waits for the same ticket takes this revision instead of its own.
    pub fn new_job(&self, tenant: TenantId) -> NewJob {
        NewJob::of(self).tenant(tenant).unique(Unique {
            key: format!("triage {}", self.ticket_id),
            scope: UniqueScope::Started,
            window_s: None,
            on_duplicate: OnDuplicate::Replace,
        })
    }
}

impl Job for Ticket {
    const KIND: &'static str = "triage.ticket";
    const DESCRIPTION: &'static str =
        "Finds out what a ticket is about, how urgent it is and whose.";

    type Deps = Together;

    fn policy() -> Policy {
        Policy {
            priority: 1,
            timeout: Duration::from_mins(1),
            ..Policy::DEFAULT
        }
    }

    fn example() -> Self {
        Self {
            ticket_id: Uuid::nil(),
            revision: 1,
        }
    }

    async fn run(self, cx: Cx<Together>) -> JobResult {
        // What failed before might fail others along with it.
        if cx.job().attempt == 1
            && let Some(done) = cx.deps().sort(&cx, &self).await
        {
            return Ok(done);
        }
        self.alone(cx).await
    }
}

impl Ticket {
    /// Sorts it by itself, with a second opinion where there is one.
    async fn alone(self, cx: Cx<Together>) -> JobResult {
        let (tenant, ticket) = (cx.tenant(), self.ticket_id);
        let prepared = prepare(cx.pool(), tenant, &self).await?;
        let mut tx = cx.pool().begin().await?;
        let sorted = sort(&mut tx, tenant, ticket, self.revision, Some(prepared)).await?;
        let done = cx.settle_in(&mut tx, Some(&sorted)).await?;
        tx.commit().await?;
        sorted.count();
        Ok(done)
    }
}

/// What is needed before the ticket is held, for getting a second opinion may take seconds.
async fn prepare(pool: &PgPool, tenant: TenantId, of: &Ticket) -> Result<Prepared, sqlx::Error> {
    let mut conn = pool.acquire().await?;
    let ground = ground(&mut conn, tenant).await?;
    let second = match &ground.in_force.settings.second_opinion {
        Some(endpoint) => second_opinion(conn, tenant, of, &ground, endpoint).await?,
        None => None,
    };
    Ok(Prepared { ground, second })
}

/// Asks elsewhere, if we are not sure. No answer is no opinion.
async fn second_opinion(
    mut conn: PoolConnection<Postgres>,
    tenant: TenantId,
    of: &Ticket,
    ground: &Ground,
    endpoint: &Endpoint,
) -> Result<Option<String>, sqlx::Error> {
    let Some(gathered) = gather(&mut conn, tenant, of.ticket_id, &ground.in_force.settings).await?
    else {
        return Ok(None);
    };
    let opinion = classify(&mut conn, tenant, ground.model, &gathered.text).await?;
    drop(conn);
    if gathered.text.is_empty() || !ground.policy.waits(opinion.confidence) {
        return Ok(None);
    }
    let mut categories: Vec<String> = Raising::default().priors.into_keys().collect();
    if !categories.contains(&opinion.category) {
        categories.push(opinion.category);
    }
    let answer = endpoint.ask(&gathered.text.masked, &categories).await;
    telemetry::second_opinion(answer.is_ok());
    Ok(answer.ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_has_one_job_that_waits() {
        let key = |revision| {
            Ticket {
                ticket_id: Uuid::nil(),
                revision,
            }
            .new_job(TenantId::PLATFORM)
            .rare
            .unique
        };
        assert_eq!(key(1), key(2));
    }
}
