//! `fleet queues`: how deep they are and how fast they move; pause, resume, settings.

mod draw;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use clap::{Args, Subcommand};
use fleet_queue::limits::set_queue;
use fleet_queue::read::{list_pauses, list_queues};
use fleet_queue::transitions::pause::{Pause, PauseScope, pause};
use fleet_queue::transitions::resume::resume;
use fleet_queue::{TenantId, wake};
use serde_json::json;

use crate::database::{Database, Target, now};
use crate::output::Out;
use crate::{audit, input};

/// Seconds a job waits until it counts as one priority more urgent, unless the queue says otherwise.
const AGE_STEP_S: i32 = 60;

/// How deep queues are and how fast they move; pause, resume, settings
#[derive(Args, Debug)]
pub(crate) struct Queues {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List queues and what is paused (the default)
    Ls,
    /// Start nothing of a queue, a kind or a tenant any more; what runs goes on
    Pause {
        #[command(flatten)]
        subject: Subject,
        /// Why, for whoever wonders
        #[arg(long)]
        reason: String,
        /// Lifted by itself after so long
        #[arg(long = "for", value_name = "DURATION", value_parser = input::duration)]
        length: Option<Duration>,
    },
    /// End a pause
    Resume {
        #[command(flatten)]
        subject: Subject,
    },
    /// Set how deep a queue may get, and how fast its waiting jobs age
    Set {
        /// The queue
        queue: String,
        /// Live jobs past which enqueue answers "queue full"; left out: no maximum
        #[arg(long, value_name = "N")]
        max_depth: Option<i32>,
        /// A job that waited this long counts as one priority more urgent
        #[arg(long, value_name = "SECONDS", default_value_t = AGE_STEP_S)]
        age_step: i32,
    },
}

/// What is paused or resumed.
#[derive(Args, Debug)]
#[group(id = "subject", required = true, multiple = false)]
struct Subject {
    /// A queue
    queue: Option<String>,
    /// A kind instead of a queue
    #[arg(long)]
    kind: Option<String>,
    /// A tenant instead of a queue
    #[arg(long)]
    tenant: Option<TenantId>,
}

impl Subject {
    fn named(self) -> (PauseScope, String) {
        match (self.queue, self.kind, self.tenant) {
            (Some(queue), ..) => (PauseScope::Queue, queue),
            (_, Some(kind), _) => (PauseScope::Kind, kind),
            (.., Some(tenant)) => (PauseScope::Tenant, tenant.to_string()),
            (None, None, None) => unreachable!("clap requires one of them"),
        }
    }
}

impl Queues {
    pub(crate) async fn run(self, out: Out) -> anyhow::Result<ExitCode> {
        let database = self.target.connect().await?;
        match self.action.unwrap_or(Action::Ls) {
            Action::Ls => list(&database, out).await?,
            Action::Pause {
                subject,
                reason,
                length,
            } => {
                pause_it(&database, subject.named(), &reason, length, out).await?;
            }
            Action::Resume { subject } => resume_it(&database, subject.named(), out).await?,
            Action::Set {
                queue,
                max_depth,
                age_step,
            } => set(&database, &queue, max_depth, age_step, out).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn list(database: &Database, out: Out) -> anyhow::Result<()> {
    let mut tx = database.begin().await?;
    let now = now(&mut tx).await?;
    let queues = list_queues(&mut tx, None).await?;
    let pauses = list_pauses(&mut tx).await?;
    out.answer(&json!({ "queues": queues, "pauses": pauses }), |page| {
        draw::queues(page, &queues, &pauses, now);
    })?;
    Ok(())
}

async fn pause_it(
    database: &Database,
    (scope, name): (PauseScope, String),
    reason: &str,
    length: Option<Duration>,
    out: Out,
) -> anyhow::Result<()> {
    let mut tx = database.begin().await?;
    let until = match length {
        Some(length) => Some(now(&mut tx).await? + length),
        None => None,
    };
    let by = audit::actor();
    pause(
        &mut tx,
        Pause {
            scope,
            name: &name,
            reason,
            by: &by,
            until,
        },
    )
    .await?;
    audit::record(
        &mut tx,
        &format!("{}.pause", scope.as_str()),
        &name,
        Some(reason),
    )
    .await?;
    tx.commit().await?;
    let said = json!({ "scope": scope, "name": name, "until": until });
    out.answer(&said, |page| {
        page.line(format_args!(
            "{} {name} is paused; what runs goes on",
            scope.as_str()
        ));
    })?;
    Ok(())
}

async fn resume_it(
    database: &Database,
    (scope, name): (PauseScope, String),
    out: Out,
) -> anyhow::Result<()> {
    let mut tx = database.begin().await?;
    if !resume(&mut tx, scope, &name).await? {
        bail!(
            "{} {name} is not paused; `fleet queues` shows what is",
            scope.as_str()
        );
    }
    audit::record(&mut tx, &format!("{}.resume", scope.as_str()), &name, None).await?;
    tx.commit().await?;
    database
        .wake(&queues_of(database, scope, &name).await?)
        .await;
    let said = json!({ "scope": scope, "name": name });
    out.answer(&said, |page| {
        page.line(format_args!("{} {name} goes on", scope.as_str()));
    })?;
    Ok(())
}

/// Queues whose sleepers may have work now.
async fn queues_of(
    database: &Database,
    scope: PauseScope,
    name: &str,
) -> anyhow::Result<Vec<String>> {
    if scope == PauseScope::Queue {
        return Ok(vec![name.to_owned()]);
    }
    let mut conn = database.db().acquire("wake.slept_for").await?;
    let mut queues: Vec<String> = wake::slept_for(&mut conn)
        .await?
        .into_iter()
        .map(|(queue, _)| queue)
        .collect();
    queues.dedup();
    Ok(queues)
}

async fn set(
    database: &Database,
    queue: &str,
    max_depth: Option<i32>,
    age_step_s: i32,
    out: Out,
) -> anyhow::Result<()> {
    let mut tx = database.begin().await?;
    set_queue(&mut tx, queue, max_depth, age_step_s).await?;
    audit::record(&mut tx, "queue.set", queue, None).await?;
    tx.commit().await?;
    let said = json!({ "queue": queue, "max_depth": max_depth, "age_step_s": age_step_s });
    out.answer(&said, |page| {
        page.line(format_args!("queue {queue} is set"));
    })?;
    Ok(())
}
