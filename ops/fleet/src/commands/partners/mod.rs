//! `fleet partners`: who has room for more work; one partner's capacity; computing it anew; when it is away; and what capacities are
//! weighed by.

mod draw;
mod leave;

use std::process::ExitCode;

use anyhow::anyhow;
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use fleet_jobs::capacity::{
    HISTORY_MAX, Listed, Score, Settings, capacity_of, list_capacity, tenant_of,
};
use serde_json::json;
use uuid::Uuid;

use super::jobs::run_job;
use super::settings::SettingsCommand;
use crate::database::{Database, Target, now};
use crate::input;
use crate::output::Out;

/// Partners of one name that a refusal can list.
const SEVERAL: i64 = 10;

/// Partners: who has room for more work, one partner's capacity, its leave
#[derive(Args, Debug)]
pub(crate) struct Partners {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List partners, those with room first (the default)
    Ls {
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: i64,
    },
    /// Show what a partner's capacity is, of what it is made, and how it came there
    Capacity {
        /// The partner: its id or its name
        partner: String,
        /// At most so many past capacities
        #[arg(long, value_name = "N", default_value_t = 10)]
        history: i64,
        /// Have it computed anew first, by a job
        #[arg(long)]
        score: bool,
    },
    /// When a partner takes no new work: list it, add to it, take some back
    Leave {
        /// The partner: its id or its name
        partner: String,
        /// Add a leave from then on, as in 2026-11-21 or "2026-11-21 08:00" (UTC)
        #[arg(long, value_name = "TIME", value_parser = input::time, requires = "until")]
        from: Option<DateTime<Utc>>,
        /// Until when it lasts
        #[arg(long, value_name = "TIME", value_parser = input::time, requires = "from")]
        until: Option<DateTime<Utc>>,
        /// Take this one back
        #[arg(long, value_name = "LEAVE", conflicts_with = "from")]
        rm: Option<Uuid>,
    },
    /// Show what capacities are weighed by, or add a version
    Settings(SettingsCommand),
}

impl Partners {
    pub(crate) async fn run(self, out: Out) -> anyhow::Result<ExitCode> {
        let database = self.target.connect().await?;
        match self.action {
            None => ls(&database, 20, out).await,
            Some(Action::Ls { limit }) => ls(&database, limit, out).await,
            Some(Action::Capacity {
                partner,
                history,
                score,
            }) => {
                let found = choose(&database, &partner).await?;
                if score && !rescore(&database, found.partner_id, out).await? {
                    return Ok(ExitCode::FAILURE);
                }
                show(&database, &found, history, out).await
            }
            Some(Action::Leave {
                partner,
                from,
                until,
                rm,
            }) => {
                let found = choose(&database, &partner).await?;
                leave::change(&database, &found, from.zip(until), rm).await?;
                leave::list(&database, &found, out).await
            }
            Some(Action::Settings(it)) => {
                it.run::<Settings>(&database, "capacity.settings", out)
                    .await
            }
        }
    }
}

async fn ls(database: &Database, limit: i64, out: Out) -> anyhow::Result<ExitCode> {
    let partners = list_capacity(&mut *database.begin().await?, None, limit.max(1)).await?;
    out.answer(&json!({ "partners": partners }), |page| {
        draw::partners(page, &partners);
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The partner that is meant; ambiguity is refused with the candidates.
pub(super) async fn choose(database: &Database, called: &str) -> anyhow::Result<Listed> {
    let mut tx = database.begin().await?;
    let found = list_capacity(&mut tx, Some(called), SEVERAL).await?;
    input::only(found, "partner", called, |it| it.partner_id)
}

/// Enqueues the scoring and follows it; false where it did not complete.
async fn rescore(database: &Database, partner: Uuid, out: Out) -> anyhow::Result<bool> {
    let mut tx = database.begin().await?;
    let tenant = tenant_of(&mut tx, partner).await?;
    let tenant = tenant.ok_or_else(|| anyhow!("there is no partner {partner} any more"))?;
    let job = Score {
        partner_id: partner,
    }
    .new_job(tenant);
    run_job(database, tx, &job, out).await
}

async fn show(
    database: &Database,
    partner: &Listed,
    history: i64,
    out: Out,
) -> anyhow::Result<ExitCode> {
    let mut tx = database.begin().await?;
    let now = now(&mut tx).await?;
    let past = history.clamp(0, HISTORY_MAX);
    let capacity = capacity_of(&mut tx, partner.partner_id, past).await?;
    let capacity = capacity
        .ok_or_else(|| anyhow!("{} was never scored; --score has it computed", partner.name))?;
    out.answer(&capacity, |page| draw::capacity(page, &capacity, now))?;
    Ok(ExitCode::SUCCESS)
}
