//! `leaderboard.promotion_review`: proposes who should rise and who should step down, for a person to decide.
//!
//! Trigger: a weekly schedule, after the weekly partner boards.
//! Effect: `promotion_candidates` proposed or withdrawn, each with its event.
//! Safe to repeat because: a partner has at most one pending proposal, and what still holds is left alone.
//! Gives up when: the named board is missing or no weekly partner board, or a board's criteria cannot be used.

use std::ops::AddAssign;
use std::time::Duration;

use fleet_queue::{Cx, Job, JobError, JobResult, Policy, TenantId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::board::{self, Board, BoardError, SubjectKind};
use super::criteria::{Criteria, FieldError};
use super::period::Period;
use super::standing::{Standing, standings};
use super::thresholds::Promotions;
use super::verdict::{Verdict, judge};

/// Reviews the partners of weekly boards.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PromotionReview {
    /// A weekly board of partners; left out: each of all industries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub board_id: Option<Uuid>,
}

/// What a review did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Reviewed {
    /// Boards looked at.
    pub boards: u64,
    /// Partners looked at: the top of the board, the seniors, and those with a pending proposal.
    pub partners: u64,
    /// New proposals to promote.
    pub promotions: u64,
    /// New proposals to demote.
    pub demotions: u64,
    /// Proposals whose grounds are gone.
    pub withdrawn: u64,
}

impl Job for PromotionReview {
    const KIND: &'static str = "leaderboard.promotion_review";
    const DESCRIPTION: &'static str =
        "Proposes promotions and demotions of partners, for a person to decide.";

    type Deps = ();

    fn policy() -> Policy {
        Policy {
            timeout: Duration::from_mins(2),
            max_attempts: 8,
            ..Policy::DEFAULT
        }
    }

    fn example() -> Self {
        Self::default()
    }

    async fn run(self, cx: Cx<()>) -> JobResult {
        let mut conn = cx.pool().acquire().await?;
        let boards = self.boards(&mut conn, cx.tenant()).await?;
        let mut tx = conn.begin().await?;
        let mut reviewed = Reviewed::default();
        for board in &boards {
            let criteria =
                Criteria::parse(&board.criteria).map_err(|faults| unusable(board, faults))?;
            reviewed += review(&mut tx, board, &criteria.promotions).await?;
        }
        let done = cx.settle_in(&mut tx, Some(&reviewed)).await?;
        tx.commit().await?;
        Ok(done)
    }
}

impl PromotionReview {
    async fn boards(
        &self,
        conn: &mut PgConnection,
        tenant: TenantId,
    ) -> Result<Vec<Board>, JobError> {
        match self.board_id {
            Some(board) => Ok(vec![weekly_partner_board(conn, tenant, board).await?]),
            None => Ok(board::load_judging(conn, tenant).await?),
        }
    }
}

impl AddAssign for Reviewed {
    fn add_assign(&mut self, other: Self) {
        self.boards += other.boards;
        self.partners += other.partners;
        self.promotions += other.promotions;
        self.demotions += other.demotions;
        self.withdrawn += other.withdrawn;
    }
}

fn unusable(board: &Board, faults: Vec<FieldError>) -> JobError {
    let problem = BoardError::Criteria(faults);
    JobError::discard(format!("leaderboard {}: {problem}", board.id))
}

async fn weekly_partner_board(
    conn: &mut PgConnection,
    tenant: TenantId,
    board: Uuid,
) -> Result<Board, JobError> {
    let found = board::load(conn, tenant, board).await?;
    let board = found
        .ok_or_else(|| JobError::discard(format!("board_id: there is no leaderboard {board}")))?;
    if board.kind == SubjectKind::Partner && board.period == Period::Week {
        Ok(board)
    } else {
        Err(JobError::discard(
            "board_id: promotions rest on a weekly board of partners",
        ))
    }
}

/// Proposes and withdraws, in the caller's transaction.
pub async fn review(
    conn: &mut PgConnection,
    board: &Board,
    rules: &Promotions,
) -> Result<Reviewed, sqlx::Error> {
    let mut reviewed = Reviewed {
        boards: 1,
        ..Reviewed::default()
    };
    for standing in standings(conn, board, rules).await? {
        reviewed.partners += 1;
        let verdict = judge(&standing, rules);
        match (verdict, standing.pending.as_deref()) {
            (Verdict::Stay, Some(_)) => {
                withdraw(conn, board, &standing).await?;
                reviewed.withdrawn += 1;
            }
            (Verdict::Promote, None) if !standing.lately_rejected => {
                propose(conn, board, &standing, "promotion").await?;
                reviewed.promotions += 1;
            }
            (Verdict::Demote, None) if !standing.lately_rejected => {
                propose(conn, board, &standing, "demotion").await?;
                reviewed.demotions += 1;
            }
            _ => {}
        }
    }
    Ok(reviewed)
}

fn evidence(standing: &Standing) -> Value {
    json!({
        "weeks": standing.weeks.0, "sla_met": standing.sla_met, "sla_total": standing.sla_total,
        "against": standing.against,
    })
}

async fn propose(
    conn: &mut PgConnection,
    board: &Board,
    standing: &Standing,
    direction: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"-- promotion.propose
        WITH proposed AS (
            INSERT INTO fleet.promotion_candidates (tenant_id, board_id, partner_id, direction, evidence)
            VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (tenant_id, partner_id) WHERE status = 'pending' DO NOTHING
            RETURNING candidate_id
        )
        INSERT INTO fleet.event (tenant_id, kind, subject, payload)
        SELECT $1, 'promotion.proposed', $3::text, jsonb_build_object('candidate_id', candidate_id, 'direction', $4::text, 'evidence', $5::jsonb)
        FROM proposed"#,
        board.tenant.0,
        board.id,
        standing.partner_id,
        direction,
        evidence(standing),
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn withdraw(
    conn: &mut PgConnection,
    board: &Board,
    standing: &Standing,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"-- promotion.withdraw
        WITH withdrawn AS (
            UPDATE fleet.promotion_candidates
            SET status = 'withdrawn', decided_at = fleet.clock(), note = 'its grounds no longer hold'
            WHERE tenant_id = $1 AND board_id = $2 AND partner_id = $3 AND status = 'pending'
            RETURNING candidate_id
        )
        INSERT INTO fleet.event (tenant_id, kind, subject, payload)
        SELECT $1, 'promotion.withdrawn', $3::text, jsonb_build_object('candidate_id', candidate_id)
        FROM withdrawn"#,
        board.tenant.0,
        board.id,
        standing.partner_id,
    )
    .execute(conn)
    .await?;
    Ok(())
}
