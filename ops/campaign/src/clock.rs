//! The database's clock, stepped: `fleet.clock()` takes an offset from `fleet.now`, which a reload brings to every session at once.
//!
//! The machine's own clock stays: processes live by the monotonic one, and everything that is decided by a time of day is decided by
//! the database's.

use std::sync::atomic::{AtomicI64, Ordering};

/// How far off the database's clock is.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    offset_s: AtomicI64,
    furthest_s: AtomicI64,
}

impl Clock {
    /// Steps it; back where negative.
    pub(crate) fn step(&self, seconds: i64) {
        let now = self.offset_s.fetch_add(seconds, Ordering::Relaxed) + seconds;
        self.furthest_s.fetch_max(now, Ordering::Relaxed);
    }

    /// Steps it past every time that it has shown, so that nothing waits for a time that was.
    pub(crate) fn step_past_all(&self) {
        let now = self.offset_s.load(Ordering::Relaxed);
        let furthest = self.furthest_s.load(Ordering::Relaxed);
        if now < furthest {
            self.step(furthest - now);
        }
    }

    /// What tells the server.
    pub(crate) fn statements(&self) -> [String; 2] {
        let offset = self.offset_s.load(Ordering::Relaxed);
        [
            format!("ALTER SYSTEM SET fleet.now = '{offset:+} seconds'"),
            "SELECT pg_reload_conf()".to_owned(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_add_up_and_the_furthest_time_is_remembered() {
        let clock = Clock::default();
        clock.step(60);
        clock.step(-90);
        assert!(clock.statements()[0].ends_with("'-30 seconds'"));
        clock.step_past_all();
        assert!(clock.statements()[0].ends_with("'+60 seconds'"));
        clock.step_past_all();
        assert!(clock.statements()[0].ends_with("'+60 seconds'"));
    }
}
