//! A connection of a loop's own, and calls over it that end: with an answer, an error, or because they took too long.
//!
//! It never lies outside a call with a statement half done: after anything but an answer the connection is closed and made anew.

use std::error::Error as StdError;
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use fleet_queue::{Connection, Db, Error};

/// A call that brought no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    #[error("the engine did not carry it out")]
    Engine(#[from] Error),
    #[error("there is no connection to the database")]
    Unreachable(#[source] Error),
    #[error("no answer within {0:?}")]
    Slow(Duration),
    #[error("a test let it fail")]
    Probe(#[from] fleet_queue::ProbeFailed),
}

impl CallError {
    /// True where the same call may succeed later without anything else being changed.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Engine(error) => error.is_transient(),
            Self::Unreachable(_) | Self::Slow(_) | Self::Probe(_) => true,
        }
    }

    /// True where the database has ended this worker.
    pub(crate) fn is_lease_lost(&self) -> bool {
        matches!(self, Self::Engine(Error::LeaseLost(_)))
    }
}

/// An error and every cause under it, joined by colons; for logs.
pub(crate) fn causes(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// A dedicated connection; made when it is needed, and again after trouble.
pub(crate) struct Line {
    db: Db,
    verb: &'static str,
    limit: Duration,
    conn: Option<Connection>,
}

impl Line {
    /// A line whose calls may take `limit` each.
    pub(crate) fn new(db: Db, verb: &'static str, limit: Duration) -> Self {
        let conn = None;
        Self {
            db,
            verb,
            limit,
            conn,
        }
    }

    /// How long a call may take.
    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    /// How long a call may take from now on.
    pub(crate) fn allow(&mut self, limit: Duration) {
        self.limit = limit;
    }

    /// The connection, for the next call.
    pub(crate) async fn open(&mut self) -> Result<&mut Connection, CallError> {
        let conn = match self.conn.take() {
            Some(conn) => conn,
            None => self.connect().await?,
        };
        Ok(self.conn.insert(conn))
    }

    async fn connect(&self) -> Result<Connection, CallError> {
        let connect = self.db.connect(self.verb);
        match tokio::time::timeout(self.limit, connect).await {
            Ok(answer) => answer.map_err(CallError::Unreachable),
            Err(_) => Err(CallError::Slow(self.limit)),
        }
    }

    /// Looks at what a call brought: after trouble the connection is not used again.
    pub(crate) fn judge<T>(&mut self, answer: Result<T, CallError>) -> Result<T, CallError> {
        if answer.as_ref().is_err_and(CallError::is_transient) {
            self.conn = None;
        }
        answer
    }
}

/// Waits for a call, but not for ever: a partitioned network says nothing at all.
pub(crate) async fn within<T>(
    limit: Duration,
    call: impl Future<Output = Result<T, Error>>,
) -> Result<T, CallError> {
    match tokio::time::timeout(limit, call).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(CallError::Slow(limit)),
    }
}

/// Growing pauses, spread so that a hundred workers do not come back to a restarted server at once.
#[derive(Clone, Debug)]
pub(crate) struct Pauses {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Pauses {
    /// From `first`, doubling, up to `longest`.
    pub(crate) fn new(first: Duration, longest: Duration) -> Self {
        let next = first.min(longest);
        Self {
            first,
            longest,
            next,
        }
    }

    /// The next pause: between half and all of its nominal length.
    pub(crate) fn next(&mut self) -> Duration {
        let nominal = self.next;
        self.next = (nominal * 2).min(self.longest);
        nominal.mul_f64(0.5 + 0.5 * chance())
    }

    /// All is well: begin with the shortest again.
    pub(crate) fn reset(&mut self) {
        self.next = self.first.min(self.longest);
    }

    /// Another longest pause from now on.
    pub(crate) fn up_to(&mut self, longest: Duration) {
        self.longest = longest;
        self.next = self.next.min(longest);
    }
}

/// A number in [0, 1); every `RandomState` has keys of its own.
fn chance() -> f64 {
    (RandomState::new().hash_one(0_u8) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_begin_again() {
        let ms = Duration::from_millis;
        let mut pauses = Pauses::new(ms(100), ms(350));
        for nominal in [100, 200, 350, 350] {
            let pause = pauses.next();
            assert!(
                pause >= ms(nominal) / 2 && pause <= ms(nominal),
                "{pause:?} for {nominal}"
            );
        }
        pauses.reset();
        assert!(pauses.next() <= ms(100));
    }

    #[tokio::test]
    async fn a_call_that_hangs_ends_as_transient() {
        let hung = within::<()>(Duration::ZERO, std::future::pending()).await;
        assert!(hung.is_err_and(|error| error.is_transient()));
    }
}
