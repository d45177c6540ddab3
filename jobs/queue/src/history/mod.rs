//! A process's history: what it asked of the engine and what it was answered, for a checker to hold against the invariants.
//!
//! Off by default, and then one `Option` that is looked at. Where it is written, and how, is the recorder's business (`ops/check`).
//!
//! **When a line is written** is what makes a history worth something after a kill -9. A line that says "I am about to"
//! ([`Event::Claiming`], [`Event::Settling`], [`Event::Changing`]) is written before the call is sent, so whatever the database was
//! told has its line. A line that says "I was answered" ([`Event::Claimed`], [`Event::Settled`], [`Event::Enqueued`]) is written
//! after the answer and before anybody acts on it: before a handler starts, before a caller is told. So a kill loses at most the
//! lines of what nobody was told yet, and a missing line means "unknown", never "it did not happen".
//!
//! It says nothing of what the database thinks; that is read at the end and compared.

mod event;
mod kept;

use std::fmt::Debug;
use std::sync::Arc;

pub use event::Event;
pub use kept::{Answer, Change, ClaimedJob, EnqueuedJob, Held, Intent};

/// Where events go.
pub trait Record: Send + Sync + Debug {
    /// Keeps an event; when it returns, a kill -9 of the process cannot lose it.
    fn record(&self, event: Event);
}

/// A process's history. Clones share the recorder; the default has none and costs nothing.
#[derive(Clone, Debug, Default)]
pub struct History(Option<Arc<dyn Record>>);

impl History {
    /// A history that is kept.
    #[must_use]
    pub fn kept_by(recorder: impl Record + 'static) -> Self {
        Self(Some(Arc::new(recorder)))
    }

    /// True where somebody keeps it.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.0.is_some()
    }

    /// Notes what happened; the event is only made where it is kept.
    pub fn note(&self, event: impl FnOnce() -> Event) {
        if let Some(recorder) = &self.0 {
            recorder.record(event());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Clone, Debug, Default)]
    struct Kept(Arc<Mutex<Vec<Event>>>);

    impl Record for Kept {
        fn record(&self, event: Event) {
            self.0.lock().expect("nobody panics here").push(event);
        }
    }

    #[test]
    #[allow(clippy::panic, reason = "it is what must not be reached")]
    fn an_event_is_made_only_where_it_is_kept() {
        History::default().note(|| panic!("made for nobody"));
        let kept = Kept::default();
        let ticked = Event::LeaseEnded {
            worker: crate::WorkerId::generate(),
        };
        History::kept_by(kept.clone()).note(|| ticked.clone());
        assert_eq!(*kept.0.lock().expect("nobody panics here"), [ticked]);
    }
}
