//! Intake: claims for free handlers, and ahead of them what they will start soon. Upholds I1, I3, I9, I11.
//!
//! One claim call at a time, queues in turn, each with a token of its own. A queue that gave less than was asked for is dry: it is
//! asked again when it is named by a notification or found by a poll (see `idle`). Errors never end the loop. A claim whose answer
//! was lost may have taken jobs that nobody here knows of; they are given back by their token, at once and once more a lease later.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use fleet_queue::history::{ClaimedJob, Event};
use fleet_queue::transitions::claim::{claim, give_back};
use fleet_queue::{Claim, ClaimRequest, Claimed, Turns, WorkerId, telemetry};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::assignment::Assignment;
use crate::idle::Idle;
use crate::line::{CallError, Line, Pauses, causes, within};
use crate::shared::Shared;

/// Longest a claim call may take.
const CALL_LIMIT: Duration = Duration::from_secs(5);
/// Jobs claimed ahead that got no handler within this time are given back: another worker may have one free.
const AHEAD_LIMIT: Duration = Duration::from_secs(1);

/// Numbers of claim calls; with the worker's id, which is new in every process, no two claims share one (I1).
static NEXT_TOKEN: AtomicI64 = AtomicI64::new(1);

/// A claim call whose answer was lost.
struct Unsure {
    worker: WorkerId,
    queue: usize,
    token: i64,
    ask_at: Instant,
    last: bool,
}

/// Claims jobs and lines them up.
pub(crate) struct Intake {
    shared: Arc<Shared>,
    line: Line,
    idle: Idle,
    turns: Vec<Turns>,
    served: Vec<(String, i16)>,
    unsure: Vec<Unsure>,
    pauses: Pauses,
    worker: WorkerId,
    first: usize,
    stop: CancellationToken,
}

impl Intake {
    /// Claims until `stop`.
    pub(crate) fn new(shared: Arc<Shared>, stop: CancellationToken) -> Self {
        Self {
            line: Line::new(shared.db.clone(), "worker.intake", CALL_LIMIT),
            idle: Idle::new(&shared),
            turns: vec![Turns::default(); shared.queues.len()],
            served: shared.registry.served(),
            unsure: Vec::new(),
            pauses: Pauses::new(Duration::from_millis(50), Duration::from_secs(2)),
            worker: shared.identity.worker(),
            first: 0,
            shared,
            stop,
        }
    }

    /// The loop. A call under way is always finished: its answer may be jobs.
    pub(crate) async fn run(mut self) {
        while !self.stop.is_cancelled() {
            match self.round().await {
                Ok(()) => self.pauses.reset(),
                Err(error) if error.is_lease_lost() => self.lease_lost().await,
                Err(error) => self.endure(&error).await,
            }
        }
        // Nobody need wake a worker that stops; should the call fail, its row says that it ended.
        let _ = self.idle.awake(&mut self.line).await;
    }

    /// A claim for every queue that is worth one; or a rest, where none is.
    async fn round(&mut self) -> Result<(), CallError> {
        self.follow_identity();
        self.settle_doubts().await?;
        self.idle.hear(&mut self.line).await?;
        let queues = self.shared.queues.len();
        let mut asked_any = false;
        let first = self.first;
        for queue in (0..queues).map(|n| (first + n) % queues) {
            let limit = self.idle.to_claim(queue);
            if limit > 0 {
                asked_any = true;
                self.claim(queue, limit).await?;
            }
        }
        self.first = (self.first + 1) % queues;
        if asked_any { Ok(()) } else { self.rest().await }
    }

    async fn rest(&mut self) -> Result<(), CallError> {
        self.idle.before_rest(&mut self.line).await?;
        let oldest = self.shared.lineup.oldest();
        let doubts = self.unsure.iter().map(|unsure| unsure.ask_at).min();
        let wake_at = oldest
            .map(|oldest| oldest + AHEAD_LIMIT)
            .into_iter()
            .chain(doubts)
            .min();
        tokio::select! {
            () = self.stop.cancelled() => return Ok(()),
            () = self.idle.rest(wake_at) => {}
        }
        let late = self.shared.lineup.take_overdue(AHEAD_LIMIT);
        self.shared.hand_back(late).await;
        self.idle.poll(&mut self.line).await
    }

    /// One claim call.
    async fn claim(&mut self, queue: usize, limit: usize) -> Result<(), CallError> {
        let probes = self.shared.db.probes().clone();
        probes.at("worker.before_claim").await?;
        let token = NEXT_TOKEN.fetch_add(1, Ordering::Relaxed);
        let request = ClaimRequest {
            worker: self.worker,
            token,
            queue: &self.shared.queues[queue],
            limit,
            kinds: &self.served,
        };
        let begun = Instant::now();
        let call_limit = self.line.limit();
        let conn = self.line.open().await?;
        let history = self.shared.db.history();
        history.note(|| claiming(&request));
        let answer = within(call_limit, claim(conn, request, &mut self.turns[queue])).await;
        let answer = match answer {
            Ok(jobs) => probes
                .at("worker.claimed")
                .await
                .map(|()| jobs)
                .map_err(Into::into),
            Err(error) => Err(error),
        };
        let jobs = self.line.judge(answer).inspect_err(|error| {
            if !error.is_lease_lost() {
                self.unsure.push(Unsure::new(self.worker, queue, token));
            }
        })?;
        history.note(|| claimed(self.worker, token, &jobs));
        let name = &self.shared.queues[queue];
        metrics::histogram!(telemetry::CLAIM_SECONDS, "queue" => name.clone())
            .record(begun.elapsed());
        let got = jobs.len();
        self.line_up(queue, jobs).await;
        self.idle.claimed(queue, got, limit, &mut self.line).await
    }

    async fn line_up(&mut self, queue: usize, jobs: Vec<(Claim, Claimed)>) {
        if jobs.is_empty() {
            return;
        }
        let shared = &self.shared;
        let name = shared.queues[queue].clone();
        metrics::counter!(telemetry::CLAIMED, "queue" => name).increment(jobs.len() as u64);
        let assignments = jobs.into_iter().map(|(claim, job)| {
            let stop = shared.held.take((claim.id(), claim.token()));
            Assignment::new(claim, job, stop)
        });
        let refused = shared.lineup.put(queue, assignments.collect());
        shared.hand_back(refused).await;
    }

    /// Claims under the process's present name.
    fn follow_identity(&mut self) {
        let worker = self.shared.identity.worker();
        if worker != self.worker {
            self.worker = worker;
            self.turns.fill(Turns::default());
            // The old worker's jobs were taken from it, whatever its last calls took.
            self.unsure.clear();
            self.idle.begin_again();
        }
    }

    /// Waits until the process is another worker.
    async fn lease_lost(&mut self) {
        self.shared.identity.doubt(self.worker);
        let mut standing = self.shared.identity.watch();
        tokio::select! {
            () = self.stop.cancelled() => {}
            // The sender lives as long as we do.
            _ = standing.wait_for(|standing| standing.worker != self.worker) => {}
        }
    }

    async fn endure(&mut self, error: &CallError) {
        tracing::warn!(error = causes(error), "claiming failed; trying again");
        self.idle.begin_again();
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = tokio::time::sleep(self.pauses.next()) => {}
        }
    }

    /// Gives back what claims with lost answers may have taken.
    async fn settle_doubts(&mut self) -> Result<(), CallError> {
        let now = Instant::now();
        while let Some(n) = self.unsure.iter().position(|unsure| unsure.ask_at <= now) {
            let Unsure {
                worker,
                queue,
                token,
                last,
                ..
            } = self.unsure[n];
            let limit = self.line.limit();
            let conn = self.line.open().await?;
            let name = &self.shared.queues[queue];
            let answer = within(limit, give_back(conn, worker, name, token)).await;
            let jobs = self.line.judge(answer)?;
            if jobs > 0 {
                tracing::info!(
                    queue = name,
                    jobs,
                    "gave back what a claim took whose answer was lost"
                );
            }
            self.unsure[n].ask_at = now + self.shared.settings.lease_ttl;
            self.unsure[n].last = true;
            if last {
                self.unsure.swap_remove(n);
            }
        }
        Ok(())
    }
}

impl Unsure {
    fn new(worker: WorkerId, queue: usize, token: i64) -> Self {
        let ask_at = Instant::now();
        Self {
            worker,
            queue,
            token,
            ask_at,
            last: false,
        }
    }
}

fn claiming(request: &ClaimRequest<'_>) -> Event {
    Event::Claiming {
        worker: request.worker,
        token: request.token,
        queue: request.queue.to_owned(),
        limit: request.limit,
    }
}

fn claimed(worker: WorkerId, token: i64, jobs: &[(Claim, Claimed)]) -> Event {
    Event::Claimed {
        worker,
        token,
        jobs: jobs.iter().map(|(_, job)| ClaimedJob::from(job)).collect(),
    }
}
