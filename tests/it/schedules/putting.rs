//! Putting schedules: what is refused, and how; edits and their history; tenants kept apart (I12).

use chrono::TimeDelta;
use fleet_queue::schedules::{self, Expect};
use fleet_queue::{Error, TenantId};
use serde_json::{Value, json};
use sqlx::Acquire;
use uuid::Uuid;

use super::{Stage, definition, time};

async fn refused(stage: &Stage, fields: Value) -> (&'static str, String) {
    match stage.try_put(fields.clone()).await {
        Err(Error::Invalid { field, problem }) => (field, problem),
        other => panic!("{fields} should be refused, but: {other:?}"),
    }
}

#[tokio::test]
async fn what_could_not_be_fired_is_refused_naming_the_field() {
    let stage = Stage::set().await;
    for (fields, field, word) in [
        (json!({ "cron": "61 * * * *" }), "cron", "such as"),
        (json!({ "cron": "0 0 30 2 *" }), "cron", "never comes"),
        (json!({ "cron": "@every never" }), "cron", "@every 90s"),
        (
            json!({ "cron": "@at 2020-01-01T00:00:00Z" }),
            "cron",
            "no tick to come",
        ),
        (
            json!({ "zone": "Europe/Atlantis" }),
            "zone",
            "Europe/Berlin",
        ),
        (json!({ "kind": "unheard.of" }), "kind", "unheard.of"),
        (json!({ "name": "" }), "name", "1 to 100"),
        (
            json!({ "starts_at": "2027-01-01T00:00:00Z", "ends_at": "2026-01-01T00:00:00Z" }),
            "ends_at",
            "after",
        ),
        (
            json!({ "ends_at": "2026-05-05T12:00:30Z" }),
            "cron",
            "no tick to come",
        ),
        (json!({ "jitter_s": 60 }), "jitter_s", "less than"),
        (
            json!({ "expires_after_s": 0 }),
            "expires_after_s",
            "at least 1",
        ),
        (
            json!({ "missed": { "window": { "within_s": 0, "cap": 1 } } }),
            "missed.window.within_s",
            "at least 1",
        ),
        (
            json!({ "missed": { "window": { "within_s": 60, "cap": 101 } } }),
            "missed.window.cap",
            "1 to 100",
        ),
        (
            json!({ "overlap": "buffer_one", "options": { "concurrency": { "key": "k" } } }),
            "options.concurrency",
            "one by one",
        ),
        (
            json!({ "options": { "priority": 9 } }),
            "priority",
            "0 (most urgent) to 3",
        ),
        (
            json!({ "payload": "x".repeat(1 << 20) }),
            "payload",
            "at most",
        ),
    ] {
        let (named, problem) = refused(&stage, fields.clone()).await;
        assert_eq!(named, field, "{fields}");
        assert!(problem.contains(word), "{fields}: {problem}");
    }
    assert_eq!(
        stage.db.number("SELECT count(*) FROM fleet.schedule").await,
        0,
        "nothing was kept"
    );
}

#[tokio::test]
async fn an_edit_keeps_ticks_that_are_due_unless_it_changes_the_times() {
    let stage = Stage::set().await;
    stage.put(json!({})).await;
    stage.at("2026-05-05T12:01:20Z");
    let put = stage.put(json!({ "payload": { "n": 2 } })).await;
    assert_eq!((put.revision, put.changed), (2, true));
    stage.tick().await;
    assert_eq!(stage.ticks().await, "12:01:00 fired");
    assert_eq!(
        stage.db.text("SELECT payload::text FROM fleet.job").await,
        "{\"n\": 2}"
    );

    stage.at("2026-05-05T12:02:20Z");
    stage
        .put(json!({ "cron": "*/2 * * * *", "payload": { "n": 2 } }))
        .await;
    stage.tick().await;
    assert_eq!(
        stage.ticks().await,
        "12:01:00 fired",
        "12:02 was of other times"
    );
    stage.at("2026-05-05T12:04:00Z");
    stage.tick().await;
    assert_eq!(stage.ticks().await, "12:01:00 fired, 12:04:00 fired");
}

#[tokio::test]
async fn history_keeps_every_version_and_who_made_it() {
    let stage = Stage::set().await;
    let first = stage.put(json!({ "payload": { "n": 1 } })).await;
    let same = stage.put(json!({ "payload": { "n": 1 } })).await;
    assert_eq!((same.revision, same.changed), (1, false));
    let conn = &mut *stage.conn().await;
    let edited = definition(json!({ "payload": { "n": 2 } }));
    let stale = schedules::put(
        conn,
        TenantId::PLATFORM,
        &edited,
        Expect::Revision(7),
        "ann",
    )
    .await;
    assert!(matches!(
        stale,
        Err(Error::Invalid {
            field: "revision",
            ..
        })
    ));
    let taken = schedules::put(conn, TenantId::PLATFORM, &edited, Expect::New, "ann").await;
    assert!(matches!(taken, Err(Error::Invalid { field: "name", .. })));
    schedules::put(
        conn,
        TenantId::PLATFORM,
        &edited,
        Expect::Revision(1),
        "ann",
    )
    .await
    .unwrap();
    schedules::pause(conn, first.id, "holidays", "bob")
        .await
        .unwrap();
    schedules::delete(conn, first.id, "eve").await.unwrap();

    let history = schedules::history(conn, first.id, None, 10).await.unwrap();
    let told: Vec<_> = history
        .iter()
        .map(|c| {
            format!(
                "{} {} by {} n={}",
                c.revision, c.action, c.by, c.definition["payload"]["n"]
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "4 deleted by eve n=2",
            "3 paused by bob n=2",
            "2 edited by ann n=2",
            "1 created by tester n=1"
        ]
    );
    let older = schedules::history(conn, first.id, Some(2), 10)
        .await
        .unwrap();
    assert_eq!(older.len(), 1);
    assert_eq!(schedules::get(conn, first.id).await.unwrap(), None);
}

#[tokio::test]
async fn two_who_make_the_same_name_at_once_get_one_schedule() {
    let stage = Stage::set().await;
    let puts = (0..8).map(|_| async {
        let conn = &mut *stage.conn().await;
        let made = definition(json!({}));
        schedules::put(conn, TenantId::PLATFORM, &made, Expect::New, "tester")
            .await
            .is_ok()
    });
    let made = futures::future::join_all(puts).await;
    assert_eq!(made.into_iter().filter(|made| *made).count(), 1);
}

#[tokio::test]
async fn pages_follow_each_other_by_tenant_and_name() {
    let stage = Stage::set().await;
    for n in 0..5 {
        stage.put(json!({ "name": format!("s{n}") })).await;
    }
    let conn = &mut *stage.conn().await;
    let first = schedules::list(conn, None, None, 3).await.unwrap();
    let last = first.last().unwrap();
    let after = Some((last.tenant_id, last.definition.name.as_str()));
    let second = schedules::list(conn, Some(TenantId::PLATFORM), after, 3)
        .await
        .unwrap();
    let names: Vec<_> = first
        .iter()
        .chain(&second)
        .map(|s| s.definition.name.clone())
        .collect();
    assert_eq!(names, ["s0", "s1", "s2", "s3", "s4"]);
    assert_eq!(first[0].next_at, Some(time("2026-05-05T12:01:00Z")));
    let stranger = Some(TenantId(Uuid::from_u128(1)));
    assert!(
        schedules::list(conn, stranger, None, 3)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_tenants_session_sees_and_touches_only_its_own() {
    let stage = Stage::set().await;
    let foreign = stage.put(json!({})).await;
    let tenant = TenantId(Uuid::from_u128(7));
    let conn = &mut *stage.conn().await;
    let mut tx = conn.begin().await.unwrap();
    sqlx::query(
        "SELECT set_config('fleet.tenant', $1, true), set_config('role', 'fleet_api', true)",
    )
    .bind(tenant.0.to_string())
    .execute(&mut *tx)
    .await
    .unwrap();
    assert_eq!(schedules::get(&mut tx, foreign.id).await.unwrap(), None);
    assert!(
        !schedules::delete(&mut tx, foreign.id, "mallory")
            .await
            .unwrap()
    );
    assert!(
        !schedules::pause(&mut tx, foreign.id, "mine now", "mallory")
            .await
            .unwrap()
    );
    assert_eq!(schedules::run_now(&mut tx, foreign.id).await.unwrap(), None);
    let own = schedules::put(&mut tx, tenant, &definition(json!({})), Expect::New, "ann")
        .await
        .unwrap();
    assert!(schedules::run_now(&mut tx, own.id).await.unwrap().is_some());
    assert!(
        schedules::pause(&mut tx, own.id, "rest", "ann")
            .await
            .unwrap()
    );
    assert!(schedules::resume(&mut tx, own.id, "ann").await.unwrap());
    assert_eq!(
        schedules::list(&mut tx, None, None, 9).await.unwrap().len(),
        1
    );
    assert_eq!(
        schedules::record(&mut tx, own.id, None, 9)
            .await
            .unwrap()
            .len(),
        1
    );
    assert!(schedules::delete(&mut tx, own.id, "ann").await.unwrap());
    let across = schedules::put(
        &mut tx,
        TenantId::PLATFORM,
        &definition(json!({ "name": "x" })),
        Expect::New,
        "ann",
    )
    .await;
    assert!(
        matches!(across, Err(Error::Database { .. })),
        "the database refuses: {across:?}"
    );
}

#[tokio::test]
async fn a_preview_shows_both_ways_in_the_zones_own_time() {
    let from = time("2026-03-28T12:00:00Z");
    let preview = schedules::preview("30 2 * * *", "Europe/Berlin", from, 2).unwrap();
    let local: Vec<_> = preview
        .past
        .iter()
        .chain(&preview.next)
        .map(|tick| tick.local.to_string())
        .collect();
    assert_eq!(
        local,
        [
            "2026-03-27 02:30:00 +01:00",
            "2026-03-28 02:30:00 +01:00",
            "2026-03-29 03:00:00 +02:00",
            "2026-03-30 02:30:00 +02:00"
        ]
    );
    assert!(preview.next[1].at - preview.next[0].at < TimeDelta::hours(24));
}
