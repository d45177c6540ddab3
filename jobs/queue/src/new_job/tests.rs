//! Every bound lets through what is at it and refuses what is past it, naming the field.

use std::time::Duration;

use serde_json::json;

use super::*;

fn job() -> NewJob {
    NewJob::new("toy", 1, &Policy::DEFAULT, json!({}))
}

/// The field that is refused.
fn refused(job: &NewJob) -> Option<&'static str> {
    match job.check() {
        Ok(()) => None,
        Err(Error::Invalid { field, .. }) => Some(field),
        Err(other) => unreachable!("a check refuses a field: {other}"),
    }
}

#[test]
fn an_attempt_may_take_seven_days_and_no_more() {
    let taking = |timeout| NewJob { timeout, ..job() };
    let week = Duration::from_secs(604_800);
    let millisecond = Duration::from_millis(1);
    assert_eq!(refused(&taking(week)), None);
    assert_eq!(refused(&taking(week + millisecond)), Some("timeout_ms"));
    assert_eq!(refused(&taking(millisecond)), None);
    assert_eq!(refused(&taking(Duration::ZERO)), Some("timeout_ms"));
}

#[test]
fn a_window_is_a_second_or_more() {
    let within = |window_s| {
        let mut job = job();
        job.rare.unique = Some(Unique {
            key: "k".to_owned(),
            scope: UniqueScope::Window,
            window_s: Some(window_s),
            on_duplicate: OnDuplicate::default(),
        });
        job
    };
    assert_eq!(refused(&within(1)), None);
    assert_eq!(refused(&within(0)), Some("unique.window_s"));
}

#[test]
fn a_concurrency_key_lets_one_run_unless_it_says_how_many() {
    let read = |value| serde_json::from_value::<Concurrency>(value).expect("a concurrency");
    assert_eq!(read(json!({ "key": "k" })).limit, 1);
    assert_eq!(read(json!({ "key": "k", "limit": 3 })).limit, 3);
}
