//! Group commit: enqueues that arrive while others commit share the next commit.
//!
//! A lone enqueue is committed at once: nothing waits for company. Under load the next group forms while the last one commits,
//! so the number of commits follows the disk and not the callers.
//!
//! A group is one transaction of one statement a tenant, each under that tenant's row-level security: sharing a commit must not
//! mean sharing sight (I12), so no group ever acts for "all tenants". Where the database refuses a group because of one job in it,
//! every job is tried for itself, so that one caller's mistake is only their own.

use std::collections::BTreeMap;
use std::sync::Arc;

use fleet_queue::transitions::enqueue::enqueue_many;
use fleet_queue::wake::wake;
use fleet_queue::{Db, EnqueueOutcome, Enqueued, JobState, NewJob, TenantId};
use sqlx::{Acquire, PgConnection};
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::audit::{self, Action};
use crate::auth::{Caller, Identity};
use crate::enqueue::enqueue_good_part;
use crate::problem::Problem;
use crate::request_id;
use crate::state::act_as;

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
    caller: Caller,
    request_id: String,
    answer: oneshot::Sender<Result<Enqueued, Problem>>,
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
    /// Enqueues one job; answers after its commit.
    pub(crate) async fn enqueue(&self, job: NewJob, caller: Caller) -> Result<Enqueued, Problem> {
        let (answer, answered) = oneshot::channel();
        let request_id = request_id::current();
        let item = Item {
            job,
            caller,
            request_id,
            answer,
        };
        let gone = |_| Problem::unavailable();
        self.0
            .send(item)
            .await
            .map_err(|_| Problem::unavailable())?;
        answered.await.map_err(gone)?
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

    async fn commit(&self, group: Vec<Item>) {
        let Ok(mut conn) = self.db.acquire("api.enqueue").await else {
            refuse(group, &Problem::unavailable());
            return;
        };
        let by_tenant = by_tenant(group);
        let mut outcome = together(&mut conn, &by_tenant, Care::None).await;
        if outcome.as_ref().is_err_and(|problem| !problem.is_outage()) {
            outcome = together(&mut conn, &by_tenant, Care::EachAlone).await;
        }
        match outcome {
            Ok(answers) => answer(&mut conn, by_tenant, answers).await,
            Err(problem) => refuse(by_tenant.into_values().flatten(), &problem),
        }
    }
}

type ByTenant = BTreeMap<TenantId, Vec<Item>>;

fn by_tenant(group: Vec<Item>) -> ByTenant {
    let mut by_tenant = ByTenant::new();
    for item in group {
        by_tenant.entry(item.job.tenant).or_default().push(item);
    }
    by_tenant
}

/// Whether one bad job may fail its group: at first it may, because savepoints cost round trips.
#[derive(Clone, Copy)]
enum Care {
    None,
    EachAlone,
}

type Answers = Vec<Result<Enqueued, Problem>>;

/// Every job of the group in one transaction; the answers in the group's order.
async fn together(
    conn: &mut PgConnection,
    group: &ByTenant,
    care: Care,
) -> Result<Answers, Problem> {
    let mut tx = conn.begin().await?;
    let mut answers = Answers::new();
    for (tenant, items) in group {
        act_as(&mut tx, &tenant.to_string()).await?;
        let jobs: Vec<NewJob> = items.iter().map(|item| item.job.clone()).collect();
        let enqueued = match care {
            Care::None => enqueue_many(&mut tx, &jobs)
                .await?
                .into_iter()
                .map(Ok)
                .collect(),
            Care::EachAlone => enqueue_good_part(&mut tx, &jobs).await?,
        };
        record(&mut tx, *tenant, items, &enqueued).await?;
        answers.extend(enqueued);
    }
    tx.commit().await?;
    Ok(answers)
}

/// One row of the audit for each key that made jobs of this tenant.
async fn record(
    conn: &mut PgConnection,
    tenant: TenantId,
    items: &[Item],
    answers: &[Result<Enqueued, Problem>],
) -> Result<(), sqlx::Error> {
    let mut by_key: BTreeMap<_, (&Identity, Vec<_>, Vec<_>)> = BTreeMap::new();
    for (item, answer) in items.iter().zip(answers) {
        if let Ok(answer) = answer
            && answer.outcome != EnqueueOutcome::QueueFull
        {
            let shared = by_key
                .entry(item.caller.key_id)
                .or_insert_with(|| (&item.caller, Vec::new(), Vec::new()));
            shared.1.push(answer.id);
            shared.2.push(item.request_id.clone());
        }
    }
    for (who, jobs, request_ids) in by_key.values() {
        let action = Action {
            verb: "jobs.enqueue",
            tenant,
            subject: None,
            jobs,
            reason: None,
            detail: None,
        };
        audit::record_for(conn, who, action, request_ids).await?;
    }
    Ok(())
}

/// Answers first, then wakes: nobody's answer waits for a hint.
async fn answer(conn: &mut PgConnection, group: ByTenant, answers: Answers) {
    let mut queues: Vec<String> = Vec::new();
    for (item, answer) in group.into_values().flatten().zip(answers) {
        let due = answer
            .as_ref()
            .is_ok_and(|job| job.state == Some(JobState::Available));
        if due && !queues.contains(&item.job.queue) {
            queues.push(item.job.queue.clone());
        }
        // A caller that hung up has its job all the same.
        let _ = item.answer.send(answer);
    }
    // A hint that fails is made up for by polling.
    if !queues.is_empty()
        && let Err(error) = wake(conn, &queues).await
    {
        tracing::debug!(%error, "no worker was woken");
    }
}

fn refuse(items: impl IntoIterator<Item = Item>, problem: &Problem) {
    for item in items {
        let _ = item.answer.send(Err(problem.clone()));
    }
}
