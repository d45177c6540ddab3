//! `fleet jobs ls --follow`: jobs as they come and as they change, until Ctrl-C.
//!
//! It looks at the newest jobs again and again: an older one that changes is not told, and of a flood only what is newest.
//! `fleet jobs watch` follows one job, whatever its age.

use std::collections::HashMap;
use std::convert::Infallible;
use std::time::Duration;

use chrono::{DateTime, Utc};
use fleet_queue::read::{JobFilter, JobSummary, PAGE_MAX, list_jobs};
use fleet_queue::{JobId, JobState};

use super::ls;
use crate::database::{Database, now};
use crate::output::Out;

const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What a change is told by.
type Standing = (JobState, i16, i16);

fn standing(job: &JobSummary) -> Standing {
    (job.state, job.attempt, job.crashes)
}

/// Tells of the newest `limit` jobs and then of every change; ends only with an error.
pub(super) async fn follow(
    database: &Database,
    filter: &JobFilter,
    limit: i64,
    out: Out,
) -> anyhow::Result<Infallible> {
    out.note("jobs are shown as they come; Ctrl-C ends this");
    let mut known = HashMap::new();
    let mut widths = Vec::new();
    let mut limit = limit;
    loop {
        let (jobs, now) = look(database, filter, limit).await?;
        let is_flood = !known.is_empty() && !jobs.iter().any(|job| known.contains_key(&job.id));
        let news = news(&jobs, &known);
        if is_flood && news.len() as i64 == limit {
            out.note("… more came than are shown");
        }
        tell(&news, now, &mut widths, out)?;
        known = jobs.iter().map(|job| (job.id, standing(job))).collect();
        limit = PAGE_MAX;
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn look(
    database: &Database,
    filter: &JobFilter,
    limit: i64,
) -> anyhow::Result<(Vec<JobSummary>, DateTime<Utc>)> {
    let mut tx = database.begin().await?;
    let now = now(&mut tx).await?;
    let page = list_jobs(&mut tx, filter, None, limit).await?;
    Ok((page.jobs, now))
}

/// Jobs that are new or stand otherwise than before, oldest first, as one reads.
fn news<'a>(jobs: &'a [JobSummary], known: &HashMap<JobId, Standing>) -> Vec<&'a JobSummary> {
    // After the first look, what is older than all that was shown then is no news.
    let oldest = known.keys().min().copied();
    let is_news = |job: &&JobSummary| match known.get(&job.id) {
        Some(before) => *before != standing(job),
        None => oldest.is_none_or(|oldest| job.id > oldest),
    };
    jobs.iter().rev().filter(is_news).collect()
}

fn tell(
    news: &[&JobSummary],
    now: DateTime<Utc>,
    widths: &mut Vec<usize>,
    out: Out,
) -> anyhow::Result<()> {
    if out.is_json() {
        for job in news {
            Out::json_line(job)?;
        }
        return Ok(());
    }
    if news.is_empty() {
        return Ok(());
    }
    let table = ls::table(news.iter().copied(), now);
    out.answer(&(), |page| page.table_more(&table, widths))?;
    Ok(())
}
