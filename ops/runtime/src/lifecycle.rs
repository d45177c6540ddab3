//! A process's life: tasks run until someone asks them to stop, or one of them dies.
//!
//! ```text
//!  running ──signal, soft token, or a task's end──> draining ──all tasks ended──> done
//!                                                      │                            ^
//!                                  grace over, or a second signal                   │
//!                                                      v                            │
//!                                                   hard stop ──ended, or 5 s later─┘
//! ```
//! *Soft* means: take nothing new, finish what runs. *Hard* means: drop what runs, now. Tasks are
//! handed the two tokens and decide what they mean for them; nothing is aborted from outside,
//! because a task that is dropped in the middle can't say what it left undone. After a hard stop
//! the process ends whatever its tasks do: all state is in the database, and crash-safe.
//!
//! A task that ends while nobody asked for it takes the process down. A supervisor starts it anew
//! with a clean slate; half a process would look alive and do nothing.

use std::any::Any;
use std::fmt::Display;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long tasks may take to end after a hard stop.
const HARD_STOP_PATIENCE: Duration = Duration::from_secs(5);

/// What a task is told about the end.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    /// Take nothing new and finish what runs.
    pub soft: CancellationToken,
    /// Drop what runs.
    pub hard: CancellationToken,
}

/// Why the process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// By a signal or the soft token; `unfinished` names the tasks that a hard stop did not end.
    Asked { unfinished: Vec<String> },
    /// Because a task ended, failed or panicked.
    Died { task: String, why: String },
}

impl Exit {
    /// For `std::process::exit`: zero if we ended because we were asked to.
    pub fn code(&self) -> u8 {
        match self {
            Self::Asked { .. } => 0,
            Self::Died { .. } => 1,
        }
    }
}

/// A task's end that nobody asked for, or that went wrong.
struct Death {
    task: String,
    why: String,
}

/// Runs the process's tasks and sees to their end.
pub struct Lifecycle {
    shutdown: Shutdown,
    grace: Duration,
    tracker: TaskTracker,
    running: Running,
    deaths: (UnboundedSender<Death>, UnboundedReceiver<Death>),
    signals: Signals,
}

impl Lifecycle {
    /// From here on SIGTERM and SIGINT no longer end the process by themselves.
    pub fn new(grace: Duration) -> Self {
        Self {
            shutdown: Shutdown::default(),
            grace,
            tracker: TaskTracker::new(),
            running: Running::default(),
            deaths: unbounded_channel(),
            signals: Signals::listen(),
        }
    }

    pub fn shutdown(&self) -> Shutdown {
        self.shutdown.clone()
    }

    /// Runs a task that lasts as long as the process: its end, unless asked for, is a death.
    pub fn spawn<E: Display>(
        &self,
        name: &str,
        task: impl Future<Output = Result<(), E>> + Send + 'static,
    ) {
        let soft = self.shutdown.soft.clone();
        self.track(name, task, move |ended| match ended {
            Ok(()) if soft.is_cancelled() => None,
            Ok(()) => Some("it ended though nobody asked it to".to_owned()),
            Err(why) => Some(why),
        });
    }

    /// Runs a task that may end whenever it is done; only its failure is a death.
    pub fn spawn_passing<E: Display>(
        &self,
        name: &str,
        task: impl Future<Output = Result<(), E>> + Send + 'static,
    ) {
        self.track(name, task, Result::err);
    }

    fn track<E: Display>(
        &self,
        name: &str,
        task: impl Future<Output = Result<(), E>> + Send + 'static,
        is_death: impl FnOnce(Result<(), String>) -> Option<String> + Send + 'static,
    ) {
        let entry = self.running.enter(name);
        let deaths = self.deaths.0.clone();
        self.tracker.spawn(async move {
            let ended = match AssertUnwindSafe(task).catch_unwind().await {
                Ok(result) => result.map_err(|e| e.to_string()),
                Err(panic) => Err(format!("it panicked: {}", panic_text(panic.as_ref()))),
            };
            let task = entry.name.clone();
            tracing::debug!(task, ?ended, "task ended");
            if let Some(why) = is_death(ended) {
                // No receiver means that the process is past caring.
                let _ = deaths.send(Death { task, why });
            }
        });
    }

    /// Waits for the reason to end, drains, and says what the reason was.
    pub async fn run_until_done(mut self) -> Exit {
        let first = tokio::select! {
            name = self.signals.next() => {
                tracing::info!(signal = name, grace = ?self.grace, "stopping");
                None
            }
            () = self.shutdown.soft.cancelled() => None,
            death = self.deaths.1.recv() => death,
        };
        if let Some(Death { task, why }) = &first {
            tracing::error!(task, why, "a task died, stopping");
        }
        self.shutdown.soft.cancel();
        self.tracker.close();
        self.drain().await;
        let death = first.or_else(|| self.deaths.1.try_recv().ok());
        match death {
            Some(Death { task, why }) => Exit::Died { task, why },
            None => Exit::Asked {
                unfinished: self.running.names(),
            },
        }
    }

    async fn drain(&mut self) {
        let forced = tokio::select! {
            () = self.tracker.wait() => return,
            () = tokio::time::sleep(self.grace) => "the grace is over",
            _ = self.signals.next() => "asked a second time",
        };
        tracing::warn!(because = forced, tasks = ?self.running.names(), "stopping hard");
        self.shutdown.hard.cancel();
        if tokio::time::timeout(HARD_STOP_PATIENCE, self.tracker.wait())
            .await
            .is_err()
        {
            tracing::error!(tasks = ?self.running.names(), "leaving tasks that do not end");
        }
    }
}

/// What a panic said, if it said it in words.
fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&'static str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(no message)")
}

/// The names of the tasks that run.
#[derive(Debug, Clone, Default)]
struct Running(Arc<Mutex<Vec<String>>>);

impl Running {
    fn enter(&self, name: &str) -> Entry {
        self.change(|names| names.push(name.to_owned()));
        Entry {
            name: name.to_owned(),
            running: self.clone(),
        }
    }

    fn names(&self) -> Vec<String> {
        self.change(|names| names.clone())
    }

    fn change<T>(&self, change: impl FnOnce(&mut Vec<String>) -> T) -> T {
        // The list is whole after any panic: it is only pushed to, removed from and copied.
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Stands in the list until dropped.
struct Entry {
    name: String,
    running: Running,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.running.change(|names| {
            if let Some(place) = names.iter().position(|name| *name == self.name) {
                names.remove(place);
            }
        });
    }
}

/// The two ways to ask a process to stop.
struct Signals {
    term: Signal,
    int: Signal,
}

impl Signals {
    fn listen() -> Self {
        let listen = |kind| signal(kind).expect("both signals may be caught, inside a runtime");
        Self {
            term: listen(SignalKind::terminate()),
            int: listen(SignalKind::interrupt()),
        }
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.term.recv() => "SIGTERM",
            _ = self.int.recv() => "SIGINT",
        }
    }
}

#[cfg(test)]
mod tests;
