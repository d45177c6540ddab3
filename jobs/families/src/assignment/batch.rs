//! `assignment.batch`: gives many clients partners at once, so that the sum of their scores is the highest there is.
//!
//! Trigger: on demand; over the waitlist whenever somebody makes room (`fleet.wake_waitlist`).
//! Effect: as `assignment.auto`, for each client that the optimum gives a partner; who is left out goes on waiting, or is looked at alone.
//! Safe to repeat because: each client is one transaction through the same guard, and one that has a partner keeps it.
//! Gives up when: it names neither clients nor a queue, or both, or too many.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use fleet_queue::{
    Cx, Done, Job, JobError, JobResult, NewJob, OnDuplicate, Policy, TenantId, Unique, UniqueScope,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::auto::rules;
use super::client::Client;
use super::plan::Plan;
use super::roster::Roster;
use super::{follow_up, standing, waitlist};

/// Clients that are solved together.
const CLIENTS_MAX: usize = 500;
/// How long after a batch those are looked at once more who may have a slot that another passed up.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Assigns many clients.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Batch {
    /// These, at most 500; of the job's tenant.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500))]
    pub client_ids: Vec<Uuid>,
    /// Or those in a queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<Queue>,
    /// At most so many of the queue, 1 to 500; left out: all of it, 500 a job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u16>,
    /// Those after this place of the queue: where the job before ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Place>,
}

/// A client's place in a queue.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Since when it waits; absent where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<DateTime<Utc>>,
    /// The client.
    pub client_id: Uuid,
}

/// Clients that nobody looks after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Queue {
    /// Those that wait, the longest first.
    Waitlist,
    /// Every client that is open and has neither a partner nor a proposal, by id.
    Unassigned,
}

/// What became of a batch.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Batched {
    /// Clients that were looked at.
    pub clients: usize,
    /// Partners that had room.
    pub partners: usize,
    /// Clients that a partner looks after from now on.
    pub assigned: u64,
    /// Clients about which a person is asked.
    pub pending_approval: u64,
    /// Clients that are looked at alone, because their slot was gone, or the optimum left them out and they did not wait yet.
    pub alone: u64,
    /// Clients that waited and go on waiting: no partner with room fits them, or others have it.
    pub waiting: u64,
    /// Clients that needed nothing.
    pub settled: u64,
    /// Clients that did not take the slot that was meant for them: somebody else did, or they have no need of it any more.
    pub passed_up: u64,
    /// Clients that were named, and that there are not.
    pub unknown: Vec<Uuid>,
}

impl Batched {
    /// With what became of another client.
    pub(super) fn and(mut self, other: &Self) -> Self {
        self.assigned += other.assigned;
        self.pending_approval += other.pending_approval;
        self.alone += other.alone;
        self.waiting += other.waiting;
        self.settled += other.settled;
        self.passed_up += other.passed_up;
        self
    }
}

impl Job for Batch {
    const KIND: &'static str = "assignment.batch";
    const DESCRIPTION: &'static str =
        "Gives many clients partners at once, so that the sum of their scores is the highest.";

    type Deps = Roster;

    fn policy() -> Policy {
        Policy {
            timeout: Duration::from_mins(10),
            max_attempts: 8,
            ..Policy::DEFAULT
        }
    }

    fn example() -> Self {
        Self {
            queue: Some(Queue::Waitlist),
            ..Self::default()
        }
    }

    async fn run(self, cx: Cx<Roster>) -> JobResult {
        self.check().map_err(JobError::discard)?;
        let run = standing::follow(cx.pool(), cx.deps()).await?;
        let mut conn = cx.pool().acquire().await?;
        if self.queue == Some(Queue::Waitlist) {
            await_wakers(&mut conn).await?;
        }
        let rules = rules(&mut conn, run).await?;
        let (rows, last) = self.pick(&mut conn, cx.tenant()).await?;
        let plan = Plan::make(&mut conn, cx.deps(), rows, &rules).await?;
        // Who waits for a connection must not hold one.
        drop(conn);
        let mut batched = plan.carry_out(&rules, &cx).await?;
        batched.unknown = self.unknown(&plan.clients);
        let mut conn = cx.pool().acquire().await?;
        if let Some(next) = self.next(last, plan.clients.len()) {
            follow_up::enqueue(&mut conn, &next.continuing(cx.tenant())).await?;
        }
        if batched.passed_up > 0 && batched.waiting > 0 {
            follow_up::enqueue(&mut conn, &once_more(cx.tenant(), cx.now())).await?;
        }
        Done::output(&batched)
    }
}

impl Batch {
    fn check(&self) -> Result<(), String> {
        let limit = self.limit.map_or(CLIENTS_MAX, usize::from);
        match (self.client_ids.len(), self.queue) {
            (0, None) => Err("client_ids: name clients, or a queue".to_owned()),
            (1.., Some(_)) => Err("queue: name clients or a queue, not both".to_owned()),
            (n, _) if n > CLIENTS_MAX => Err(format!(
                "client_ids: has {n} clients, at most {CLIENTS_MAX} are solved together"
            )),
            _ if !(1..=CLIENTS_MAX).contains(&limit) => {
                Err(format!("limit: is {limit}, 1 to {CLIENTS_MAX} are allowed"))
            }
            _ => Ok(()),
        }
    }

    /// The rest of a queue that filled the batch. Each goes on behind the one before, so that those at the head whom nobody can take
    /// never keep the others from being looked at.
    fn next(&self, last: Option<Place>, looked_at: usize) -> Option<Self> {
        let goes_on = self.queue.is_some() && self.limit.is_none() && looked_at >= CLIENTS_MAX;
        let after = last.filter(|_| goes_on)?;
        Some(Self {
            after: Some(after),
            ..self.clone()
        })
    }

    /// The job that goes on.
    fn continuing(&self, tenant: TenantId) -> NewJob {
        NewJob::of(self).tenant(tenant).unique(Unique {
            key: self.continuing_key(),
            scope: UniqueScope::Started,
            window_s: None,
            on_duplicate: OnDuplicate::Return,
        })
    }

    /// With its place: of two chains through a queue the one behind must not end because the one ahead waits already; only where both are
    /// at the same place is one of them enough.
    fn continuing_key(&self) -> String {
        let queue = self.queue.map_or("", Queue::name);
        let place = self.after.map_or_else(String::new, |it| {
            let since = it.since.map_or(0, |since| since.timestamp_micros());
            format!("{since} {}", it.client_id)
        });
        format!("assignment.batch {queue} on {place}")
    }

    /// The clients that were named but not found.
    fn unknown(&self, found: &[Client]) -> Vec<Uuid> {
        let found: HashSet<Uuid> = found.iter().map(|client| client.client_id).collect();
        let named = self.client_ids.iter().copied();
        named.filter(|id| !found.contains(id)).collect()
    }

    /// The clients to look at, with whom a person would not have for each, and the place of the last.
    async fn pick(
        &self,
        conn: &mut PgConnection,
        tenant: TenantId,
    ) -> Result<(Vec<Picked>, Option<Place>), sqlx::Error> {
        let rows = sqlx::query_as!(
            Picked,
            r#"-- assignment.batch_of
            SELECT c.tenant_id, c.client_id, w.since AS "since?",
                   ARRAY(SELECT unnest(w.exclude)
                         UNION SELECT d.partner_id FROM fleet.assignment_decisions AS d
                         WHERE d.tenant_id = c.tenant_id AND d.client_id = c.client_id AND d.mode = 'review' AND d.outcome = 'released') AS "exclude!: Vec<Uuid>"
            FROM fleet.clients AS c
            LEFT JOIN fleet.assignment_waitlist AS w ON w.tenant_id = c.tenant_id AND w.client_id = c.client_id
            WHERE ($1::uuid = '00000000-0000-0000-0000-000000000000' OR c.tenant_id = $1) AND c.status <> 'closed'
              AND CASE $2::text
                  WHEN 'waitlist' THEN w.client_id IS NOT NULL AND ($6::uuid IS NULL OR (w.since, c.client_id) > ($5, $6))
                  WHEN 'unassigned' THEN ($6 IS NULL OR c.client_id > $6) AND NOT EXISTS (
                      SELECT FROM fleet.client_assignments AS a WHERE a.tenant_id = c.tenant_id AND a.client_id = c.client_id AND a.ended_at IS NULL)
                      AND NOT EXISTS (
                      SELECT FROM fleet.assignment_reservations AS r WHERE r.tenant_id = c.tenant_id AND r.client_id = c.client_id AND r.ended_at IS NULL)
                  ELSE c.client_id = ANY ($3) END
            ORDER BY CASE WHEN $2 = 'waitlist' THEN w.since END, c.client_id
            LIMIT $4"#,
            tenant.0,
            self.queue.map(Queue::name),
            &self.client_ids,
            self.limit.map_or(CLIENTS_MAX, usize::from) as i64,
            self.after.and_then(|place| place.since),
            self.after.map(|place| place.client_id),
        )
        .fetch_all(conn)
        .await?;
        let last = rows.last().map(|row| Place {
            since: row.since,
            client_id: row.client_id,
        });
        Ok((rows, last))
    }
}

/// Another look at those who wait, where a slot that was meant for one may be left for another: one job instead of one for each of them.
/// It has a key of its own and comes a little later, so that it is no endless loop where somebody is refused each time.
fn once_more(tenant: TenantId, now: DateTime<Utc>) -> NewJob {
    let again = Batch {
        queue: Some(Queue::Waitlist),
        ..Batch::default()
    };
    let job = NewJob::of(&again).tenant(tenant).unique(Unique {
        key: "assignment.batch waitlist again".to_owned(),
        scope: UniqueScope::Started,
        window_s: None,
        on_duplicate: OnDuplicate::Return,
    });
    job.run_at(now + AGAIN_AFTER)
}

/// Waits until everybody has committed who made room and found this job waiting already, instead of enqueueing one. They took their side
/// of the lock before they looked for it; whoever takes it after this finds the job started, and enqueues another.
async fn await_wakers(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    let mut tx = conn.begin().await?;
    waitlist::lock(&mut tx).await?;
    tx.commit().await
}

/// A client to look at.
pub(super) struct Picked {
    pub(super) tenant_id: Uuid,
    pub(super) client_id: Uuid,
    since: Option<DateTime<Utc>>,
    /// Whom a person would not have for it.
    pub(super) exclude: Vec<Uuid>,
}

impl Queue {
    fn name(self) -> &'static str {
        match self {
            Self::Waitlist => "waitlist",
            Self::Unassigned => "unassigned",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_behind_does_not_end_because_one_ahead_waits_already() {
        let key = |since, client| {
            let after = Place {
                since: DateTime::from_timestamp_micros(since),
                client_id: Uuid::from_u128(client),
            };
            let batch = Batch {
                after: Some(after),
                ..Batch::example()
            };
            batch.continuing_key()
        };
        assert_ne!(key(1, 7), key(2, 7));
        assert_ne!(key(1, 7), key(1, 8));
        assert_eq!(key(1, 7), key(1, 7), "one is enough at one place");
    }
}
