//! Random sequences of every verb, on engine and model side by side: answers and the state of every job agree after each step.
//!
//! `FLEET_CASES=2000 cargo test -p fleet-tests --test it conformance::random` plays more of them. A failure names its seed and the
//! shortest case found that still fails; `FLEET_SEED=… FLEET_CASES=1` plays that case again.

use std::fmt::Debug;
use std::time::{SystemTime, UNIX_EPOCH};

use fleet_tests::conformance::{Engine, Op, compare};
use fleet_tests::{TestDb, asked, database, invariants};
use proptest::prelude::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use tokio::runtime::Runtime;
use tokio::sync::Mutex;

use super::steps::sequence;

const CASES: u64 = 60;

#[test]
fn engine_and_model_agree_at_every_step() {
    let runtime = Runtime::new().unwrap();
    let db = runtime.block_on(database());
    let engine = Mutex::new(runtime.block_on(Engine::of(&db)));
    play_cases(cases(CASES), &sequence(), |ops| {
        runtime.block_on(agree(&db, &engine, &ops))
    });
}

async fn agree(db: &TestDb, engine: &Mutex<Engine>, ops: &[Op]) -> Result<(), String> {
    compare(&mut *engine.lock().await, ops).await?;
    let mut broken = invariants::broken(&db.pool).await;
    // A cap that is set under what runs already is over until enough of it has ended; the model judges every claim.
    broken.retain(|name| !name.starts_with("I10: no cap is exceeded"));
    if broken.is_empty() {
        Ok(())
    } else {
        Err(broken.join("\n"))
    }
}

/// How many cases to play: so many, or as the environment says.
pub(super) fn cases(usual: u64) -> u64 {
    asked("FLEET_CASES").unwrap_or(usual)
}

/// Plays cases, each from a seed of its own, so that a failing one can be played alone.
pub(super) fn play_cases<S: Strategy>(
    cases: u64,
    strategy: &S,
    play: impl Fn(S::Value) -> Result<(), String>,
) where
    S::Value: Debug,
{
    let clock = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let first = asked("FLEET_SEED").unwrap_or_else(|| clock().as_secs() * 1_000_000);
    for seed in first..first + cases {
        let play = |value| play(value).map_err(TestCaseError::fail);
        if let Err(TestError::Fail(why, case)) = runner(seed).run(strategy, play) {
            panic!("FLEET_SEED={seed} FLEET_CASES=1 fails with\n{case:#?}\n{why}");
        }
    }
}

fn runner(seed: u64) -> TestRunner {
    let config = Config {
        cases: 1,
        failure_persistence: None,
        max_shrink_iters: 4_000,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}
