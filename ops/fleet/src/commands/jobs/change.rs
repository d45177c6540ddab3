//! `fleet jobs retry|cancel|move`: each job for itself, so that one refusal does not hold up the others.

use std::process::ExitCode;

use anyhow::bail;
use chrono::{DateTime, Utc};
use clap::Args;
use fleet_queue::read::find_job;
use fleet_queue::transitions::cancel::{Cancelled, cancel as cancel_job};
use fleet_queue::transitions::reschedule::{reprioritize, reschedule};
use fleet_queue::transitions::retry::{Retried, retry as retry_job};
use fleet_queue::{JobId, WorkerId, wake};
use serde::Serialize;

use super::show::unknown;
use crate::audit;
use crate::database::Database;
use crate::input;
use crate::output::{Hue, Out};

/// What became of one job's change.
#[derive(Debug, Serialize)]
struct Changed {
    id: JobId,
    ok: bool,
    said: String,
}

pub(super) async fn retry(
    database: &Database,
    ids: &[JobId],
    out: Out,
) -> anyhow::Result<ExitCode> {
    let mut changes = Vec::with_capacity(ids.len());
    for &id in ids {
        changes.push(Changed::of(id, retry_one(database, id).await));
    }
    report(&changes, out)
}

async fn retry_one(database: &Database, id: JobId) -> anyhow::Result<String> {
    let mut tx = database.begin().await?;
    let said = match retry_job(&mut tx, id).await? {
        Retried::Revived => "available again, with fresh attempts",
        Retried::Hastened => "available now",
        Retried::NotFound => return Err(unknown(id)),
    };
    let queue = find_job(&mut tx, id).await?.map(|job| job.queue);
    audit::job(&mut tx, "job.retry", id, None).await?;
    tx.commit().await?;
    database.wake(queue.as_slice()).await;
    Ok(said.to_owned())
}

pub(super) async fn cancel(
    database: &Database,
    ids: &[JobId],
    reason: Option<&str>,
    out: Out,
) -> anyhow::Result<ExitCode> {
    let mut changes = Vec::with_capacity(ids.len());
    for &id in ids {
        changes.push(Changed::of(id, cancel_one(database, id, reason).await));
    }
    report(&changes, out)
}

async fn cancel_one(
    database: &Database,
    id: JobId,
    reason: Option<&str>,
) -> anyhow::Result<String> {
    let mut tx = database.begin().await?;
    let (said, worker) = match cancel_job(&mut tx, id, reason).await? {
        Cancelled::Ended => ("cancelled", None),
        Cancelled::Requested(worker) => (
            "its worker was told; it has its grace to stop",
            Some(worker),
        ),
        Cancelled::AlreadyEnded(state) => bail!("job {id} is {state} already"),
        Cancelled::NotFound => return Err(unknown(id)),
    };
    audit::job(&mut tx, "job.cancel", id, reason).await?;
    tx.commit().await?;
    if let Some(worker) = worker {
        nudge(database, worker).await;
    }
    Ok(said.to_owned())
}

/// A hint, so that the worker looks at once; it looks every so often anyway.
async fn nudge(database: &Database, worker: WorkerId) {
    if let Ok(mut conn) = database.db().acquire("wake.nudge").await {
        let _ = wake::nudge(&mut conn, worker).await;
    }
}

/// Where a waiting job is to go.
#[derive(Args, Debug)]
pub(super) struct Move {
    /// The job
    id: JobId,
    #[command(flatten)]
    to: Place,
}

#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct Place {
    /// Due after so long, such as 5m
    #[arg(long = "in", value_name = "DURATION", value_parser = input::duration)]
    after: Option<std::time::Duration>,
    /// Due at a time
    #[arg(long, value_name = "TIME", value_parser = input::time)]
    at: Option<DateTime<Utc>>,
    /// 0 most urgent to 3 least
    #[arg(long, value_name = "N")]
    priority: Option<i16>,
}

impl Move {
    pub(super) async fn run(self, database: &Database, out: Out) -> anyhow::Result<ExitCode> {
        let change = Changed::of(self.id, self.go(database).await);
        report(&[change], out)
    }

    async fn go(&self, database: &Database) -> anyhow::Result<String> {
        let mut tx = database.begin().await?;
        let (moved, said) = if let Some(priority) = self.to.priority {
            (
                reprioritize(&mut tx, self.id, priority).await?,
                format!("has priority {priority}"),
            )
        } else {
            let now = crate::database::now(&mut tx).await?;
            let due = self.to.at.or(self.to.after.map(|after| now + after));
            let due = due.unwrap_or(now);
            (
                reschedule(&mut tx, self.id, due).await?,
                format!("is due at {}", due.to_rfc3339()),
            )
        };
        if !moved {
            return Err(unknown(self.id));
        }
        audit::job(&mut tx, "job.move", self.id, None).await?;
        tx.commit().await?;
        Ok(said)
    }
}

impl Changed {
    fn of(id: JobId, result: anyhow::Result<String>) -> Self {
        match result {
            Ok(said) => Self { id, ok: true, said },
            Err(error) => Self {
                id,
                ok: false,
                said: format!("{error:#}"),
            },
        }
    }
}

fn report(changes: &[Changed], out: Out) -> anyhow::Result<ExitCode> {
    out.answer(&serde_json::json!({ "jobs": changes }), |page| {
        for change in changes {
            if change.ok {
                page.line(format_args!("{} {}", change.id, change.said));
            } else {
                page.hued(Hue::Red, &change.said);
            }
        }
    })?;
    let refused = changes.iter().any(|change| !change.ok);
    Ok(if refused {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}
