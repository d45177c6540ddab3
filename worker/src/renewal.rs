//! Renewal: the worker says that it lives, and hears what it must know. Upholds I1, I2, I11.
//!
//! ```text
//!   renewed ── no answer for give_up_after ──▶ isolated: own handlers are stopped, gone before the lease ends
//!      ▲                                          │ answer
//!      │◀─────────────── still alive ─────────────┤
//!      └── registered as a new worker ◀── ended ──┘   (also where a claim is told that the lease is lost)
//! ```
//! It has a connection of its own, so that no handler's use of the pool can starve it. After trouble, or where the server was
//! restarted or replaced, every claim is reviewed: one that does not stand any more has its handler stopped.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use fleet_queue::history::Event;
use fleet_queue::transitions::renew::{Pulse, Renewed, renew, review};
use fleet_queue::workers::{depart, register};
use fleet_queue::{WorkerId, telemetry};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::held::StopReason;
use crate::line::{CallError, Line, Pauses, causes, within};
use crate::proof::FORGOTTEN;
use crate::shared::Shared;

/// While handlers run, signals are looked for at least this often: a cancellation reaches its handler within a second.
const SIGNALS_EVERY: Duration = Duration::from_millis(750);

/// Keeps the lease.
pub(crate) struct Renewal {
    shared: Arc<Shared>,
    line: Line,
    stop: CancellationToken,
    pauses: Pauses,
    renewed_at: Instant,
    isolated: bool,
    /// Something may have been missed: review every claim.
    troubled: bool,
    server_started_at: Option<DateTime<Utc>>,
}

impl Renewal {
    /// Renews until `stop`.
    pub(crate) fn new(shared: Arc<Shared>, stop: CancellationToken) -> Self {
        let limit = shared.settings.renew_every;
        Self {
            line: Line::new(shared.db.clone(), "worker.renewal", limit),
            pauses: Pauses::new(Duration::from_millis(100), limit / 2),
            renewed_at: Instant::now(),
            isolated: false,
            troubled: false,
            server_started_at: None,
            shared,
            stop,
        }
    }

    /// The loop.
    pub(crate) async fn run(mut self) {
        let stop = self.stop.clone();
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.renew_for_ever() => {}
        }
    }

    async fn renew_for_ever(&mut self) {
        let shared = Arc::clone(&self.shared);
        loop {
            let pause = match self.renew().await {
                Ok(()) => self.until_next(),
                Err(error) if error.is_lease_lost() => {
                    self.become_another().await;
                    continue;
                }
                Err(error) => self.endure(&error),
            };
            tokio::select! {
                () = self.rest(pause) => {}
                () = shared.identity.doubted() => self.become_another().await,
            }
        }
    }

    fn until_next(&self) -> Duration {
        let every = self.shared.settings.renew_every;
        if self.shared.lineup.running() > 0 {
            every.min(SIGNALS_EVERY)
        } else {
            every
        }
    }

    /// Waits; less where a signal is left, or where handlers begin to run meanwhile.
    async fn rest(&self, pause: Duration) {
        let until = Instant::now() + pause;
        loop {
            let look = until.min(Instant::now() + SIGNALS_EVERY);
            tokio::select! {
                () = self.shared.words.nudged() => return,
                () = tokio::time::sleep_until(look) => {}
            }
            if look == until || self.shared.lineup.running() > 0 {
                return;
            }
        }
    }

    /// How long a call may take: never past the moment when handlers must be stopped.
    fn time_left(&self) -> Duration {
        let settings = &self.shared.settings;
        if self.isolated {
            return settings.renew_every;
        }
        let left = settings
            .give_up_after
            .saturating_sub(self.renewed_at.elapsed());
        left.clamp(Duration::from_millis(50), settings.renew_every)
    }

    /// One renewal, and all that follows from it.
    async fn renew(&mut self) -> Result<(), CallError> {
        let shared = Arc::clone(&self.shared);
        let (asked, ttl) = (Instant::now(), shared.settings.lease_ttl);
        let worker = shared.identity.worker();
        shared.db.probes().at("worker.before_renew").await?;
        self.line.allow(self.time_left());
        self.line.open().await?;
        let limit = self.time_left();
        let conn = self.line.open().await?;
        let answer = within(limit, renew(conn, worker, ttl, pulse(&shared))).await;
        let renewed = self.line.judge(answer)?;
        shared.db.probes().at("worker.renewed").await?;
        shared.identity.renewed(asked, ttl, renewed.drain);
        shared.held.cancel(&renewed.cancel);
        self.all_is_well(asked, &renewed);
        if self.troubled {
            self.review(worker).await?;
        }
        self.look_for_forgotten().await
    }

    fn all_is_well(&mut self, asked: Instant, renewed: &Renewed) {
        let before = std::mem::replace(&mut self.server_started_at, renewed.server_started_at);
        if before != renewed.server_started_at {
            let (worker, server_started_at) =
                (self.shared.identity.worker(), renewed.server_started_at);
            self.shared.db.history().note(|| Event::Leased {
                worker,
                server_started_at,
            });
        }
        if before.is_some() && before != renewed.server_started_at {
            tracing::warn!("the database server was restarted or replaced; reviewing every claim");
            self.troubled = true;
        }
        if std::mem::take(&mut self.isolated) {
            tracing::info!("the lease is renewed again");
        }
        self.renewed_at = asked;
        self.pauses.reset();
    }

    /// Stops the handlers of claims that do not stand, and of jobs whose signal was lost with an answer.
    async fn review(&mut self, worker: WorkerId) -> Result<(), CallError> {
        let keys = self.shared.held.keys();
        let limit = self.line.limit();
        let conn = self.line.open().await?;
        let answer = within(limit, review(conn, worker, &keys)).await;
        let standing = self.line.judge(answer)?;
        for key in keys {
            match standing.iter().find(|(id, _)| *id == key.0) {
                None => self.shared.held.stop(key, StopReason::LeaseLost),
                Some((_, true)) => self.shared.held.stop(key, StopReason::Cancelled),
                Some((_, false)) => {}
            }
        }
        self.troubled = false;
        Ok(())
    }

    async fn look_for_forgotten(&mut self) -> Result<(), CallError> {
        let limit = self.line.limit();
        let conn = self.line.open().await?;
        let answer = within(limit, self.shared.unproven.forgotten(conn)).await;
        for forgotten in self.line.judge(answer)? {
            tracing::error!(job.id = %forgotten.job.id, job.kind = forgotten.job.kind, "{FORGOTTEN}");
            if self.shared.results.send(forgotten).await.is_err() {
                break;
            }
        }
        Ok(())
    }

    /// No answer: handlers are stopped once that lasts too long; says how long to wait.
    fn endure(&mut self, error: &CallError) -> Duration {
        metrics::counter!(telemetry::RENEW_FAILURES).increment(1);
        self.troubled = true;
        let silent = self.renewed_at.elapsed();
        tracing::warn!(
            error = causes(error),
            ?silent,
            "the lease could not be renewed"
        );
        if silent >= self.shared.settings.give_up_after && !self.isolated {
            self.isolated = true;
            metrics::counter!(telemetry::SELF_STOPS).increment(1);
            tracing::error!(
                ?silent,
                "cut off from the database; stopping our own handlers before the lease ends"
            );
            self.shared.held.stop_all(StopReason::Isolated);
        }
        let pause = self.pauses.next();
        if self.isolated {
            return pause;
        }
        // Not past the moment at which handlers must be stopped: what they have left of the lease is theirs.
        pause.min(self.shared.settings.give_up_after.saturating_sub(silent))
    }

    /// This worker is ended: drops what it held and goes on as a new one, however long registering takes.
    async fn become_another(&mut self) {
        let old = self.shared.identity.worker();
        self.shared
            .db
            .history()
            .note(|| Event::LeaseEnded { worker: old });
        tracing::error!(worker = %old, "the lease is lost; stopping every handler, dropping their results, going on as a new worker");
        self.shared.held.stop_all(StopReason::LeaseLost);
        for job in self.shared.lineup.take_all() {
            self.shared.held.release(job.key);
        }
        while let Err(error) = self.exchange(old).await {
            tracing::warn!(
                error = causes(&error),
                "could not register as a new worker; trying again"
            );
            tokio::time::sleep(self.pauses.next()).await;
        }
        self.isolated = false;
        self.troubled = false;
        self.pauses.reset();
    }

    /// Ends the old worker, if nobody did, so that its jobs need not wait for its lease; registers a new one.
    async fn exchange(&mut self, old: WorkerId) -> Result<(), CallError> {
        let shared = Arc::clone(&self.shared);
        let ttl = shared.settings.lease_ttl;
        // A new one each time: an answer that was lost may have registered the one before.
        let new = shared.introduction(WorkerId::generate());
        self.line.allow(shared.settings.renew_every);
        let limit = self.line.limit();
        let asked = Instant::now();
        let conn = self.line.open().await?;
        let answer = within(limit, async {
            depart(&mut *conn, old).await?;
            register(conn, &new, ttl).await
        });
        let answer = answer.await;
        self.line.judge(answer)?;
        self.renewed_at = asked;
        shared.identity.replace(new.id, asked, ttl);
        tracing::info!(worker = %new.id, "registered as a new worker");
        Ok(())
    }
}

fn pulse(shared: &Shared) -> Pulse {
    Pulse {
        running: i32::try_from(shared.lineup.running()).unwrap_or(i32::MAX),
        cpu: shared.usage.cpu(),
        memory_bytes: shared.usage.memory_bytes(),
    }
}
