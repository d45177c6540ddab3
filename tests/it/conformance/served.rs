//! The same jobs served by a real worker, by hand over the engine, and over the model: they end alike.
//!
//! How they got there is the worker's: it claims ahead, runs handlers side by side and settles in batches.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fleet_queue::transitions::promote::promote;
use fleet_queue::{Cx, Done, Job, JobError, JobResult, Policy, Registry};
use fleet_tests::conformance::{
    Board, Draft, End, Engine, Handlers, Model, Op, Script, Surface, serve,
};
use fleet_tests::random::{cases, play_cases};
use fleet_tests::{database, eventually, invariants};
use fleet_worker::WorkerSettings;
use proptest::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::steps::{draft, settled};

const CASES: u64 = 4;

/// Jobs, and how their runs end.
#[derive(Clone, Debug)]
struct Story {
    ops: Vec<Op>,
    handlers: Handlers,
}

fn story() -> impl Strategy<Value = Story> {
    let jobs = prop::collection::vec((timeless(), prop::collection::vec(settled(), 0..4)), 1..60);
    let caps = prop::collection::vec((0..5_u8).prop_map(Op::Limit), 0..3);
    (
        jobs,
        caps,
        prop::collection::vec(any::<u8>().prop_map(Op::Cancel), 0..3),
    )
        .prop_map(|(jobs, caps, cancels)| {
            let (drafts, ends) = jobs.into_iter().unzip();
            let ops = [
                caps,
                Vec::<Draft>::into_iter(drafts)
                    .map(|draft| Op::Enqueue(vec![draft]))
                    .collect(),
                cancels,
            ]
            .concat();
            Story {
                ops,
                handlers: Handlers(ends),
            }
        })
}

/// A job that is due at once and for ever, so that no clock decides.
fn timeless() -> impl Strategy<Value = Draft> {
    draft().prop_map(|draft| Draft {
        due_in_s: None,
        expires_in_s: None,
        version: 0,
        ..draft
    })
}

#[test]
fn a_worker_ends_jobs_as_engine_and_model_do() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    play_cases(cases(CASES), &story(), |story| {
        runtime.block_on(ends_alike(&story))
    });
}

async fn ends_alike(story: &Story) -> Result<(), String> {
    let db = database().await;
    let mut engine = Engine::of(&db).await;
    let modelled = told(
        serve(
            &mut Model::new(Script::default().now()),
            &story.ops,
            &story.handlers,
        )
        .await,
    );
    let by_hand = told(serve(&mut engine, &story.ops, &story.handlers).await);
    let by_worker = told(served(story).await);
    let differ = |who: &str, what: &[String]| {
        let (line, real) = what
            .iter()
            .enumerate()
            .find(|(n, line)| modelled.get(*n) != Some(line))?;
        Some(format!(
            "job {line} ends {who} as\n  {real}\n  and in the model as\n  {:?}",
            modelled.get(line)
        ))
    };
    match differ("by hand", &by_hand).or_else(|| differ("by the worker", &by_worker)) {
        None if by_worker.len() == modelled.len() => Ok(()),
        None => Err(format!(
            "the worker knows {} jobs, the model {}",
            by_worker.len(),
            modelled.len()
        )),
        Some(difference) => Err(difference),
    }
}

/// What does not depend on when and by whom.
fn told(board: Board) -> Vec<String> {
    let tell = |row: &fleet_tests::conformance::Row| {
        let (state, attempt, snoozes, runs) = (row.state, row.attempt, row.snoozes, row.claim_no);
        format!(
            "{state} attempt={attempt} snoozes={snoozes} runs={runs} {:?} {:?}",
            row.reason, row.past
        )
    };
    board.0.values().map(tell).collect()
}

/// Lets a worker do it.
async fn served(story: &Story) -> Board {
    let db = database().await;
    let mut engine = Engine::of(&db).await;
    let mut script = Script::default();
    for op in &story.ops {
        if let Some(call) = script.call(op) {
            engine.call(&call).await;
        }
    }
    let (soft, hard) = (CancellationToken::new(), CancellationToken::new());
    let registry = registry(Arc::new(story.handlers.clone()));
    let worker = tokio::spawn(fleet_worker::run(
        settings(),
        db.db.clone(),
        registry,
        soft.clone(),
        hard,
    ));
    // The scheduler's duty, here by hand.
    eventually("every job has ended", || async {
        let mut conn = db.conn().await;
        promote(&mut conn, None, 1_000).await.unwrap();
        (db.number("SELECT count(*) FROM fleet.job").await == 0).then_some(())
    })
    .await;
    soft.cancel();
    worker.await.unwrap().unwrap();
    invariants::assert_hold(&db.pool).await;
    engine.board().await
}

fn settings() -> WorkerSettings {
    WorkerSettings {
        concurrency: 6,
        queues: BTreeMap::from([("q0".to_owned(), 4), ("q1".to_owned(), 4)]),
        poll_every: Duration::from_millis(50),
        ..WorkerSettings::default()
    }
}

fn registry(handlers: Arc<Handlers>) -> Registry {
    Registry::new()
        .job::<K0>(Arc::clone(&handlers))
        .job::<K1>(handlers)
}

/// A job that ends as its number says.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct K0(usize);

/// The same under another kind.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct K1(usize);

macro_rules! told_what_to_do {
    ($name:ident, $kind:literal) => {
        impl Job for $name {
            const KIND: &'static str = $kind;
            const DESCRIPTION: &'static str = "Ends as its number says.";
            type Deps = Arc<Handlers>;

            fn policy() -> Policy {
                Policy {
                    queue: "q0",
                    ..Policy::DEFAULT
                }
            }

            fn example() -> Self {
                Self(0)
            }

            async fn run(self, cx: Cx<Arc<Handlers>>) -> JobResult {
                obey(cx.deps().end(self.0, cx.job().claim_no))
            }
        }
    };
}

told_what_to_do!(K0, "k0");
told_what_to_do!(K1, "k1");

fn obey(end: End) -> JobResult {
    let soon = Duration::from_millis(5);
    match end {
        End::Retry { .. } => Err(JobError::retry_after("as told", soon)),
        End::Snooze { .. } => Ok(Done::snooze(soon)),
        End::Discard => Err(JobError::discard("of no use")),
        _ => Ok(Done::ok()),
    }
}
