//! What an attempt's end means: a pure function of how the handler ended, why it was told to stop, and its kind's policy. Upholds I1, I4.

use std::time::Duration;

use fleet_queue::job::DoneKind;
use fleet_queue::transitions::settle::FailureKind;
use fleet_queue::{
    Backoff, Claimed, Done, ErrorAdvice, Failure, JobError, OUTPUT_BYTES_MAX, Outcome,
};
use serde_json::Value;

use crate::held::StopReason;

/// How a handler ended.
#[derive(Debug)]
pub(crate) enum Ending {
    /// It returned that it is done.
    Done(Done),
    /// It returned an error.
    Failed(JobError),
    /// It ran longer than it may.
    TimedOut(Duration),
    /// It panicked.
    Panicked(String),
    /// It was told to stop, and did not within its grace; or it was never started.
    Stopped,
}

/// What to do about it.
#[derive(Debug, PartialEq)]
pub(crate) enum Verdict {
    /// Settle it so.
    Settle(Outcome),
    /// The handler settled in its own transaction; to be looked after, in case that was never committed.
    SettledByHandler,
    /// The claim no longer stands: settle nothing.
    LeaseLost,
}

/// Judges an attempt.
pub(crate) fn judge(
    ending: Ending,
    stop: Option<StopReason>,
    job: &Claimed,
    backoff: &Backoff,
) -> Verdict {
    if stop == Some(StopReason::LeaseLost) {
        return Verdict::LeaseLost;
    }
    let cancelled = stop == Some(StopReason::Cancelled);
    let retry = |wait: Option<Duration>, how, error| Outcome::Retry {
        after: wait.unwrap_or_else(|| backoff.delay(job.id, job.attempt)),
        failure: failure(how, error),
    };
    let outcome = match ending {
        Ending::Done(done) => match done.kind() {
            DoneKind::Settled => return Verdict::SettledByHandler,
            // Its work is done, whoever asked it to stop meanwhile.
            DoneKind::Completed(output) => completed(output),
            DoneKind::Snooze(_) if cancelled => cancel(),
            DoneKind::Snooze(after) => Outcome::Snooze { after },
        },
        Ending::Failed(error) => match error.advice() {
            ErrorAdvice::LeaseLost => return Verdict::LeaseLost,
            _ if cancelled => cancel(),
            ErrorAdvice::Discard(reason) => Outcome::Discard {
                reason: storable(&reason),
                failure: failure(FailureKind::Failed, &error.to_string()),
            },
            // An error on the way out says that it was interrupted, not that it failed.
            ErrorAdvice::Retry(_) if stop.is_some() => Outcome::Interrupted,
            ErrorAdvice::Retry(wait) => retry(wait, FailureKind::Failed, &error.to_string()),
        },
        _ if cancelled => cancel(),
        Ending::TimedOut(limit) => {
            let error = format!("it ran longer than its timeout of {limit:?}");
            retry(None, FailureKind::TimedOut, &error)
        }
        Ending::Panicked(message) => retry(None, FailureKind::Panicked, &message),
        Ending::Stopped => Outcome::Interrupted,
    };
    Verdict::Settle(outcome)
}

fn cancel() -> Outcome {
    // Why stands with the job already, written by whoever asked.
    Outcome::Cancelled { reason: None }
}

fn completed(output: Option<Value>) -> Outcome {
    match output.as_ref().and_then(refusal) {
        None => Outcome::Completed { output },
        Some(reason) => discard(reason),
    }
}

/// Gives a job up whose result cannot be kept; running it again would bring the same result.
pub(crate) fn discard(reason: String) -> Outcome {
    let failure = failure(FailureKind::Failed, &reason);
    Outcome::Discard { reason, failure }
}

fn failure(how: FailureKind, error: &str) -> Failure {
    let error = storable(error);
    Failure { how, error }
}

/// PostgreSQL keeps no NUL in a text.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// Why a result cannot be kept, if it cannot.
fn refusal(output: &Value) -> Option<String> {
    let mut size = Size(0);
    serde_json::to_writer(&mut size, output).expect("a value serializes, and counting cannot fail");
    if size.0 > OUTPUT_BYTES_MAX {
        let bytes = size.0;
        return Some(format!(
            "its result has {bytes} bytes of JSON, at most {OUTPUT_BYTES_MAX} are kept"
        ));
    }
    has_nul(output)
        .then(|| "its result contains the character U+0000, which jsonb cannot hold".to_owned())
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(has_nul),
        Value::Object(fields) => fields
            .iter()
            .any(|(name, value)| name.contains('\0') || has_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Counts what is written.
struct Size(usize);

impl std::io::Write for Size {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The word for an outcome in metrics and logs.
pub(crate) fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Completed { .. } => "completed",
        Outcome::Retry { failure, .. } => failure.how.as_str(),
        Outcome::Snooze { .. } => "snoozed",
        Outcome::Discard { .. } => "discarded",
        Outcome::Cancelled { .. } => "cancelled",
        Outcome::Interrupted => "interrupted",
    }
}

#[cfg(test)]
mod tests;
