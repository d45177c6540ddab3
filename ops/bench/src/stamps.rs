//! Jobs that carry the time they were sent, so that the time until their handler starts is known.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fleet_queue::{Cx, Done, Job, JobResult};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::figure::Figure;

/// What was sent when, and how long each took to start.
#[derive(Clone, Debug)]
pub(crate) struct Stamps(Arc<Book>);

#[derive(Debug)]
struct Book {
    expected: usize,
    pages: Mutex<Pages>,
    all: Notify,
}

#[derive(Debug, Default)]
struct Pages {
    sent: Vec<Instant>,
    waits: Vec<Duration>,
}

impl Stamps {
    pub(crate) fn of(expected: u64) -> Self {
        Self(Arc::new(Book {
            expected: expected as usize,
            pages: Mutex::default(),
            all: Notify::new(),
        }))
    }

    /// The number of the next one; its time begins to run.
    pub(crate) fn send(&self) -> usize {
        let sent = &mut self.pages().sent;
        sent.push(Instant::now());
        sent.len() - 1
    }

    /// It has started.
    pub(crate) fn started(&self, number: usize) {
        let mut pages = self.pages();
        let wait = pages.sent[number].elapsed();
        pages.waits.push(wait);
        if pages.waits.len() == self.0.expected {
            self.0.all.notify_one();
        }
    }

    /// Waits until as many have started as are expected.
    pub(crate) async fn all(&self) {
        self.0.all.notified().await;
    }

    /// How many have started.
    pub(crate) fn count(&self) -> u64 {
        self.pages().waits.len() as u64
    }

    /// The middle of the waits and their hundredth part from above.
    pub(crate) fn figures(&self) -> BTreeMap<Figure, f64> {
        let waits = self.pages().waits.clone();
        BTreeMap::from([
            (Figure::StartMsP50, percentile(&waits, 0.50)),
            (Figure::StartMsP99, percentile(&waits, 0.99)),
        ])
    }

    fn pages(&self) -> std::sync::MutexGuard<'_, Pages> {
        self.0.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// In milliseconds: the smallest that so large a part of all does not exceed.
pub(crate) fn percentile(lengths: &[Duration], part: f64) -> f64 {
    let mut lengths = lengths.to_vec();
    lengths.sort_unstable();
    let place = (lengths.len() as f64 * part).ceil() as usize;
    let length = lengths.get(place.saturating_sub(1));
    length.map_or(f64::NAN, |length| length.as_secs_f64() * 1e3)
}

/// Notes when it starts.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Stamped {
    pub(crate) number: usize,
}

impl Job for Stamped {
    const KIND: &'static str = "bench.stamped";
    const DESCRIPTION: &'static str = "Notes when it starts.";
    type Deps = Stamps;

    fn example() -> Self {
        Self { number: 0 }
    }

    async fn run(self, cx: Cx<Stamps>) -> JobResult {
        cx.deps().started(self.number);
        Ok(Done::ok())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, reason = "these numbers are exact in binary")]

    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let lengths: Vec<_> = (1..=200).rev().map(Duration::from_millis).collect();
        assert_eq!(percentile(&lengths, 0.50), 100.0);
        assert_eq!(percentile(&lengths, 0.99), 198.0);
        assert_eq!(percentile(&lengths[..1], 0.99), 200.0);
        assert!(percentile(&[], 0.99).is_nan());
    }
}
