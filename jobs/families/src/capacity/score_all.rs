//! `capacity.score_all`: learns what each tier is like, and scores every partner.
//!
//! Trigger: an hourly schedule; a change to more than a hundred partners at once.
//! Effect: `capacity_priors`, and each partner's capacity as `capacity.score` would store it; whoever waits for a partner is looked at anew.
//! Safe to repeat because: partners are stored in chunks that each stand for themselves, and what a later moment stored stays.
//! Gives up when: `as_of` lies in the future, or the job is not the platform's.

use std::time::Duration;

use chrono::{DateTime, Utc};
use fleet_queue::{Cx, Done, Job, JobError, JobResult, Policy, TenantId, clock};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::priors;
use super::rescore::{CHUNK, Rescored, rescore};
use crate::settings::SettingsError;
use crate::telemetry;

/// Scores every partner.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ScoreAll {
    /// The moment by which leave and the trailing ninety days are judged; left out: now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<DateTime<Utc>>,
}

/// What a pass did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ScoredAll {
    /// Statements' worth of partners.
    pub chunks: u64,
    /// All of them together.
    #[serde(flatten)]
    pub rescored: Rescored,
}

impl Job for ScoreAll {
    const KIND: &'static str = "capacity.score_all";
    const DESCRIPTION: &'static str = "Computes how much more work every partner can take.";

    type Deps = ();

    fn policy() -> Policy {
        Policy {
            timeout: Duration::from_mins(10),
            max_attempts: 8,
            ..Policy::DEFAULT
        }
    }

    fn example() -> Self {
        Self::default()
    }

    async fn run(self, cx: Cx<()>) -> JobResult {
        if cx.tenant() != TenantId::PLATFORM {
            return Err(JobError::discard("only the platform scores every partner"));
        }
        let now = clock(&mut *cx.pool().acquire().await?).await?;
        let as_of = self.as_of.unwrap_or(now);
        if as_of > now {
            return Err(JobError::discard(format!(
                "as_of: {as_of} lies in the future; it is {now}"
            )));
        }
        cx.progress(0, 1, "scoring").await?;
        let scored = score_all(cx.pool(), as_of)
            .await
            .map_err(SettingsError::into_job_error)?;
        telemetry::scored(scored.rescored.scored);
        Done::output(&scored)
    }
}

/// Learns the priors and scores everybody, chunk by chunk, and wakes those who wait: for the job, and for demo data.
pub async fn score_all(pool: &PgPool, as_of: DateTime<Utc>) -> Result<ScoredAll, SettingsError> {
    let mut conn = pool.acquire().await?;
    priors::learn(&mut conn, as_of).await?;
    drop(conn);
    let mut all = ScoredAll::default();
    let mut after = Uuid::nil();
    loop {
        let mut tx = pool.begin().await?;
        let chunk = next(&mut tx, after).await?;
        let Some(last) = chunk.last() else {
            wake(&mut tx).await?;
            tx.commit().await?;
            return Ok(all);
        };
        after = *last;
        all.rescored += rescore(&mut tx, &chunk, as_of).await?;
        all.chunks += 1;
        tx.commit().await?;
    }
}

/// Has the waitlist looked at, where anybody on it would fit into the room there is. Room that appears wakes by itself; this is the net
/// under what ends a wait without giving anybody room: a new board, other settings, a leave that is over, a rival that is none any more.
async fn wake(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"-- capacity.wake
        SELECT fleet.wake_waitlist((SELECT max(cap - load) FROM fleet.partner_capacity WHERE status = 'active')) IS NULL AS woken"#
    )
    .fetch_one(conn)
    .await?;
    Ok(())
}

async fn next(conn: &mut PgConnection, after: Uuid) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"-- capacity.next
        SELECT partner_id FROM fleet.partners WHERE partner_id > $1 ORDER BY partner_id LIMIT $2"#,
        after,
        CHUNK as i64,
    )
    .fetch_all(conn)
    .await
}
