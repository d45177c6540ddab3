//! `fleet jobs ls`: jobs by page, newest first.

use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::Args;
use fleet_queue::read::{JobFilter, JobPage, JobSummary, PAGE_MAX, list_jobs};
use fleet_queue::{JobId, JobState, TenantId, WorkerId};

use super::follow;
use crate::database::{Database, now};
use crate::input;
use crate::output::{Cell, Hue, Out, Page, Table, ago, span, state_hue};

/// Which jobs.
#[derive(Args, Debug)]
pub(super) struct Ls {
    /// Only these states, by comma
    #[arg(long, value_delimiter = ',')]
    state: Vec<JobState>,
    /// Only this kind
    #[arg(long)]
    kind: Option<String>,
    /// Only this queue
    #[arg(long)]
    queue: Option<String>,
    /// Only this tenant
    #[arg(long)]
    tenant: Option<TenantId>,
    /// Only with this tag
    #[arg(long)]
    tag: Option<String>,
    /// Only what this worker runs, or ran last
    #[arg(long)]
    worker: Option<WorkerId>,
    /// Only the children of this job
    #[arg(long, value_name = "ID")]
    parent: Option<JobId>,
    /// Only what was enqueued so recently, such as 1h
    #[arg(long, value_name = "AGE", value_parser = input::duration)]
    since: Option<std::time::Duration>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(i64).range(1..=PAGE_MAX))]
    limit: i64,
    /// The page after this job
    #[arg(long, value_name = "ID")]
    after: Option<JobId>,
    /// Go on with jobs as they come and change, oldest first, until Ctrl-C
    #[arg(long, short, conflicts_with = "after")]
    follow: bool,
}

impl Ls {
    pub(super) async fn run(self, database: &Database, out: Out) -> anyhow::Result<ExitCode> {
        let mut tx = database.begin().await?;
        let now = now(&mut tx).await?;
        let (after, limit, follows) = (self.after, self.limit, self.follow);
        let filter = self.filter(now);
        if follows {
            drop(tx);
            match follow::follow(database, &filter, limit, out).await? {}
        }
        let page = list_jobs(&mut tx, &filter, after, limit).await?;
        out.answer(&page, |text| draw(text, &page, now))?;
        Ok(ExitCode::SUCCESS)
    }

    fn filter(self, now: DateTime<Utc>) -> JobFilter {
        JobFilter {
            states: self.state,
            kind: self.kind,
            queue: self.queue,
            tenant: self.tenant,
            tag: self.tag,
            worker: self.worker,
            parent: self.parent,
            created_from: self.since.map(|since| now - since),
            created_to: None,
        }
    }
}

fn draw(text: &mut Page, page: &JobPage, now: DateTime<Utc>) {
    text.table(&table(page.jobs.iter(), now), "no jobs");
    if let Some(cursor) = page.next_cursor {
        text.hued(Hue::Dim, format_args!("more: --after {cursor}"));
    }
}

pub(super) fn table<'a>(jobs: impl Iterator<Item = &'a JobSummary>, now: DateTime<Utc>) -> Table {
    let mut table = Table::new(&[
        "ID", "KIND", "QUEUE", "STATE", ">ATTEMPT", "ENQUEUED", "THEN",
    ]);
    for job in jobs {
        table.row([
            job.id.to_string().into(),
            job.kind.as_str().into(),
            job.queue.as_str().into(),
            Cell::new(state_hue(job.state), job.state.as_str()),
            format!("{}/{}", job.attempt, job.max_attempts).into(),
            ago(now, job.created_at).into(),
            Cell::new(Hue::Dim, then(job, now)),
        ]);
    }
    table
}

/// What became of a job, or will, in a few words.
fn then(job: &JobSummary, now: DateTime<Utc>) -> String {
    let crashed = match job.crashes {
        0 => String::new(),
        n => format!(", crashed {n}x"),
    };
    let told = match (job.state, job.started_at, job.finished_at) {
        (JobState::Scheduled, ..) => format!("due {}", ago(now, job.run_at)),
        (JobState::Running, Some(started), _) => format!("started {}", ago(now, started)),
        (JobState::Completed, Some(started), Some(finished)) => {
            format!(
                "took {}",
                span((finished - started).to_std().unwrap_or_default())
            )
        }
        _ => job.reason.clone().unwrap_or_default(),
    };
    told + &crashed
}
