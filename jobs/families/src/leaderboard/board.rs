//! Boards: what each ranks, over which days, by which criteria.

use chrono::{DateTime, Utc};
use fleet_queue::{JobError, TenantId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::criteria::{Criteria, FieldError};
use super::period::Period;
use crate::event::{self, Event};

/// What stands on a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubjectKind {
    /// Partners, by the campaigns they run.
    Partner,
    /// Clients, by the campaigns run for them.
    Client,
    /// Campaigns.
    Campaign,
}

impl SubjectKind {
    /// The name in the database and in payloads.
    pub fn name(self) -> &'static str {
        match self {
            Self::Partner => "partner",
            Self::Client => "client",
            Self::Campaign => "campaign",
        }
    }

    /// The kind of that name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Partner, Self::Client, Self::Campaign]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// A board's definition.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Board {
    /// Whose it is; the platform's ranks across all tenants.
    pub tenant: TenantId,
    /// Its id.
    pub id: Uuid,
    /// What people call it.
    pub name: String,
    /// What stands on it.
    pub kind: SubjectKind,
    /// Which days it counts.
    pub period: Period,
    /// The one industry it counts, or all.
    pub industry: Option<String>,
    /// How it scores, as stored: [`Criteria::parse`] reads it.
    pub criteria: Value,
    /// The run that readers see.
    pub current_run: Option<Uuid>,
    /// Since when it exists.
    pub created_at: DateTime<Utc>,
}

/// Why a board cannot be made or changed.
#[derive(Debug, thiserror::Error)]
pub enum BoardError {
    /// The criteria do not pass their checks.
    #[error("scoring_criteria cannot be used: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Criteria(Vec<FieldError>),
    /// Another board already ranks the same.
    #[error(
        "there is a {kind} board for period {period} and this industry already; change its criteria instead"
    )]
    Exists {
        /// What it ranks.
        kind: &'static str,
        /// Over which days.
        period: &'static str,
    },
    /// The name or industry is empty or too long.
    #[error("name must have 1 to 200 characters, industry 1 to 60")]
    Length,
    /// No such board, or not this tenant's.
    #[error("there is no leaderboard {0}")]
    NotFound(Uuid),
    /// A window that ends before any day.
    #[error("window_end: no days lie before it")]
    Window,
    /// The database did not carry it out.
    #[error("the database did not carry it out")]
    Database(#[from] sqlx::Error),
}

/// Makes a board.
pub async fn create(
    conn: &mut PgConnection,
    tenant: TenantId,
    name: &str,
    kind: SubjectKind,
    period: Period,
    industry: Option<&str>,
    criteria: &Value,
) -> Result<Uuid, BoardError> {
    Criteria::parse(criteria).map_err(BoardError::Criteria)?;
    let industry = industry.map(str::to_lowercase);
    let fits = |text: &str, most| (1..=most).contains(&text.chars().count());
    if !fits(name, 200)
        || !industry
            .as_deref()
            .is_none_or(|industry| fits(industry, 60))
    {
        return Err(BoardError::Length);
    }
    let made = sqlx::query_scalar!(
        r#"-- leaderboard.create
        INSERT INTO fleet.leaderboards (tenant_id, name, subject_kind, period, industry, scoring_criteria)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (tenant_id, subject_kind, period, COALESCE(industry, '')) DO NOTHING
        RETURNING board_id"#,
        tenant.0,
        name,
        kind.name(),
        period.name(),
        industry,
        criteria,
    )
    .fetch_optional(conn)
    .await?;
    made.ok_or(BoardError::Exists {
        kind: kind.name(),
        period: period.name(),
    })
}

/// Makes the board over all industries with the usual criteria, unless it exists.
pub(super) async fn make_usual(
    conn: &mut PgConnection,
    tenant: TenantId,
    kind: SubjectKind,
    period: Period,
) -> Result<(), JobError> {
    let name = match kind {
        SubjectKind::Partner => "Partners",
        SubjectKind::Client => "Clients",
        SubjectKind::Campaign => "Campaigns",
    };
    let name = format!("{name}: {}", period.words());
    match create(conn, tenant, &name, kind, period, None, &json!({})).await {
        Ok(_) | Err(BoardError::Exists { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Changes how a board scores, from its next run on; the event keeps what it was and who changed it.
pub async fn set_criteria(
    conn: &mut PgConnection,
    board: Uuid,
    criteria: &Value,
    actor: &str,
) -> Result<(), BoardError> {
    Criteria::parse(criteria).map_err(BoardError::Criteria)?;
    let changed = sqlx::query!(
        r#"-- leaderboard.set_criteria
        UPDATE fleet.leaderboards AS b
        SET scoring_criteria = $2
        FROM fleet.leaderboards AS old
        WHERE b.board_id = $1 AND old.tenant_id = b.tenant_id AND old.board_id = b.board_id
        RETURNING b.tenant_id, old.scoring_criteria AS was"#,
        board,
        criteria,
    )
    .fetch_optional(&mut *conn)
    .await?
    .ok_or(BoardError::NotFound(board))?;
    let payload = serde_json::json!({ "from": changed.was, "to": criteria, "by": actor });
    let event = Event {
        kind: "leaderboard.criteria_changed",
        subject: board,
        payload,
    };
    event::record(conn, TenantId(changed.tenant_id), &event).await?;
    Ok(())
}

/// A row of `fleet.leaderboards`.
struct Row {
    tenant_id: Uuid,
    board_id: Uuid,
    name: String,
    subject_kind: String,
    period: String,
    industry: Option<String>,
    scoring_criteria: Value,
    current_run_id: Option<Uuid>,
    created_at: DateTime<Utc>,
}

impl From<Row> for Board {
    fn from(row: Row) -> Self {
        Self {
            tenant: TenantId(row.tenant_id),
            id: row.board_id,
            name: row.name,
            kind: SubjectKind::named(&row.subject_kind).expect("the table's CHECK allows no other"),
            period: Period::named(&row.period).expect("the table's CHECK allows no other"),
            industry: row.industry,
            criteria: row.scoring_criteria,
            current_run: row.current_run_id,
            created_at: row.created_at,
        }
    }
}

/// The board of that id that a tenant may use: its own, or the platform's where `tenant` is the platform.
pub async fn load(
    conn: &mut PgConnection,
    tenant: TenantId,
    board: Uuid,
) -> Result<Option<Board>, sqlx::Error> {
    let row = sqlx::query_as!(
        Row,
        r#"-- leaderboard.load
        SELECT tenant_id, board_id, name, subject_kind, period, industry, scoring_criteria, current_run_id, created_at
        FROM fleet.leaderboards
        WHERE board_id = $1 AND ($2::uuid = '00000000-0000-0000-0000-000000000000' OR tenant_id = $2)"#,
        board,
        tenant.0,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Board::from))
}

/// A tenant's board by what it ranks.
pub async fn find(
    conn: &mut PgConnection,
    tenant: TenantId,
    kind: SubjectKind,
    period: Period,
    industry: Option<&str>,
) -> Result<Option<Board>, sqlx::Error> {
    let row = sqlx::query_as!(
        Row,
        r#"-- leaderboard.find
        SELECT tenant_id, board_id, name, subject_kind, period, industry, scoring_criteria, current_run_id, created_at
        FROM fleet.leaderboards
        WHERE tenant_id = $1 AND subject_kind = $2 AND period = $3 AND COALESCE(industry, '') = COALESCE(lower($4), '')"#,
        tenant.0,
        kind.name(),
        period.name(),
        industry,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Board::from))
}

/// The boards that promotions rest on: a tenant's weekly one of partners of every industry; all tenants' where `tenant` is the platform.
///
/// A board of one industry is left out, because a partner of another would seem to have fallen off it.
pub(super) async fn load_judging(
    conn: &mut PgConnection,
    tenant: TenantId,
) -> Result<Vec<Board>, sqlx::Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"-- leaderboard.load_judging
        SELECT tenant_id, board_id, name, subject_kind, period, industry, scoring_criteria, current_run_id, created_at
        FROM fleet.leaderboards
        WHERE subject_kind = 'partner' AND period = 'week' AND industry IS NULL
          AND ($1::uuid = '00000000-0000-0000-0000-000000000000' OR tenant_id = $1)
        ORDER BY board_id"#,
        tenant.0,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Board::from).collect())
}

/// Boards that the session may see, after `after` (an id), at most `limit`.
pub async fn list(
    conn: &mut PgConnection,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Board>, sqlx::Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"-- leaderboard.list
        SELECT tenant_id, board_id, name, subject_kind, period, industry, scoring_criteria, current_run_id, created_at
        FROM fleet.leaderboards
        WHERE $1::uuid IS NULL OR board_id > $1
        ORDER BY board_id
        LIMIT $2"#,
        after,
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Board::from).collect())
}
