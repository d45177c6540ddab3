//! `assignment.auto`: gives one client to the partner that fits it best and has room.
//!
//! Trigger: a client that comes in (`POST /v1/clients`, `POST /v1/ingest/clients`), or that a person or a partner's leaving set free.
//! Effect: an assignment, or a proposal with a slot kept for it, or a place on the waitlist; the decision with its rationale; an event.
//! Safe to repeat because: a client that has a partner keeps it, and everything commits together with the job's completion.
//! Gives up when: there is no such client, or not of the job's tenant.

use std::time::Duration;

use fleet_queue::{Cx, Job, JobError, JobResult, NewJob, OnDuplicate, Policy, TenantId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::{Connection, PgConnection, PgPool};
use uuid::Uuid;

use super::assign::{AssignError, Wish, assign, lock_all, take_back};
use super::client::{self, ClientError};
use super::decision::Mode;
use super::follow_up::once;
use super::rationale::Rules;
use super::roster::Roster;
use super::settings::Settings;
use super::standing;
use crate::settings::{SettingsError, Versioned};
use crate::telemetry;

/// Partners that a caller may exclude.
const EXCLUDED_MAX: usize = 1000;

/// Assigns a client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Auto {
    /// The client.
    pub client_id: Uuid,
    /// Decide anew where a proposal waits for a person. A client that has a partner keeps it all the same.
    #[serde(default)]
    pub force: bool,
    /// Partners that are out of the question.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000))]
    pub exclude: Vec<Uuid>,
}

impl Auto {
    /// For a client, with everybody in question.
    pub fn of(client_id: Uuid) -> Self {
        Self {
            client_id,
            force: false,
            exclude: Vec::new(),
        }
    }

    /// Takes a proposal back, in a transaction of its own: so the decision after it holds no partner while it takes another.
    async fn take_back(&self, pool: &PgPool, tenant: TenantId) -> Result<(), JobError> {
        let mut tx = pool.begin().await?;
        let client = client::lock(&mut tx, self.client_id, tenant)
            .await
            .map_err(refused)?;
        if client.partner_id.is_none() {
            lock_all(&mut tx, &client, &[]).await?;
            take_back(&mut tx, &client, "decided anew").await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// The job. One that waits already is the same one, and takes over what this one asks for.
    pub fn new_job(&self, tenant: TenantId) -> NewJob {
        once(
            NewJob::of(self).tenant(tenant),
            self.client_id,
            OnDuplicate::Replace,
        )
    }
}

impl Job for Auto {
    const KIND: &'static str = "assignment.auto";
    const DESCRIPTION: &'static str =
        "Gives a client to the partner that fits it best and has room.";

    type Deps = Roster;

    fn policy() -> Policy {
        Policy {
            timeout: Duration::from_mins(1),
            max_attempts: 20,
            ..Policy::DEFAULT
        }
    }

    fn example() -> Self {
        Self::of(Uuid::nil())
    }

    async fn run(self, cx: Cx<Roster>) -> JobResult {
        if self.exclude.len() > EXCLUDED_MAX {
            return Err(JobError::discard(format!(
                "exclude: has {} partners, at most {EXCLUDED_MAX} are allowed",
                self.exclude.len()
            )));
        }
        let run = standing::follow(cx.pool(), cx.deps()).await?;
        if self.force {
            self.take_back(cx.pool(), cx.tenant()).await?;
        }
        let mut tx = cx.pool().begin().await?;
        let client = client::lock(&mut tx, self.client_id, cx.tenant())
            .await
            .map_err(refused)?;
        let rules = rules(&mut tx, run).await?;
        let wish = Wish {
            roster: cx.deps(),
            mode: Mode::Auto,
            exclude: &self.exclude,
        };
        let outcome = assign(&mut tx, &client, &rules, wish).await?;
        let done = cx.settle_in(&mut tx, Some(&outcome)).await?;
        tx.commit().await?;
        telemetry::time_to_assign(
            (cx.now() - cx.job().created_at)
                .to_std()
                .unwrap_or_default(),
        );
        Ok(done)
    }
}

/// What the decisions of this moment share.
pub(super) async fn rules(conn: &mut PgConnection, run: Option<Uuid>) -> Result<Rules, JobError> {
    let version = Settings::current(conn)
        .await
        .map_err(SettingsError::into_job_error)?;
    Ok(Rules {
        settings: version.settings,
        version: version.version,
        run,
    })
}

/// A client that is not there stays away; everything else is tried again.
pub(super) fn refused(error: ClientError) -> JobError {
    match error {
        ClientError::Database(error) => error.into(),
        unknown => JobError::discard(unknown.to_string()),
    }
}

/// Why a client was not assigned outside a job.
#[derive(Debug, thiserror::Error)]
pub enum AutoError {
    /// The client cannot be decided on.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The settings cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Nothing was decided.
    #[error(transparent)]
    Assign(#[from] AssignError),
    /// The database did not carry it out.
    #[error("the database did not carry it out")]
    Database(#[from] sqlx::Error),
}

/// Decides on one client as the job does, in a transaction of its own: for demo data and for measuring.
pub async fn assign_now(
    pool: &PgPool,
    roster: &Roster,
    client: Uuid,
) -> Result<super::Outcome, AutoError> {
    let run = standing::follow(pool, roster).await?;
    let mut conn = pool.acquire().await?;
    let mut tx = conn.begin().await?;
    let client = client::lock(&mut tx, client, TenantId::PLATFORM).await?;
    let version = Settings::current(&mut tx).await?;
    let rules = Rules {
        settings: version.settings,
        version: version.version,
        run,
    };
    let wish = Wish {
        roster,
        mode: Mode::Auto,
        exclude: &[],
    };
    let outcome = assign(&mut tx, &client, &rules, wish).await?;
    tx.commit().await?;
    Ok(outcome)
}
