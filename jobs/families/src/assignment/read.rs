//! What people see of assignments. Row-level security decides which exist for the session.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

/// An assignment, with why it is so.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Assignment {
    /// Its id.
    pub assignment_id: Uuid,
    /// Whose client.
    pub tenant_id: Uuid,
    /// The client.
    pub client_id: Uuid,
    /// What the client is called; absent where it is gone.
    pub client: Option<String>,
    /// Who looks after it.
    pub partner_id: Uuid,
    /// What that partner is called; absent where the session may not know of it.
    pub partner: Option<String>,
    /// What it adds to the partner's load.
    pub weight: f64,
    /// Since when.
    pub started_at: DateTime<Utc>,
    /// Until when; absent while it holds.
    pub ended_at: Option<DateTime<Utc>>,
    /// The partner's load with it, when it began.
    pub load_after: Option<f64>,
    /// What the partner took then.
    pub cap_then: Option<f64>,
    /// Whether a person went beyond the cap.
    pub manual_overload: bool,
    /// `auto`, `batch`, `manual`, `transfer`, `rebalance` or `review`; absent for what was brought in from elsewhere, like what follows.
    pub mode: Option<String>,
    /// The decision.
    pub decision_id: Option<Uuid>,
    /// Who decided.
    pub decided_by: Option<String>,
    /// Why, where a person said.
    pub reason: Option<String>,
    /// How sure the choice was, 0 to 1.
    pub confidence: Option<f64>,
    /// What it rested on: filters, candidates with the parts of their scores, and a summary in words.
    pub rationale: Option<Value>,
}

/// Which assignments are asked for; none given: all.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// Of this client.
    pub client: Option<Uuid>,
    /// Of this partner.
    pub partner: Option<Uuid>,
    /// Those that ended, too.
    pub ended: bool,
    /// Those begun before, or then with a smaller id: where a page begins.
    pub before: Option<(DateTime<Utc>, Uuid)>,
}

/// Assignments that the session may see, latest first, at most `limit`.
pub async fn list_assignments(
    conn: &mut PgConnection,
    wanted: &Wanted,
    limit: i64,
) -> Result<Vec<Assignment>, sqlx::Error> {
    let (before, id) = wanted.before.unzip();
    sqlx::query_as!(
        Assignment,
        r#"-- assignment.list
        SELECT a.assignment_id, a.tenant_id, a.client_id, c.name AS "client?", a.partner_id, p.name AS "partner?", a.weight::float8 AS "weight!",
               a.started_at, a.ended_at, a.load_after::float8 AS load_after, a.cap_then::float8 AS cap_then, a.manual_overload,
               d.mode AS "mode?", a.decision_id, d.decided_by AS "decided_by?", d.reason AS "reason?: String", d.confidence, d.rationale AS "rationale?"
        FROM fleet.client_assignments AS a
        LEFT JOIN fleet.clients AS c ON c.tenant_id = a.tenant_id AND c.client_id = a.client_id
        LEFT JOIN fleet.partners AS p ON p.partner_id = a.partner_id
        LEFT JOIN fleet.assignment_decisions AS d ON d.tenant_id = a.tenant_id AND d.decision_id = a.decision_id
        WHERE ($1::uuid IS NULL OR a.client_id = $1)
          AND ($2::uuid IS NULL OR a.partner_id = $2)
          AND ($3 OR a.ended_at IS NULL)
          AND ($4::timestamptz IS NULL OR (a.started_at, a.assignment_id) < ($4, $5))
        ORDER BY a.started_at DESC, a.assignment_id DESC
        LIMIT $6"#,
        wanted.client,
        wanted.partner,
        wanted.ended,
        before,
        id,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// A decision on a client.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Decided {
    /// Its id.
    pub decision_id: Uuid,
    /// Whose client.
    pub tenant_id: Uuid,
    /// The partner; absent where nobody could be found.
    pub partner_id: Option<Uuid>,
    /// Who decided, in what manner.
    pub mode: String,
    /// `assigned`, `pending_approval`, `waitlisted`, `detached` or `released`.
    pub outcome: String,
    /// How sure the choice was, 0 to 1.
    pub confidence: Option<f64>,
    /// What it rested on.
    pub rationale: Value,
    /// Why, where a person said.
    pub reason: Option<String>,
    /// Who decided.
    pub decided_by: String,
    /// When.
    pub decided_at: DateTime<Utc>,
}

/// What was decided on a client, latest first, at most `limit`.
pub async fn list_decisions(
    conn: &mut PgConnection,
    client: Uuid,
    limit: i64,
) -> Result<Vec<Decided>, sqlx::Error> {
    sqlx::query_as!(
        Decided,
        r#"-- assignment.decisions
        SELECT decision_id, tenant_id, partner_id, mode, outcome, confidence, rationale, reason AS "reason: String", decided_by, decided_at
        FROM fleet.assignment_decisions
        WHERE client_id = $1
        ORDER BY decided_at DESC, decision_id DESC
        LIMIT $2"#,
        client,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// How assignments stand, for the gauges.
pub(crate) struct Standing {
    /// Clients that wait.
    pub(crate) waiting: i64,
    /// Automatic assignments beyond a cap: there must be none.
    pub(crate) overloaded: i64,
    /// Share of the last thirty days' decided clients that a person gave to somebody else.
    pub(crate) override_rate: f64,
    /// How unevenly load is spread over active partners, 0 to 1.
    pub(crate) gini: f64,
}

/// How assignments stand.
pub(crate) async fn standing(conn: &mut PgConnection) -> Result<Standing, sqlx::Error> {
    sqlx::query_as!(
        Standing,
        r#"-- assignment.observe
        WITH loads AS (
            SELECT load::float8 AS load, row_number() OVER (ORDER BY load) AS i, count(*) OVER () AS n, sum(load::float8) OVER () AS total
            FROM fleet.partner_capacity WHERE status = 'active'
        ), decided AS (
            SELECT count(*) FILTER (WHERE mode = 'manual') AS by_hand, count(*) AS n
            FROM fleet.assignment_decisions
            WHERE decided_at > fleet.clock() - interval '30 days' AND outcome = 'assigned'
        )
        SELECT (SELECT count(*) FROM fleet.assignment_waitlist) AS "waiting!",
               (SELECT count(*) FROM fleet.client_assignments AS a
                WHERE a.ended_at IS NULL AND a.load_after > a.cap_then AND NOT a.manual_overload) AS "overloaded!",
               COALESCE(d.by_hand::float8 / NULLIF(d.n, 0), 0) AS "override_rate!",
               COALESCE((SELECT sum((2 * i - n - 1) * load) / (max(n) * NULLIF(max(total), 0)) FROM loads), 0)::float8 AS "gini!"
        FROM decided AS d"#
    )
    .fetch_one(conn)
    .await
}
