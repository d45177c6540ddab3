//! What people do to a schedule: pause, resume, run it now, look at its record.

use fleet_queue::schedules::{self, pause, resume, run_now};
use fleet_queue::{Error, JobState};
use serde_json::json;

use super::{Stage, time};

#[tokio::test]
async fn ticks_of_a_pause_are_not_made_up() {
    let stage = Stage::set().await;
    let put = stage.put(json!({ "missed": "all" })).await;
    let conn = &mut *stage.conn().await;
    let silent = pause(conn, put.id, "", "ann").await;
    assert!(matches!(silent, Err(Error::Invalid { field: "note", .. })));
    assert!(
        pause(conn, put.id, "the gateway is down", "ann")
            .await
            .unwrap()
    );
    let paused = schedules::get(conn, put.id)
        .await
        .unwrap()
        .unwrap()
        .paused
        .unwrap();
    assert_eq!(
        (paused.by.as_str(), paused.note.as_str()),
        ("ann", "the gateway is down")
    );

    stage.at("2026-05-05T12:10:30Z");
    stage.tick().await;
    let conn = &mut *stage.conn().await;
    assert!(resume(conn, put.id, "bob").await.unwrap());
    assert!(
        !resume(conn, put.id, "bob").await.unwrap(),
        "it is not paused any more"
    );
    stage.tick().await;
    assert_eq!(stage.ticks().await, "");
    stage.at("2026-05-05T12:11:00Z");
    stage.tick().await;
    assert_eq!(stage.ticks().await, "12:11:00 fired");
}

#[tokio::test]
async fn a_resume_after_the_clock_went_back_repeats_nothing() {
    let stage = Stage::set().await;
    let put = stage.put(json!({})).await;
    stage.at("2026-05-05T12:01:00Z");
    stage.tick().await;
    stage.at("2026-05-05T11:30:00Z");
    let conn = &mut *stage.conn().await;
    pause(conn, put.id, "a look", "ann").await.unwrap();
    resume(conn, put.id, "ann").await.unwrap();
    let next = schedules::get(conn, put.id).await.unwrap().unwrap().next_at;
    assert_eq!(next, Some(time("2026-05-05T12:02:00Z")));
}

#[tokio::test]
async fn a_run_by_hand_takes_no_ticks_place() {
    let stage = Stage::set().await;
    let put = stage.put(json!({})).await;
    stage.at("2026-05-05T12:01:00Z"); // to the microsecond the moment of a tick
    let conn = &mut *stage.conn().await;
    let runs = [
        run_now(conn, put.id).await.unwrap().unwrap(),
        run_now(conn, put.id).await.unwrap().unwrap(),
    ];
    assert!(runs[0].tick.tick_at < runs[1].tick.tick_at);
    stage.tick().await;
    assert_eq!(stage.jobs().await, 3);
    let hands = "SELECT count(*) FROM fleet.job WHERE metadata->'schedule'->>'cause' = 'hand'";
    assert_eq!(stage.db.number(hands).await, 2);
}

#[tokio::test]
async fn a_run_by_hand_keeps_to_the_overlap_policy_and_runs_a_paused_one() {
    let stage = Stage::set().await;
    let put = stage.put(json!({ "overlap": "skip" })).await;
    let conn = &mut *stage.conn().await;
    pause(conn, put.id, "by hand only", "ann").await.unwrap();
    let first = run_now(conn, put.id).await.unwrap().unwrap();
    let second = run_now(conn, put.id).await.unwrap().unwrap();
    assert!(first.tick.fired && !second.tick.fired);
    assert_eq!(first.tick.job, second.tick.job, "the job in its way");
    assert_eq!(run_now(conn, uuid::Uuid::nil()).await.unwrap(), None);
}

#[tokio::test]
async fn the_record_shows_how_the_last_jobs_ended() {
    let stage = Stage::set().await;
    let put = stage
        .put(json!({ "missed": "all", "expires_after_s": 3_600 }))
        .await;
    stage.at("2026-05-05T12:03:00Z");
    stage.tick().await;
    stage.db.execute("SELECT fleet.end_jobs(array_agg(job_id), NULL, NULL, array_agg('cancelled'::fleet.job_state), array_agg('no more'::text), NULL) FROM fleet.schedule_tick WHERE tick_at = '2026-05-05 12:02+00'").await;
    let conn = &mut *stage.conn().await;
    let record = schedules::record(conn, put.id, None, 2).await.unwrap();
    let states: Vec<_> = record
        .iter()
        .map(|tick| (tick.tick_at, tick.state, tick.reason.as_deref()))
        .collect();
    assert_eq!(
        states,
        [
            (
                time("2026-05-05T12:03:00Z"),
                Some(JobState::Available),
                None
            ),
            (
                time("2026-05-05T12:02:00Z"),
                Some(JobState::Cancelled),
                Some("no more")
            ),
        ]
    );
    let older = schedules::record(conn, put.id, Some(record[1].tick_at), 9)
        .await
        .unwrap();
    assert_eq!(older.len(), 1);
    let expires = "SELECT count(*) FROM fleet.job WHERE expires_at = (metadata->'schedule'->>'tick_at')::timestamptz + interval '1 hour'";
    assert_eq!(
        stage.db.number(expires).await,
        2,
        "a tick's job carries its expiry"
    );
}
