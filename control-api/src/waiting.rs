//! Waiting for jobs to end: any number of waiters cost one small query a round together, and none while nobody waits.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fleet_queue::read::unfinished;
use fleet_queue::{Db, JobId};
use tokio::sync::{Notify, watch};
use uuid::Uuid;

/// From one look to the next.
const ROUND: Duration = Duration::from_millis(100);

/// The waiters of the process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waiting(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    jobs: Mutex<HashMap<Uuid, watch::Sender<bool>>>,
    somebody: Notify,
}

impl Waiting {
    /// Returns when the job has ended, or is gone.
    pub(crate) async fn for_end(&self, job: JobId) {
        let mut ended = self.subscribe(job);
        // A dropped sender means that the rounds stopped: then the caller looks for itself.
        let _ = ended.wait_for(|ended| *ended).await;
    }

    fn subscribe(&self, job: JobId) -> watch::Receiver<bool> {
        let mut jobs = self.jobs();
        let receiver = jobs
            .entry(job.0)
            .or_insert_with(|| watch::Sender::new(false))
            .subscribe();
        self.0.somebody.notify_one();
        receiver
    }

    fn jobs(&self) -> std::sync::MutexGuard<'_, HashMap<Uuid, watch::Sender<bool>>> {
        self.0.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks after the waiters, for as long as it is polled.
    pub(crate) async fn run(self, db: Db) {
        loop {
            self.0.somebody.notified().await;
            while self.round(&db).await {
                tokio::time::sleep(ROUND).await;
            }
        }
    }

    /// One look for everybody; false where nobody waits any more.
    async fn round(&self, db: &Db) -> bool {
        let awaited = self.awaited();
        if awaited.is_empty() {
            return false;
        }
        let Ok(mut conn) = db.acquire("api.wait").await else {
            return true;
        };
        // In an outage they go on waiting; their own deadline ends it.
        if let Ok(living) = unfinished(&mut conn, &awaited).await {
            self.tell(&awaited, &living);
        }
        true
    }

    /// Forgets the jobs whose waiters all went away, and names the others.
    fn awaited(&self) -> Vec<Uuid> {
        let mut jobs = self.jobs();
        jobs.retain(|_, ended| ended.receiver_count() > 0);
        jobs.keys().copied().collect()
    }

    fn tell(&self, awaited: &[Uuid], living: &[Uuid]) {
        let mut jobs = self.jobs();
        for job in awaited.iter().filter(|job| !living.contains(job)) {
            if let Some(ended) = jobs.remove(job) {
                ended.send_replace(true);
            }
        }
    }
}
