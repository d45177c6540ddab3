//! `triage.digest`: sums up how sorting and promises went, for those who answer for them.
//!
//! Trigger: a schedule, every morning.
//! Effect: an event `triage.summed_up` for each tenant with tickets.
//! Safe to repeat because: it only reads, and a day's event is written once.
//! Gives up when: never; what one attempt leaves, the next takes.

use std::time::Duration;

use fleet_queue::{Cx, Done, Job, JobError, JobResult, Policy, TenantId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::event::{self, Event};

/// Days that are summed up.
const DAYS: i32 = 7;
/// Confidences are compared with outcomes in so many groups.
const BINS: f64 = 10.0;

/// Sums up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Digest {}

/// How a tenant's week went.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Digested {
    /// Whose.
    #[serde(skip)]
    pub tenant_id: Uuid,
    /// Decisions.
    pub decided: i64,
    /// Share of decisions that were applied without a person.
    pub coverage: Option<f64>,
    /// Share of the applied ones whose category a person has changed since.
    pub override_rate: Option<f64>,
    /// How far confidence was from being right, over all decisions that were applied or judged.
    pub calibration_error: Option<f64>,
    /// Promises kept.
    pub met: i64,
    /// Promises broken.
    pub breached: i64,
    /// Tickets that a person must look at.
    pub waiting_for_review: i64,
    /// Hours that the oldest of them has waited.
    pub oldest_review_hours: Option<f64>,
    /// Tickets not done with.
    pub live: i64,
}

impl Job for Digest {
    const KIND: &'static str = "triage.digest";
    const DESCRIPTION: &'static str = "Sums up how the sorting of tickets and the promises went.";

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
            return Err(JobError::discard("only the platform sums up"));
        }
        let digested = digest(cx.pool()).await?;
        Done::output(&serde_json::json!({ "tenants": digested.len() }))
    }
}

/// Sums up every tenant's last seven days, each told once a day.
pub async fn digest(pool: &PgPool) -> Result<Vec<Digested>, sqlx::Error> {
    let mut tx = pool.begin().await?;
    let all = sums(&mut tx).await?;
    for one in &all {
        let tenant = TenantId(one.tenant_id);
        if told(&mut tx, tenant).await? {
            continue;
        }
        let payload = serde_json::to_value(one).expect("plain data");
        event::record(
            &mut tx,
            tenant,
            &Event {
                kind: "triage.summed_up",
                subject: tenant.0,
                payload,
            },
        )
        .await?;
    }
    tx.commit().await?;
    Ok(all)
}

async fn told(conn: &mut PgConnection, tenant: TenantId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"-- triage.told_of_the_day
        SELECT EXISTS (SELECT FROM fleet.event
                       WHERE kind = 'triage.summed_up' AND tenant_id = $1 AND created_at::date = fleet.clock()::date) AS "told!""#,
        tenant.0,
    )
    .fetch_one(conn)
    .await
}

/// An applied decision counts as right until a person says otherwise; one that waited counts once a person has spoken.
async fn sums(conn: &mut PgConnection) -> Result<Vec<Digested>, sqlx::Error> {
    sqlx::query_as!(
        Digested,
        r#"-- triage.sums
        WITH decided AS (
            SELECT d.tenant_id, d.outcome, d.confidence, l.label IS DISTINCT FROM d.category AND l.label IS NOT NULL AS wrong,
                   d.outcome = 'applied' OR l.label IS NOT NULL AS known
            FROM fleet.triage_decisions AS d
            LEFT JOIN fleet.triage_labels AS l ON l.tenant_id = d.tenant_id AND l.ticket_id = d.ticket_id AND l.revision = d.revision
            WHERE d.decided_at > fleet.clock() - make_interval(days => $1) AND d.model_version <> 'person'
        ), bins AS (
            SELECT tenant_id, count(*) AS n, abs(avg(confidence) - avg((NOT wrong)::integer)) AS gap
            FROM decided WHERE known
            GROUP BY tenant_id, LEAST(floor(confidence * $2), $2 - 1)
        ), calibration AS (
            SELECT tenant_id, sum(n * gap) / sum(n) AS error FROM bins GROUP BY tenant_id
        ), decisions AS (
            SELECT tenant_id, count(*) AS decided, count(*) FILTER (WHERE outcome = 'applied') AS applied,
                   count(*) FILTER (WHERE outcome = 'applied' AND wrong) AS overridden
            FROM decided GROUP BY tenant_id
        ), promises AS (
            SELECT tenant_id, count(*) FILTER (WHERE state = 'met') AS met, count(*) FILTER (WHERE state = 'breached') AS breached
            FROM fleet.ticket_clocks WHERE state IN ('met', 'breached') AND decided_at > fleet.clock() - make_interval(days => $1)
            GROUP BY tenant_id
        ), tickets AS (
            SELECT tenant_id, count(*) FILTER (WHERE status <> 'resolved') AS live, count(*) FILTER (WHERE needs_review) AS review, min(review_since) AS since
            FROM fleet.tickets WHERE status <> 'resolved' OR needs_review OR closed_at > fleet.clock() - make_interval(days => $1)
            GROUP BY tenant_id
        )
        SELECT t.tenant_id AS "tenant_id!", COALESCE(d.decided, 0) AS "decided!", d.applied::float8 / NULLIF(d.decided, 0) AS coverage,
               d.overridden::float8 / NULLIF(d.applied, 0) AS override_rate, c.error::float8 AS calibration_error,
               COALESCE(p.met, 0) AS "met!", COALESCE(p.breached, 0) AS "breached!", t.review AS "waiting_for_review!", t.live AS "live!",
               (extract(epoch FROM fleet.clock() - t.since) / 3600)::float8 AS oldest_review_hours
        FROM tickets AS t
        LEFT JOIN decisions AS d ON d.tenant_id = t.tenant_id
        LEFT JOIN calibration AS c ON c.tenant_id = t.tenant_id
        LEFT JOIN promises AS p ON p.tenant_id = t.tenant_id
        ORDER BY t.tenant_id"#,
        DAYS,
        BINS,
    )
    .fetch_all(conn)
    .await
}

/// How many tickets a person must look at, and for how many seconds the oldest has waited.
pub(crate) async fn in_review(conn: &mut PgConnection) -> Result<(i64, f64), sqlx::Error> {
    let row = sqlx::query!(
        r#"-- triage.in_review
        SELECT count(*) AS "waiting!", COALESCE(extract(epoch FROM fleet.clock() - min(review_since)), 0)::float8 AS "oldest!"
        FROM fleet.tickets WHERE needs_review"#
    )
    .fetch_one(conn)
    .await?;
    Ok((row.waiting, row.oldest))
}

/// For each category, the share of what people judged in which they agreed.
pub(crate) async fn precision(conn: &mut PgConnection) -> Result<Vec<(String, f64)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"-- triage.precision
        SELECT l.predicted AS "category!: String", avg((l.label = l.predicted)::integer)::float8 AS "share!"
        FROM fleet.triage_labels AS l
        WHERE l.predicted IS NOT NULL AND l.labelled_at > fleet.clock() - interval '30 days'
        GROUP BY l.predicted
        ORDER BY count(*) DESC
        LIMIT 200"#
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.category, row.share))
        .collect())
}
