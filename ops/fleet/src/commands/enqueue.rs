//! `fleet enqueue KIND [PAYLOAD]`: hands a job to the fleet; with `--wait` stays until it ends.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};
use fleet_queue::transitions::enqueue::enqueue;
use fleet_queue::{
    Concurrency, EnqueueOutcome, Enqueued, JobId, NewJob, OnDuplicate, Rare, TenantId, Unique,
    UniqueScope,
};
use serde_json::json;
use sqlx::PgConnection;

use super::jobs::{follow, tell_end};
use super::kinds::{KindRow, find_kind};
use crate::database::{Target, now};
use crate::output::Out;
use crate::{audit, input};

/// Hand a job to the fleet
#[derive(Args, Debug)]
pub(crate) struct Enqueue {
    #[command(flatten)]
    target: Target,
    /// What to do; `fleet kinds` lists the kinds
    kind: String,
    /// What with: JSON, @FILE, or - for standard input
    #[arg(default_value = "{}")]
    payload: String,
    /// Its queue [default: the kind's]
    #[arg(long)]
    queue: Option<String>,
    /// 0 most urgent to 3 least [default: the kind's]
    #[arg(long, value_name = "N")]
    priority: Option<i16>,
    /// Not before so long has passed, such as 5m
    #[arg(long = "in", value_name = "DURATION", value_parser = input::duration, conflicts_with = "at")]
    after: Option<Duration>,
    /// Not before a time
    #[arg(long, value_name = "TIME", value_parser = input::time)]
    at: Option<DateTime<Utc>>,
    /// Not started within so long: discarded
    #[arg(long, value_name = "DURATION", value_parser = input::duration)]
    expires_in: Option<Duration>,
    /// At most one live job with the same key
    #[arg(long, value_name = "KEY")]
    unique: Option<String>,
    /// How long the unique key holds: until the job ends, until it is started, or so long
    #[arg(
        long,
        value_name = "live|started|DURATION",
        requires = "unique",
        default_value = "live"
    )]
    unique_for: String,
    /// What is done where the key is taken
    #[arg(long, requires = "unique", default_value = "return")]
    on_duplicate: Duplicate,
    /// At most so many running with the same key; in order where N is 1
    #[arg(long, value_name = "KEY=N", value_parser = input::name_and_number)]
    concurrency: Option<(String, usize)>,
    /// Whose it is [default: the platform's]
    #[arg(long)]
    tenant: Option<TenantId>,
    /// Attempts before it is discarded [default: the kind's]
    #[arg(long, value_name = "N")]
    max_attempts: Option<i16>,
    /// Longest an attempt may run [default: the kind's]
    #[arg(long, value_name = "DURATION", value_parser = input::duration)]
    timeout: Option<Duration>,
    /// A word to find it by; may be given again
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// JSON to keep with it
    #[arg(long, value_name = "JSON")]
    metadata: Option<String>,
    /// A job that must complete first; may be given again
    #[arg(long = "after", value_name = "ID")]
    depends_on: Vec<JobId>,
    /// Stay until it ends; exit code 0 only where it completed
    #[arg(long)]
    wait: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Duplicate {
    /// Answer with the existing job
    Return,
    /// Give the existing job this payload
    Replace,
    /// Move the existing job to this time
    Push,
}

impl From<Duplicate> for OnDuplicate {
    fn from(duplicate: Duplicate) -> Self {
        match duplicate {
            Duplicate::Return => Self::Return,
            Duplicate::Replace => Self::Replace,
            Duplicate::Push => Self::Push,
        }
    }
}

impl Enqueue {
    pub(crate) async fn run(self, out: Out) -> anyhow::Result<ExitCode> {
        let database = self.target.connect().await?;
        let mut tx = database.begin().await?;
        let job = self.job(&mut tx).await?;
        let answer = enqueue(&mut tx, &job).await?;
        if answer.outcome == EnqueueOutcome::QueueFull {
            bail!(
                "queue {} is full; try again in 5 s, or raise its depth with `fleet queues set`",
                job.queue
            );
        }
        audit::job(&mut tx, "job.enqueue", answer.id, None).await?;
        tx.commit().await?;
        database.wake(std::slice::from_ref(&job.queue)).await;
        if !self.wait {
            say(&answer, out)?;
            return Ok(ExitCode::SUCCESS);
        }
        out.note(format_args!("job {}", answer.id));
        let ended = follow(&database, answer.id, out).await?;
        tell_end(&ended, out)
    }

    /// The job, with its kind's defaults where nothing else was said.
    async fn job(&self, conn: &mut PgConnection) -> anyhow::Result<NewJob> {
        let kind = find_kind(conn, &self.kind)
            .await?
            .ok_or_else(|| unknown(&self.kind))?;
        let payload = input::payload(&self.payload)?;
        kind.check(&payload)?;
        let now = now(conn).await?;
        let KindRow {
            version,
            queue,
            priority,
            max_attempts,
            timeout_ms,
            ..
        } = kind;
        Ok(NewJob {
            id: JobId::generate(),
            tenant: self.tenant.unwrap_or(TenantId::PLATFORM),
            kind: self.kind.clone(),
            version,
            queue: self.queue.clone().unwrap_or(queue),
            priority: self.priority.unwrap_or(priority),
            max_attempts: self.max_attempts.unwrap_or(max_attempts),
            timeout: self
                .timeout
                .unwrap_or(Duration::from_millis(timeout_ms.unsigned_abs().into())),
            run_at: self.at.or(self.after.map(|after| now + after)),
            payload,
            rare: self.rare(now)?,
        })
    }

    fn rare(&self, now: DateTime<Utc>) -> anyhow::Result<Rare> {
        let metadata = self
            .metadata
            .as_deref()
            .map(serde_json::from_str)
            .transpose();
        let concurrency = self.concurrency.as_ref().map(|(key, limit)| {
            let limit = i16::try_from(*limit)
                .map_err(|_| anyhow!("--concurrency: at most {} may run", i16::MAX))?;
            anyhow::Ok(Concurrency {
                key: key.clone(),
                limit,
            })
        });
        Ok(Rare {
            expires_at: self.expires_in.map(|within| now + within),
            unique: self
                .unique
                .as_ref()
                .map(|key| self.unique(key))
                .transpose()?,
            concurrency: concurrency.transpose()?,
            tags: self.tags.clone(),
            metadata: metadata.context("--metadata is not JSON")?,
            depends_on: self.depends_on.clone(),
            ..Rare::default()
        })
    }

    fn unique(&self, key: &str) -> anyhow::Result<Unique> {
        let (scope, window_s) = match self.unique_for.as_str() {
            "live" => (UniqueScope::Live, None),
            "started" => (UniqueScope::Started, None),
            length => {
                let length = input::duration(length)
                    .map_err(|problem| anyhow!("--unique-for: {problem}, live or started"))?;
                (
                    UniqueScope::Window,
                    Some(u32::try_from(length.as_secs()).unwrap_or(u32::MAX)),
                )
            }
        };
        Ok(Unique {
            key: key.to_owned(),
            scope,
            window_s,
            on_duplicate: self.on_duplicate.into(),
        })
    }
}

fn unknown(kind: &str) -> anyhow::Error {
    anyhow!(
        "no kind \"{kind}\" is registered; `fleet kinds` lists those that are, and a worker registers its own when it starts"
    )
}

fn outcome(outcome: EnqueueOutcome) -> &'static str {
    match outcome {
        EnqueueOutcome::Inserted => "inserted",
        EnqueueOutcome::Duplicate => "duplicate",
        EnqueueOutcome::Replaced => "replaced",
        EnqueueOutcome::Pushed => "pushed",
        EnqueueOutcome::QueueFull => "queue full",
    }
}

fn say(answer: &Enqueued, out: Out) -> std::io::Result<()> {
    let done = outcome(answer.outcome);
    let said = json!({ "id": answer.id, "state": answer.state, "outcome": done });
    out.answer(&said, |page| {
        let state = answer.state.map_or("gone", |state| state.as_str());
        let how = match answer.outcome {
            EnqueueOutcome::Inserted => String::new(),
            _ => format!(" ({done}: its unique key was taken)"),
        };
        page.line(format_args!("job {} is {state}{how}", answer.id));
    })
}
