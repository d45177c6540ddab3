//! `assignment.detach_all`: takes every client from a partner that leaves, and finds each another.
//!
//! Trigger: a person, when a partner is demoted to a client or goes.
//! Effect: the partner is inactive; its assignments end, its kept slots are released, its clients' campaigns are nobody's, and each
//! client is looked at anew without it.
//! Safe to repeat because: each client is one transaction, and what is detached already is not found again.
//! Gives up when: there is no such partner, or not of the job's tenant.

use std::time::Duration;

use fleet_queue::{Cx, Done, Job, JobError, JobResult, Policy, TenantId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::assign::{lock_all, take_back};
use super::auto::{Auto, refused, rules};
use super::client::{self, Client, ClientError};
use super::decision::{self, Decision, Mode};
use super::rationale::Rules;
use super::{follow_up, partner, reservation, slot};
use crate::event::{self, Event};
use crate::partners::is_known;

/// Clients that are looked for at a time.
const CHUNK: i64 = 100;

/// Detaches all clients of a partner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DetachAll {
    /// The partner.
    pub partner_id: Uuid,
    /// Why; at most 1,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1000))]
    pub reason: Option<String>,
}

impl Job for DetachAll {
    const KIND: &'static str = "assignment.detach_all";
    const DESCRIPTION: &'static str =
        "Takes every client from a partner that leaves, and finds each another.";

    type Deps = ();

    fn policy() -> Policy {
        Policy {
            timeout: Duration::from_mins(10),
            max_attempts: 8,
            ..Policy::DEFAULT
        }
    }

    fn example() -> Self {
        Self {
            partner_id: Uuid::nil(),
            reason: None,
        }
    }

    async fn run(self, cx: Cx<()>) -> JobResult {
        if self
            .reason
            .as_ref()
            .is_some_and(|it| it.chars().count() > 1000)
        {
            return Err(JobError::discard("reason: is over 1,000 characters"));
        }
        let mut conn = cx.pool().acquire().await?;
        if !is_known(&mut conn, self.partner_id, cx.tenant()).await? {
            let unknown = format!("partner_id: there is no partner {}", self.partner_id);
            return Err(JobError::discard(unknown));
        }
        // From here on nobody gives it another client: the guarded statement asks.
        close(&mut conn, self.partner_id).await?;
        let rules = rules(&mut conn, None).await?;
        drop(conn);
        let mut detached = 0_u64;
        loop {
            let mut conn = cx.pool().acquire().await?;
            let (tenants, clients) = partner::clients_of(&mut conn, self.partner_id, CHUNK).await?;
            drop(conn);
            if clients.is_empty() {
                return Done::output(&json!({ "detached": detached }));
            }
            let total = detached + clients.len() as u64;
            for (tenant, client) in tenants.into_iter().zip(clients) {
                let mut tx = cx.pool().begin().await?;
                match client::lock(&mut tx, client, TenantId(tenant)).await {
                    Ok(client) => self.detach(&mut tx, &client, &rules).await?,
                    // An assignment whose client is gone ends all the same.
                    Err(ClientError::Unknown(_)) => {
                        forget(&mut tx, self.partner_id, tenant, client).await?;
                    }
                    Err(error) => return Err(refused(error)),
                }
                tx.commit().await?;
                detached += 1;
                cx.progress(detached, total, "detaching").await?;
            }
        }
    }
}

impl DetachAll {
    async fn detach(
        &self,
        conn: &mut PgConnection,
        client: &Client,
        rules: &Rules,
    ) -> Result<(), JobError> {
        let kept = reservation::of_client(conn, client).await?;
        let is_kept = kept.is_some_and(|open| open.partner_id == self.partner_id);
        let is_theirs = client.partner_id == Some(self.partner_id);
        lock_all(conn, client, &[self.partner_id]).await?;
        if is_kept || is_theirs {
            take_back(conn, client, "the partner leaves").await?;
        }
        if is_theirs {
            slot::end_assignment(conn, client).await?;
            slot::move_campaigns(conn, client, self.partner_id, None).await?;
            let summary = format!("{} was detached, because its partner leaves.", client.name);
            let plain = Decision::plain(
                Mode::Detach,
                "detached",
                self.partner_id,
                rules.version,
                &summary,
            );
            let decision = Decision {
                reason: self.reason.as_deref(),
                ..plain
            };
            decision::record(conn, client, &decision).await?;
            let event = Event {
                kind: "assignment.detached",
                subject: client.client_id,
                payload: json!({ "partner_id": self.partner_id, "decision_id": decision.decision_id, "reason": self.reason }),
            };
            event::record(conn, client.tenant(), &event).await?;
        }
        if is_theirs || client.partner_id.is_none() {
            let auto = Auto {
                exclude: vec![self.partner_id],
                ..Auto::of(client.client_id)
            };
            follow_up::enqueue(conn, &auto.new_job(client.tenant())).await?;
        }
        Ok(())
    }
}

async fn close(conn: &mut PgConnection, partner: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"-- assignment.close_partner
        UPDATE fleet.partners SET status = 'inactive' WHERE partner_id = $1 AND status <> 'inactive'"#,
        partner,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends what the partner has of a client that is gone, and gives the slots back.
async fn forget(
    conn: &mut PgConnection,
    partner: Uuid,
    tenant: Uuid,
    client: Uuid,
) -> Result<(), sqlx::Error> {
    slot::lock(conn, &[partner]).await?;
    let weight = sqlx::query_scalar!(
        r#"-- assignment.forget
        WITH ended AS (
            UPDATE fleet.client_assignments SET ended_at = GREATEST(fleet.clock(), started_at)
            WHERE tenant_id = $1 AND client_id = $2 AND partner_id = $3 AND ended_at IS NULL
            RETURNING weight
        ), released AS (
            UPDATE fleet.assignment_reservations SET ended_at = GREATEST(fleet.clock(), reserved_at), ended_as = 'released'
            WHERE tenant_id = $1 AND client_id = $2 AND partner_id = $3 AND ended_at IS NULL
            RETURNING weight
        )
        SELECT COALESCE((SELECT sum(weight) FROM ended), 0)::float8 + COALESCE((SELECT sum(weight) FROM released), 0)::float8 AS "weight!""#,
        tenant,
        client,
        partner,
    )
    .fetch_one(&mut *conn)
    .await?;
    slot::free(conn, partner, weight).await
}
