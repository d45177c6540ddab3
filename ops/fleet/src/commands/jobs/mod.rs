//! `fleet jobs`: look at jobs, follow one, and change what becomes of them.

mod change;
mod follow;
mod ls;
mod show;
mod watch;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use fleet_queue::JobId;

use crate::database::Target;
use crate::output::Out;

pub(super) use show::unknown;
pub(super) use watch::{follow, run_job, tell_end};

/// Look at jobs, follow one, change what becomes of them
#[derive(Args, Debug)]
pub(crate) struct Jobs {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List jobs, newest first
    Ls(ls::Ls),
    /// Show all of a job: attempts, steps, log, output
    Show {
        /// The job
        id: JobId,
    },
    /// Follow a job until it ends; exit code 0 only where it completed
    Watch {
        /// The job
        id: JobId,
    },
    /// Run jobs now: ended ones live again, waiting ones wait no longer
    Retry {
        /// The jobs
        #[arg(required = true)]
        ids: Vec<JobId>,
    },
    /// Call jobs off: waiting ones at once, running ones through their worker
    Cancel {
        /// The jobs
        #[arg(required = true)]
        ids: Vec<JobId>,
        /// Why; kept in the job's history
        #[arg(long)]
        reason: Option<String>,
    },
    /// Move a waiting job to another time or priority
    Move(change::Move),
}

impl Jobs {
    pub(crate) async fn run(self, out: Out) -> anyhow::Result<ExitCode> {
        let database = self.target.connect().await?;
        match self.action {
            Action::Ls(ls) => ls.run(&database, out).await,
            Action::Show { id } => show::show(&database, id, out).await,
            Action::Watch { id } => watch::watch(&database, id, out).await,
            Action::Retry { ids } => change::retry(&database, &ids, out).await,
            Action::Cancel { ids, reason } => {
                change::cancel(&database, &ids, reason.as_deref(), out).await
            }
            Action::Move(to) => to.run(&database, out).await,
        }
    }
}
