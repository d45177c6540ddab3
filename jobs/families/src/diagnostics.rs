//! Jobs for people who try the fleet and tests that prove it: do nothing, sleep, fail, panic, die, leave a trace.
//!
//! Trigger: a person or a test; registered only where diagnostics are switched on.
//! Effect: none, but for `diagnostics.effect`, which adds a row to `fleet.diagnostic_effect`.
//! Safe to repeat because: the effect commits with its job's completion, in one transaction.
//! Gives up when: told to fail more often than it may be tried.

use std::time::Duration;

use fleet_queue::{Backoff, Cx, Done, Job, JobError, JobResult, Policy, Registry};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Longest a diagnostics job may be told to sleep.
const SLEEP_MS_MAX: u64 = 3_600_000;

const POLICY: Policy = Policy {
    queue: "default",
    max_attempts: 5,
    backoff: Backoff {
        first: Duration::from_millis(100),
        longest: Duration::from_secs(30),
        ..Backoff::DEFAULT
    },
    timeout: Duration::from_secs(2 * 3600),
    ..Policy::DEFAULT
};

/// Every diagnostics kind.
#[must_use]
pub fn registry() -> Registry {
    Registry::new()
        .job::<Noop>(())
        .job::<Sleep>(())
        .job::<Fail>(())
        .job::<Panic>(())
        .job::<Abort>(())
        .job::<Effect>(())
}

/// Does nothing.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Noop {}

impl Job for Noop {
    const KIND: &'static str = "diagnostics.noop";
    const DESCRIPTION: &'static str = "Does nothing, and completes.";
    type Deps = ();

    fn policy() -> Policy {
        POLICY
    }

    fn example() -> Self {
        Self {}
    }

    async fn run(self, _: Cx<()>) -> JobResult {
        Ok(Done::ok())
    }
}

/// Sleeps, saying how far it is, and stops when it is cancelled.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sleep {
    /// How long.
    #[schemars(range(max = 3_600_000))]
    pub ms: u64,
}

impl Job for Sleep {
    const KIND: &'static str = "diagnostics.sleep";
    const DESCRIPTION: &'static str = "Sleeps for `ms` milliseconds with progress; cancellable.";
    type Deps = ();

    fn policy() -> Policy {
        POLICY
    }

    fn example() -> Self {
        Self { ms: 100 }
    }

    async fn run(self, cx: Cx<()>) -> JobResult {
        let total = self.ms.min(SLEEP_MS_MAX);
        for slept in (0..total).step_by(1_000) {
            if slept > 0 {
                cx.progress(slept, total, "sleeping").await?;
            }
            rest(&cx, (total - slept).min(1_000)).await?;
        }
        Done::output(&serde_json::json!({ "slept_ms": total }))
    }
}

/// Fails a number of times, then completes.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fail {
    /// Attempts that fail.
    pub times: u16,
    /// What each says.
    #[serde(default = "failed_on_purpose")]
    pub error: String,
}

fn failed_on_purpose() -> String {
    "failed on purpose".to_owned()
}

impl Job for Fail {
    const KIND: &'static str = "diagnostics.fail";
    const DESCRIPTION: &'static str =
        "Fails its first `times` attempts with `error`, then completes.";
    type Deps = ();

    fn policy() -> Policy {
        POLICY
    }

    fn example() -> Self {
        Self {
            times: 1,
            error: failed_on_purpose(),
        }
    }

    async fn run(self, cx: Cx<()>) -> JobResult {
        let attempt = cx.job().attempt;
        if i32::from(attempt) <= i32::from(self.times) {
            cx.log("warn", &format!("attempt {attempt} fails, as told"))
                .await?;
            return Err(self.error.into());
        }
        Done::output(&serde_json::json!({ "failed": self.times }))
    }
}

/// Panics; which is a failed attempt, and hurts nobody else.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Panic {}

impl Job for Panic {
    const KIND: &'static str = "diagnostics.panic";
    const DESCRIPTION: &'static str = "Panics: a failed attempt that hurts no other job.";
    type Deps = ();

    fn policy() -> Policy {
        POLICY
    }

    fn example() -> Self {
        Self {}
    }

    #[allow(clippy::panic, reason = "it is what this kind is for")]
    async fn run(self, _: Cx<()>) -> JobResult {
        panic!("diagnostics.panic panics on purpose")
    }
}

/// Ends the worker's process at once, as a kill -9 would.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Abort {}

impl Job for Abort {
    const KIND: &'static str = "diagnostics.abort";
    const DESCRIPTION: &'static str =
        "Kills the worker's process: a poison job, given up after three crashes.";
    type Deps = ();

    fn policy() -> Policy {
        POLICY
    }

    fn example() -> Self {
        Self {}
    }

    async fn run(self, _: Cx<()>) -> JobResult {
        std::process::abort()
    }
}

/// Sleeps, then adds a row inside the completion's own transaction, so that doubled effects can be counted.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Effect {
    /// What the row says.
    pub key: String,
    /// How long it sleeps first.
    #[serde(default)]
    pub ms: u64,
}

impl Job for Effect {
    const KIND: &'static str = "diagnostics.effect";
    const DESCRIPTION: &'static str =
        "Sleeps, then adds a row to fleet.diagnostic_effect in the transaction that completes it.";
    type Deps = ();

    fn policy() -> Policy {
        POLICY
    }

    fn example() -> Self {
        Self {
            key: "example".to_owned(),
            ms: 10,
        }
    }

    async fn run(self, cx: Cx<()>) -> JobResult {
        rest(&cx, self.ms.min(SLEEP_MS_MAX)).await?;
        let mut tx = cx.pool().begin().await?;
        sqlx::query!(
            r#"-- diagnostics.effect
            INSERT INTO fleet.diagnostic_effect (key, job_id, attempt, at) VALUES ($1, $2, $3, clock_timestamp())"#,
            self.key,
            cx.job().id.0,
            i32::from(cx.job().attempt),
        )
        .execute(&mut *tx)
        .await?;
        let done = cx.settle_in(&mut tx, None::<&()>).await?;
        tx.commit().await?;
        Ok(done)
    }
}

/// Sleeps, unless it is cancelled meanwhile.
async fn rest<D>(cx: &Cx<D>, ms: u64) -> Result<(), JobError> {
    tokio::select! {
        () = tokio::time::sleep(Duration::from_millis(ms)) => Ok(()),
        () = cx.cancelled().cancelled() => Err("stopped while sleeping".into()),
    }
}
