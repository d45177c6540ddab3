//! What others tell this worker while it runs: "there is something in queue q", "look for signals". Hints only; polling is the truth.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

/// Words that came and were not yet acted on.
#[derive(Debug, Default)]
pub(crate) struct Words {
    queues: Mutex<BTreeSet<String>>,
    came: Notify,
    nudged: Notify,
    hearing: AtomicBool,
}

impl Words {
    /// There is something in these queues.
    pub(crate) fn wake(&self, queues: impl IntoIterator<Item = String>) {
        let mut waiting = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.extend(queues);
        drop(waiting);
        self.came.notify_one();
    }

    /// The queues named since it was last asked.
    pub(crate) fn take(&self) -> BTreeSet<String> {
        let mut waiting = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *waiting)
    }

    /// Waits for a queue to be named.
    pub(crate) async fn came(&self) {
        self.came.notified().await;
    }

    /// Somebody left a signal.
    pub(crate) fn nudge(&self) {
        self.nudged.notify_one();
    }

    /// Waits for a signal to be left.
    pub(crate) async fn nudged(&self) {
        self.nudged.notified().await;
    }

    /// True while notifications are known to arrive.
    pub(crate) fn is_hearing(&self) -> bool {
        self.hearing.load(Ordering::SeqCst)
    }

    /// Says whether notifications arrive, and has everybody adapt.
    pub(crate) fn set_hearing(&self, hearing: bool) {
        if self.hearing.swap(hearing, Ordering::SeqCst) != hearing {
            self.came.notify_one();
        }
    }
}
