//! The jobs that benchmarks run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fleet_queue::{Cx, Done, Job, JobResult, NewJob, Registry, TenantId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use uuid::Uuid;

/// Counts handlers that ran.
#[derive(Clone, Debug)]
pub(crate) struct Tally(Arc<Count>);

#[derive(Debug)]
struct Count {
    ran: AtomicU64,
    expected: u64,
    all: Notify,
}

impl Tally {
    pub(crate) fn of(expected: u64) -> Self {
        Self(Arc::new(Count {
            ran: AtomicU64::new(0),
            expected,
            all: Notify::new(),
        }))
    }

    /// Called by each handler, or for each job of those that have none.
    pub(crate) fn add(&self, jobs: u64) {
        let before = self.0.ran.fetch_add(jobs, Ordering::Relaxed);
        if before < self.0.expected && before + jobs >= self.0.expected {
            self.0.all.notify_one();
        }
    }

    pub(crate) fn ran(&self) -> u64 {
        self.0.ran.load(Ordering::Relaxed)
    }

    /// Waits until as many ran as are expected.
    pub(crate) async fn all(&self) {
        self.0.all.notified().await;
    }
}

/// Does nothing, for as long as it is told, and is counted.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Noop {
    /// How long, in milliseconds.
    #[serde(default, skip_serializing_if = "is_zero")]
    ms: u64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(ms: &u64) -> bool {
    *ms == 0
}

impl Job for Noop {
    const KIND: &'static str = "bench.noop";
    const DESCRIPTION: &'static str = "Does nothing, for as long as it is told, and is counted.";
    type Deps = Tally;

    fn example() -> Self {
        Self { ms: 0 }
    }

    async fn run(self, cx: Cx<Tally>) -> JobResult {
        if self.ms > 0 {
            tokio::time::sleep(Duration::from_millis(self.ms)).await;
        }
        cx.deps().add(1);
        Ok(Done::ok())
    }
}

/// What a worker of a benchmark serves.
pub(crate) fn registry(tally: &Tally) -> Registry {
    Registry::new().job::<Noop>(tally.clone())
}

/// So many jobs that do nothing.
pub(crate) fn noops(n: u64) -> Vec<NewJob> {
    waiting(n, 1, 0)
}

/// So many jobs, of so many tenants in turn, that sleep for so long.
pub(crate) fn waiting(n: u64, tenants: u64, ms: u64) -> Vec<NewJob> {
    let tenant = |n: u64| TenantId(Uuid::from_u128(u128::from(n % tenants) + 1));
    let job = |n: u64| NewJob::of(&Noop { ms }).tenant(tenant(n));
    (0..n).map(job).collect()
}
