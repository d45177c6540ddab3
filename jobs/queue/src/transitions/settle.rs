//! Settle: the holder of a claim records how an attempt ended. Upholds I1, I3, I4, I6, I11.
//!
//! Many results in one call; each is accepted only where its claim still stands, and the answer says which were not.
//! It takes a connection: a handler can settle inside its own transaction, so that its effect and its completion commit together.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::Value;
use sqlx::{Acquire, PgConnection};

use super::claim::Claim;
use super::leave::{End, Fence, Return, end, give_back};
use crate::{Error, JobState};

const VERB: &str = "queue.settle";

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Done, with what it returned.
    Completed {
        /// At most 1 MiB of JSON.
        output: Option<Value>,
    },
    /// Failed; to be tried again after a wait, if attempts are left.
    Retry {
        /// The wait.
        after: Duration,
        /// What went wrong.
        failure: Failure,
    },
    /// Not now: to be run after a wait; costs no attempt.
    Snooze {
        /// The wait.
        after: Duration,
    },
    /// Given up for good.
    Discard {
        /// Why, in a few words.
        reason: String,
        /// What went wrong.
        failure: Failure,
    },
    /// Its cancellation was asked for, and it stopped.
    Cancelled {
        /// Why.
        reason: Option<String>,
    },
    /// The worker stops: to be run again at once, elsewhere; costs no attempt.
    Interrupted,
}

/// What went wrong in an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// In which way.
    pub how: FailureKind,
    /// The error and its causes; cut at 16 KiB.
    pub error: String,
}

/// In which way an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The handler returned an error.
    Failed,
    /// It ran longer than it may.
    TimedOut,
    /// It panicked.
    Panicked,
}

/// A claim and how it ended.
#[derive(Debug, PartialEq)]
pub struct Settlement {
    /// The right to say so.
    pub claim: Claim,
    /// How it ended.
    pub outcome: Outcome,
    /// The attempt it was, and how many there may be: the last one's failure discards.
    pub attempt: i16,
    /// See `attempt`.
    pub max_attempts: i16,
}

/// Whether a settlement was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It stands.
    Recorded,
    /// The claim no longer stood: nothing was changed (I1).
    LeaseLost,
}

/// Largest error text kept, in bytes.
pub const ERROR_BYTES_MAX: usize = 16 << 10;

/// Records how attempts ended; one answer a settlement, in order.
pub async fn settle(
    conn: &mut PgConnection,
    settlements: &[Settlement],
) -> Result<Vec<Settled>, Error> {
    let mut answers = Vec::with_capacity(settlements.len());
    for part in distinct_jobs(settlements) {
        answers.extend(settle_distinct(conn, part).await?);
    }
    Ok(answers)
}

/// Cuts where a job is named again, under another claim of it: the database answers by job, and only one of the two can stand (I1).
fn distinct_jobs(settlements: &[Settlement]) -> impl Iterator<Item = &[Settlement]> {
    let mut seen = HashSet::with_capacity(settlements.len());
    settlements.chunk_by(move |before, next| {
        seen.insert(before.claim.id);
        let is_new = !seen.contains(&next.claim.id);
        if !is_new {
            seen.clear();
        }
        is_new
    })
}

async fn settle_distinct(
    conn: &mut PgConnection,
    settlements: &[Settlement],
) -> Result<Vec<Settled>, Error> {
    let ends: Vec<_> = settlements.iter().filter_map(end_of).collect();
    let returns: Vec<_> = settlements.iter().filter_map(return_of).collect();
    let quiet = returns.is_empty() && ends.iter().all(|end| end.state == JobState::Completed);
    let accepted = if quiet {
        HashSet::from_iter(end(conn, VERB, &ends).await?) // the common case: a single statement, no transaction around it
    } else {
        let mut tx = conn.begin().await.map_err(Error::database(VERB))?;
        let mut accepted = HashSet::from_iter(end(&mut tx, VERB, &ends).await?);
        accepted.extend(give_back(&mut tx, VERB, &returns).await?);
        record_attempts(&mut tx, settlements, &accepted).await?;
        tx.commit().await.map_err(Error::database(VERB))?;
        accepted
    };
    let recorded = |s: &Settlement| {
        if accepted.contains(&s.claim.id.0) {
            Settled::Recorded
        } else {
            Settled::LeaseLost
        }
    };
    Ok(settlements.iter().map(recorded).collect())
}

/// How the job ends, where it does.
fn end_of(settlement: &Settlement) -> Option<End<'_>> {
    let (state, reason, output) = match &settlement.outcome {
        Outcome::Completed { output } => (JobState::Completed, None, output.as_ref()),
        Outcome::Discard { reason, .. } => (JobState::Discarded, Some(reason.as_str()), None),
        Outcome::Cancelled { reason } => (JobState::Cancelled, reason.as_deref(), None),
        // I4: the last attempt's failure ends the job.
        Outcome::Retry { .. } if settlement.attempt >= settlement.max_attempts => {
            (JobState::Discarded, Some("attempts exhausted"), None)
        }
        Outcome::Retry { .. } | Outcome::Snooze { .. } | Outcome::Interrupted => return None,
    };
    Some(End {
        fence: Fence::from(&settlement.claim),
        state,
        reason,
        output,
    })
}

/// How the job waits again, where it does.
fn return_of(settlement: &Settlement) -> Option<Return> {
    let (after, event) = match settlement.outcome {
        Outcome::Retry { after, .. } if settlement.attempt < settlement.max_attempts => {
            (Some(after), "retried")
        }
        Outcome::Snooze { after } => (Some(after), "snoozed"),
        Outcome::Interrupted => (None, "interrupted"),
        _ => return None,
    };
    Some(Return {
        fence: Fence::from(&settlement.claim),
        after,
        event,
    })
}

/// Writes the append-only record of every accepted attempt that did not simply succeed.
async fn record_attempts(
    conn: &mut PgConnection,
    settlements: &[Settlement],
    accepted: &HashSet<uuid::Uuid>,
) -> Result<(), Error> {
    let worth: Vec<(&Settlement, &'static str, Option<&str>)> = settlements
        .iter()
        .filter(|s| accepted.contains(&s.claim.id.0))
        .filter_map(|s| recorded_as(&s.outcome).map(|(word, error)| (s, word, error)))
        .collect();
    if worth.is_empty() {
        return Ok(());
    }
    let ids: Vec<_> = worth.iter().map(|(s, ..)| s.claim.id.0).collect();
    let attempts: Vec<_> = worth.iter().map(|(s, ..)| s.attempt).collect();
    let workers: Vec<_> = worth.iter().map(|(s, ..)| s.claim.worker.0).collect();
    let words: Vec<_> = worth.iter().map(|(_, word, _)| *word).collect();
    let errors: Vec<_> = worth.iter().map(|(.., error)| error.map(cut)).collect();
    let prints: Vec<_> = worth
        .iter()
        .map(|(.., error)| error.map(fingerprint))
        .collect();
    sqlx::query!(
        r#"-- queue.record_attempts
        INSERT INTO fleet.attempt (job_id, tenant_id, kind, attempt, claim_no, outcome, error, fingerprint, worker_id, started_at, ended_at)
        SELECT a.id, j.tenant_id, j.kind, a.attempt, j.claim_no, a.word, a.error, md5(j.kind || ' ' || a.print), a.worker_id, j.started_at, fleet.clock()
        FROM unnest($1::uuid[], $2::smallint[], $3::uuid[], $4::text[], $5::text[], $6::text[]) AS a (id, attempt, worker_id, word, error, print)
        CROSS JOIN LATERAL (
            SELECT tenant_id, kind, claim_no, started_at FROM fleet.job WHERE id = a.id
            UNION ALL SELECT tenant_id, kind, claim_no, started_at FROM fleet.job_history WHERE id = a.id LIMIT 1) j"#,
        &ids,
        &attempts,
        &workers,
        &words as &[&str],
        &errors as &[Option<&str>],
        &prints as &[Option<String>],
    )
    .execute(conn)
    .await
    .map_err(Error::database(VERB))?;
    Ok(())
}

fn recorded_as(outcome: &Outcome) -> Option<(&'static str, Option<&str>)> {
    match outcome {
        Outcome::Completed { .. } => None,
        Outcome::Retry { failure, .. } => Some((failure.how.as_str(), Some(&failure.error))),
        Outcome::Discard { failure, .. } => Some(("discarded", Some(&failure.error))),
        Outcome::Snooze { .. } => Some(("snoozed", None)),
        Outcome::Cancelled { reason } => Some(("cancelled", reason.as_deref())),
        Outcome::Interrupted => Some(("interrupted", None)),
    }
}

impl FailureKind {
    /// The word in `fleet.attempt.outcome`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Panicked => "panicked",
        }
    }
}

/// The first 16 KiB, cut at a character.
fn cut(text: &str) -> &str {
    let mut end = text.len().min(ERROR_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The error's first line with every number and id made alike, so that alike errors group.
fn fingerprint(error: &str) -> String {
    let line = error.lines().next().unwrap_or_default();
    let mut print = String::with_capacity(line.len().min(200));
    for word in line.split_whitespace().take(40) {
        let numbered = word.bytes().any(|byte| byte.is_ascii_digit());
        print.push_str(if numbered { "#" } else { word });
        print.push(' ');
    }
    print
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alike_errors_share_a_fingerprint() {
        let first = fingerprint("gateway answered 503 for invoice 0190-ab in 31ms\nat line 3");
        assert_eq!(
            first,
            fingerprint("gateway answered 500 for invoice 0192-cd in 8ms")
        );
        assert_ne!(first, fingerprint("gateway hung up"));
    }

    #[test]
    fn a_long_error_is_cut_at_a_character() {
        let text = "é".repeat(ERROR_BYTES_MAX);
        assert_eq!(cut(&text).len(), 16_384);
        let odd = format!("!{text}");
        assert_eq!(cut(&odd).len(), 16_383);
    }
}
