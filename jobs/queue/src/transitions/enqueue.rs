//! Enqueue: hands jobs to the fleet, in the caller's transaction. Upholds I3, I5, I6, I9.
//!
//! The work is `fleet.enqueue_many`, the same that `fleet.enqueue()` in SQL calls, so both doors behave alike.
//! It takes a connection and never the pool: the jobs commit with their cause.
//! Waking a worker is the caller's, after the commit: see [`crate::wake`].

use std::borrow::Borrow;

use sqlx::PgConnection;

use crate::circle::refuse_circles;
use crate::new_job::BATCH_MAX;
use crate::{Error, JobId, JobState, NewJob};

/// What became of one job of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enqueued {
    /// The new job; or the one that holds its unique key.
    pub id: JobId,
    /// What was done.
    pub outcome: EnqueueOutcome,
    /// State of the job `id` names; `None` where nothing was enqueued.
    pub state: Option<JobState>,
}

/// What enqueue did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnqueueOutcome {
    /// A new job.
    Inserted,
    /// The existing job with the unique key stands for it.
    Duplicate,
    /// The existing job has its payload now.
    Replaced,
    /// The existing job has its `run_at` now.
    Pushed,
    /// Refused: the queue has reached its maximum depth.
    QueueFull,
}

/// Enqueues one job.
pub async fn enqueue(conn: &mut PgConnection, job: &NewJob) -> Result<Enqueued, Error> {
    let mut answers = enqueue_many(conn, std::slice::from_ref(job)).await?;
    Ok(answers.pop().expect("one answer a job"))
}

/// Enqueues many in one statement; one answer a job, in order. A duplicate or a full queue never fails the batch.
pub async fn enqueue_many(
    conn: &mut PgConnection,
    jobs: &[NewJob],
) -> Result<Vec<Enqueued>, Error> {
    if jobs.len() > BATCH_MAX {
        let problem = format!("has {} jobs, at most {BATCH_MAX} are allowed", jobs.len());
        return Err(Error::Invalid {
            field: "jobs",
            problem,
        });
    }
    for job in jobs {
        job.check()?;
    }
    refuse_circles(jobs)?;
    let mut answers = send(conn, jobs).await?;
    // The holder of a unique key may end between the insert that met it and the look at it: then there is room, so once more.
    for _ in 0..5 {
        let again: Vec<usize> = (0..jobs.len()).filter(|&n| answers[n].is_none()).collect();
        if again.is_empty() {
            break;
        }
        let retried: Vec<NewJob> = again.iter().map(|&n| jobs[n].clone()).collect();
        for (n, answer) in again.into_iter().zip(send(conn, &retried).await?) {
            answers[n] = answer;
        }
    }
    let answered = answers
        .into_iter()
        .zip(jobs)
        .map(|(answer, job)| answer.ok_or_else(|| Error::unseen(job)));
    answered.collect()
}

/// One call; `None` where the holder of the unique key vanished meanwhile.
async fn send(conn: &mut PgConnection, jobs: &[NewJob]) -> Result<Vec<Option<Enqueued>>, Error> {
    let columns = Columns::of(jobs);
    let rows = sqlx::query_as!(
        Answer,
        r#"-- queue.enqueue
        SELECT ord AS "ord!", id AS "id!", outcome AS "outcome!", state::text AS state
        FROM fleet.enqueue_many($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"#,
        &columns.ids,
        &columns.tenants,
        &columns.kinds as &[&str],
        &columns.versions,
        &columns.queues as &[&str],
        &columns.priorities,
        &columns.max_attempts,
        &columns.timeouts,
        &columns.run_ats as &[Option<chrono::DateTime<chrono::Utc>>],
        &columns.payloads as &[&serde_json::Value],
        &columns.options as &[Option<serde_json::Value>],
    )
    .fetch_all(conn)
    .await
    .map_err(Error::database("queue.enqueue"))?;
    assert_eq!(rows.len(), jobs.len(), "enqueue_many answers for every job");
    Ok(Answer::for_each(rows))
}

/// A row of `fleet.enqueue_many`'s answer.
#[derive(Debug)]
pub struct Answer {
    /// Which job of the call, from 1.
    pub ord: i64,
    /// The job that stands for it.
    pub id: uuid::Uuid,
    /// inserted, duplicate, replaced, pushed, queue full; or again, where the holder of the unique key vanished meanwhile.
    pub outcome: String,
    /// The state of the job that stands for it.
    pub state: Option<String>,
}

impl Answer {
    /// What became of each job, in their order; `None` where it must be tried again.
    #[must_use]
    pub fn for_each(mut rows: Vec<Self>) -> Vec<Option<Enqueued>> {
        rows.sort_unstable_by_key(|row| row.ord);
        rows.into_iter().map(Self::into_enqueued).collect()
    }

    fn into_enqueued(self) -> Option<Enqueued> {
        let outcome = outcome(&self.outcome)?;
        let state = self
            .state
            .map(|s| s.parse().expect("the database knows the same states"));
        let id = JobId(self.id);
        Some(Enqueued { id, outcome, state })
    }
}

fn outcome(word: &str) -> Option<EnqueueOutcome> {
    match word {
        "inserted" => Some(EnqueueOutcome::Inserted),
        "duplicate" => Some(EnqueueOutcome::Duplicate),
        "replaced" => Some(EnqueueOutcome::Replaced),
        "pushed" => Some(EnqueueOutcome::Pushed),
        "queue full" => Some(EnqueueOutcome::QueueFull),
        _ => None,
    }
}

/// Jobs by column, as `fleet.enqueue_many` takes them.
#[derive(Debug)]
pub struct Columns<'a> {
    pub ids: Vec<uuid::Uuid>,
    pub tenants: Vec<uuid::Uuid>,
    pub kinds: Vec<&'a str>,
    pub versions: Vec<i16>,
    pub queues: Vec<&'a str>,
    pub priorities: Vec<i16>,
    pub max_attempts: Vec<i16>,
    pub timeouts: Vec<i32>,
    pub run_ats: Vec<Option<chrono::DateTime<chrono::Utc>>>,
    pub payloads: Vec<&'a serde_json::Value>,
    pub options: Vec<Option<serde_json::Value>>,
}

impl<'a> Columns<'a> {
    /// These jobs.
    pub fn of(jobs: &'a [impl Borrow<NewJob>]) -> Self {
        let jobs = || jobs.iter().map(Borrow::borrow);
        Self {
            ids: jobs().map(|job| job.id.0).collect(),
            tenants: jobs().map(|job| job.tenant.0).collect(),
            kinds: jobs().map(|job| job.kind.as_str()).collect(),
            versions: jobs().map(|job| job.version).collect(),
            queues: jobs().map(|job| job.queue.as_str()).collect(),
            priorities: jobs().map(|job| job.priority).collect(),
            max_attempts: jobs().map(|job| job.max_attempts).collect(),
            timeouts: jobs().map(|job| job.timeout.as_millis() as i32).collect(),
            run_ats: jobs().map(|job| job.run_at).collect(),
            payloads: jobs().map(|job| &job.payload).collect(),
            options: jobs().map(|job| job.rare.to_json()).collect(),
        }
    }
}
