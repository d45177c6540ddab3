//! When to ask a queue, and how to rest between: woken within a millisecond, at less than a query a second.
//!
//! ```text
//!   worth a claim ──gave less than asked──▶ marked as a sleeper, asked once more ──nothing──▶ dry
//!        ▲                                                                                     │
//!        └───────────── named by a notification, or found by a poll of all dry queues ─────────┘
//! ```
//! The mark stays while single jobs come and go, so that each costs one claim. It is struck off where the worker has no room,
//! because a notification that it cannot act on is missing somewhere else; one that comes all the same is passed on.
//! Where notifications do not arrive, nothing is marked, and the polls are closer together.

use std::sync::Arc;
use std::time::Duration;

use fleet_queue::wake;
use tokio::time::Instant;

use crate::identity::Standing;
use crate::line::{CallError, Line, Pauses, within};
use crate::shared::Shared;

/// First pause between two polls; they double from there.
const FIRST_POLL: Duration = Duration::from_millis(50);
/// The mark is struck off once there was no room for so long; not at every short burst.
const FULL_FOR: Duration = Duration::from_millis(100);

/// What is known of the queues, each by its place in the line.
pub(crate) struct Idle {
    shared: Arc<Shared>,
    /// Gave less than was asked for, and nothing was heard of it since.
    dry: Vec<bool>,
    /// Our name stands beside it.
    marked: Vec<bool>,
    full_since: Option<Instant>,
    polls: Pauses,
    poll_at: Instant,
}

impl Idle {
    /// Every queue is worth a first claim.
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        let queues = shared.queues.len();
        Self {
            dry: vec![false; queues],
            marked: vec![false; queues],
            full_since: None,
            polls: Pauses::new(FIRST_POLL, shared.settings.poll_every),
            poll_at: Instant::now() + FIRST_POLL,
            shared: Arc::clone(shared),
        }
    }

    /// Nothing is known any more: after an error, or under a new name.
    pub(crate) fn begin_again(&mut self) {
        self.dry.fill(false);
        self.marked.fill(false);
    }

    /// How many jobs a claim should ask this queue for now; 0 where none should be sent.
    pub(crate) fn to_claim(&self, queue: usize) -> usize {
        if self.dry[queue] {
            return 0;
        }
        self.room(queue)
    }

    fn room(&self, queue: usize) -> usize {
        if !self.may_claim(&self.shared.identity.standing()) {
            return 0;
        }
        self.shared.lineup.wanted(queue)
    }

    /// Not while draining; nor once the lease has not been renewed for so long that handlers are told to stop: this connection may still
    /// work where renewal's does not, and a handler that begins then would not be told.
    fn may_claim(&self, standing: &Standing) -> bool {
        !standing.draining && standing.outlasts(self.shared.settings.last_of_lease())
    }

    fn queues(&self) -> std::ops::Range<usize> {
        0..self.dry.len()
    }

    fn names(&self, queues: &[usize]) -> Vec<String> {
        let names = queues
            .iter()
            .map(|queue| self.shared.queues[*queue].clone());
        names.collect()
    }

    /// Acts on the notifications that came: a queue that has room is asked, the word of another is passed on.
    pub(crate) async fn hear(&mut self, line: &mut Line) -> Result<(), CallError> {
        let words = self.shared.words.take();
        if words.is_empty() {
            return Ok(());
        }
        let named: Vec<usize> = self
            .queues()
            .filter(|queue| words.contains(&self.shared.queues[*queue]))
            .collect();
        for queue in &named {
            self.dry[*queue] = false;
        }
        let full: Vec<usize> = named
            .into_iter()
            .filter(|queue| self.room(*queue) == 0)
            .collect();
        if full.is_empty() {
            return Ok(());
        }
        self.awake(line).await?;
        self.pass_on(&full, line).await
    }

    /// Notes what a claim brought.
    pub(crate) async fn claimed(
        &mut self,
        queue: usize,
        jobs: usize,
        asked: usize,
        line: &mut Line,
    ) -> Result<(), CallError> {
        if jobs > 0 {
            self.polls.reset();
            self.poll_at = Instant::now() + self.polls.next();
        }
        if jobs < asked {
            self.dry[queue] = true;
        } else if self.marked[queue] {
            // There is more than we take at once: on with the news to the next sleeper.
            self.awake(line).await?;
            self.pass_on(&[queue], line).await?;
        }
        Ok(())
    }

    /// Before a rest: sees that our name stands beside the queues that have room, and nowhere where there is none.
    pub(crate) async fn before_rest(&mut self, line: &mut Line) -> Result<(), CallError> {
        let open: Vec<usize> = self
            .queues()
            .filter(|queue| self.room(*queue) > 0)
            .collect();
        if open.is_empty() {
            let since = *self.full_since.get_or_insert_with(Instant::now);
            if self.is_marked() && since.elapsed() >= FULL_FOR {
                self.awake(line).await?;
            }
            return Ok(());
        }
        self.full_since = None;
        if !self.shared.words.is_hearing() {
            return if self.is_marked() {
                self.awake(line).await
            } else {
                Ok(())
            };
        }
        let unmarked: Vec<usize> = open
            .into_iter()
            .filter(|queue| !self.marked[*queue])
            .collect();
        if !unmarked.is_empty() {
            self.fall_asleep(&unmarked, line).await?;
        }
        // A job that came between the last claim and the mark woke nobody: once more.
        for queue in unmarked {
            self.dry[queue] = false;
        }
        Ok(())
    }

    /// Rests until something may be claimed, it is time to poll, or `wake_at`.
    pub(crate) async fn rest(&self, wake_at: Option<Instant>) {
        // First of all: what changes from here on wakes.
        let mut standing = self.shared.identity.watch();
        let before = *standing.borrow_and_update();
        let might = self.may_claim(&before);
        if self.queues().any(|queue| self.to_claim(queue) > 0) {
            return;
        }
        let struck_off = self.full_since.filter(|_| self.is_marked());
        let times = [
            struck_off.map(|since| since + FULL_FOR),
            wake_at,
            self.next_poll(),
        ];
        let until = times.into_iter().flatten().min();
        let changed = |now: &Standing| now.worker != before.worker || self.may_claim(now) != might;
        tokio::select! {
            () = self.shared.lineup.room() => {}
            () = self.shared.words.came() => {}
            _ = standing.wait_for(changed) => {}
            () = sleep_until(until) => {}
        }
    }

    fn next_poll(&self) -> Option<Instant> {
        let has_room = self.queues().any(|queue| self.room(queue) > 0);
        has_room.then_some(self.poll_at)
    }

    /// Where it is time: one look at all dry queues that have room.
    pub(crate) async fn poll(&mut self, line: &mut Line) -> Result<(), CallError> {
        if self.next_poll().is_none_or(|at| Instant::now() < at) {
            return Ok(());
        }
        let hearing = self.shared.words.is_hearing();
        let settings = &self.shared.settings;
        self.polls.up_to(if hearing {
            settings.poll_every
        } else {
            settings.poll_without_listen
        });
        self.poll_at = Instant::now() + self.polls.next();
        let open: Vec<usize> = self
            .queues()
            .filter(|queue| self.room(*queue) > 0)
            .collect();
        let names = self.names(&open);
        let worker = self.shared.identity.worker();
        let kinds = self.shared.registry.served();
        let limit = line.limit();
        let conn = line.open().await?;
        let answer = within(limit, wake::worth_a_claim(conn, worker, &names, &kinds)).await;
        let found = line.judge(answer)?;
        for queue in open {
            if found.contains(&self.shared.queues[queue]) {
                self.dry[queue] = false;
            }
        }
        Ok(())
    }

    fn is_marked(&self) -> bool {
        self.marked.contains(&true)
    }

    async fn fall_asleep(&mut self, queues: &[usize], line: &mut Line) -> Result<(), CallError> {
        let names = self.names(queues);
        let worker = self.shared.identity.worker();
        let limit = line.limit();
        let conn = line.open().await?;
        let answer = within(limit, wake::fall_asleep(conn, worker, &names)).await;
        line.judge(answer)?;
        for queue in queues {
            self.marked[*queue] = true;
        }
        Ok(())
    }

    /// Strikes our name off.
    pub(crate) async fn awake(&mut self, line: &mut Line) -> Result<(), CallError> {
        if !self.is_marked() {
            return Ok(());
        }
        let worker = self.shared.identity.worker();
        let limit = line.limit();
        let conn = line.open().await?;
        let answer = within(limit, wake::awake(conn, worker)).await;
        line.judge(answer)?;
        self.marked.fill(false);
        Ok(())
    }

    async fn pass_on(&self, queues: &[usize], line: &mut Line) -> Result<(), CallError> {
        let names = self.names(queues);
        let limit = line.limit();
        let conn = line.open().await?;
        let answer = within(limit, wake::wake(conn, &names)).await;
        line.judge(answer).map(|_| ())
    }
}

async fn sleep_until(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until).await,
        None => std::future::pending().await,
    }
}
