//! Group commit: enqueues that arrive while others commit share the next commit.
//!
//! A lone enqueue is committed at once: nothing waits for company. Under load the next group forms while the last one commits,
//! so the number of commits follows the disk and not the callers.
//!
//! Sharing a commit must not mean sharing sight (I12), so no group ever acts for "all tenants": see [`crate::shared_commit`].
//! A group that the database refuses is halved until the job it is about stands alone, so that one caller's mistake is only their own.

use std::collections::BTreeMap;
use std::sync::Arc;

use fleet_queue::history::Event;
use fleet_queue::{Db, Enqueued, JobState, NewJob, TenantId};
use sqlx::PgConnection;
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::auth::Caller;
use crate::problem::Problem;
use crate::request_id;
use crate::shared_commit::{Answers, together};
use crate::waking::wake_over;

/// Enqueues waiting for their commit at most; past it requests wait to hand theirs in.
const WAITING_MAX: usize = 10_000;

/// Where handlers hand in their jobs.
#[derive(Clone, Debug)]
pub(crate) struct Gatherer(mpsc::Sender<Item>);

/// The other end, for the tasks that commit.
pub(crate) struct Intake {
    items: Mutex<mpsc::Receiver<Item>>,
    db: Db,
    group_max: usize,
}

#[derive(Debug)]
struct Item {
    job: NewJob,
    waiter: Waiter,
}

/// Who waits for an answer: it comes with the job itself.
#[derive(Debug)]
pub(crate) struct Waiter {
    pub(crate) caller: Caller,
    pub(crate) request_id: String,
    answer: oneshot::Sender<Result<(NewJob, Enqueued), Problem>>,
}

/// A gatherer and its intake.
pub(crate) fn gathering(db: Db, group_max: usize) -> (Gatherer, Arc<Intake>) {
    let (sender, receiver) = mpsc::channel(WAITING_MAX);
    let intake = Intake {
        items: Mutex::new(receiver),
        db,
        group_max,
    };
    (Gatherer(sender), Arc::new(intake))
}

impl Gatherer {
    /// Enqueues one job; answers after its commit, and gives the job back.
    pub(crate) async fn enqueue(
        &self,
        job: NewJob,
        caller: Caller,
    ) -> Result<(NewJob, Enqueued), Problem> {
        let (answer, answered) = oneshot::channel();
        let waiter = Waiter {
            caller,
            request_id: request_id::current(),
            answer,
        };
        let sent = self.0.send(Item { job, waiter }).await;
        sent.map_err(|_| Problem::unavailable())?;
        answered.await.map_err(|_| Problem::unavailable())?
    }
}

impl Intake {
    /// Commits group after group until every gatherer is gone. Run by any number of tasks.
    pub(crate) async fn run(self: Arc<Self>) {
        loop {
            let group = self.next_group().await;
            if group.is_empty() {
                return;
            }
            self.commit(group).await;
        }
    }

    async fn next_group(&self) -> Vec<Item> {
        let mut group = Vec::new();
        self.items
            .lock()
            .await
            .recv_many(&mut group, self.group_max)
            .await;
        group
    }

    async fn commit(&self, items: Vec<Item>) {
        let group = Groups::of(items);
        let Ok(mut conn) = self.db.acquire("api.enqueue").await else {
            group.refuse(&Problem::unavailable());
            return;
        };
        let mut parts = vec![group];
        while let Some(part) = parts.pop() {
            match together(&mut conn, self.db.probes(), &part).await {
                Ok(answers) => self.answer(&mut conn, part, answers).await,
                Err(problem) if problem.is_outage() || part.is_one() => part.refuse(&problem),
                Err(_) => parts.extend(part.halves()),
            }
        }
    }

    async fn answer(&self, conn: &mut PgConnection, part: Groups, answers: Answers) {
        self.db.history().note(|| part.enqueued(&answers));
        // After the answers: nobody's answer waits for a hint.
        let queues = part.answer(answers);
        wake_over(conn, self.db.probes(), &queues).await;
    }
}

/// The jobs of a commit by tenant, each with who waits for it.
pub(crate) struct Groups(pub(crate) BTreeMap<TenantId, Group>);

#[derive(Default)]
pub(crate) struct Group {
    pub(crate) jobs: Vec<NewJob>,
    pub(crate) waiters: Vec<Waiter>,
}

impl Groups {
    fn of(items: Vec<Item>) -> Self {
        let mut groups: BTreeMap<TenantId, Group> = BTreeMap::new();
        for item in items {
            let group = groups.entry(item.job.tenant).or_default();
            group.jobs.push(item.job);
            group.waiters.push(item.waiter);
        }
        Self(groups)
    }

    fn is_one(&self) -> bool {
        let jobs = self.0.values().map(|group| group.jobs.len());
        jobs.sum::<usize>() == 1
    }

    /// In two, the first half last: that is the end a stack is taken from.
    fn halves(self) -> [Self; 2] {
        let pairs = self.0.into_values().flat_map(Group::into_pairs);
        let mut first: Vec<_> = pairs.map(|(job, waiter)| Item { job, waiter }).collect();
        let second = first.split_off(first.len() / 2);
        [Self::of(second), Self::of(first)]
    }

    fn enqueued(&self, answers: &Answers) -> Event {
        let jobs = self.0.values().flat_map(|group| &group.jobs);
        let made = jobs.zip(answers);
        Event::enqueued(made.filter_map(|(job, answer)| Some((job, answer.as_ref().ok()?))))
    }

    /// Answers everybody; gives the queues that gained a job to run now. A caller that hung up has its job all the same.
    fn answer(self, answers: Answers) -> Vec<String> {
        let mut queues: Vec<String> = Vec::new();
        let waiting = self.0.into_values().flat_map(Group::into_pairs);
        for ((job, waiter), answer) in waiting.zip(answers) {
            let due = answer
                .as_ref()
                .is_ok_and(|made| made.state == Some(JobState::Available));
            if due && !queues.contains(&job.queue) {
                queues.push(job.queue.clone());
            }
            let _ = waiter.answer.send(answer.map(|made| (job, made)));
        }
        queues
    }

    fn refuse(self, problem: &Problem) {
        for (_, waiter) in self.0.into_values().flat_map(Group::into_pairs) {
            let _ = waiter.answer.send(Err(problem.clone()));
        }
    }
}

impl Group {
    fn into_pairs(self) -> impl Iterator<Item = (NewJob, Waiter)> {
        self.jobs.into_iter().zip(self.waiters)
    }
}
