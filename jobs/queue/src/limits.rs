//! Limits: caps and rates over whatever jobs a rule selects, tenants' weights, and depths of queues. Upholds I9, I10.

use serde::{Deserialize, Serialize};
use sqlx::{Acquire, PgConnection};
use uuid::Uuid;

use crate::{Error, TenantId};

/// A rule: which jobs, and how many of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitRule {
    /// Its name; setting a rule of the same name replaces it.
    pub name: String,
    /// Only this queue.
    #[serde(default)]
    pub queue: Option<String>,
    /// Only this kind.
    #[serde(default)]
    pub kind: Option<String>,
    /// Only this tenant.
    #[serde(default)]
    pub tenant_id: Option<Uuid>,
    /// Each tenant has the limit for itself.
    #[serde(default)]
    pub per_tenant: bool,
    /// At most so many running.
    #[serde(default)]
    pub cap: Option<i32>,
    /// At most so many starts a second, on average.
    #[serde(default)]
    pub rate: Option<f64>,
    /// Starts that may come at once after a quiet time; goes with `rate`.
    #[serde(default)]
    pub burst: Option<i32>,
}

impl LimitRule {
    fn check(&self) -> Result<(), Error> {
        let wrong = |field, problem: &str| {
            Err(Error::Invalid {
                field,
                problem: problem.to_owned(),
            })
        };
        if !(1..=100).contains(&self.name.len()) {
            return wrong("name", "must have 1 to 100 bytes");
        }
        if self.cap.is_none() && self.rate.is_none() {
            return wrong("cap", "a rule needs a cap or a rate");
        }
        if self.cap.is_some_and(|cap| cap < 0) {
            return wrong("cap", "must not be negative");
        }
        if self
            .rate
            .is_some_and(|rate| !(rate > 0.0 && rate.is_finite()))
        {
            return wrong("rate", "must be a number of starts a second, over 0");
        }
        if self.rate.is_some() != self.burst.is_some() || self.burst.is_some_and(|burst| burst < 1)
        {
            return wrong("burst", "goes with rate, and must be at least 1");
        }
        if self.per_tenant && self.tenant_id.is_some() {
            return wrong("per_tenant", "does not go with a single tenant");
        }
        Ok(())
    }
}

/// Sets a rule. From its commit on it holds exactly: jobs that run already count, and if they are more than the cap, nothing starts until they are fewer.
pub async fn set_limit(conn: &mut PgConnection, rule: &LimitRule) -> Result<(), Error> {
    rule.check()?;
    let verb = Error::database;
    let mut tx = conn.begin().await.map_err(verb("limits.set"))?;
    stop_claims(&mut tx).await?;
    forget(&mut tx, &rule.name).await?;
    sqlx::query!(
        r#"-- limits.set
        WITH rule AS (
            INSERT INTO fleet.limit_rule (name, queue, kind, tenant_id, per_tenant, cap, rate, burst) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING *
        ), running AS (
            SELECT CASE WHEN r.per_tenant THEN j.tenant_id END AS tenant_id, count(*) AS n
            FROM fleet.job j JOIN rule r ON (r.queue IS NULL OR r.queue = j.queue) AND (r.kind IS NULL OR r.kind = j.kind) AND (r.tenant_id IS NULL OR r.tenant_id = j.tenant_id)
            WHERE j.state = 'running' GROUP BY 1
        )
        INSERT INTO fleet.bucket (scope, rule_id, tenant_id, running, tokens, refilled_at)
        SELECT 'rule', rule.id, running.tenant_id, running.n, COALESCE(rule.burst, 0), fleet.clock() FROM rule, running"#,
        rule.name,
        rule.queue,
        rule.kind,
        rule.tenant_id,
        rule.per_tenant,
        rule.cap,
        rule.rate,
        rule.burst,
    )
    .execute(&mut *tx)
    .await
    .map_err(verb("limits.set"))?;
    // What runs already must give back to the new buckets when it ends.
    sqlx::query!(
        r#"-- limits.hold
        UPDATE fleet.job j SET held = COALESCE(j.held, '{}') || b.id
        FROM fleet.limit_rule r JOIN fleet.bucket b ON b.rule_id = r.id
        WHERE r.name = $1 AND j.state = 'running'
          AND (r.queue IS NULL OR r.queue = j.queue) AND (r.kind IS NULL OR r.kind = j.kind) AND (r.tenant_id IS NULL OR r.tenant_id = j.tenant_id)
          AND (NOT r.per_tenant OR b.tenant_id = j.tenant_id)"#,
        rule.name,
    )
    .execute(&mut *tx)
    .await
    .map_err(verb("limits.set"))?;
    tx.commit().await.map_err(verb("limits.set"))
}

/// Holds off every claim, and every settle, until the transaction ends: what runs cannot change while a rule counts it.
async fn stop_claims(conn: &mut PgConnection) -> Result<(), Error> {
    sqlx::query!(
        r#"-- limits.stop_claims
        SELECT count(pg_advisory_xact_lock(hashtext('fleet.queue'), hashtext(queue))) AS n FROM (SELECT DISTINCT queue FROM fleet.lane ORDER BY queue) q"#
    )
    .fetch_one(&mut *conn)
    .await
    .map_err(Error::database("limits.set"))?;
    sqlx::query!(
        r#"-- limits.lock
        SELECT pg_advisory_xact_lock(hashtext('fleet.limits'), 0) IS NULL AS locked"#
    )
    .fetch_one(&mut *conn)
    .await
    .map_err(Error::database("limits.set"))?;
    sqlx::query!(
        r#"-- limits.hold_running
        SELECT id FROM fleet.job WHERE state = 'running' ORDER BY id FOR UPDATE"#
    )
    .fetch_all(conn)
    .await
    .map_err(Error::database("limits.set"))?;
    Ok(())
}

/// Removes a rule; false where there is none of that name.
pub async fn remove_limit(conn: &mut PgConnection, name: &str) -> Result<bool, Error> {
    forget(conn, name).await
}

async fn forget(conn: &mut PgConnection, name: &str) -> Result<bool, Error> {
    sqlx::query!(
        r#"-- limits.remove
        DELETE FROM fleet.limit_rule WHERE name = $1"#,
        name,
    )
    .execute(conn)
    .await
    .map(|done| done.rows_affected() == 1)
    .map_err(Error::database("limits.remove"))
}

/// A rule and how much of it is in use now.
#[derive(Clone, Debug, PartialEq, Serialize, schemars::JsonSchema)]
pub struct LimitInUse {
    /// The rule.
    #[serde(flatten)]
    pub rule: LimitRule,
    /// Jobs running under it, over all its tenants.
    pub running: i64,
    /// Tenants (or the one bucket) at their cap.
    pub full: i64,
}

/// Every rule, by name.
pub async fn list_limits(conn: &mut PgConnection) -> Result<Vec<LimitInUse>, Error> {
    let rows = sqlx::query!(
        r#"-- limits.list
        SELECT r.name, r.queue, r.kind, r.tenant_id, r.per_tenant, r.cap, r.rate, r.burst,
            COALESCE(sum(b.used), 0)::bigint AS "running!", count(*) FILTER (WHERE b.used >= r.cap) AS "full!"
        FROM fleet.limit_rule r
        LEFT JOIN LATERAL (
            SELECT b.running - COALESCE((SELECT sum(n) FROM fleet.bucket_release x WHERE x.bucket_id = b.id), 0) AS used
            FROM fleet.bucket b WHERE b.rule_id = r.id) b ON true
        GROUP BY r.id ORDER BY r.name"#
    )
    .fetch_all(conn)
    .await
    .map_err(Error::database("limits.list"))?;
    Ok(rows
        .into_iter()
        .map(|row| LimitInUse {
            rule: LimitRule {
                name: row.name,
                queue: row.queue,
                kind: row.kind,
                tenant_id: row.tenant_id,
                per_tenant: row.per_tenant,
                cap: row.cap,
                rate: row.rate,
                burst: row.burst,
            },
            running: row.running,
            full: row.full,
        })
        .collect())
}

/// Sets a tenant's share in the fair walk: 1 to 100 turns where others have one.
pub async fn set_weight(
    conn: &mut PgConnection,
    tenant: TenantId,
    weight: i16,
) -> Result<(), Error> {
    if !(1..=100).contains(&weight) {
        let problem = format!("is {weight}, 1 to 100 are allowed");
        return Err(Error::Invalid {
            field: "weight",
            problem,
        });
    }
    sqlx::query!(
        r#"-- limits.set_weight
        INSERT INTO fleet.tenant_weight (tenant_id, weight) VALUES ($1, $2) ON CONFLICT (tenant_id) DO UPDATE SET weight = excluded.weight"#,
        tenant.0,
        weight,
    )
    .execute(conn)
    .await
    .map_err(Error::database("limits.set_weight"))?;
    Ok(())
}

/// Settings of a queue: how deep it may get, and how fast its waiting jobs age.
pub async fn set_queue(
    conn: &mut PgConnection,
    name: &str,
    max_depth: Option<i32>,
    age_step_s: i32,
) -> Result<(), Error> {
    if max_depth.is_some_and(|depth| depth < 1) {
        let problem = "must be at least 1; leave it out for no maximum".to_owned();
        return Err(Error::Invalid {
            field: "max_depth",
            problem,
        });
    }
    if age_step_s < 1 {
        let problem = "must be at least 1 second".to_owned();
        return Err(Error::Invalid {
            field: "age_step_s",
            problem,
        });
    }
    sqlx::query!(
        r#"-- limits.set_queue
        INSERT INTO fleet.queue (name, max_depth, age_step_s) VALUES ($1, $2, $3)
        ON CONFLICT (name) DO UPDATE SET max_depth = excluded.max_depth, age_step_s = excluded.age_step_s"#,
        name,
        max_depth,
        age_step_s,
    )
    .execute(conn)
    .await
    .map_err(Error::database("limits.set_queue"))?;
    Ok(())
}
