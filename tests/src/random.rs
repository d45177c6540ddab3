//! Random cases that can be played again.

use std::fmt::Debug;
use std::time::{SystemTime, UNIX_EPOCH};

use proptest::prelude::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use crate::environment::asked;

/// How many cases to play: so many, or as the environment says.
#[must_use]
pub fn cases(usual: u64) -> u64 {
    asked("FLEET_CASES").unwrap_or(usual)
}

/// Plays cases, each from a seed of its own, so that a failing one can be played alone.
///
/// # Panics
/// Where one fails, with its seed and the shortest case found that still does.
pub fn play_cases<S: Strategy>(
    cases: u64,
    strategy: &S,
    play: impl Fn(S::Value) -> Result<(), String>,
) where
    S::Value: Debug,
{
    let clock = || SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = || clock().map_or(0, |since| since.as_secs());
    let first = asked("FLEET_SEED").unwrap_or_else(|| seconds() * 1_000_000);
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
