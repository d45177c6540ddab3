//! `fleet workers`: which run, what they do, and asking one to finish.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use fleet_queue::WorkerId;
use fleet_queue::read::{WorkerInfo, WorkerState, list_workers};
use fleet_queue::workers::set_draining;
use serde_json::json;

use crate::audit;
use crate::database::{Database, Target, now};
use crate::output::{Cell, Hue, Out, Page, Table, ago, bytes, span};

/// Which workers run, what they do; ask one to finish
#[derive(Args, Debug)]
pub(crate) struct Workers {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List workers (the default)
    Ls {
        /// Also those that ended within the last day
        #[arg(long)]
        all: bool,
    },
    /// Have a worker finish what it runs and take nothing new
    Drain {
        /// The worker
        id: WorkerId,
        /// Have it take jobs again
        #[arg(long)]
        undo: bool,
    },
}

impl Workers {
    pub(crate) async fn run(self, out: Out) -> anyhow::Result<ExitCode> {
        let database = self.target.connect().await?;
        match self.action.unwrap_or(Action::Ls { all: false }) {
            Action::Ls { all } => list(&database, all, out).await?,
            Action::Drain { id, undo } => drain(&database, id, !undo, out).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn list(database: &Database, all: bool, out: Out) -> anyhow::Result<()> {
    let mut tx = database.begin().await?;
    let now = now(&mut tx).await?;
    let mut workers = list_workers(&mut tx).await?;
    workers.retain(|worker| all || worker.ended_at.is_none());
    out.answer(&json!({ "workers": workers }), |page| {
        draw(page, &workers, now);
    })?;
    Ok(())
}

fn draw(page: &mut Page, workers: &[WorkerInfo], now: DateTime<Utc>) {
    let mut table = Table::new(&[
        "ID", "STATE", "HOST", ">PID", "VERSION", ">RUNNING", "QUEUES", "UP", "RENEWED", ">CPU",
        ">MEMORY",
    ]);
    for worker in workers {
        let queues: Vec<_> = worker
            .queues
            .iter()
            .map(|(name, n)| format!("{name}={n}"))
            .collect();
        let end = worker.ended_at.unwrap_or(now);
        table.row([
            worker.id.to_string().into(),
            state(worker.state),
            worker.host.as_str().into(),
            worker.pid.to_string().into(),
            worker.version.as_str().into(),
            format!("{}/{}", worker.running, worker.capacity).into(),
            queues.join(" ").into(),
            span((end - worker.started_at).to_std().unwrap_or(Duration::ZERO)).into(),
            ago(now, worker.renewed_at).into(),
            worker
                .cpu
                .map_or(String::new(), |cpu| format!("{:.0}%", cpu * 100.0))
                .into(),
            worker
                .memory_bytes
                .map_or(String::new(), |n| bytes(n.unsigned_abs()))
                .into(),
        ]);
    }
    page.table(&table, "no worker runs; `fleet worker` starts one");
}

fn state(state: WorkerState) -> Cell {
    match state {
        WorkerState::Living => Cell::new(Hue::Green, "living"),
        WorkerState::Draining => Cell::new(Hue::Yellow, "draining"),
        WorkerState::Dead => Cell::new(Hue::Red, "dead"),
        WorkerState::Stopped => Cell::new(Hue::Dim, "stopped"),
    }
}

async fn drain(database: &Database, id: WorkerId, draining: bool, out: Out) -> anyhow::Result<()> {
    let mut tx = database.begin().await?;
    if !set_draining(&mut tx, id, draining).await? {
        bail!("no worker {id} runs; `fleet workers` lists those that do");
    }
    let action = if draining {
        "worker.drain"
    } else {
        "worker.undrain"
    };
    audit::record(&mut tx, action, &id.to_string(), None).await?;
    tx.commit().await?;
    out.answer(&json!({ "id": id, "draining": draining }), |page| {
        if draining {
            page.line(format_args!(
                "worker {id} finishes what it runs and takes nothing new"
            ));
        } else {
            page.line(format_args!("worker {id} takes jobs again"));
        }
    })?;
    Ok(())
}
