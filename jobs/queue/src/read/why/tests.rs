//! Every case of a job that stands somewhere, judged and told without a database.

use super::facts::{Facts, JobFacts, LimitFacts, WorkerFacts};
use super::reasons::{ahead, of_settled, of_waiting};
use super::words::summary;
use super::*;
use crate::TenantId;
use crate::transitions::pause::PauseScope;

/// A job that is due now.
fn job(state: JobState) -> JobFacts {
    JobFacts {
        id: JobId(uuid::Uuid::nil()),
        state,
        kind: "toy".to_owned(),
        version: 2,
        queue: "default".to_owned(),
        tenant: TenantId::PLATFORM,
        priority: 2,
        lane: None,
        attempt: 1,
        max_attempts: 3,
        blockers: 0,
        concurrency_key: None,
        concurrency_limit: None,
        run_at: DateTime::UNIX_EPOCH,
        started_at: None,
        finished_at: None,
        cancel_requested_at: None,
        reason: None,
        worker: None,
        host: None,
        last_outcome: None,
        last_error: Some("gateway 503\nat line 3".to_owned()),
        now: DateTime::UNIX_EPOCH,
    }
}

/// A worker that would take it, and nothing in its way.
fn clear() -> Facts {
    let workers = WorkerFacts {
        living: 1,
        serve_queue: 1,
        serve_kind: 1,
        taking: 1,
        newest_version: Some(2),
    };
    Facts {
        workers,
        ..Facts::default()
    }
}

fn told(job: &JobFacts, facts: &Facts) -> String {
    summary(job, &of_waiting(job, facts))
}

fn told_settled(job: &JobFacts) -> String {
    summary(job, &[of_settled(job)])
}

#[test]
fn a_job_that_is_due_has_no_time_to_wait_for() {
    let due = job(JobState::Available);
    assert_eq!(of_waiting(&due, &clear()), []);
    assert_eq!(told(&due, &clear()), "It is due and nothing holds it back.");
}

#[test]
fn a_job_that_something_holds_back_is_not_said_to_be_free() {
    let pause = PauseInfo {
        scope: PauseScope::Queue,
        name: "default".to_owned(),
        reason: "repairs".to_owned(),
        paused_by: "ann".to_owned(),
        since: DateTime::UNIX_EPOCH,
        until: None,
    };
    let paused = Facts {
        pauses: vec![pause],
        ..clear()
    };
    assert_eq!(
        told(&job(JobState::Available), &paused),
        "The queue \"default\" is paused by ann since 1970-01-01T00:00:00+00:00, until resumed: repairs."
    );
}

#[test]
fn a_payload_newer_than_every_worker_has_nobody_to_take_it() {
    let serving = |newest| {
        let mut facts = clear();
        facts.workers.newest_version = newest;
        of_waiting(&job(JobState::Available), &facts).len()
    };
    assert_eq!(serving(Some(1)), 1);
    assert_eq!([Some(2), Some(3), None].map(serving), [0, 0, 0]);
}

fn pictures() -> LimitFacts {
    LimitFacts {
        name: "pictures".to_owned(),
        queue: None,
        kind: Some("toy".to_owned()),
        tenant: None,
        per_tenant: false,
        cap: None,
        rate: Some(0.5),
        running: 0,
        tokens: 0.0,
    }
}

fn limited(limit: LimitFacts) -> Vec<Reason> {
    let limits = vec![limit];
    let facts = Facts { limits, ..clear() };
    of_waiting(&job(JobState::Available), &facts)
}

#[test]
fn a_rate_holds_back_until_a_whole_start_is_free() {
    let whole = LimitFacts {
        tokens: 1.0,
        ..pictures()
    };
    assert_eq!(limited(whole), []);
    let half = LimitFacts {
        tokens: 0.5,
        ..pictures()
    };
    assert!(matches!(
        limited(half)[..],
        [Reason::Rate { next_in_s: 1.0, .. }]
    ));
}

#[test]
fn a_limit_says_what_it_is_over() {
    let scope = |limit| match &limited(limit)[..] {
        [Reason::Rate { scope, .. }] => scope.clone(),
        other => unreachable!("it is over its rate: {other:?}"),
    };
    assert_eq!(scope(pictures()), "kind toy");
    let each = LimitFacts {
        per_tenant: true,
        ..pictures()
    };
    assert_eq!(scope(each), "kind toy, each tenant for itself");
}

#[test]
fn what_is_ahead_is_counted_to_ten_thousand_and_timed_by_its_pace() {
    let at_the_bound = ahead(AHEAD_MAX, AHEAD_MAX, 60.0);
    let counted = QueueAhead {
        of_tenant: AHEAD_MAX,
        of_queue: AHEAD_MAX,
        over: false,
        estimate_s: Some(100_010.0),
    };
    assert_eq!(at_the_bound, counted);
    let queue_over = ahead(2, AHEAD_MAX + 1, 60.0);
    assert_eq!((queue_over.of_queue, queue_over.over), (AHEAD_MAX, true));
    assert_eq!(queue_over.estimate_s, Some(30.0));
    assert_eq!(ahead(AHEAD_MAX + 1, 0, 60.0).estimate_s, None);
    assert_eq!(ahead(0, 0, 0.0).estimate_s, None, "nothing moves");
}

#[test]
fn a_snoozed_job_says_that_it_put_itself_off() {
    let mut snoozed = job(JobState::Scheduled);
    snoozed.run_at += chrono::TimeDelta::minutes(5);
    snoozed.last_outcome = Some("snoozed".to_owned());
    assert_eq!(
        told(&snoozed, &clear()),
        "It put itself off until 1970-01-01T00:05:00+00:00, 5 min 0 s from now."
    );
}

#[test]
fn a_job_runs_on_its_worker_where_the_host_is_forgotten() {
    let mut running = job(JobState::Running);
    running.worker = Some(WorkerId(uuid::Uuid::nil()));
    assert_eq!(
        told_settled(&running),
        "It runs on worker 00000000-0000-0000-0000-000000000000, attempt 1 of 3."
    );
}

#[test]
fn only_a_job_that_did_not_complete_names_its_last_error() {
    let error = |state| match of_settled(&job(state)) {
        Reason::Ended { error, .. } => error.is_some(),
        other => unreachable!("it has ended: {other:?}"),
    };
    let ends = [
        JobState::Completed,
        JobState::Cancelled,
        JobState::Discarded,
    ];
    assert_eq!(ends.map(error), [false, true, true]);
    assert_eq!(
        told_settled(&job(JobState::Discarded)),
        "It was discarded. Its last error: gateway 503."
    );
    assert_eq!(told_settled(&job(JobState::Cancelled)), "It was cancelled.");
}
