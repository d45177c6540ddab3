//! A kind of job that does what its payload says.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fleet_queue::{Backoff, Cx, Done, Job, JobError, JobResult, NewJob, Policy, Registry};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What a toy does.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(super) enum Toy {
    /// Completes with this.
    Say(String),
    /// Completes with what jsonb cannot hold.
    SayZero,
    /// Completes with so many bytes.
    SayMuch(usize),
    /// Fails until this attempt; each time with this wait of its own, if there is one.
    FailUntil { attempt: i16, wait_ms: Option<u64> },
    /// Gives up.
    Discard,
    /// Panics.
    Panic,
    /// Sleeps; fails early when it is told to stop.
    Sleep(u64),
    /// Sleeps, whatever it is told.
    SleepOn(u64),
    /// Puts itself off once.
    Snooze,
    /// Adds an effect in the transaction that completes it; commits that, or forgets to.
    Effect { commit: bool },
}

/// How often toys were begun, how often their sleep was cut short, and how many slept on at once; counted for one test's registry.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts(Arc<Numbers>);

#[derive(Debug, Default)]
struct Numbers {
    begun: AtomicU64,
    cut_short: AtomicU64,
    asleep: AtomicU64,
    most_asleep: AtomicU64,
}

impl Counts {
    pub(super) fn begun(&self) -> u64 {
        self.0.begun.load(Ordering::SeqCst)
    }

    pub(super) fn most_asleep(&self) -> u64 {
        self.0.most_asleep.load(Ordering::SeqCst)
    }

    pub(super) fn cut_short(&self) -> u64 {
        self.0.cut_short.load(Ordering::SeqCst)
    }
}

const POLICY: Policy = Policy {
    max_attempts: 3,
    timeout: Duration::from_secs(120),
    backoff: Backoff {
        first: Duration::from_millis(50),
        jitter: 0.0,
        ..Backoff::DEFAULT
    },
    ..Policy::DEFAULT
};

pub(super) fn registry() -> (Registry, Counts) {
    let counts = Counts::default();
    (Registry::new().job::<Toy>(counts.clone()), counts)
}

impl Job for Toy {
    const KIND: &'static str = "test.toy";
    const DESCRIPTION: &'static str = "Does what its payload says.";
    type Deps = Counts;

    fn policy() -> Policy {
        POLICY
    }

    fn example() -> Self {
        Self::Say("hello".to_owned())
    }

    async fn run(self, cx: Cx<Counts>) -> JobResult {
        cx.deps().0.begun.fetch_add(1, Ordering::SeqCst);
        match self {
            Self::Say(text) => Done::output(&text),
            Self::SayZero => Done::output(&"zero: \0"),
            Self::SayMuch(bytes) => Done::output(&"x".repeat(bytes)),
            Self::FailUntil { attempt, wait_ms } => fail_until(attempt, wait_ms, &cx),
            Self::Discard => Err(JobError::discard("of no use")),
            Self::Panic => panic!("a toy panics"),
            Self::Sleep(ms) => sleep(ms, &cx).await,
            Self::SleepOn(ms) => sleep_on(ms, &cx.deps().0).await,
            Self::Snooze if cx.job().claim_no > 1 => Ok(Done::ok()),
            Self::Snooze => Ok(Done::snooze(Duration::from_millis(10))),
            Self::Effect { commit } => effect(commit, &cx).await,
        }
    }
}

fn fail_until(attempt: i16, wait_ms: Option<u64>, cx: &Cx<Counts>) -> JobResult {
    if cx.job().attempt >= attempt {
        return Ok(Done::ok());
    }
    let wait = wait_ms.map(Duration::from_millis);
    Err(wait.map_or_else(
        || "not yet".into(),
        |wait| JobError::retry_after("not yet", wait),
    ))
}

async fn sleep(ms: u64, cx: &Cx<Counts>) -> JobResult {
    tokio::select! {
        () = tokio::time::sleep(Duration::from_millis(ms)) => Ok(Done::ok()),
        () = cx.cancelled().cancelled() => {
            cx.deps().0.cut_short.fetch_add(1, Ordering::SeqCst);
            Err("stopped in its sleep".into())
        }
    }
}

async fn sleep_on(ms: u64, numbers: &Numbers) -> JobResult {
    let asleep = numbers.asleep.fetch_add(1, Ordering::SeqCst) + 1;
    numbers.most_asleep.fetch_max(asleep, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(ms)).await;
    numbers.asleep.fetch_sub(1, Ordering::SeqCst);
    Ok(Done::ok())
}

async fn effect(commit: bool, cx: &Cx<Counts>) -> JobResult {
    let mut tx = cx.pool().begin().await?;
    sqlx::query("INSERT INTO fleet.unique_window VALUES ($1, $2, $3, now())")
        .bind(cx.tenant().0)
        .bind(format!(
            "effect of {}, claim {}",
            cx.job().id,
            cx.job().claim_no
        ))
        .bind(cx.job().id.0)
        .execute(&mut *tx)
        .await?;
    let done = cx.settle_in(&mut tx, Some(&json!("by itself"))).await?;
    if commit {
        tx.commit().await?;
    }
    Ok(done)
}

/// Effects there are.
pub(super) const EFFECTS: &str =
    "SELECT count(*) FROM fleet.unique_window WHERE unique_key LIKE 'effect of%'";

pub(super) fn job(toy: &Toy) -> NewJob {
    NewJob::of(toy)
}
