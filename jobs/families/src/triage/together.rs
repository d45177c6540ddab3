//! Sorts tickets that are due at the same time in one transaction, as databases commit in groups.
//!
//! Sorting one takes a dozen statements, and most of what they cost is their setting up, whether for one ticket or for sixteen. So a
//! handler puts its ticket in line. Whoever gets a turn sorts what waits, its own among it, and tells the others; as long as it does,
//! new ones gather behind it. Where nothing else is due a ticket has its turn at once and waits for nobody; where tickets come in groups
//! a leader waits a moment, because those whom the group before kept are about to bring the next.
//!
//! What goes wrong with one undoes all of them, and then each is sorted by itself: an error, a claim that no longer stands, a leader
//! that was stopped in the middle. A ticket that is gone, or that somebody is at, is sorted by itself from the start. So nobody's trouble
//! costs another more than time.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fleet_queue::{Cx, Done, JobError, TenantId};
use tokio::sync::{Semaphore, oneshot};

use super::ground::grounds;
use super::sort::{Asked, Sorted, sort_all};
use super::ticket::Ticket;
use crate::tickets::{Key, hold_free};

/// Most tickets in one transaction: their partners' rows are held until it ends.
const MOST: usize = 32;
/// How long a leader waits for others. A group takes ten times as long.
const GATHERED: Duration = Duration::from_millis(2);
/// Transactions at a time: while the database works for one, the model works for another. With three, groups are smaller and a fifth fewer
/// tickets are sorted on two cores.
const TURNS: usize = 2;

/// The line in which tickets wait; one for all handlers of a process.
#[derive(Clone)]
pub struct Together {
    line: Arc<Mutex<VecDeque<Waiting>>>,
    turns: Arc<Semaphore>,
    /// Whether the last group had more than one: then the next will have, too.
    busy: Arc<AtomicBool>,
}

impl Default for Together {
    fn default() -> Self {
        Self {
            line: Arc::default(),
            turns: Arc::new(Semaphore::new(TURNS)),
            busy: Arc::default(),
        }
    }
}

/// A ticket in line.
struct Waiting {
    cx: Cx<Together>,
    of: Ticket,
    /// Dropped without a word where the ticket is to be sorted by itself.
    tell: oneshot::Sender<Done>,
}

impl Waiting {
    fn key(&self) -> Key {
        (self.cx.tenant(), self.of.ticket_id)
    }
}

impl Together {
    /// Sorts a ticket together with others; `None` where it is to be sorted by itself.
    pub(super) async fn sort(&self, cx: &Cx<Self>, of: &Ticket) -> Option<Done> {
        let (tell, mut told) = oneshot::channel();
        self.line().push_back(Waiting {
            cx: cx.clone(),
            of: of.clone(),
            tell,
        });
        loop {
            tokio::select! {
                biased;
                done = &mut told => return done.ok(),
                turn = self.turns.acquire() => {
                    let group = self.gather().await;
                    if group.is_empty() {
                        drop(turn); // another has taken it along
                        return told.await.ok();
                    }
                    // What went wrong is met again by whose it is, and told there.
                    let _ = lead(group).await;
                }
            }
        }
    }

    /// The next group: at once where tickets come one by one.
    async fn gather(&self) -> Vec<Waiting> {
        if self.busy.load(Ordering::Relaxed) {
            tokio::time::sleep(GATHERED).await;
        }
        let group = self.take();
        self.busy.store(group.len() > 1, Ordering::Relaxed);
        group
    }

    fn line(&self) -> std::sync::MutexGuard<'_, VecDeque<Waiting>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those that have waited longest and are still waited for, each ticket once.
    fn take(&self) -> Vec<Waiting> {
        let mut line = self.line();
        line.retain(|it| !it.tell.is_closed());
        let mut taken = HashSet::new();
        let (group, rest) = line
            .drain(..)
            .partition(|it| taken.len() < MOST && taken.insert(it.key()));
        *line = rest;
        Vec::from(group)
    }
}

/// Sorts them and settles their jobs, all or none.
async fn lead(mut group: Vec<Waiting>) -> Result<(), JobError> {
    let Some(first) = group.first() else {
        return Ok(());
    };
    let mut tx = first.cx.pool().begin().await?;
    let keys: Vec<Key> = group.iter().map(Waiting::key).collect();
    // One that somebody is at keeps only itself waiting.
    let free = hold_free(&mut tx, &keys).await?;
    group.retain(|it| free.contains(&it.key()));
    let tenants: HashSet<TenantId> = group.iter().map(|it| it.cx.tenant()).collect();
    let grounds = grounds(&mut tx, &tenants.into_iter().collect::<Vec<_>>()).await?;
    // Asking elsewhere takes seconds; nobody else waits for that.
    let asks = |tenant| grounds[&tenant].in_force.settings.second_opinion.is_some();
    group.retain(|it| !asks(it.cx.tenant()));
    if group.is_empty() {
        return Ok(());
    }
    let asked = group.iter().map(|it| Asked {
        key: it.key(),
        revision: it.of.revision,
        ground: &grounds[&it.cx.tenant()],
        second: None,
    });
    let sorted = sort_all(&mut tx, &asked.collect::<Vec<_>>()).await?;
    let mut ended = Vec::with_capacity(group.len());
    for (it, sorted) in group.iter().zip(&sorted) {
        ended.push((&it.cx, Some(serde_json::to_value(sorted)?)));
    }
    let done = Cx::settle_all_in(&mut tx, ended).await?;
    tx.commit().await?;
    sorted.iter().for_each(Sorted::count);
    for (it, done) in group.into_iter().zip(done) {
        // Refused where its handler was stopped meanwhile: the worker finds the job ended.
        let _ = it.tell.send(done);
    }
    Ok(())
}
