//! How a handler says how it went. `?` means retry; giving up, waiting and being done are said outright.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

/// What a handler returns.
pub type JobResult = Result<Done, JobError>;

/// The attempt needs no retry.
#[derive(Clone, Debug, PartialEq)]
pub struct Done(pub(crate) DoneKind);

/// In which way an attempt is done; for the worker.
#[derive(Clone, Debug, PartialEq)]
pub enum DoneKind {
    /// Completed, perhaps with a result.
    Completed(Option<Value>),
    /// To be run again after a wait; costs no attempt.
    Snooze(Duration),
    /// The handler settled in its own transaction.
    Settled,
}

impl Done {
    /// Completed, without a result.
    #[must_use]
    pub fn ok() -> Self {
        Self(DoneKind::Completed(None))
    }

    /// Completed, with a result of at most 1 MiB of JSON.
    pub fn output(output: &impl Serialize) -> JobResult {
        let value = serde_json::to_value(output)?;
        Ok(Self(DoneKind::Completed(Some(value))))
    }

    /// Completed, because there was nothing to do; `why` is kept as the result.
    #[must_use]
    pub fn nothing_to_do(why: &str) -> Self {
        Self(DoneKind::Completed(Some(
            serde_json::json!({ "nothing_to_do": why }),
        )))
    }

    /// Not now: run it again after `wait`. Costs no attempt.
    #[must_use]
    pub fn snooze(wait: Duration) -> Self {
        Self(DoneKind::Snooze(wait))
    }

    pub(crate) fn settled() -> Self {
        Self(DoneKind::Settled)
    }

    /// In which way; for the worker.
    #[must_use]
    pub fn kind(self) -> DoneKind {
        self.0
    }
}

/// The attempt did not do its work. Any error becomes one by `?`, and means: try again later.
pub struct JobError {
    advice: Advice,
    source: Box<dyn StdError + Send + Sync>,
}

enum Advice {
    Retry(Option<Duration>),
    Discard(String),
    LeaseLost,
}

/// What to do about a [`JobError`]; for the worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErrorAdvice {
    /// Try again, after the error's own wait where it has one.
    Retry(Option<Duration>),
    /// Give up, for this reason.
    Discard(String),
    /// The claim is gone: there is nothing to settle.
    LeaseLost,
}

impl JobError {
    /// Try again after just this wait, as a server's Retry-After asks.
    pub fn retry_after(error: impl Into<Box<dyn StdError + Send + Sync>>, wait: Duration) -> Self {
        Self {
            advice: Advice::Retry(Some(wait)),
            source: error.into(),
        }
    }

    /// Give up: no retry will help. `reason` is a few words; it stands in the job's history.
    pub fn discard(reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self {
            source: reason.clone().into(),
            advice: Advice::Discard(reason),
        }
    }

    pub(crate) fn lease_lost() -> Self {
        Self {
            advice: Advice::LeaseLost,
            source: "the claim no longer stands".into(),
        }
    }

    /// What to do about it; for the worker.
    #[must_use]
    pub fn advice(&self) -> ErrorAdvice {
        match &self.advice {
            Advice::Retry(wait) => ErrorAdvice::Retry(*wait),
            Advice::Discard(reason) => ErrorAdvice::Discard(reason.clone()),
            Advice::LeaseLost => ErrorAdvice::LeaseLost,
        }
    }
}

impl<E: Into<Box<dyn StdError + Send + Sync>>> From<E> for JobError {
    fn from(error: E) -> Self {
        Self {
            advice: Advice::Retry(None),
            source: error.into(),
        }
    }
}

/// The error and every cause under it, joined by colons.
impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.source)?;
        let mut cause = self.source.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl fmt::Debug for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Turns an error into giving up, where the author knows that no retry helps.
pub trait OrDiscard<T> {
    /// Gives up with this reason; the error is kept with it.
    fn or_discard(self, reason: &str) -> Result<T, JobError>;
}

impl<T, E: Into<Box<dyn StdError + Send + Sync>>> OrDiscard<T> for Result<T, E> {
    fn or_discard(self, reason: &str) -> Result<T, JobError> {
        self.map_err(|error| JobError {
            advice: Advice::Discard(reason.to_owned()),
            source: error.into(),
        })
    }
}

impl<T> OrDiscard<T> for Option<T> {
    fn or_discard(self, reason: &str) -> Result<T, JobError> {
        self.ok_or_else(|| JobError::discard(reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn question_mark_retries_and_discard_is_said() {
        let failing = || -> JobResult {
            "x".parse::<u8>()?;
            Ok(Done::ok())
        };
        assert_eq!(
            failing().expect_err("not a number").advice(),
            ErrorAdvice::Retry(None)
        );
        let given_up = "x"
            .parse::<u8>()
            .or_discard("bad number")
            .expect_err("not a number");
        assert_eq!(given_up.advice(), ErrorAdvice::Discard("bad number".into()));
        assert_eq!(given_up.to_string(), "invalid digit found in string");
        assert_eq!(format!("{given_up:?}"), given_up.to_string());
    }
}
