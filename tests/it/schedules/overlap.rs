//! What a tick does while jobs of earlier ones live.

use fleet_tests::Hand;
use serde_json::json;

use super::Stage;

/// Claims whatever is claimable; says how many jobs that was.
async fn claim_all(stage: &Stage) -> usize {
    let mut hand = Hand::serving(&stage.db, &["toy"]).await;
    hand.claim(&stage.db, 100).await.len()
}

/// Three ticks in turn; what is claimable is claimed after the first.
async fn three_ticks(overlap: &str) -> (Stage, String) {
    let stage = Stage::set().await;
    stage.put(json!({ "overlap": overlap })).await;
    for (n, at) in [
        "2026-05-05T12:01:00Z",
        "2026-05-05T12:02:00Z",
        "2026-05-05T12:03:00Z",
    ]
    .iter()
    .enumerate()
    {
        stage.at(at);
        stage.tick().await;
        if n == 0 {
            assert_eq!(claim_all(&stage).await, 1);
        }
    }
    let ticks = stage.ticks().await;
    (stage, ticks)
}

#[tokio::test]
async fn skip_leaves_a_tick_out_and_names_the_job_in_its_way() {
    let (stage, ticks) = three_ticks("skip").await;
    assert_eq!(ticks, "12:01:00 fired, 12:02:00 skipped, 12:03:00 skipped");
    assert_eq!(
        stage
            .db
            .number("SELECT count(DISTINCT job_id) FROM fleet.schedule_tick")
            .await,
        1
    );
    stage.db.execute("SELECT fleet.end_jobs(array_agg(id), array_agg(worker_id), array_agg(token), array_agg('completed'::fleet.job_state), NULL, NULL) FROM fleet.job").await;
    stage.at("2026-05-05T12:04:00Z");
    stage.tick().await;
    assert!(
        stage.ticks().await.ends_with("12:04:00 fired"),
        "it has ended"
    );
}

#[tokio::test]
async fn buffer_one_lets_one_wait_behind_the_running_one() {
    let (stage, ticks) = three_ticks("buffer_one").await;
    assert_eq!(ticks, "12:01:00 fired, 12:02:00 fired, 12:03:00 skipped");
    assert_eq!(
        claim_all(&stage).await,
        0,
        "it starts when the running one ends"
    );
}

#[tokio::test]
async fn buffer_all_lets_all_wait_in_line() {
    let (stage, ticks) = three_ticks("buffer_all").await;
    assert_eq!(ticks, "12:01:00 fired, 12:02:00 fired, 12:03:00 fired");
    assert_eq!(claim_all(&stage).await, 0, "one after another");
}

#[tokio::test]
async fn cancel_running_calls_the_earlier_ones_off() {
    let (stage, ticks) = three_ticks("cancel_running").await;
    assert_eq!(ticks, "12:01:00 fired, 12:02:00 fired, 12:03:00 fired");
    let told = "SELECT count(*) FROM fleet.cancel_signal s JOIN fleet.job j ON j.id = s.job_id AND j.state = 'running' AND j.cancel_reason LIKE 'the next tick%'";
    assert_eq!(stage.db.number(told).await, 1, "the running one was told");
    assert_eq!(
        stage
            .db
            .number("SELECT count(*) FROM fleet.job_history WHERE state = 'cancelled'")
            .await,
        1,
        "the waiting one has ended"
    );
    assert_eq!(
        claim_all(&stage).await,
        0,
        "the newest starts when the running one has stopped"
    );
}

#[tokio::test]
async fn allow_lets_them_run_side_by_side() {
    let (stage, ticks) = three_ticks("allow").await;
    assert_eq!(ticks, "12:01:00 fired, 12:02:00 fired, 12:03:00 fired");
    assert_eq!(claim_all(&stage).await, 2);
}
