//! The outermost layer around a handler: sees how it ended, and has that settled. Upholds I1, I3.
//!
//! The handler's place is given back only when settling has taken the result over, so results never pile up without bound (I9).

use std::sync::Arc;
use std::task::{Context, Poll};

use apalis_core::error::BoxDynError;
use apalis_core::task::Task;
use fleet_queue::history::{Event, Held};
use fleet_queue::transitions::settle::FailureKind;
use fleet_queue::{Backoff, Claimed, Done, Failure, Outcome, telemetry};
use futures::future::BoxFuture;
use tokio::task::JoinError;
use tokio::time::Instant;
use tower::{Layer, Service};

use crate::assignment::{Assignment, SharedClaim};
use crate::execute::AttemptError;
use crate::held::{ClaimKey, Stop};
use crate::lineup::Slot;
use crate::proof::FORGOTTEN;
use crate::shared::{Shared, take};
use crate::verdict::{Ending, Verdict, judge, word};

/// Wraps handlers so that their ends are settled.
#[derive(Clone)]
pub(crate) struct SettleLayer(pub(crate) Arc<Shared>);

impl<S> Layer<S> for SettleLayer {
    type Service = SettleService<S>;

    fn layer(&self, handlers: S) -> SettleService<S> {
        let shared = Arc::clone(&self.0);
        SettleService { handlers, shared }
    }
}

/// See [`SettleLayer`].
pub(crate) struct SettleService<S> {
    handlers: S,
    shared: Arc<Shared>,
}

impl<S> Service<Task<Assignment>> for SettleService<S>
where
    S: Service<Task<Assignment>, Response = Done>,
    S::Error: Into<BoxDynError>,
    S::Future: Send + 'static,
{
    type Response = ();
    type Error = BoxDynError;
    type Future = BoxFuture<'static, Result<(), BoxDynError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxDynError>> {
        self.handlers.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut task: Task<Assignment>) -> Self::Future {
        let attempt = Attempt::of(&mut task.args, Arc::clone(&self.shared));
        let handler = self.handlers.call(task);
        Box::pin(async move {
            let ended = handler.await.map_err(Into::into);
            attempt.end(ending(ended)).await;
            Ok(())
        })
    }
}

/// What is kept of a job while its handler has the rest.
struct Attempt {
    shared: Arc<Shared>,
    job: Arc<Claimed>,
    claim: SharedClaim,
    key: ClaimKey,
    stop: Arc<Stop>,
    begun: Instant,
    // Dropped last of all, and with that the handler's place is free.
    _slot: Option<Slot>,
}

impl Attempt {
    fn of(assignment: &mut Assignment, shared: Arc<Shared>) -> Self {
        Self {
            shared,
            job: Arc::clone(&assignment.job),
            claim: Arc::clone(&assignment.claim),
            key: assignment.key,
            stop: Arc::clone(&assignment.stop),
            begun: Instant::now(),
            _slot: assignment.slot.take(),
        }
    }

    async fn end(self, ending: Ending) {
        self.shared.held.release(self.key);
        let kind = || self.job.kind.clone();
        metrics::histogram!(telemetry::RUN_SECONDS, "kind" => kind()).record(self.begun.elapsed());
        if let Ending::Panicked(message) = &ending {
            metrics::counter!(telemetry::PANICS, "kind" => kind()).increment(1);
            tracing::error!(job.id = %self.job.id, job.kind = self.job.kind, message, "the handler panicked");
        }
        let info = self.shared.registry.info(&self.job.kind);
        let backoff = info.map_or(Backoff::DEFAULT, |info| info.policy.backoff);
        match judge(ending, self.stop.reason(), &self.job, &backoff) {
            Verdict::Settle(outcome) => {
                tracing::debug!(job.id = %self.job.id, job.kind = self.job.kind, outcome = word(&outcome), took = ?self.begun.elapsed(), "ended");
                self.shared.settle(&self.job, &self.claim, outcome).await;
            }
            Verdict::SettledByHandler => self.look_after(&backoff).await,
            Verdict::LeaseLost => crate::batch::lease_lost(&self.job),
        }
    }

    async fn look_after(&self, backoff: &Backoff) {
        let forgotten = Outcome::Retry {
            after: backoff.delay(self.job.id, self.job.attempt),
            failure: Failure {
                how: FailureKind::Failed,
                error: FORGOTTEN.to_owned(),
            },
        };
        if let Some(finished) = take(&self.job, &self.claim, forgotten).await {
            let held = Held::from(&finished.settlement.claim);
            let history = self.shared.db.history();
            history.note(|| Event::Committed { held });
            self.shared.unproven.note(finished);
        }
    }
}

/// Finds the typed end again after the layers between, which know errors only as boxes.
fn ending(ended: Result<Done, BoxDynError>) -> Ending {
    let error = match ended {
        Ok(done) => return Ending::Done(done),
        Err(error) => error,
    };
    match error.downcast::<AttemptError>() {
        Ok(error) => match *error {
            AttemptError::Failed(error) => Ending::Failed(error),
            AttemptError::TimedOut(limit) => Ending::TimedOut(limit),
            AttemptError::Panicked(message) => Ending::Panicked(message),
            AttemptError::Stopped => Ending::Stopped,
        },
        // Of the layers between, only the spawn has errors of its own.
        Err(error) => match error.downcast::<JoinError>() {
            Ok(error) if error.is_cancelled() => Ending::Stopped,
            Ok(error) => Ending::Panicked(error.to_string()),
            Err(error) => Ending::Failed(error.into()),
        },
    }
}
