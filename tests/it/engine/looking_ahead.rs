//! The outlook: how long until something happens by time, so that schedulers sleep until then.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use fleet_queue::{Outlook, outlook};
use fleet_tests::{TestDb, database};

use super::deck::{put, toy, toymaker};

const TTL: Duration = Duration::from_secs(8);

async fn look(db: &TestDb) -> Outlook {
    outlook(&mut *db.conn().await, TTL, None).await.unwrap()
}

/// True for a wait that was so long when the test began.
fn about(wait: Option<Duration>, whole: Duration) -> bool {
    wait.is_some_and(|wait| wait <= whole && wait > whole / 2)
}

#[tokio::test]
async fn it_says_how_long_until_the_next_of_each() {
    let db = database().await;
    let empty = look(&db).await;
    assert_eq!(
        (empty.promotion, empty.expiry, empty.lease_end, empty.busy),
        (None, None, None, false)
    );
    let (hour, day) = (TimeDelta::hours(1), TimeDelta::days(1));
    let mut job = toy().run_at(Utc::now() + hour);
    job.rare.expires_at = Some(Utc::now() + hour * 2);
    put(&db, job).await;
    toymaker(&db).await;
    let ahead = look(&db).await;
    let hour = hour.to_std().unwrap();
    assert!(about(ahead.promotion, hour), "{ahead:?}");
    assert!(about(ahead.expiry, hour * 2), "{ahead:?}");
    assert!(about(ahead.lease_end, TTL), "{ahead:?}");
    db.execute("UPDATE fleet.job SET run_at = now() + interval '30 days', expires_at = now()")
        .await;
    let ahead = look(&db).await;
    assert_eq!(
        ahead.promotion,
        Some(day.to_std().unwrap()),
        "at most a day"
    );
    assert_eq!(ahead.expiry, Some(Duration::ZERO), "it is due already");
}
