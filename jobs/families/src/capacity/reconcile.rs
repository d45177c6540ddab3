//! `capacity.reconcile`: finds loads that the rows do not bear out, tells of them, and puts them right.
//!
//! Trigger: a nightly schedule.
//! Effect: `capacity.drifted` for each, and its capacity computed anew; history over 400 days old is dropped.
//! Safe to repeat because: what was put right agrees.
//! Gives up when: never; what one attempt leaves, the next takes.
//!
//! A load that differs while the partner's score is being asked for is no drift: the change and its job became visible together.

use std::time::Duration;

use fleet_queue::{Cx, Done, Job, JobError, JobResult, Policy, TenantId, clock};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::rescore::rescore;
use crate::event::{self, Event};
use crate::settings::SettingsError;
use crate::telemetry;

/// Rows of history a statement deletes at most.
const BATCH: i64 = 20_000;
/// Drifts that the output names; the count is of all.
const NAMED_MAX: usize = 100;

/// Reconciles loads with their rows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Reconcile {}

/// A load that its rows do not bear out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Drift {
    /// Whose.
    pub partner_id: Uuid,
    /// What was stored.
    pub stored: f64,
    /// What the rows say.
    pub counted: f64,
    #[serde(skip)]
    tenant_id: Uuid,
}

/// What a reconciliation found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Reconciled {
    /// How many loads had drifted.
    pub drifted: u64,
    /// The first hundred.
    pub drifts: Vec<Drift>,
    /// Rows of history that were dropped.
    pub forgotten: u64,
}

impl Job for Reconcile {
    const KIND: &'static str = "capacity.reconcile";
    const DESCRIPTION: &'static str =
        "Finds partners' loads that their rows do not bear out, and puts them right.";

    type Deps = ();

    fn policy() -> Policy {
        Policy {
            timeout: Duration::from_mins(10),
            ..Policy::DEFAULT
        }
    }

    fn example() -> Self {
        Self::default()
    }

    async fn run(self, cx: Cx<()>) -> JobResult {
        if cx.tenant() != TenantId::PLATFORM {
            return Err(JobError::discard("only the platform reconciles"));
        }
        let reconciled = reconcile(cx.pool())
            .await
            .map_err(SettingsError::into_job_error)?;
        telemetry::drifted(reconciled.drifted);
        if reconciled.drifted > 0 {
            let told = format!(
                "{} loads differed from their rows and were put right",
                reconciled.drifted
            );
            cx.log("warn", &told).await?;
        }
        Done::output(&reconciled)
    }
}

/// Compares every load with its rows, and rescores those that differ.
pub async fn reconcile(pool: &PgPool) -> Result<Reconciled, SettingsError> {
    let mut conn = pool.acquire().await?;
    let mut drifts = drifts(&mut conn).await?;
    drop(conn);
    for drift in &drifts {
        let mut tx = pool.begin().await?;
        put_right(&mut tx, drift).await?;
        tx.commit().await?;
    }
    let drifted = drifts.len() as u64;
    drifts.truncate(NAMED_MAX);
    let forgotten = forget(&mut *pool.acquire().await?).await?;
    Ok(Reconciled {
        drifted,
        drifts,
        forgotten,
    })
}

async fn put_right(conn: &mut PgConnection, drift: &Drift) -> Result<(), SettingsError> {
    let event = Event {
        kind: "capacity.drifted",
        subject: drift.partner_id,
        payload: json!({ "stored": drift.stored, "counted": drift.counted }),
    };
    event::record(conn, TenantId(drift.tenant_id), &event).await?;
    let now = clock(conn).await?;
    rescore(conn, &[drift.partner_id], now).await?;
    Ok(())
}

/// One statement, so that loads, rows and waiting jobs are of one moment.
async fn drifts(conn: &mut PgConnection) -> Result<Vec<Drift>, sqlx::Error> {
    sqlx::query_as!(
        Drift,
        r#"-- capacity.drifts
        WITH loads AS (
            SELECT partner_id, tenant_id, 'client' AS what, sum(weight) AS n FROM fleet.client_assignments WHERE ended_at IS NULL GROUP BY 1, 2
            UNION ALL
            SELECT partner_id, tenant_id, 'client', sum(weight) FROM fleet.assignment_reservations WHERE ended_at IS NULL GROUP BY 1, 2
            UNION ALL
            SELECT partner_id, tenant_id, 'ticket', count(*) FROM fleet.tickets WHERE on_clock GROUP BY 1, 2
            UNION ALL
            SELECT partner_id, tenant_id, 'campaign', count(*) FROM fleet.campaigns WHERE ended_on IS NULL AND partner_id IS NOT NULL GROUP BY 1, 2
        ), counted AS (
            -- Counted by the settings that the stored load was counted by: a change of them has everybody scored anew, and is no drift.
            SELECT c.tenant_id, c.partner_id, c.load AS stored,
                   COALESCE(sum(l.n * CASE l.what WHEN 'client' THEN 1 ELSE (s.settings #>> ARRAY['loads', l.what])::numeric END), 0) AS counted
            FROM fleet.partner_capacity AS c
            JOIN fleet.capacity_settings AS s ON s.version = c.settings_version
            LEFT JOIN loads AS l ON l.partner_id = c.partner_id
                 AND (c.tenant_id = '00000000-0000-0000-0000-000000000000' OR l.tenant_id = c.tenant_id)
            GROUP BY c.tenant_id, c.partner_id
        )
        SELECT tenant_id, partner_id, stored::float8 AS "stored!", counted::float8 AS "counted!"
        FROM counted AS n
        WHERE stored <> counted AND NOT EXISTS (
            SELECT FROM fleet.job AS j
            WHERE j.kind = 'capacity.score' AND j.payload->>'partner_id' = n.partner_id::text OR j.kind = 'capacity.score_all')
        ORDER BY partner_id"#
    )
    .fetch_all(conn)
    .await
}

async fn forget(conn: &mut PgConnection) -> Result<u64, sqlx::Error> {
    let forgotten = sqlx::query!(
        r#"-- capacity.forget
        DELETE FROM fleet.capacity_history
        WHERE ctid = ANY (ARRAY(SELECT ctid FROM fleet.capacity_history
                                WHERE computed_at < fleet.clock() - interval '400 days' LIMIT $1))"#,
        BATCH,
    )
    .execute(conn)
    .await?;
    Ok(forgotten.rows_affected())
}
