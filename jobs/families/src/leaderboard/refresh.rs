//! `leaderboard.refresh`: computes a board anew and publishes it.
//!
//! Trigger: a schedule for each board, or on demand; a second enqueue within a minute is the same job ([`Refresh::new_job`]).
//! Effect: a run with its entries; when published, the board's pointer, badges, partners' figures and events.
//! Safe to repeat because: each attempt builds a run of its own, publishing commits together with the job's completion, and an
//! older run gives way to a newer one.
//! Gives up when: there is no such board, or its criteria cannot be used; both need a person to correct them.

use std::time::Duration;

use chrono::NaiveDate;
use fleet_queue::{
    Cx, Done, Job, JobError, JobResult, NewJob, Policy, TenantId, Unique, UniqueScope,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool};
use tokio::time::Instant;
use uuid::Uuid;

use super::board::{self, Board, BoardError, SubjectKind};
use super::build::{Built, build};
use super::criteria::Criteria;
use super::period::{Period, Window};
use super::publish::{Outcome, publish};
use crate::telemetry;

/// A second enqueue of the same refresh within this many seconds is the same job.
const COALESCE_SECONDS: u32 = 60;

/// Which board to refresh: by its id, or by what it ranks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Refresh {
    /// The board; or else `kind` says which.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub board_id: Option<Uuid>,
    /// What the board ranks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<SubjectKind>,
    /// Over which days; by default the rolling thirty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<Period>,
    /// The first day not counted; by default the latest that makes sense for the period.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_end: Option<NaiveDate>,
    /// The industry, for a board of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub industry: Option<String>,
    /// Computes and reports without publishing.
    #[serde(skip_serializing_if = "is_false")]
    pub dry_run: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde's skip_serializing_if passes a reference"
)]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// What a refresh did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Refreshed {
    /// The board.
    pub board_id: Uuid,
    /// What became of the run.
    pub outcome: Outcome,
    /// The run.
    #[serde(flatten)]
    pub built: Built,
}

impl Refresh {
    /// The refresh of a board as it is usually meant: the latest window.
    pub fn of(board: Uuid) -> Self {
        Self {
            board_id: Some(board),
            ..Self::default()
        }
    }

    /// The job, with the key that lets a second one within a minute fall together with the first.
    pub fn new_job(&self, tenant: TenantId) -> NewJob {
        NewJob::of(self).tenant(tenant).unique(Unique {
            key: self.unique_key(),
            scope: UniqueScope::Window,
            window_s: Some(COALESCE_SECONDS),
            on_duplicate: fleet_queue::OnDuplicate::Return,
        })
    }

    fn unique_key(&self) -> String {
        let board = match self.board_id {
            Some(board) => board.to_string(),
            None => format!(
                "{}/{}",
                self.kind.map_or("", SubjectKind::name),
                self.industry.as_deref().unwrap_or("")
            ),
        };
        let period = self.period.map_or("", Period::name);
        let end = self
            .window_end
            .map(|end| end.to_string())
            .unwrap_or_default();
        format!(
            "leaderboard.refresh {board} {period} {end} {}",
            self.dry_run
        )
    }

    /// The board that is meant, among the tenant's own. One over all industries is made when it is first asked for, so that
    /// the schedules of a new installation have something to refresh.
    async fn board(&self, conn: &mut PgConnection, tenant: TenantId) -> Result<Board, JobError> {
        let found = match (self.board_id, self.kind) {
            (Some(board), None) => board::load(conn, tenant, board).await?,
            (None, Some(kind)) => {
                let period = self.period.unwrap_or(Period::Rolling30d);
                if self.industry.is_none() {
                    board::make_usual(conn, tenant, kind, period).await?;
                }
                board::find(conn, tenant, kind, period, self.industry.as_deref()).await?
            }
            _ => return Err(JobError::discard("give either board_id or kind")),
        };
        let board = found.ok_or_else(|| {
            JobError::discard(format!("no such leaderboard: {}", self.unique_key()))
        })?;
        match self.period {
            Some(period) if period != board.period => Err(JobError::discard(format!(
                "period: this board's is {}, not {}",
                board.period.name(),
                period.name()
            ))),
            _ => Ok(board),
        }
    }
}

impl Job for Refresh {
    const KIND: &'static str = "leaderboard.refresh";
    const DESCRIPTION: &'static str = "Computes a leaderboard anew and publishes it.";

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
            kind: Some(SubjectKind::Partner),
            period: Some(Period::Rolling30d),
            ..Self::default()
        }
    }

    async fn run(self, cx: Cx<()>) -> JobResult {
        let mut conn = cx.pool().acquire().await?;
        let board = self.board(&mut conn, cx.tenant()).await?;
        let criteria = usable(&board)?;
        let window = window(&mut conn, &board, self.window_end).await?;
        drop(conn);
        cx.progress(0, 2, "collecting and ranking").await?;
        let begun = Instant::now();
        let built = build(cx.pool(), &board, &criteria, window).await?;
        cx.progress(1, 2, "publishing").await?;
        let mut tx = cx.pool().begin().await?;
        let outcome = publish(&mut tx, &board, &criteria, &built, self.dry_run).await?;
        telemetry::refreshed(board.id, &built, outcome, begun.elapsed());
        let refreshed = Refreshed {
            board_id: board.id,
            outcome,
            built,
        };
        let done: Done = cx.settle_in(&mut tx, Some(&refreshed)).await?;
        tx.commit().await?;
        Ok(done)
    }
}

fn usable(board: &Board) -> Result<Criteria, JobError> {
    Criteria::parse(&board.criteria)
        .map_err(|faults| JobError::discard(BoardError::Criteria(faults).to_string()))
}

async fn window(
    conn: &mut PgConnection,
    board: &Board,
    end: Option<NaiveDate>,
) -> Result<Window, JobError> {
    let today = crate::metrics::today(conn).await?;
    board
        .period
        .window(end, today)
        .ok_or_else(|| JobError::discard("window_end: no days lie before it"))
}

/// Builds and publishes without a job: for the demo's history and for the operator's command.
pub async fn refresh(
    pool: &PgPool,
    board: &Board,
    end: Option<NaiveDate>,
    dry_run: bool,
) -> Result<Refreshed, BoardError> {
    let criteria = Criteria::parse(&board.criteria).map_err(BoardError::Criteria)?;
    let today = crate::metrics::today(&mut *pool.acquire().await?).await?;
    let window = board.period.window(end, today).ok_or(BoardError::Window)?;
    let built = build(pool, board, &criteria, window).await?;
    let mut tx = pool.begin().await?;
    let outcome = publish(&mut tx, board, &criteria, &built, dry_run).await?;
    tx.commit().await?;
    Ok(Refreshed {
        board_id: board.id,
        outcome,
        built,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_refresh_within_a_minute_is_one_job_and_another_window_is_not() {
        let one = Refresh::of(Uuid::from_u128(1));
        let later = Refresh {
            window_end: NaiveDate::from_ymd_opt(2026, 11, 2),
            ..one.clone()
        };
        let key = |refresh: &Refresh| {
            refresh
                .new_job(TenantId::PLATFORM)
                .rare
                .unique
                .expect("set")
                .key
        };
        assert_eq!(key(&one), key(&one.clone()));
        assert_ne!(key(&one), key(&later));
        assert_ne!(key(&one), key(&Refresh::example()));
    }

    #[test]
    fn the_payload_is_what_the_text_says() {
        let text = r#"{"kind":"client","period":"rolling_30d","window_end":"2026-11-22","industry":"retail","dry_run":true}"#;
        let payload: Refresh = serde_json::from_str(text).expect("a payload");
        assert_eq!(serde_json::to_string(&payload).expect("JSON"), text);
    }
}
