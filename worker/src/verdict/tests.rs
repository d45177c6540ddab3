//! The table of endings: every way a handler ends, with every reason it may have been told to stop.

use chrono::DateTime;
use fleet_queue::{JobId, TenantId};
use serde_json::json;
use uuid::Uuid;

use super::*;

fn job() -> Claimed {
    Claimed {
        id: JobId(Uuid::nil()),
        tenant: TenantId::PLATFORM,
        kind: "toy".to_owned(),
        version: 1,
        queue: "default".to_owned(),
        priority: 2,
        attempt: 3,
        max_attempts: 5,
        crashes: 0,
        claim_no: 3,
        timeout: None,
        run_at: DateTime::UNIX_EPOCH,
        created_at: DateTime::UNIX_EPOCH,
        started_at: DateTime::UNIX_EPOCH,
        parent_id: None,
        step: None,
        traceparent: None,
        metadata: None,
        payload: json!({}),
    }
}

const STEADY: Backoff = Backoff {
    jitter: 0.0,
    ..Backoff::DEFAULT
};

fn verdict(ending: Ending, stop: Option<StopReason>) -> String {
    match judge(ending, stop, &job(), &STEADY) {
        Verdict::Settle(Outcome::Retry { after, failure }) => {
            format!(
                "{} {}s {}",
                failure.how.as_str(),
                after.as_secs(),
                failure.error
            )
        }
        Verdict::Settle(Outcome::Discard { reason, failure }) => {
            format!("discarded {reason}; {}", failure.error)
        }
        Verdict::Settle(outcome) => word(&outcome).to_owned(),
        Verdict::SettledByHandler => "settled by handler".to_owned(),
        Verdict::LeaseLost => "nothing".to_owned(),
    }
}

fn failed() -> Ending {
    Ending::Failed("no answer".into())
}

#[test]
fn without_a_stop_every_ending_says_what_it_means() {
    let wait = Duration::from_secs(90);
    let cases = [
        (Ending::Done(Done::ok()), "completed"),
        (Ending::Done(Done::snooze(wait)), "snoozed"),
        (failed(), "failed 8s no answer"),
        (
            Ending::Failed(JobError::retry_after("busy", wait)),
            "failed 90s busy",
        ),
        (
            Ending::Failed(JobError::discard("no such card")),
            "discarded no such card; no such card",
        ),
        (
            Ending::TimedOut(wait),
            "timed_out 8s it ran longer than its timeout of 90s",
        ),
        (
            Ending::Panicked("oh\0no".to_owned()),
            "panicked 8s oh\u{fffd}no",
        ),
        (Ending::Stopped, "interrupted"),
    ];
    for (ending, expected) in cases {
        assert_eq!(verdict(ending, None), expected);
    }
}

#[test]
fn a_stop_of_the_worker_costs_no_attempt_unless_the_handler_gave_up_itself() {
    for stop in [StopReason::Shutdown, StopReason::Isolated] {
        assert_eq!(verdict(failed(), Some(stop)), "interrupted");
        assert_eq!(verdict(Ending::Stopped, Some(stop)), "interrupted");
        assert_eq!(verdict(Ending::Done(Done::ok()), Some(stop)), "completed");
        let given_up = Ending::Failed(JobError::discard("no"));
        assert_eq!(verdict(given_up, Some(stop)), "discarded no; no");
    }
}

#[test]
fn a_cancelled_job_is_cancelled_unless_its_work_was_done() {
    let stop = Some(StopReason::Cancelled);
    let limit = Duration::from_secs(1);
    for ending in [
        failed(),
        Ending::Stopped,
        Ending::TimedOut(limit),
        Ending::Done(Done::snooze(limit)),
    ] {
        assert_eq!(verdict(ending, stop), "cancelled");
    }
    assert_eq!(verdict(Ending::Done(Done::ok()), stop), "completed");
}

#[test]
fn i1_nothing_is_settled_once_the_lease_is_lost() {
    for ending in [failed(), Ending::Stopped, Ending::Done(Done::ok())] {
        assert_eq!(verdict(ending, Some(StopReason::LeaseLost)), "nothing");
    }
}

#[test]
fn a_result_that_cannot_be_kept_gives_the_job_up() {
    let done = |value: Value| Ending::Done(Done::output(&value).expect("JSON"));
    let big = "x".repeat(OUTPUT_BYTES_MAX);
    assert!(verdict(done(json!(big)), None).starts_with("discarded its result has 1048578 bytes"));
    assert!(verdict(done(json!({ "a": ["b\0"] })), None).contains("U+0000"));
    assert_eq!(
        verdict(done(json!("a backslash: \\u0000")), None),
        "completed"
    );
}
