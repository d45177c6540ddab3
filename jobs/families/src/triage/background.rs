//! Long work on the processor, beside the process's own: a model is made on a thread for it, which can be watched and stopped.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::model::{Example, TrainError, Trained, train};

/// How often whoever waits is told how far it is.
const TELL_EVERY: Duration = Duration::from_millis(250);

#[derive(Debug, Default)]
struct Shared {
    done: AtomicUsize,
    all: AtomicUsize,
    stopped: AtomicBool,
}

/// A training under way. Dropped, it stops at the next step.
#[derive(Debug)]
pub struct Training {
    shared: Arc<Shared>,
    task: JoinHandle<Result<Trained, TrainError>>,
}

impl Drop for Training {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
    }
}

impl Training {
    /// Begins.
    pub fn start(examples: Vec<Example>) -> Self {
        let shared = Arc::new(Shared::default());
        let told = shared.clone();
        let task = tokio::task::spawn_blocking(move || {
            train(&examples, &|done, all| {
                told.done.fetch_max(done, Ordering::Relaxed);
                told.all.store(all, Ordering::Relaxed);
                if told.stopped.load(Ordering::Relaxed) {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            })
        });
        Self { shared, task }
    }

    /// Waits a moment; the end, if it has come.
    pub async fn look(&mut self) -> Option<Result<Trained, TrainError>> {
        let ended = tokio::time::timeout(TELL_EVERY, &mut self.task)
            .await
            .ok()?;
        // A panic in there goes on out here.
        Some(ended.unwrap_or_else(|error| match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(TrainError::Stopped),
        }))
    }

    /// How many steps of how many are done.
    pub fn progress(&self) -> (u64, u64) {
        let read = |it: &AtomicUsize| it.load(Ordering::Relaxed) as u64;
        (read(&self.shared.done), read(&self.shared.all).max(1))
    }
}
