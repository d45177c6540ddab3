//! Several jobs whose work one transaction did: all of them are settled in it, or none: I1, I3, I6.

use fleet_queue::Cx;
use fleet_tests::{Hand, TestDb, database, eventually};
use serde_json::json;

use super::deck::{Place, WAITING, in_hand, put, toy, toymaker};

const COMPLETED: &str = "SELECT count(*) FROM fleet.job_history WHERE state = 'completed'";
const OUTPUTS: &str =
    "SELECT COALESCE(string_agg(output::text, ' ' ORDER BY job_id), '') FROM fleet.job_output";

async fn three(db: &TestDb, hand: &mut Hand) -> Vec<(Cx<()>, Place)> {
    let mut jobs = Vec::new();
    for _ in 0..3 {
        put(db, toy()).await;
        jobs.push(in_hand(db, hand.take(db).await));
    }
    jobs
}

fn each(jobs: &[(Cx<()>, Place)]) -> Vec<(&Cx<()>, Option<serde_json::Value>)> {
    let numbered = jobs.iter().enumerate();
    numbered.map(|(n, (cx, _))| (cx, Some(json!(n)))).collect()
}

#[tokio::test]
async fn i6_a_group_is_settled_in_its_transaction_each_with_its_output() {
    let db = database().await;
    let jobs = three(&db, &mut toymaker(&db).await).await;
    let mut tx = db.pool.begin().await.unwrap();
    let done = Cx::settle_all_in(&mut tx, each(&jobs)).await.unwrap();
    assert_eq!((done.len(), db.number(COMPLETED).await), (3, 0), "not yet");
    tx.commit().await.unwrap();
    assert_eq!(db.number(COMPLETED).await, 3);
    assert_eq!(db.text(OUTPUTS).await, "0 1 2");
}

#[tokio::test]
async fn i1_where_one_claim_no_longer_stands_none_is_settled_and_the_others_still_can_be() {
    let db = database().await;
    let jobs = three(&db, &mut toymaker(&db).await).await;
    let gone = sqlx::query("DELETE FROM fleet.job WHERE id = $1").bind(jobs[1].0.job().id.0);
    gone.execute(&db.pool).await.unwrap();
    let mut tx = db.pool.begin().await.unwrap();
    let refused = Cx::settle_all_in(&mut tx, each(&jobs)).await;
    assert!(refused.is_err());
    tx.rollback().await.unwrap();
    assert_eq!(db.number(COMPLETED).await, 0);
    for (cx, _) in [&jobs[0], &jobs[2]] {
        let mut conn = db.conn().await;
        cx.settle_in(&mut conn, None::<&()>).await.unwrap();
    }
    assert_eq!(db.number(COMPLETED).await, 2);
}

#[tokio::test]
async fn i3_a_group_that_is_dropped_in_the_middle_leaves_each_claim_to_its_worker() {
    let db = database().await;
    let jobs = three(&db, &mut toymaker(&db).await).await;
    let mut other = db.pool.begin().await.unwrap();
    let held = sqlx::query("SELECT FROM fleet.job FOR UPDATE");
    held.execute(&mut *other).await.unwrap();
    let mut tx = db.pool.begin().await.unwrap();
    tokio::select! {
        settled = Cx::settle_all_in(&mut tx, each(&jobs)) => panic!("it must wait: {:?}", settled.is_ok()),
        () = eventually("the settle waits", || async { (db.number(WAITING).await > 0).then_some(()) }) => {}
    }
    for (_, claim) in &jobs {
        assert!(claim.lock().await.is_some());
    }
}
