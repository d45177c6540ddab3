//! What a running handler has in hand. Everything it writes through here proves first that its claim still stands (I1).

use std::future::Future;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use sqlx::{PgConnection, PgPool};
use tokio_util::sync::CancellationToken;

use super::lent::Lent;
use super::outcome::{Done, JobError};
use crate::history::Event;
use crate::new_job::OUTPUT_BYTES_MAX;
use crate::transitions::progress::{self, LogLine, STEP_BYTES_MAX};
use crate::transitions::{enqueue, settle};
use crate::{Claim, Claimed, Db, Enqueued, NewJob, Outcome, Settled, TenantId};

/// Most lines of a job's log in one attempt.
pub const LOG_LINES_MAX: i32 = 1_000;
/// Most bytes of a job's log in one attempt.
pub const LOG_BYTES_MAX: usize = 256 << 10;
/// Progress is written at most this often.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);

/// The job, as its handler may know it.
pub type JobInfo = Claimed;

/// A handler's context: its job, its dependencies, the database.
#[derive(Clone)]
pub struct Cx<D> {
    deps: D,
    inner: Arc<Inner>,
}

struct Inner {
    db: Db,
    job: Arc<JobInfo>,
    // Behind a lock only because a handler may settle in its own transaction, which takes the claim.
    claim: Arc<tokio::sync::Mutex<Option<Claim>>>,
    cancelled: CancellationToken,
    lines: AtomicI32,
    bytes: AtomicUsize,
    last_progress: Mutex<Option<tokio::time::Instant>>,
}

impl Cx<()> {
    /// A context for a claimed job; the worker keeps the other half of `claim`, to settle with it.
    #[must_use]
    pub fn new(
        db: Db,
        job: Arc<JobInfo>,
        claim: Arc<tokio::sync::Mutex<Option<Claim>>>,
        cancelled: CancellationToken,
    ) -> Self {
        let inner = Inner {
            db,
            job,
            claim,
            cancelled,
            lines: AtomicI32::new(0),
            bytes: AtomicUsize::new(0),
            last_progress: Mutex::new(None),
        };
        Self {
            deps: (),
            inner: Arc::new(inner),
        }
    }

    /// The same with a kind's dependencies.
    #[must_use]
    pub fn with_deps<D>(self, deps: D) -> Cx<D> {
        Cx {
            deps,
            inner: self.inner,
        }
    }
}

impl<D> Cx<D> {
    /// What the kind was registered with.
    pub fn deps(&self) -> &D {
        &self.deps
    }

    /// The job.
    pub fn job(&self) -> &JobInfo {
        &self.inner.job
    }

    /// Whose the job is.
    pub fn tenant(&self) -> TenantId {
        self.inner.job.tenant
    }

    /// The database.
    pub fn pool(&self) -> &PgPool {
        self.inner.db.pool()
    }

    /// When this attempt began, by the database's clock.
    pub fn now(&self) -> DateTime<Utc> {
        self.inner.job.started_at
    }

    /// Cancelled when the job should stop: its cancellation was asked for, its worker stops, or its lease was lost.
    pub fn cancelled(&self) -> &CancellationToken {
        &self.inner.cancelled
    }

    /// The same for every attempt of this job, and no other job's: for gateways that remember keys.
    pub fn idempotency_key(&self) -> String {
        format!("fleet-{}", self.inner.job.id)
    }

    /// The same for one step of the job.
    pub fn step_key(&self, step: &str) -> String {
        format!("fleet-{}-{step}", self.inner.job.id)
    }

    /// Runs a step whose result is kept: an attempt after a crash takes the kept result and does not run it again.
    /// The step itself may still run twice, when the crash comes between its end and the keeping.
    pub async fn step<T, F>(&self, name: &str, run: impl FnOnce() -> F) -> Result<T, JobError>
    where
        T: Serialize + DeserializeOwned,
        F: Future<Output = Result<T, JobError>>,
    {
        if let Some(kept) = self.finished_step(name).await? {
            return Ok(serde_json::from_value(kept)?);
        }
        // The claim is not held meanwhile: the step may itself log, or say how far it is.
        let result = run().await?;
        let value = serde_json::to_value(&result)?;
        let bytes = value.to_string().len();
        if bytes > STEP_BYTES_MAX {
            return Err(JobError::discard(format!(
                "step \"{name}\" returned {bytes} bytes of JSON, at most {STEP_BYTES_MAX} are kept"
            )));
        }
        let claim = self.inner.claim.lock().await;
        let claim = claim.as_ref().ok_or_else(JobError::lease_lost)?;
        let mut conn = self.pool().acquire().await?;
        stands(progress::finish_step(&mut conn, claim, name, &value).await?)?;
        Ok(result)
    }

    async fn finished_step(&self, name: &str) -> Result<Option<serde_json::Value>, JobError> {
        let claim = self.inner.claim.lock().await;
        let claim = claim.as_ref().ok_or_else(JobError::lease_lost)?;
        let mut conn = self.pool().acquire().await?;
        Ok(progress::finished_step(&mut conn, claim, name).await?)
    }

    /// Says how far it is. Written at most twice a second; what comes faster is left out.
    pub async fn progress(&self, done: u64, total: u64, note: &str) -> Result<(), JobError> {
        if !self.may_write_progress(done >= total) {
            return Ok(());
        }
        let note: String = note.chars().take(500).collect();
        let claim = self.inner.claim.lock().await;
        let claim = claim.as_ref().ok_or_else(JobError::lease_lost)?;
        let mut conn = self.pool().acquire().await?;
        let value = json!({ "done": done, "total": total, "note": note });
        stands(progress::progress(&mut conn, claim, &value).await?)
    }

    fn may_write_progress(&self, last: bool) -> bool {
        let mut before = self
            .inner
            .last_progress
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let now = tokio::time::Instant::now();
        let may = last || before.is_none_or(|before| now - before >= PROGRESS_EVERY);
        if may {
            *before = Some(now);
        }
        may
    }

    /// Appends a line to the job's log. Past its bounds one last line says so, and the rest is left out.
    pub async fn log(&self, level: &'static str, message: &str) -> Result<(), JobError> {
        let seq = self.inner.lines.fetch_add(1, Ordering::Relaxed);
        let bytes = self.inner.bytes.fetch_add(message.len(), Ordering::Relaxed);
        let full = seq >= LOG_LINES_MAX - 1 || bytes + message.len() > LOG_BYTES_MAX;
        if full && (seq >= LOG_LINES_MAX || bytes > LOG_BYTES_MAX) {
            return Ok(());
        }
        let message = if full {
            "the log is full; what follows is left out"
        } else {
            message
        };
        let line = LogLine {
            seq,
            level,
            message: message.replace('\0', "\u{fffd}"),
        };
        let claim = self.inner.claim.lock().await;
        let claim = claim.as_ref().ok_or_else(JobError::lease_lost)?;
        let mut conn = self.pool().acquire().await?;
        stands(progress::log(&mut conn, claim, &[line]).await?)
    }

    /// Settles the job as completed inside the handler's own transaction, so that its effect and its completion commit together (I6).
    ///
    /// Commit the transaction next and return what this gives. Where the claim no longer stands it is an error:
    /// leave with `?`, and the transaction rolls back with everything in it.
    pub async fn settle_in(
        &self,
        tx: &mut PgConnection,
        output: Option<&(impl Serialize + Sync)>,
    ) -> Result<Done, JobError> {
        let output = output.map(serde_json::to_value).transpose()?;
        let mut done = Self::settle_all_in(tx, vec![(self, output)]).await?;
        Ok(done.pop().expect("one answer a job"))
    }

    /// Settles several jobs of one process as completed inside a transaction that did the work of all; one answer a job, in order.
    ///
    /// As with [`settle_in`](Self::settle_in), and for all or none: where one claim no longer stands, leave with `?`, and the others
    /// can be done again, each by itself.
    pub async fn settle_all_in(
        tx: &mut PgConnection,
        ended: Vec<(&Self, Option<serde_json::Value>)>,
    ) -> Result<Vec<Done>, JobError> {
        let Some(db) = ended.first().map(|(cx, _)| &cx.inner.db) else {
            return Ok(Vec::new());
        };
        db.probes().at("cx.before_settle_in").await?;
        // Given back at the end, so that a transaction that fails to commit can still be settled as a failed attempt.
        let mut lent = Lent::default();
        let jobs = ended.len();
        for (cx, output) in ended {
            let output = bounded(output)?;
            let held = cx.inner.claim.lock().await;
            let taken = lent.take(held, Outcome::Completed { output }, cx.job());
            taken.ok_or_else(JobError::lease_lost)?;
        }
        let history = db.history();
        history.note(|| Event::settling(lent.settlements(), true));
        let answer = settle::settle(tx, lent.settlements()).await;
        if let Ok(answers) = &answer {
            history.note(|| Event::settled(lent.settlements(), answers, true));
        }
        answer?.into_iter().try_for_each(stands)?;
        db.probes().at("cx.settled_in").await?;
        Ok(vec![Done::settled(); jobs])
    }

    /// Enqueues another job, as this one's child; in `conn`'s transaction, if it has one.
    pub async fn enqueue(
        &self,
        conn: &mut PgConnection,
        mut job: NewJob,
    ) -> Result<Enqueued, JobError> {
        job.rare.parent_id.get_or_insert(self.job().id);
        if job.rare.traceparent.is_none() {
            job.rare.traceparent.clone_from(&self.job().traceparent);
        }
        Ok(enqueue::enqueue(conn, &job).await?)
    }
}

fn bounded(output: Option<serde_json::Value>) -> Result<Option<serde_json::Value>, JobError> {
    let fits = |value: &serde_json::Value| value.to_string().len() <= OUTPUT_BYTES_MAX;
    if output.as_ref().is_none_or(fits) {
        Ok(output)
    } else {
        Err(JobError::discard("the output is over 1 MiB of JSON"))
    }
}

fn stands(settled: Settled) -> Result<(), JobError> {
    match settled {
        Settled::Recorded => Ok(()),
        Settled::LeaseLost => Err(JobError::lease_lost()),
    }
}
