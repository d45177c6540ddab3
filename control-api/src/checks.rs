//! What must be well for the fleet to work, checked one by one, with since when it is as it is.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use fleet_queue::read::{WorkerState, list_queues, list_workers};
use fleet_queue::{Db, clock, duties, expected_version, schema_version};
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::PgConnection;
use tokio::time::Instant;

/// A due job that waits longer than this is a lag worth telling.
const LAG_S: f64 = 60.0;
/// Duties are noted once a minute; a scheduler silent for longer than this is gone.
const SILENT_S: i64 = 150;

/// How well something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Wellness {
    /// As it should be.
    Ok,
    /// It works, and somebody should look.
    Degraded,
    /// It does not work.
    Failing,
}

/// A check and what it found.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Check {
    /// database, schema, workers, scheduler or lag.
    name: &'static str,
    /// How well it is.
    state: Wellness,
    /// In words.
    detail: String,
    /// Since when this process sees it so.
    since: Option<DateTime<Utc>>,
    /// The last time it was not well: what was said then.
    last_error: Option<String>,
}

/// Every check.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Health")]
pub(crate) struct HealthView {
    /// The worst of the checks.
    state: Wellness,
    /// One by one.
    checks: Vec<Check>,
}

impl HealthView {
    pub(crate) fn works(&self) -> bool {
        self.state != Wellness::Failing
    }
}

/// What was seen of each check so far.
#[derive(Debug, Default)]
pub(crate) struct Checks(Mutex<BTreeMap<&'static str, Seen>>);

#[derive(Debug)]
struct Seen {
    state: Wellness,
    since: Option<DateTime<Utc>>,
    last_error: Option<String>,
}

type Finding = (&'static str, Wellness, String);

impl Checks {
    /// Checks everything.
    pub(crate) async fn run(&self, db: &Db) -> HealthView {
        let begun = Instant::now();
        let (now, findings) = match look(db).await {
            Ok((now, mut findings)) => {
                let detail = format!("answered all checks in {} ms", begun.elapsed().as_millis());
                findings.insert(0, ("database", Wellness::Ok, detail));
                (Some(now), findings)
            }
            Err(error) => (
                None,
                vec![("database", Wellness::Failing, error.to_string())],
            ),
        };
        let told = findings.into_iter().map(|finding| self.note(finding, now));
        let checks: Vec<Check> = told.collect();
        let worst = checks.iter().map(|check| check.state).max();
        HealthView {
            state: worst.unwrap_or(Wellness::Ok),
            checks,
        }
    }

    fn note(&self, (name, state, detail): Finding, now: Option<DateTime<Utc>>) -> Check {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = seen.entry(name).or_insert(Seen {
            state,
            since: now,
            last_error: None,
        });
        if entry.state != state {
            (entry.state, entry.since) = (state, now);
        }
        if state != Wellness::Ok {
            entry.last_error = Some(detail.clone());
        }
        Check {
            name,
            state,
            detail,
            since: entry.since,
            last_error: entry.last_error.clone(),
        }
    }
}

async fn look(db: &Db) -> Result<(DateTime<Utc>, Vec<Finding>), fleet_queue::Error> {
    let mut conn = db.acquire("api.health").await?;
    let now = clock(&mut conn)
        .await
        .map_err(|source| fleet_queue::Error::Database {
            verb: "api.health",
            source,
        })?;
    let findings = vec![
        schema(schema_version(&mut conn).await?),
        workers(&mut conn).await?,
        scheduler(&mut conn, now).await?,
        lag(&mut conn).await?,
    ];
    Ok((now, findings))
}

fn schema(found: i64) -> Finding {
    let needed = expected_version();
    // A newer one is fine: migrations only add.
    let (state, word) = if found < needed {
        (Wellness::Failing, "run `fleet migrate`")
    } else {
        (Wellness::Ok, "as this binary needs it")
    };
    ("schema", state, format!("at migration {found}: {word}"))
}

async fn workers(conn: &mut PgConnection) -> Result<Finding, fleet_queue::Error> {
    let all = list_workers(conn).await?;
    let count = |state| all.iter().filter(|worker| worker.state == state).count();
    let (living, draining) = (count(WorkerState::Living), count(WorkerState::Draining));
    let state = if living > 0 {
        Wellness::Ok
    } else {
        Wellness::Degraded
    };
    Ok((
        "workers",
        state,
        format!("{living} living, {draining} draining"),
    ))
}

async fn scheduler(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
) -> Result<Finding, fleet_queue::Error> {
    let duties = duties::list(conn).await?;
    let fresh: Vec<_> = duties
        .iter()
        .filter(|duty| (now - duty.noted_at).num_seconds() < SILENT_S)
        .collect();
    let finding = match fresh.iter().find(|duty| duty.error.is_some()) {
        _ if fresh.is_empty() => (
            Wellness::Degraded,
            "no scheduler was heard of lately".to_owned(),
        ),
        Some(duty) => {
            let error = duty.error.as_deref().unwrap_or_default();
            (
                Wellness::Degraded,
                format!("the duty {} fails: {error}", duty.name),
            )
        }
        None => (
            Wellness::Ok,
            format!("{} duties done as they should be", fresh.len()),
        ),
    };
    Ok(("scheduler", finding.0, finding.1))
}

async fn lag(conn: &mut PgConnection) -> Result<Finding, fleet_queue::Error> {
    let queues = list_queues(conn, None).await?;
    let running = queues.iter().filter(|queue| queue.pause.is_none());
    let slowest = running
        .filter_map(|queue| Some((queue.oldest_due_s?, queue.name.as_str())))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let finding = match slowest {
        Some((age, queue)) if age > LAG_S => {
            let detail = format!("a job of the queue \"{queue}\" is due for {age:.0} s");
            (Wellness::Degraded, detail)
        }
        _ => (
            Wellness::Ok,
            format!("no due job waits longer than {LAG_S} s"),
        ),
    };
    Ok(("lag", finding.0, finding.1))
}
