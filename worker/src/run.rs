//! A worker's life: registered, at work, stopped in good order or at once. Upholds I11.
//!
//! In good order: no more claims; what was not started goes back; handlers get their grace, then are told to stop, then are dropped;
//! their results are settled; the worker departs. The lease is renewed to the very end.

use std::sync::Arc;
use std::time::Duration;

use fleet_queue::kinds::{KindInfo, register_kinds};
use fleet_queue::workers::{depart, register};
use fleet_queue::{Db, Error, Registry, WorkerId};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::backend::{HandlersLoop, handlers_loop};
use crate::batch::Finished;
use crate::held::{Held, StopReason};
use crate::identity::Identity;
use crate::intake::Intake;
use crate::lineup::Lineup;
use crate::proof::Unproven;
use crate::renewal::Renewal;
use crate::sampler::Usage;
use crate::settings::{SettingsError, WorkerSettings};
use crate::settling::Settling;
use crate::shared::Shared;
use crate::words::Words;
use crate::{listening, sampler};

/// What a worker that is stopped by force still tries, so that its jobs need not wait for its lease.
const LEAVE_LIMIT: Duration = Duration::from_secs(1);
/// After the last grace, the time for a dropped handler's result to reach settling.
const MARGIN: Duration = Duration::from_secs(1);

/// Why a worker did not start, or ended without being asked to.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The settings contradict each other.
    #[error("the worker's settings are wrong")]
    Settings(#[source] SettingsError),
    /// The schema is too old, or the database was out of reach.
    #[error("the worker could not start")]
    Start(#[source] Error),
    /// A loop of the worker ended, which none does: a defect.
    #[error("the worker's {0} ended by itself")]
    LoopEnded(&'static str),
}

/// Runs a worker until `soft` (in good order) or `hard` (at once). Trouble with the database does not end it.
pub async fn run(
    settings: WorkerSettings,
    db: Db,
    registry: Registry,
    soft: CancellationToken,
    hard: CancellationToken,
) -> Result<(), WorkerError> {
    settings.check().map_err(WorkerError::Settings)?;
    let started = start(settings, db, registry).await;
    let (shared, results) = started.map_err(WorkerError::Start)?;
    let mut loops = Loops::start(&shared, results);
    let ended = tokio::select! {
        biased;
        () = hard.cancelled() => Ok(()),
        () = soft.cancelled() => tokio::select! {
            biased;
            () = hard.cancelled() => Ok(()),
            () = loops.stop(&shared) => return Ok(()),
        },
        name = loops.ended() => Err(WorkerError::LoopEnded(name)),
    };
    drop(loops);
    leave_at_once(&shared).await;
    ended
}

/// Checks the schema, makes the kinds known, and registers the worker.
async fn start(
    settings: WorkerSettings,
    db: Db,
    registry: Registry,
) -> Result<(Arc<Shared>, mpsc::Receiver<Finished>), Error> {
    db.check_schema().await?;
    let mut conn = db.connect("worker.start").await?;
    let kinds: Vec<KindInfo> = registry.infos().cloned().collect();
    register_kinds(&mut conn, &kinds).await?;
    let (shared, results) = share(settings, db, registry);
    let introduction = shared.introduction(shared.identity.worker());
    register(&mut conn, &introduction, shared.settings.lease_ttl).await?;
    tracing::info!(
        worker = %introduction.id,
        name = shared.settings.name,
        queues = ?introduction.queues,
        concurrency = introduction.capacity,
        kinds = introduction.kinds.len(),
        "the worker has started"
    );
    Ok((shared, results))
}

fn share(
    settings: WorkerSettings,
    db: Db,
    registry: Registry,
) -> (Arc<Shared>, mpsc::Receiver<Finished>) {
    let queues = settings.served_queues(&registry);
    let identity = Identity::new(WorkerId::generate(), Instant::now(), settings.lease_ttl);
    let (results, settled) = mpsc::channel(settings.settle_batch);
    let shared = Shared {
        identity: Arc::new(identity),
        lineup: Lineup::new(&queues, settings.concurrency, settings.prefetch_for),
        queues: queues.into_keys().collect(),
        held: Held::default(),
        words: Words::default(),
        unproven: Unproven::default(),
        usage: Usage::default(),
        settings,
        db,
        registry,
        results,
    };
    (Arc::new(shared), settled)
}

/// The running loops; dropped, they are gone, and their handlers with them.
struct Loops {
    intake: AbortOnDropHandle<()>,
    handlers: HandlersLoop,
    settling: AbortOnDropHandle<()>,
    renewal: AbortOnDropHandle<()>,
    _beside: Vec<AbortOnDropHandle<()>>,
    stop_intake: CancellationToken,
    stop_settling: CancellationToken,
    stop_renewal: CancellationToken,
}

impl Loops {
    fn start(shared: &Arc<Shared>, results: mpsc::Receiver<Finished>) -> Self {
        let stop_intake = CancellationToken::new();
        let stop_settling = CancellationToken::new();
        let stop_renewal = CancellationToken::new();
        let identity = Arc::clone(&shared.identity);
        let settling = Settling::new(
            shared.db.clone(),
            identity,
            results,
            &shared.settings,
            stop_settling.clone(),
        );
        let mut beside = vec![spawn(sampler::run(Arc::clone(shared)))];
        if shared.settings.listen {
            beside.push(spawn(listening::run(Arc::clone(shared))));
        } else {
            let every = shared.settings.poll_every;
            tracing::info!(
                ?every,
                "polling for work instead of listening: a pooler passes no notifications on"
            );
        }
        Self {
            settling: spawn(settling.run()),
            renewal: spawn(Renewal::new(Arc::clone(shared), stop_renewal.clone()).run()),
            handlers: handlers_loop(shared),
            intake: spawn(Intake::new(Arc::clone(shared), stop_intake.clone()).run()),
            _beside: beside,
            stop_intake,
            stop_settling,
            stop_renewal,
        }
    }

    /// Waits for a loop to end, and says which; none should.
    async fn ended(&mut self) -> &'static str {
        tokio::select! {
            _ = &mut self.intake => "intake",
            () = self.handlers.ended() => "handlers' loop",
            _ = &mut self.settling => "settling",
            _ = &mut self.renewal => "renewal",
        }
    }

    /// Stops in good order.
    async fn stop(&mut self, shared: &Shared) {
        let settings = &shared.settings;
        tracing::info!(
            running = shared.lineup.running(),
            "stopping: no more claims"
        );
        self.stop_intake.cancel();
        // Should it hang, what its last call took goes back when the worker departs.
        let _ = timeout(settings.lease_ttl, &mut self.intake).await;
        let unstarted = shared.hand_back(shared.lineup.close());
        let _ = timeout(settings.lease_ttl, unstarted).await;
        if timeout(settings.shutdown_grace, shared.lineup.idle())
            .await
            .is_err()
        {
            tracing::warn!(
                running = shared.lineup.running(),
                "the grace is over; handlers are told to stop"
            );
            shared.held.stop_all(StopReason::Shutdown);
            let _ = timeout(settings.cancel_grace + MARGIN, shared.lineup.idle()).await;
        }
        self.handlers.stop();
        let _ = timeout(MARGIN, self.handlers.ended()).await;
        self.stop_settling.cancel();
        let _ = (&mut self.settling).await;
        if shared.db.probes().at("worker.before_depart").await.is_err() {
            return;
        }
        match timeout(settings.give_up_after, leave(shared)).await {
            Ok(Ok(0)) => tracing::info!("stopped"),
            Ok(Ok(jobs)) => tracing::warn!(
                jobs,
                "stopped; these jobs were taken from handlers that would not stop"
            ),
            Ok(Err(error)) => {
                tracing::warn!(%error, "stopped without a word to the database; the lease will run out");
            }
            Err(_) => {
                tracing::warn!("stopped; the database gave no answer, the lease will run out");
            }
        }
        self.stop_renewal.cancel();
    }
}

fn spawn(run: impl Future<Output = ()> + Send + 'static) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(run))
}

async fn leave(shared: &Shared) -> Result<usize, Error> {
    let mut conn = shared.db.connect("worker.leave").await?;
    depart(&mut conn, shared.identity.worker()).await
}

async fn leave_at_once(shared: &Shared) {
    let left = timeout(LEAVE_LIMIT, leave(shared)).await;
    tracing::warn!(
        departed = left.is_ok_and(|left| left.is_ok()),
        "stopped at once"
    );
}
