//! The two ways out of running, as the verbs take them: to the history, and back to waiting. Upholds I1.
//!
//! Each job is moved only where its claim still stands, and the answer names those that were.
//! It decides nothing: which job leaves how is for `settle` and `rescue` to say.

use std::time::Duration;

use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::claim::Claim;
use crate::{Error, JobState};

/// The claim that a running job stands under.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fence {
    pub(crate) job: Uuid,
    pub(crate) worker: Uuid,
    pub(crate) token: i64,
}

impl From<&Claim> for Fence {
    fn from(claim: &Claim) -> Self {
        Self {
            job: claim.id.0,
            worker: claim.worker.0,
            token: claim.token,
        }
    }
}

/// A job that ends.
#[derive(Debug)]
pub(crate) struct End<'a> {
    pub(crate) fence: Fence,
    pub(crate) state: JobState,
    pub(crate) reason: Option<&'a str>,
    pub(crate) output: Option<&'a Value>,
}

/// A job that waits again: from now on, or where it stood before.
#[derive(Debug)]
pub(crate) struct Return {
    pub(crate) fence: Fence,
    pub(crate) after: Option<Duration>,
    pub(crate) event: &'static str,
}

/// Moves jobs to the history.
pub(crate) async fn end(
    conn: &mut PgConnection,
    verb: &'static str,
    ends: &[End<'_>],
) -> Result<Vec<Uuid>, Error> {
    if ends.is_empty() {
        return Ok(Vec::new());
    }
    let fences: Fences = ends.iter().map(|end| end.fence).collect();
    let states: Vec<_> = ends.iter().map(|end| end.state.as_str()).collect();
    // Mostly there are none, and then not even an array of nothings is sent.
    let reasons = unless_all_none(ends.iter().map(|end| end.reason));
    let outputs = unless_all_none(ends.iter().map(|end| end.output));
    sqlx::query_scalar!(
        r#"-- queue.end
        SELECT fleet.end_jobs($1, $2, $3, $4::text[]::fleet.job_state[], $5, $6) AS "ended!""#,
        &fences.jobs,
        &fences.workers,
        &fences.tokens,
        &states as &[&str],
        reasons.as_deref() as Option<&[Option<&str>]>,
        outputs.as_deref() as Option<&[Option<&Value>]>,
    )
    .fetch_one(conn)
    .await
    .map_err(Error::database(verb))
}

fn unless_all_none<T: Copy>(
    values: impl Iterator<Item = Option<T>> + Clone,
) -> Option<Vec<Option<T>>> {
    values
        .clone()
        .any(|value| value.is_some())
        .then(|| values.collect())
}

/// Lets jobs wait again.
pub(crate) async fn give_back(
    conn: &mut PgConnection,
    verb: &'static str,
    returns: &[Return],
) -> Result<Vec<Uuid>, Error> {
    if returns.is_empty() {
        return Ok(Vec::new());
    }
    let fences: Fences = returns.iter().map(|back| back.fence).collect();
    let wait = |back: &Return| back.after.map(|after| after.as_secs_f64());
    let waits: Vec<_> = returns.iter().map(wait).collect();
    let events: Vec<_> = returns.iter().map(|back| back.event).collect();
    sqlx::query_scalar!(
        r#"-- queue.give_back
        SELECT fleet.return_jobs($1, $2, $3,
            (SELECT array_agg(fleet.clock() + make_interval(secs => wait) ORDER BY ord) FROM unnest($4::float8[]) WITH ORDINALITY AS w (wait, ord)),
            $5) AS "back!""#,
        &fences.jobs,
        &fences.workers,
        &fences.tokens,
        &waits as &[Option<f64>],
        &events as &[&str],
    )
    .fetch_one(conn)
    .await
    .map_err(Error::database(verb))
}

/// Fences as the database takes them.
#[derive(Default)]
struct Fences {
    jobs: Vec<Uuid>,
    workers: Vec<Uuid>,
    tokens: Vec<i64>,
}

impl FromIterator<Fence> for Fences {
    fn from_iter<I: IntoIterator<Item = Fence>>(fences: I) -> Self {
        fences.into_iter().fold(Self::default(), |mut all, fence| {
            all.jobs.push(fence.job);
            all.workers.push(fence.worker);
            all.tokens.push(fence.token);
            all
        })
    }
}
