//! Enqueue: hands jobs to the fleet, in the caller's transaction. Upholds I3, I5, I6, I9.
//!
//! The work is `fleet.enqueue_many`, the same that `fleet.enqueue()` in SQL calls, so both doors behave alike.
//! It takes a connection and never the pool: the jobs commit with their cause.
//! Waking a worker is the caller's, after the commit: see [`crate::wake`].

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
        .map(|(answer, job)| answer.ok_or_else(|| unseen(job)));
    answered.collect()
}

fn unseen(job: &NewJob) -> Error {
    let key = job
        .rare
        .unique
        .as_ref()
        .map(|unique| unique.key.clone())
        .unwrap_or_default();
    Error::UniqueKeyUnseen { key }
}

/// One call; `None` where the holder of the unique key vanished meanwhile.
async fn send(conn: &mut PgConnection, jobs: &[NewJob]) -> Result<Vec<Option<Enqueued>>, Error> {
    let columns = Columns::of(jobs);
    let rows = sqlx::query!(
        r#"-- queue.enqueue
        SELECT id AS "id!", outcome AS "outcome!", state::text AS state
        FROM fleet.enqueue_many($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ORDER BY ord"#,
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
    Ok(rows
        .into_iter()
        .map(|row| {
            let outcome = outcome(&row.outcome)?;
            let state = row
                .state
                .map(|s| s.parse().expect("the database knows the same states"));
            Some(Enqueued {
                id: JobId(row.id),
                outcome,
                state,
            })
        })
        .collect())
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

/// The batch by column, as the statement takes it.
struct Columns<'a> {
    ids: Vec<uuid::Uuid>,
    tenants: Vec<uuid::Uuid>,
    kinds: Vec<&'a str>,
    versions: Vec<i16>,
    queues: Vec<&'a str>,
    priorities: Vec<i16>,
    max_attempts: Vec<i16>,
    timeouts: Vec<i32>,
    run_ats: Vec<Option<chrono::DateTime<chrono::Utc>>>,
    payloads: Vec<&'a serde_json::Value>,
    options: Vec<Option<serde_json::Value>>,
}

impl<'a> Columns<'a> {
    fn of(jobs: &'a [NewJob]) -> Self {
        Self {
            ids: jobs.iter().map(|job| job.id.0).collect(),
            tenants: jobs.iter().map(|job| job.tenant.0).collect(),
            kinds: jobs.iter().map(|job| job.kind.as_str()).collect(),
            versions: jobs.iter().map(|job| job.version).collect(),
            queues: jobs.iter().map(|job| job.queue.as_str()).collect(),
            priorities: jobs.iter().map(|job| job.priority).collect(),
            max_attempts: jobs.iter().map(|job| job.max_attempts).collect(),
            timeouts: jobs
                .iter()
                .map(|job| job.timeout.as_millis() as i32)
                .collect(),
            run_ats: jobs.iter().map(|job| job.run_at).collect(),
            payloads: jobs.iter().map(|job| &job.payload).collect(),
            options: jobs.iter().map(|job| job.rare.to_json()).collect(),
        }
    }
}
