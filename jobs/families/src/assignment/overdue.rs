//! `assignment.overdue`: tells somebody that a client waits for too long.
//!
//! Trigger: scheduled for its time by the transaction that put the client on the waitlist.
//! Effect: `assignment.overdue`, once for each stay on the list; nothing where the client has left it.
//! Safe to repeat because: the row notes that it was told, and commits together with the job's completion.
//! Gives up when: never; a client that does not wait is none of its business.

use std::time::Duration;

use chrono::{DateTime, Utc};
use fleet_queue::{Cx, Job, JobResult, NewJob, Policy};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::assign::AssignError;
use super::client::Client;
use super::follow_up;
use crate::event::{self, Event};

/// Tells of a client that still waits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Overdue {
    /// The client.
    pub client_id: Uuid,
    /// Since when it waits: another stay on the list has a job of its own.
    pub since: DateTime<Utc>,
}

impl Overdue {
    /// Has the client looked at when it has waited for some hours.
    pub(super) async fn schedule(
        conn: &mut PgConnection,
        client: &Client,
        hours: u16,
    ) -> Result<(), AssignError> {
        let times = sqlx::query!(
            r#"-- assignment.overdue_at
            SELECT since, since + make_interval(hours => $3) AS "at!"
            FROM fleet.assignment_waitlist WHERE tenant_id = $1 AND client_id = $2"#,
            client.tenant_id,
            client.client_id,
            i32::from(hours),
        )
        .fetch_one(&mut *conn)
        .await?;
        let overdue = Self {
            client_id: client.client_id,
            since: times.since,
        };
        let job = NewJob::of(&overdue)
            .tenant(client.tenant())
            .run_at(times.at);
        follow_up::enqueue(conn, &job).await
    }
}

impl Job for Overdue {
    const KIND: &'static str = "assignment.overdue";
    const DESCRIPTION: &'static str =
        "Tells somebody that a client waits for a partner for too long.";

    type Deps = ();

    fn policy() -> Policy {
        Policy {
            timeout: Duration::from_mins(1),
            max_attempts: 20,
            ..Policy::DEFAULT
        }
    }

    fn example() -> Self {
        Self {
            client_id: Uuid::nil(),
            since: DateTime::UNIX_EPOCH,
        }
    }

    async fn run(self, cx: Cx<()>) -> JobResult {
        let mut tx = cx.pool().begin().await?;
        let waits = sqlx::query!(
            r#"-- assignment.mark_overdue
            UPDATE fleet.assignment_waitlist SET alerted_at = fleet.clock()
            WHERE tenant_id = $1 AND client_id = $2 AND since = $3 AND alerted_at IS NULL
            RETURNING why, weight::float8 AS "weight!""#,
            cx.tenant().0,
            self.client_id,
            self.since,
        )
        .fetch_optional(&mut *tx)
        .await?;
        if let Some(waits) = &waits {
            let event = Event {
                kind: "assignment.overdue",
                subject: self.client_id,
                payload: json!({ "since": self.since, "why": waits.why, "weight": waits.weight }),
            };
            event::record(&mut tx, cx.tenant(), &event).await?;
        }
        let done = cx
            .settle_in(&mut tx, Some(&json!({ "told": waits.is_some() })))
            .await?;
        tx.commit().await?;
        Ok(done)
    }
}
