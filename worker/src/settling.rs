//! Settling: results are gathered for a moment and recorded together. Upholds I1, I3, I11.
//!
//! A result is kept until the database answered for it, or until it cannot count any more: its worker was ended, so others have
//! its job. While the lease is not known to live nothing is sent; renewal finds out first. A result that the database will never
//! take is found by halving its batch, and becomes a discard that says why; the others pass. Should it refuse that, too, the result is
//! set aside and tried again every few seconds, so that one job never holds up the others.

use std::sync::Arc;
use std::time::Duration;

use fleet_queue::history::Event;
use fleet_queue::transitions::settle::settle;
use fleet_queue::{Db, Error, Settled, WorkerId, telemetry};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::WorkerSettings;
use crate::batch::{Batch, Finished};
use crate::identity::{Identity, Standing};
use crate::line::{CallError, Line, Pauses, causes, within};

/// Longest a settle call may take before it is tried again.
const CALL_LIMIT: Duration = Duration::from_secs(10);
/// A lone result that the database refuses for a reason of its own (a missing partition, a trigger) is tried for so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// One that it refuses even as a discard is tried again after so long, while others pass.
const REFUSED_AGAIN: Duration = Duration::from_secs(5);

/// Gathers results and settles them.
pub(crate) struct Settling {
    db: Db,
    identity: Arc<Identity>,
    line: Line,
    results: mpsc::Receiver<Finished>,
    batch: usize,
    gather: Duration,
    pauses: Pauses,
    /// What was set aside, and when it is tried again.
    refused: Vec<Batch>,
    again_at: Instant,
    last_call: Duration,
    stop: CancellationToken,
}

impl Settling {
    /// Settles what comes out of `results`, until `stop`; and then what is left, for as long as a lease.
    pub(crate) fn new(
        db: Db,
        identity: Arc<Identity>,
        results: mpsc::Receiver<Finished>,
        settings: &WorkerSettings,
        stop: CancellationToken,
    ) -> Self {
        Self {
            line: Line::new(db.clone(), "worker.settling", CALL_LIMIT),
            db,
            identity,
            results,
            batch: settings.settle_batch,
            gather: settings.settle_gather,
            pauses: Pauses::new(Duration::from_millis(50), Duration::from_secs(2)),
            refused: Vec::new(),
            again_at: Instant::now(),
            last_call: settings.lease_ttl,
            stop,
        }
    }

    /// The loop; once the worker stops, what is left has one more lease's time.
    pub(crate) async fn run(mut self) {
        let (stop, last_call) = (self.stop.clone(), self.last_call);
        let out_of_time = async {
            stop.cancelled().await;
            tokio::time::sleep(last_call).await;
        };
        tokio::select! {
            () = self.settle_to_the_end() => {}
            () = out_of_time => {
                tracing::error!("stopping without an answer from the database; unsettled jobs will run again elsewhere");
            }
        }
    }

    async fn settle_to_the_end(&mut self) {
        let mut gathered = Vec::with_capacity(self.batch);
        while self.gather(&mut gathered).await {
            self.settle_all(Batch::of(&mut gathered)).await;
        }
    }

    /// The next results, or none where it is time for what was set aside; false once the worker has stopped and none are left.
    async fn gather(&mut self, gathered: &mut Vec<Finished>) -> bool {
        let got = tokio::select! {
            biased;
            got = self.results.recv_many(gathered, self.batch) => got,
            () = self.stop.cancelled() => {
                self.results.close();
                self.results.recv_many(gathered, self.batch).await
            }
            () = tokio::time::sleep_until(self.again_at), if !self.refused.is_empty() => return true,
        };
        if got > 0 && gathered.len() < self.batch && !self.stop.is_cancelled() {
            tokio::time::sleep(self.gather).await;
            while gathered.len() < self.batch
                && let Ok(more) = self.results.try_recv()
            {
                gathered.push(more);
            }
        }
        got > 0
    }

    /// Settles a batch, however long that takes.
    async fn settle_all(&mut self, batch: Batch) {
        let mut left = Vec::new();
        if self.again_at <= Instant::now() {
            left.append(&mut self.refused);
        }
        left.push(batch);
        while let Some(mut batch) = left.pop() {
            batch.keep_only(self.living_worker().await);
            match self.send(&mut batch).await {
                Ok(answers) => {
                    self.pauses.reset();
                    batch.note(&answers);
                }
                Err(error) => self.after(&error, batch, &mut left).await,
            }
        }
    }

    /// Waits until the lease is known to live, and says whose it is.
    async fn living_worker(&self) -> WorkerId {
        let mut standing = self.identity.watch();
        let fresh = standing.wait_for(Standing::is_fresh).await;
        fresh
            .expect("the identity lives as long as settling")
            .worker
    }

    async fn send(&mut self, batch: &mut Batch) -> Result<Vec<Settled>, CallError> {
        if batch.len() == 0 {
            return Ok(Vec::new());
        }
        self.db.probes().at("worker.before_settle").await?;
        let begun = Instant::now();
        let limit = self.line.limit();
        let conn = self.line.open().await?;
        let history = self.db.history();
        history.note(|| Event::settling(batch.settlements(), false));
        let answer = within(limit, settle(conn, batch.settlements())).await;
        let answers = self.line.judge(answer).inspect_err(|_| batch.sent())?;
        history.note(|| Event::settled(batch.settlements(), &answers, false));
        metrics::histogram!(telemetry::SETTLE_SECONDS).record(begun.elapsed());
        let settled = self.db.probes().at("worker.settled").await;
        settled.inspect_err(|_| batch.sent())?;
        Ok(answers)
    }

    /// What to do with a batch that was not taken: it goes back to what is left, perhaps in halves, perhaps changed.
    async fn after(&mut self, error: &CallError, mut batch: Batch, left: &mut Vec<Batch>) {
        let why = causes(error).replace('\0', "");
        if error.is_transient() {
            tracing::warn!(
                results = batch.len(),
                error = why,
                "settling failed; trying again"
            );
            tokio::time::sleep(self.pauses.next()).await;
        } else if batch.len() > 1 {
            left.push(batch.halve());
        } else if batch.is_given_up() {
            tracing::error!(
                error = why,
                "the database refuses even that a job is given up; trying again later"
            );
            self.again_at = Instant::now() + REFUSED_AGAIN;
            self.refused.push(batch);
            return;
        } else if is_about_a_value(error) || batch.since().elapsed() > PATIENCE {
            batch.give_up(&why);
        } else {
            tracing::error!(error = why, "the database refuses a result; trying again");
            tokio::time::sleep(self.pauses.next()).await;
        }
        left.push(batch);
    }
}

/// True where the database, or the driver, cannot take the value itself: class 22 is data, class 54 is limits.
fn is_about_a_value(error: &CallError) -> bool {
    let CallError::Engine(engine @ Error::Database { .. }) = error else {
        return false;
    };
    match engine.sqlstate() {
        Some(code) => code.starts_with("22") || code.starts_with("54"),
        None => true,
    }
}
