//! Handlers' places, and the claimed jobs that wait for one. Nothing here waits for the database. Upholds I9.
//!
//! Two bounds hold at all times: handlers in all, and handlers a queue. A job leaves the line only together with a place,
//! and the place comes back when its `Slot` is dropped, however the handler ended.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use fleet_queue::telemetry;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::assignment::Assignment;
use crate::pace::Pace;

/// Most jobs in one claim; past a thousand nothing more is won.
const CLAIM_MAX: usize = 1_000;
/// A claim of fewer jobs is put off while enough of them wait.
const SMALL_CLAIM: usize = 32;

/// The line, shared by intake, which fills it, and the handlers' loop, which empties it.
pub(crate) struct Lineup {
    state: Mutex<State>,
    window: Duration,
    room: Notify,
    idle: Notify,
}

struct State {
    queues: Vec<Line>,
    handlers: usize,
    running: usize,
    waiting: usize,
    turn: usize,
    closed: bool,
    waker: Option<Waker>,
    gauge: metrics::Gauge,
}

struct Line {
    handlers: usize,
    running: usize,
    waiting: VecDeque<Assignment>,
    pace: Pace,
    wait_seconds: metrics::Histogram,
}

/// A handler's place; dropped, it is free again.
pub(crate) struct Slot {
    lineup: Arc<Lineup>,
    queue: usize,
    begun: Instant,
}

impl Lineup {
    /// An empty line for these queues, with so many handlers for each and in all.
    pub(crate) fn new(
        queues: &BTreeMap<String, usize>,
        handlers: usize,
        window: Duration,
    ) -> Arc<Self> {
        let line = |(name, handlers): (&String, &usize)| Line {
            handlers: *handlers,
            running: 0,
            waiting: VecDeque::new(),
            pace: Pace::default(),
            wait_seconds: metrics::histogram!(telemetry::WAIT_SECONDS, "queue" => name.clone()),
        };
        let state = State {
            queues: queues.iter().map(line).collect(),
            handlers,
            running: 0,
            waiting: 0,
            turn: 0,
            closed: false,
            waker: None,
            gauge: metrics::gauge!(telemetry::RUNNING),
        };
        Arc::new(Self {
            state: Mutex::new(state),
            window,
            room: Notify::new(),
            idle: Notify::new(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many jobs of a queue to claim now: for free handlers, and ahead of them what starts soon.
    /// 0 while at least half of that waits here already: few large claims are cheaper than many small ones.
    pub(crate) fn wanted(&self, queue: usize) -> usize {
        let state = self.state();
        if state.is_short(queue, self.window) {
            state.wanted(queue, self.window)
        } else {
            0
        }
    }

    /// Handlers that are busy.
    pub(crate) fn running(&self) -> usize {
        self.state().running
    }

    /// Puts claimed jobs of a queue in line, in order; gives them back where the line is closed.
    pub(crate) fn put(&self, queue: usize, jobs: Vec<Assignment>) -> Vec<Assignment> {
        let mut state = self.state();
        if state.closed {
            return jobs;
        }
        state.waiting += jobs.len();
        state.queues[queue].waiting.extend(jobs);
        let waker = state.waker.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
        Vec::new()
    }

    /// The next job that has a place; queues in turn.
    pub(crate) fn poll_next(self: &Arc<Self>, cx: &mut Context<'_>) -> Poll<Assignment> {
        let mut state = self.state();
        let Some(queue) = state.startable() else {
            state.waker = Some(cx.waker().clone());
            return Poll::Pending;
        };
        let mut assignment = state.start(queue);
        let short = state.is_short(queue, self.window);
        drop(state);
        if short {
            self.room.notify_one();
        }
        assignment.slot = Some(Slot {
            lineup: Arc::clone(self),
            queue,
            begun: Instant::now(),
        });
        Poll::Ready(assignment)
    }

    /// Waits until there may be something to claim for.
    pub(crate) async fn room(&self) {
        self.room.notified().await;
    }

    /// When the job that has waited longest was claimed.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        let state = self.state();
        let heads = state.queues.iter().filter_map(|line| line.waiting.front());
        heads.map(|job| job.claimed_at).min()
    }

    /// Takes out what has waited for a handler longer than `limit`: others may have handlers free.
    pub(crate) fn take_overdue(&self, limit: Duration) -> Vec<Assignment> {
        let mut state = self.state();
        let mut taken = Vec::new();
        for line in &mut state.queues {
            let is_overdue = |job: &Assignment| job.claimed_at.elapsed() >= limit;
            if line.waiting.front().is_some_and(is_overdue) {
                line.pace.slow_down(limit);
                taken.extend(line.waiting.drain(..));
            }
        }
        state.waiting -= taken.len();
        taken
    }

    /// Takes out everything that waits.
    pub(crate) fn take_all(&self) -> Vec<Assignment> {
        let mut state = self.state();
        state.waiting = 0;
        let lines = state.queues.iter_mut();
        lines.flat_map(|line| line.waiting.drain(..)).collect()
    }

    /// Takes nothing in any more, and gives out what waits.
    pub(crate) fn close(&self) -> Vec<Assignment> {
        self.state().closed = true;
        self.take_all()
    }

    /// Waits until no handler is busy.
    pub(crate) async fn idle(&self) {
        loop {
            let quiet = self.idle.notified();
            if self.running() == 0 {
                return;
            }
            quiet.await;
        }
    }

    fn finish(&self, queue: usize, took: Duration) {
        let mut state = self.state();
        state.running -= 1;
        state.gauge.set(state.running as f64);
        let line = &mut state.queues[queue];
        line.running -= 1;
        line.pace.note(took);
        let waker = state.waker.take();
        let short = state.is_short(queue, self.window);
        let idle = state.running == 0;
        drop(state);
        waker.into_iter().for_each(Waker::wake);
        if short {
            self.room.notify_one();
        }
        if idle {
            self.idle.notify_waiters();
        }
    }
}

impl State {
    fn wanted(&self, queue: usize, window: Duration) -> usize {
        if self.closed {
            return 0;
        }
        let line = &self.queues[queue];
        let waiting = line.waiting.len();
        let free_here = line.handlers.saturating_sub(line.running + waiting);
        let free = free_here.min(self.handlers.saturating_sub(self.running + self.waiting));
        let ahead = line.pace.ahead(line.handlers, window);
        free.max(ahead.saturating_sub(waiting)).min(CLAIM_MAX)
    }

    fn is_short(&self, queue: usize, window: Duration) -> bool {
        is_due(self.wanted(queue, window), self.queues[queue].waiting.len())
    }

    fn startable(&self) -> Option<usize> {
        if self.waiting == 0 || self.running >= self.handlers {
            return None;
        }
        let lines = self.queues.len();
        let in_turn = (0..lines).map(|n| (self.turn + n) % lines);
        in_turn.into_iter().find(|queue| {
            let line = &self.queues[*queue];
            !line.waiting.is_empty() && line.running < line.handlers
        })
    }

    fn start(&mut self, queue: usize) -> Assignment {
        self.running += 1;
        self.waiting -= 1;
        self.turn = queue + 1;
        self.gauge.set(self.running as f64);
        let line = &mut self.queues[queue];
        line.running += 1;
        let assignment = line
            .waiting
            .pop_front()
            .expect("a startable line has a job");
        line.wait_seconds.record(assignment.waited());
        assignment
    }
}

/// True where a claim is due: something is wanted, and what waits is used up or half used up. A claim costs much the same for one job
/// as for many, so a small one is put off until three quarters are used up.
fn is_due(wanted: usize, waiting: usize) -> bool {
    let left = if wanted < SMALL_CLAIM {
        3 * waiting
    } else {
        waiting
    };
    wanted > 0 && (wanted == CLAIM_MAX || wanted >= left)
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.lineup.finish(self.queue, self.begun.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use super::is_due;

    #[test]
    fn a_claim_is_due_when_what_waits_is_used_up() {
        assert!(!is_due(0, 0));
        assert!(is_due(1, 0));
        assert!(is_due(1_000, 1_000));
    }

    #[test]
    fn a_small_claim_is_put_off() {
        assert!(!is_due(8, 8));
        assert!(is_due(12, 4));
        assert!(!is_due(500, 501));
        assert!(is_due(32, 32));
    }
}
