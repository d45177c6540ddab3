//! `fleet schedules`: what is enqueued when; and changing that.

mod change;
mod look;

use std::process::ExitCode;

use anyhow::anyhow;
use clap::{Args, Subcommand};
use fleet_queue::TenantId;
use fleet_queue::schedules::{Schedule, find, get};
use sqlx::PgConnection;

use crate::database::Target;
use crate::output::Out;

/// What is enqueued when; pause, run, change schedules
#[derive(Args, Debug)]
pub(crate) struct Schedules {
    #[command(flatten)]
    target: Target,
    /// Whose schedules [default: the platform's]
    #[arg(long, global = true)]
    tenant: Option<TenantId>,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List schedules (the default)
    Ls,
    /// Show all of one: its definition, its last ticks, its changes
    Show {
        /// Its name
        name: String,
    },
    /// Show its next and its last ticks
    Next {
        /// Its name
        name: String,
        /// How many each way
        #[arg(short, default_value_t = 10)]
        n: usize,
    },
    /// Fire no tick until it is resumed; those meanwhile are not made up for
    Pause {
        /// Its name
        name: String,
        /// Why, for whoever wonders
        #[arg(long)]
        note: String,
    },
    /// End a pause
    Resume {
        /// Its name
        name: String,
    },
    /// Run it once more, now
    Run {
        /// Its name
        name: String,
    },
    /// Make a schedule, or change the one of that name
    Put {
        /// Its definition: JSON, @FILE, or - for standard input
        definition: String,
        /// Refuse where somebody changed it since this revision
        #[arg(long, value_name = "N")]
        revision: Option<i32>,
    },
    /// Delete a schedule; what it enqueued is left alone
    Rm {
        /// Its name
        name: String,
    },
    /// Apply the schedules of a file; what a person edited or deleted is left alone
    Apply {
        /// A TOML file of [[schedule]] tables [default: the schedules that ship with this binary]
        file: Option<std::path::PathBuf>,
    },
}

impl Schedules {
    pub(crate) async fn run(self, out: Out) -> anyhow::Result<ExitCode> {
        let database = self.target.connect().await?;
        let tenant = self.tenant.unwrap_or(TenantId::PLATFORM);
        match self.action.unwrap_or(Action::Ls) {
            Action::Ls => look::list_all(&database, self.tenant, out).await?,
            Action::Show { name } => look::show(&database, tenant, &name, out).await?,
            Action::Next { name, n } => look::next(&database, tenant, &name, n, out).await?,
            Action::Pause { name, note } => {
                change::pause_it(&database, tenant, &name, &note, out).await?;
            }
            Action::Resume { name } => change::resume_it(&database, tenant, &name, out).await?,
            Action::Run { name } => change::run(&database, tenant, &name, out).await?,
            Action::Put {
                definition,
                revision,
            } => {
                change::put_it(&database, tenant, &definition, revision, out).await?;
            }
            Action::Rm { name } => change::remove(&database, tenant, &name, out).await?,
            Action::Apply { file } => change::apply_file(&database, file.as_deref(), out).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The schedule of that name.
async fn named(conn: &mut PgConnection, tenant: TenantId, name: &str) -> anyhow::Result<Schedule> {
    let schedule = match find(conn, tenant, name).await? {
        Some(id) => get(conn, id).await?,
        None => None,
    };
    schedule.ok_or_else(|| {
        anyhow!("there is no schedule \"{name}\"; `fleet schedules` lists those there are")
    })
}
