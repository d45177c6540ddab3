//! The roles: is anybody there to work, to keep house, and to fire schedules; and what was paused by whom.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use fleet_queue::duties::{self, DutyStatus};
use fleet_queue::read::{QueueInfo, WorkerState, list_pauses, list_queues, list_workers};
use sqlx::PgConnection;

use super::Finding;
use crate::database::{Database, now};
use crate::output::ago;

/// A scheduler writes down what its duties did several times a minute.
const SILENT_AFTER: TimeDelta = TimeDelta::minutes(2);

pub(super) async fn look(database: &Database) -> Vec<Finding> {
    let mut tx = match database.begin().await {
        Ok(tx) => tx,
        Err(error) => return vec![Finding::of("engine", Err(error))],
    };
    vec![
        Finding::of("workers", workers(&mut tx).await),
        Finding::of("queues", queues(&mut tx).await),
        Finding::of("schedulers", schedulers(&mut tx).await),
        Finding::of("schedules", schedules(&mut tx).await),
        Finding::of("pauses", pauses(&mut tx).await),
    ]
}

async fn workers(conn: &mut PgConnection) -> anyhow::Result<Finding> {
    let workers = list_workers(conn).await?;
    let count = |state| {
        workers
            .iter()
            .filter(|worker| worker.state == state)
            .count()
    };
    let (living, late) = (
        count(WorkerState::Living),
        workers.iter().filter(|worker| is_late(worker)).count(),
    );
    Ok(match (living, late) {
        (_, late @ 1..) => {
            let fix = "start a `fleet scheduler`: it rescues the jobs of workers that died";
            Finding::fail(
                "workers",
                format!("{late} dead workers still hold their place"),
                fix,
            )
        }
        (0, _) => Finding::warn(
            "workers",
            "none lives",
            "start a `fleet worker`: jobs wait until then",
        ),
        (living, _) => Finding::pass("workers", format!("{living} live")),
    })
}

/// Dead by its lease, and nobody has said so yet.
fn is_late(worker: &fleet_queue::read::WorkerInfo) -> bool {
    worker.state == WorkerState::Dead && worker.ended_at.is_none()
}

async fn queues(conn: &mut PgConnection) -> anyhow::Result<Finding> {
    let queues = list_queues(conn, None).await?;
    let names = |fits: fn(&&QueueInfo) -> bool| -> Vec<String> {
        queues
            .iter()
            .filter(fits)
            .map(|queue| queue.name.clone())
            .collect()
    };
    let unserved = names(|queue| queue.depth > 0 && queue.workers == 0);
    let full = names(|queue| {
        queue
            .max_depth
            .is_some_and(|max| queue.depth >= i64::from(max))
    });
    Ok(if !unserved.is_empty() {
        let found = format!("nobody serves {}, where jobs wait", unserved.join(", "));
        Finding::warn(
            "queues",
            found,
            "start a `fleet worker` that serves it, or see `fleet queues`",
        )
    } else if !full.is_empty() {
        Finding::warn(
            "queues",
            format!("full: {}", full.join(", ")),
            "add workers, or raise the depth with `fleet queues set`",
        )
    } else {
        Finding::pass("queues", format!("{} known, all served", queues.len()))
    })
}

async fn schedulers(conn: &mut PgConnection) -> anyhow::Result<Finding> {
    let now = now(conn).await?;
    let duties = duties::list(conn).await?;
    Ok(judge_duties(&duties, now))
}

/// Each duty is judged by whoever did it last; the others are processes that have ended.
fn judge_duties(duties: &[DutyStatus], now: DateTime<Utc>) -> Finding {
    let mut last: BTreeMap<&str, &DutyStatus> = BTreeMap::new();
    for duty in duties {
        let newest = last.entry(&duty.name).or_insert(duty);
        if duty.noted_at > newest.noted_at {
            *newest = duty;
        }
    }
    let Some(freshest) = last.values().map(|duty| duty.noted_at).max() else {
        return Finding::fail(
            "schedulers",
            "none ever ran",
            "start a `fleet scheduler`: without it nothing is promoted or rescued",
        );
    };
    if now - freshest > SILENT_AFTER {
        let found = format!("the last sign of one was {}", ago(now, freshest));
        return Finding::fail(
            "schedulers",
            found,
            "start a `fleet scheduler`: without it nothing is promoted or rescued",
        );
    }
    let failing: Vec<_> = last
        .values()
        .filter_map(|duty| Some((&duty.name, duty.error.as_ref()?)))
        .collect();
    match failing.as_slice() {
        [] => Finding::pass("schedulers", format!("all {} duties are done", last.len())),
        [(name, error), ..] => {
            let found = format!(
                "{} of {} duties fail; {name}: {error}",
                failing.len(),
                last.len()
            );
            Finding::fail("schedulers", found, "see the scheduler's log")
        }
    }
}

async fn schedules(conn: &mut PgConnection) -> anyhow::Result<Finding> {
    let row = sqlx::query!(
        r#"-- doctor.schedules
        SELECT count(*) AS "all!", count(*) FILTER (WHERE due_at < fleet.clock() - interval '1 minute') AS "late!",
            string_agg(name || ': ' || error, '; ') FILTER (WHERE error IS NOT NULL) AS errors
        FROM fleet.schedule"#
    )
    .fetch_one(conn)
    .await?;
    Ok(match (row.late, row.errors) {
        (late @ 1.., _) => Finding::fail(
            "schedules",
            format!("{late} are over a minute late"),
            "start a `fleet scheduler`, or see its log",
        ),
        (_, Some(errors)) => {
            Finding::warn("schedules", errors, "correct it with `fleet schedules put`")
        }
        (_, None) => Finding::pass("schedules", format!("{} known, none late", row.all)),
    })
}

/// A pause is meant, but easily forgotten.
async fn pauses(conn: &mut PgConnection) -> anyhow::Result<Finding> {
    let now = now(conn).await?;
    let pauses = list_pauses(conn).await?;
    let said: Vec<_> = pauses
        .iter()
        .map(|pause| {
            format!(
                "{} {} since {} by {} ({})",
                pause.scope.as_str(),
                pause.name,
                ago(now, pause.since),
                pause.paused_by,
                pause.reason
            )
        })
        .collect();
    Ok(match said.as_slice() {
        [] => Finding::pass("pauses", "nothing is paused"),
        said => Finding::warn("pauses", said.join("; "), "`fleet queues resume` ends one"),
    })
}

#[cfg(test)]
mod tests {
    use fleet_queue::duties::DutyStatus;
    use serde_json::Value;
    use uuid::Uuid;

    use super::super::Verdict;
    use super::*;

    fn duty(name: &str, noted_s_ago: i64, error: Option<&str>) -> DutyStatus {
        let noted_at = noon() - TimeDelta::seconds(noted_s_ago);
        DutyStatus {
            name: name.to_owned(),
            process: Uuid::nil(),
            host: String::new(),
            ran_at: noted_at,
            took_ms: 1.0,
            rounds: 1,
            failures: 0,
            error: error.map(str::to_owned),
            result: Value::Null,
            noted_at,
        }
    }

    fn noon() -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
    }

    #[test]
    fn a_duty_is_judged_by_who_did_it_last() {
        let good = [
            duty("promote", 5, None),
            duty("promote", 3_000, Some("it was killed then")),
        ];
        assert_eq!(judge_duties(&good, noon()).verdict, Verdict::Pass);
        let bad = [
            duty("promote", 5, Some("no such table")),
            duty("rescue", 5, None),
        ];
        let finding = judge_duties(&bad, noon());
        assert_eq!(finding.verdict, Verdict::Fail);
        assert!(
            finding.found.contains("promote: no such table"),
            "{}",
            finding.found
        );
    }

    #[test]
    fn silence_is_a_failure() {
        assert_eq!(judge_duties(&[], noon()).verdict, Verdict::Fail);
        assert_eq!(
            judge_duties(&[duty("promote", 600, None)], noon()).verdict,
            Verdict::Fail
        );
    }
}
