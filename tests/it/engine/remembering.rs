//! What a history keeps of jobs and results: enough for a checker to conclude from, and nothing that was not so.

use fleet_queue::history::{EnqueuedJob, Event};
use fleet_queue::{NewJob, OnDuplicate, Outcome, Settled, Settlement, Unique, UniqueScope};
use fleet_tests::database;
use fleet_tests::hand::settlement;
use std::time::Duration;

use super::deck::{failure, put, put_many, toy, toymaker};

fn unique(scope: UniqueScope) -> NewJob {
    toy().unique(Unique {
        key: "invoice 7".into(),
        scope,
        window_s: None,
        on_duplicate: OnDuplicate::default(),
    })
}

#[tokio::test]
async fn an_enqueue_is_kept_where_it_made_a_job_with_the_key_that_holds_while_it_lives() {
    let db = database().await;
    let live = unique(UniqueScope::Live);
    let made = put(&db, live.clone()).await;
    let again = put(&db, live.clone()).await;
    let kept = EnqueuedJob::of(&live, &made).expect("it made a job");
    assert_eq!(kept.job, made.id);
    assert_eq!(kept.unique_key.as_deref(), Some("invoice 7"));
    assert_eq!(EnqueuedJob::of(&live, &again), None, "it found that one");
    let started = unique(UniqueScope::Started);
    let kept = EnqueuedJob::of(&started, &made).expect("it made a job");
    assert_eq!(kept.unique_key, None, "another may live beside it");
}

/// Attempts of toys, each the first of so many, that are to be retried.
async fn failed(max_attempts: i16) -> Vec<Settlement> {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    put_many(&db, 2, |_| NewJob {
        max_attempts,
        ..toy()
    })
    .await;
    let retried = |job| {
        let failure = failure("gateway 503");
        let after = Duration::ZERO;
        settlement(job, Outcome::Retry { after, failure })
    };
    hand.claim(&db, 2).await.into_iter().map(retried).collect()
}

#[tokio::test]
async fn a_failure_is_kept_as_an_end_where_it_was_the_last_attempts() {
    for (max_attempts, ends) in [(1, true), (2, false)] {
        let Event::Settling { results, .. } = Event::settling(&failed(max_attempts).await, false)
        else {
            panic!("that is what it is an event of")
        };
        assert!(results.iter().all(|result| result.ends == ends));
    }
}

#[tokio::test]
async fn an_answer_is_kept_as_it_was_given() {
    let given = [Settled::Recorded, Settled::LeaseLost];
    let Event::Settled { answers, .. } = Event::settled(&failed(1).await, &given, false) else {
        panic!("that is what it is an event of")
    };
    let accepted: Vec<_> = answers.iter().map(|answer| answer.accepted).collect();
    assert_eq!(accepted, [true, false]);
}
