//! `fleet jobs watch ID`: follows a job until it ends, with its progress and its log.

use std::process::ExitCode;
use std::time::Duration;

use chrono::{DateTime, Utc};
use fleet_queue::read::{JobDetail, LogRow, find_job, find_logs};
use fleet_queue::transitions::enqueue::enqueue;
use fleet_queue::{JobId, JobState, NewJob};
use indicatif::ProgressBar;
use serde_json::{Value, json};
use sqlx::{Postgres, Transaction};
use tokio::time::Instant;

use super::show::unknown;
use crate::database::Database;
use crate::output::{Hue, Out, span, state_hue};

/// Handlers write progress at most twice a second.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// While a job may end any moment, its end is told soon.
const LOOK_FIRST: Duration = Duration::from_millis(20);
/// A job that has not started by then has a reason that a person may want to know.
const PATIENCE: Duration = Duration::from_secs(3);
/// Log lines read at a time.
const MOST_LINES: i64 = 1000;

pub(super) async fn watch(database: &Database, id: JobId, out: Out) -> anyhow::Result<ExitCode> {
    let view = View {
        tell_programs: true,
        ..View::new(out)
    };
    let job = follow_with(database, id, view).await?;
    tell_end(&job, out)
}

/// Says how a job ended; the exit code is 0 only where it completed.
pub(in crate::commands) fn tell_end(job: &JobDetail, out: Out) -> anyhow::Result<ExitCode> {
    out.answer(job, |page| {
        let length = job
            .finished_at
            .zip(job.started_at)
            .and_then(|(end, start)| (end - start).to_std().ok());
        let length = length.map_or(String::new(), |length| format!(" in {}", span(length)));
        page.hued(state_hue(job.state), format_args!("{}{length}", job.state));
        page.field_if("because", job.reason.as_deref());
        if let Some(error) = &job.error {
            page.field_hued("error", Hue::Red, error);
        }
        page.field_if("output", job.output.as_ref());
    })?;
    Ok(match job.state {
        JobState::Completed => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

/// Enqueues a job and follows it; false where it did not complete, which is told.
pub(in crate::commands) async fn run_job(
    database: &Database,
    mut tx: Transaction<'_, Postgres>,
    job: &NewJob,
    out: Out,
) -> anyhow::Result<bool> {
    let answer = enqueue(&mut tx, job).await?;
    tx.commit().await?;
    database.wake(std::slice::from_ref(&job.queue)).await;
    let ended = follow(database, answer.id, out).await?;
    if ended.state == JobState::Completed {
        return Ok(true);
    }
    tell_end(&ended, out)?;
    Ok(false)
}

/// Waits for a job's end, drawing its progress for a person.
pub(in crate::commands) async fn follow(
    database: &Database,
    id: JobId,
    out: Out,
) -> anyhow::Result<JobDetail> {
    follow_with(database, id, View::new(out)).await
}

async fn follow_with(database: &Database, id: JobId, mut view: View) -> anyhow::Result<JobDetail> {
    let begun = Instant::now();
    let mut pause = LOOK_FIRST;
    loop {
        let (job, logs) = look(database, id).await?;
        view.show(&job, &logs)?;
        if job.state.is_terminal() {
            view.bar.finish_and_clear();
            return Ok(job);
        }
        if begun.elapsed() > PATIENCE && job.started_at.is_none() {
            view.wonder(id);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LOOK_EVERY);
    }
}

async fn look(database: &Database, id: JobId) -> anyhow::Result<(JobDetail, Vec<LogRow>)> {
    let mut tx = database.begin().await?;
    let job = find_job(&mut tx, id).await?.ok_or_else(|| unknown(id))?;
    let logs = find_logs(&mut tx, id, MOST_LINES).await?;
    Ok((job, logs))
}

/// What was shown last, so that only what is new is shown.
struct View {
    out: Out,
    bar: ProgressBar,
    last: Value,
    last_line: Option<(DateTime<Utc>, i32)>,
    /// A program that asked to watch gets a line for each change; one that waits gets the end alone.
    tell_programs: bool,
    wondered: bool,
}

impl View {
    fn new(out: Out) -> Self {
        Self {
            out,
            bar: out.progress().bar("", 0),
            last: Value::Null,
            last_line: None,
            tell_programs: false,
            wondered: false,
        }
    }

    fn show(&mut self, job: &JobDetail, logs: &[LogRow]) -> anyhow::Result<()> {
        let place = |line: &LogRow| (line.at, line.seq);
        let known = logs.partition_point(|line| Some(place(line)) <= self.last_line);
        let new = &logs[known..];
        self.last_line = new.last().map(place).or(self.last_line);
        let seen = json!({ "state": job.state, "attempt": job.attempt, "progress": job.progress });
        if self.out.is_json() {
            return if self.tell_programs {
                self.show_json(job, new, seen)
            } else {
                Ok(())
            };
        }
        for line in new {
            self.bar.suspend(|| {
                self.out
                    .note(format_args!("{:5} {}", line.level, line.message));
            });
        }
        self.draw(job);
        Ok(())
    }

    fn show_json(&mut self, job: &JobDetail, new: &[LogRow], seen: Value) -> anyhow::Result<()> {
        for line in new {
            Out::json_line(&json!({ "id": job.id, "log": line }))?;
        }
        if seen != self.last && !job.state.is_terminal() {
            let mut change = seen.clone();
            change["id"] = json!(job.id);
            Out::json_line(&change)?;
        }
        self.last = seen;
        Ok(())
    }

    /// Says once where to ask why nothing happens.
    fn wonder(&mut self, id: JobId) {
        if !self.wondered {
            let hint = format!("it has not started yet; `fleet why {id}` says why");
            self.bar.suspend(|| self.out.note(hint));
        }
        self.wondered = true;
    }

    fn draw(&self, job: &JobDetail) {
        let number = |name: &str| {
            job.progress
                .as_ref()
                .and_then(|progress| progress[name].as_u64())
        };
        self.bar.set_prefix(format!(
            "{} {} (attempt {})",
            job.kind, job.state, job.attempt
        ));
        self.bar.set_length(number("total").unwrap_or(0));
        self.bar.set_position(number("done").unwrap_or(0));
        let note = job
            .progress
            .as_ref()
            .and_then(|progress| progress["note"].as_str());
        self.bar.set_message(note.unwrap_or_default().to_owned());
    }
}
