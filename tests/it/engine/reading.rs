//! What is read: pages that know where they end, who still lives, who else runs with a key, and as much throughput as is kept.

use fleet_queue::read::{
    JobFilter, Reason, ThroughputFilter, list_jobs, throughput, unfinished, why,
};
use fleet_queue::{JobId, Outcome};
use fleet_tests::hand::settle_one;
use fleet_tests::{TestDb, database};

use super::deck::{put, put_many, toy, toymaker};

#[tokio::test]
async fn a_page_that_is_just_full_and_the_last_says_so() {
    let db = database().await;
    put_many(&db, 4, |_| toy()).await;
    let conn = &mut *db.conn().await;
    let all = JobFilter::default();
    let first = list_jobs(conn, &all, None, 2).await.unwrap();
    assert_eq!(first.next_cursor, Some(first.jobs[1].id));
    let last = list_jobs(conn, &all, first.next_cursor, 2).await.unwrap();
    assert_eq!((last.jobs.len(), last.next_cursor), (2, None));
}

#[tokio::test]
async fn those_who_wait_for_jobs_are_told_which_still_live() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    let (ended, lives) = (put(&db, toy()).await.id, put(&db, toy()).await.id);
    let job = hand.take(&db).await;
    assert_eq!(job.1.id, ended);
    settle_one(&db, job, Outcome::Completed { output: None }).await;
    let asked = [ended.0, lives.0, JobId::generate().0];
    let found = unfinished(&mut *db.conn().await, &asked).await.unwrap();
    assert_eq!(found, [lives.0]);
}

/// How many run with the job's key, where that holds it back.
async fn key_taken(db: &TestDb, id: JobId) -> Option<i64> {
    let told = why(&mut *db.conn().await, id).await.unwrap().unwrap();
    told.reasons.iter().find_map(|reason| match reason {
        Reason::ConcurrencyKey { running, .. } => Some(*running),
        _ => None,
    })
}

#[tokio::test]
async fn a_key_holds_back_once_as_many_run_as_it_lets() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    put_many(&db, 2, |_| toy().concurrency("door", 2)).await;
    let waiting = put(&db, toy().concurrency("door", 2)).await.id;
    let mut running = hand.claim(&db, 1).await;
    assert_eq!(key_taken(&db, waiting).await, None, "one more may run");
    running.extend(hand.claim(&db, 1).await);
    assert_eq!(key_taken(&db, waiting).await, Some(2));
    let job = running.pop().unwrap();
    settle_one(&db, job, Outcome::Completed { output: None }).await;
    assert_eq!(key_taken(&db, waiting).await, None);
}

#[tokio::test]
async fn the_throughput_of_a_minute_to_a_day_is_told() {
    let db = database().await;
    for (asked, told) in [(0, 1), (60, 60), (1_440, 1_440), (i32::MAX, 1_440)] {
        let last = ThroughputFilter {
            minutes: asked,
            ..ThroughputFilter::default()
        };
        let rows = throughput(&mut *db.conn().await, &last).await.unwrap();
        assert_eq!(rows.len(), told, "of {asked} minutes");
    }
}
