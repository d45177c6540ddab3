//! From facts to reasons: pure, so that every case can be tried without a database.

use super::facts::{Facts, JobFacts, LimitFacts, WorkerFacts};
use super::{AHEAD_MAX, QueueAhead, Reason};
use crate::JobState;

/// The one reason of a job that runs or has ended.
pub(super) fn of_settled(job: &JobFacts) -> Reason {
    if job.state == JobState::Running {
        return Reason::Running {
            worker: job.worker,
            host: job.host.clone(),
            since: job.started_at,
            attempt: job.attempt,
            cancel_requested_at: job.cancel_requested_at,
        };
    }
    let error = job.last_error.clone();
    Reason::Ended {
        state: job.state,
        at: job.finished_at,
        reason: job.reason.clone(),
        error: error.filter(|_| job.state != JobState::Completed),
    }
}

/// Everything that holds a waiting job back, the nearest obstacle first.
pub(super) fn of_waiting(job: &JobFacts, facts: &Facts) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if job.state == JobState::Blocked {
        reasons.push(Reason::Dependencies {
            n: job.blockers,
            jobs: facts.dependencies.clone(),
        });
    }
    if job.run_at > job.now {
        reasons.push(Reason::Time {
            run_at: job.run_at,
            in_s: (job.run_at - job.now).as_seconds_f64(),
            after: job.last_outcome.clone(),
        });
    }
    reasons.extend(facts.pauses.iter().cloned().map(Reason::Paused));
    reasons.extend(no_worker(job, &facts.workers));
    if job.state == JobState::Available {
        reasons.extend(facts.limits.iter().flat_map(over_limit));
        reasons.extend(key_taken(job, facts.key_running));
        reasons.extend(facts.ahead.clone().map(Reason::Behind));
    }
    reasons
}

/// From what was counted, to one past the bound, and what its tenant started in the last ten minutes.
pub(super) fn ahead(of_tenant: i64, of_queue: i64, started: f64) -> QueueAhead {
    let pace = started / 600.0;
    QueueAhead {
        of_tenant: of_tenant.min(AHEAD_MAX),
        of_queue: of_queue.min(AHEAD_MAX),
        over: of_tenant.max(of_queue) > AHEAD_MAX,
        estimate_s: (pace > 0.0 && of_tenant <= AHEAD_MAX).then(|| (of_tenant + 1) as f64 / pace),
    }
}

fn no_worker(job: &JobFacts, workers: &WorkerFacts) -> Option<Reason> {
    let problem = if workers.living == 0 {
        "no worker is alive".to_owned()
    } else if workers.serve_queue == 0 {
        format!("no living worker serves the queue \"{}\"", job.queue)
    } else if workers.serve_kind == 0 {
        format!(
            "no living worker of the queue \"{}\" serves the kind \"{}\"",
            job.queue, job.kind
        )
    } else if workers.taking == 0 {
        "every worker that serves it is draining".to_owned()
    } else if workers
        .newest_version
        .is_some_and(|newest| newest < job.version)
    {
        format!(
            "its payload has version {}, newer than any worker's",
            job.version
        )
    } else {
        return None;
    };
    Some(Reason::NoWorker {
        problem,
        living: workers.living,
        serve_queue: workers.serve_queue,
        serve_kind: workers.serve_kind,
        taking: workers.taking,
    })
}

fn over_limit(limit: &LimitFacts) -> Vec<Reason> {
    let scope = scope(limit);
    let capped = limit
        .cap
        .filter(|cap| limit.running >= i64::from(*cap))
        .map(|cap| Reason::Cap {
            rule: limit.name.clone(),
            scope: scope.clone(),
            cap,
            running: limit.running,
        });
    let paced = limit
        .rate
        .filter(|_| limit.tokens < 1.0)
        .map(|rate| Reason::Rate {
            rule: limit.name.clone(),
            scope,
            rate,
            next_in_s: (1.0 - limit.tokens) / rate,
        });
    capped.into_iter().chain(paced).collect()
}

/// What a rule is over: "kind x of queue y, each tenant for itself".
fn scope(limit: &LimitFacts) -> String {
    let jobs = match (&limit.kind, &limit.queue) {
        (Some(kind), Some(queue)) => format!("kind {kind} of queue {queue}"),
        (Some(kind), None) => format!("kind {kind}"),
        (None, Some(queue)) => format!("queue {queue}"),
        (None, None) => "all jobs".to_owned(),
    };
    match limit.tenant {
        Some(tenant) => format!("{jobs} of tenant {tenant}"),
        None if limit.per_tenant => format!("{jobs}, each tenant for itself"),
        None => jobs,
    }
}

fn key_taken(job: &JobFacts, running: i64) -> Option<Reason> {
    let (key, limit) = (job.concurrency_key.as_ref()?, job.concurrency_limit?);
    (running >= i64::from(limit)).then(|| Reason::ConcurrencyKey {
        key: key.clone(),
        limit,
        running,
    })
}
