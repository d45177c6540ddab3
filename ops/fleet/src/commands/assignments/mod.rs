//! `fleet assignments`: which partner looks after which client and why, who waits, and what people do about it.

mod change;
pub(super) mod draw;

use std::process::ExitCode;

use anyhow::anyhow;
use clap::{Args, Subcommand};
use fleet_jobs::assignment::{Settings, Wanted, list_assignments, list_decisions, list_waiting};
use serde_json::json;
use uuid::Uuid;

use super::clients::choose as choose_client;
use super::partners::choose as choose_partner;
use super::settings::SettingsCommand;
use crate::database::{Database, Target, now};
use crate::output::Out;

/// Decisions that `why` shows.
const DECISIONS: i64 = 20;

/// Assignments: which partner looks after which client, and why
#[derive(Args, Debug)]
pub(crate) struct Assignments {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List assignments, latest first (the default)
    Ls(Ls),
    /// Show who looks after a client, and what that rests on
    Show {
        /// The client: its id or its name
        client: String,
    },
    /// Tell in words what was decided on a client, latest first
    Why {
        /// The client: its id or its name
        client: String,
    },
    /// List clients that no partner can take, those that wait longest first
    Waitlist {
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: i64,
    },
    /// Find a client a partner, by a job
    Auto(change::Auto),
    /// Give a client to a partner yourself
    Assign(change::Assign),
    /// Move a client from its partner to another, by a job
    Transfer(change::Transfer),
    /// Propose who could relieve a busy partner, by a job
    Rebalance(change::Rebalance),
    /// Take every client from a partner that leaves, and find each another, by a job
    DetachAll(change::DetachAll),
    /// Show what assignments are weighed by, or add a version
    Settings(SettingsCommand),
}

#[derive(Args, Debug)]
struct Ls {
    /// Only this client's: its id or its name
    #[arg(long)]
    client: Option<String>,
    /// Only this partner's: its id or its name
    #[arg(long)]
    partner: Option<String>,
    /// Those that ended, too
    #[arg(long)]
    ended: bool,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(i64).range(1..=1000))]
    limit: i64,
}

impl Default for Ls {
    fn default() -> Self {
        Self {
            client: None,
            partner: None,
            ended: false,
            limit: 30,
        }
    }
}

impl Assignments {
    pub(crate) async fn run(self, out: Out) -> anyhow::Result<ExitCode> {
        let database = self.target.connect().await?;
        match self.action.unwrap_or(Action::Ls(Ls::default())) {
            Action::Ls(it) => ls(&database, it, out).await,
            Action::Show { client } => show(&database, &client, out).await,
            Action::Why { client } => why(&database, &client, out).await,
            Action::Waitlist { limit } => waitlist(&database, limit, out).await,
            Action::Auto(it) => it.run(&database, out).await,
            Action::Assign(it) => it.run(&database, out).await,
            Action::Transfer(it) => it.run(&database, out).await,
            Action::Rebalance(it) => it.run(&database, out).await,
            Action::DetachAll(it) => it.run(&database, out).await,
            Action::Settings(it) => {
                it.run::<Settings>(&database, "assignments.settings", out)
                    .await
            }
        }
    }
}

async fn ls(database: &Database, it: Ls, out: Out) -> anyhow::Result<ExitCode> {
    let client = match &it.client {
        Some(called) => Some(choose_client(database, called).await?.client_id),
        None => None,
    };
    let partner = match &it.partner {
        Some(called) => Some(choose_partner(database, called).await?.partner_id),
        None => None,
    };
    let wanted = Wanted {
        client,
        partner,
        ended: it.ended,
        before: None,
    };
    let mut tx = database.begin().await?;
    let now = now(&mut tx).await?;
    let assignments = list_assignments(&mut tx, &wanted, it.limit).await?;
    out.answer(&json!({ "assignments": assignments }), |page| {
        draw::assignments(page, &assignments, now);
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn show(database: &Database, called: &str, out: Out) -> anyhow::Result<ExitCode> {
    let client = choose_client(database, called).await?;
    let wanted = Wanted {
        client: Some(client.client_id),
        ..Wanted::default()
    };
    let mut tx = database.begin().await?;
    let now = now(&mut tx).await?;
    let found = list_assignments(&mut tx, &wanted, 1).await?.pop();
    let found = found.ok_or_else(|| nobody(&client.name, client.waiting_since.is_some()))?;
    out.answer(&found, |page| draw::assignment(page, &found, now))?;
    Ok(ExitCode::SUCCESS)
}

fn nobody(name: &str, waits: bool) -> anyhow::Error {
    if waits {
        anyhow!(
            "nobody looks after {name}: it waits for a partner that can take it; `fleet assignments why` tells more"
        )
    } else {
        anyhow!("nobody looks after {name}; `fleet assignments auto` finds it a partner")
    }
}

async fn why(database: &Database, called: &str, out: Out) -> anyhow::Result<ExitCode> {
    let client = choose_client(database, called).await?;
    let mut tx = database.begin().await?;
    let now = now(&mut tx).await?;
    let decisions = list_decisions(&mut tx, client.client_id, DECISIONS).await?;
    out.answer(
        &json!({ "client": client, "decisions": decisions }),
        |page| {
            draw::decisions(page, &client.name, &decisions, now);
        },
    )?;
    Ok(ExitCode::SUCCESS)
}

async fn waitlist(database: &Database, limit: i64, out: Out) -> anyhow::Result<ExitCode> {
    let mut tx = database.begin().await?;
    let now = now(&mut tx).await?;
    let waiting = list_waiting(&mut tx, None, limit.clamp(1, 1000)).await?;
    out.answer(&json!({ "waiting": waiting }), |page| {
        draw::waiting(page, &waiting, now);
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The partner's id, by its id or its name.
async fn partner(database: &Database, called: &str) -> anyhow::Result<Uuid> {
    Ok(choose_partner(database, called).await?.partner_id)
}
