//! `fleet jobs show ID`: everything the database knows of a job.

use std::process::ExitCode;

use anyhow::anyhow;
use chrono::{DateTime, Utc};
use fleet_queue::read::{
    AttemptRow, JobDetail, LogRow, StepRow, find_attempts, find_job, find_logs, find_steps,
};
use fleet_queue::{JobId, TenantId};
use serde::Serialize;

use crate::database::{Database, now};
use crate::output::{Cell, Hue, Out, Page, Table, ago, span, state_hue, until};

/// Attempts and log lines shown; the newest.
const MOST_PARTS: i64 = 50;

/// A job with its parts.
#[derive(Debug, Serialize)]
struct Whole {
    #[serde(flatten)]
    job: JobDetail,
    attempts: Vec<AttemptRow>,
    steps: Vec<StepRow>,
    logs: Vec<LogRow>,
}

pub(super) async fn show(database: &Database, id: JobId, out: Out) -> anyhow::Result<ExitCode> {
    let mut tx = database.begin().await?;
    let now = now(&mut tx).await?;
    let job = find_job(&mut tx, id).await?.ok_or_else(|| unknown(id))?;
    let attempts = find_attempts(&mut tx, id, MOST_PARTS).await?;
    let steps = find_steps(&mut tx, id).await?;
    let logs = find_logs(&mut tx, id, MOST_PARTS).await?;
    let whole = Whole {
        job,
        attempts,
        steps,
        logs,
    };
    out.answer(&whole, |page| draw(page, &whole, now))?;
    Ok(ExitCode::SUCCESS)
}

/// The refusal that every command about one job gives.
pub(in crate::commands) fn unknown(id: JobId) -> anyhow::Error {
    anyhow!(
        "there is no job {id}; it may be past its retention (`fleet jobs ls` lists those there are)"
    )
}

fn draw(page: &mut Page, whole: &Whole, now: DateTime<Utc>) {
    let job = &whole.job;
    page.heading(&format!("{} {}", job.kind, job.id));
    page.field_hued("state", state_hue(job.state), job.state);
    page.field_if("because", job.reason.as_deref());
    draw_times(page, job, now);
    page.field(
        "queue",
        format_args!("{}, priority {}", job.queue, job.priority),
    );
    page.field("attempts", attempts(job));
    if job.tenant_id != TenantId::PLATFORM {
        page.field("tenant", job.tenant_id);
    }
    draw_rare(page, job);
    page.field_if("progress", job.progress.as_ref());
    if let Some(error) = &job.error {
        page.field_hued("error", Hue::Red, error);
    }
    page.field("payload", &job.payload);
    page.field_if("output", job.output.as_ref());
    draw_parts(page, whole, now);
}

fn draw_times(page: &mut Page, job: &JobDetail, now: DateTime<Utc>) {
    page.field("enqueued", until(now, job.created_at));
    if job.run_at != job.created_at {
        page.field("due", until(now, job.run_at));
    }
    page.field_if("started", job.started_at.map(|at| until(now, at)));
    if let Some(finished) = job.finished_at {
        let took = job
            .started_at
            .and_then(|started| (finished - started).to_std().ok());
        let took = took.map_or(String::new(), |took| format!(", took {}", span(took)));
        page.field("finished", until(now, finished) + &took);
    }
    page.field_if("expires", job.expires_at.map(|at| until(now, at)));
    page.field_if(
        "cancel asked",
        job.cancel_requested_at.map(|at| until(now, at)),
    );
}

fn attempts(job: &JobDetail) -> String {
    let counted = [
        (i32::from(job.crashes), "crashes"),
        (job.snoozes, "snoozes"),
    ];
    let rare = counted
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!(", {n} {what}"));
    rare.fold(
        format!("{} of {}", job.attempt, job.max_attempts),
        |said, more| said + &more,
    )
}

fn draw_rare(page: &mut Page, job: &JobDetail) {
    page.field_if("worker", job.worker_id);
    page.field_if("unique key", job.unique_key.as_deref());
    if let (Some(key), Some(limit)) = (&job.concurrency_key, job.concurrency_limit) {
        page.field(
            "concurrency",
            format_args!("at most {limit} with \"{key}\""),
        );
    }
    if job.blockers > 0 {
        page.field(
            "waits for",
            format_args!("{} jobs (`fleet why {}`)", job.blockers, job.id),
        );
    }
    page.field_if("parent", job.parent_id);
    page.field_if("step", job.step.as_deref());
    page.field_if("trace", job.traceparent.as_deref());
    if !job.tags.is_empty() {
        page.field("tags", job.tags.join(", "));
    }
    page.field_if("metadata", job.metadata.as_ref());
}

fn draw_parts(page: &mut Page, whole: &Whole, now: DateTime<Utc>) {
    if !whole.attempts.is_empty() {
        page.heading("Attempts that did not simply succeed");
        let mut table = Table::new(&[">ATTEMPT", "OUTCOME", "ENDED", "ERROR"]);
        for attempt in &whole.attempts {
            table.row([
                attempt.attempt.to_string().into(),
                attempt.outcome.as_str().into(),
                ago(now, attempt.ended_at).into(),
                Cell::new(
                    Hue::Red,
                    first_line(attempt.error.as_deref().unwrap_or_default()),
                ),
            ]);
        }
        page.table(&table, "");
    }
    if !whole.steps.is_empty() {
        page.heading("Finished steps");
        for step in &whole.steps {
            page.field(&step.name, &step.result);
        }
    }
    if !whole.logs.is_empty() {
        page.heading("Log");
        for line in &whole.logs {
            page.line(format_args!(
                "{} {:5} {}",
                line.at.format("%H:%M:%S%.3f"),
                line.level,
                line.message
            ));
        }
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
