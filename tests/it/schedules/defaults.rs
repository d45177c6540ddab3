//! Schedules that ship with the binary: added where missing, never over a person's head.

use fleet_jobs::capacity::{Reconcile, ScoreAll};
use fleet_jobs::leaderboard::{PromotionReview, Prune, Refresh};
use fleet_jobs::triage::{Digest, RouteBacklog, SlaSweep, Train};
use fleet_queue::kinds::register_kinds;
use fleet_queue::schedules::{self, Applied, Definition, Expect, apply};
use fleet_queue::{Job, TenantId};
use fleet_scheduler::default_schedules;
use serde_json::json;

use super::{Stage, definition};

async fn applied(stage: &Stage, defaults: &[Definition]) -> Applied {
    apply(&mut *stage.conn().await, defaults).await.unwrap()
}

#[tokio::test]
async fn what_is_missing_is_added_and_a_newer_binary_brings_its_own_up_to_date() {
    let stage = Stage::set().await;
    let first = [
        definition(json!({ "name": "a" })),
        definition(json!({ "name": "b", "kind": "not.yet" })),
    ];
    let round = applied(&stage, &first).await;
    assert_eq!(round.added, ["a"]);
    assert_eq!(
        round.skipped,
        [(
            "b".to_owned(),
            "kind: no kind \"not.yet\" is registered".to_owned()
        )]
    );
    assert_eq!(applied(&stage, &first[..1]).await.kept, ["a"]);
    let newer = [definition(json!({ "name": "a", "cron": "@daily" }))];
    assert_eq!(applied(&stage, &newer).await.updated, ["a"]);
}

#[tokio::test]
async fn what_a_person_edited_or_deleted_is_left_alone() {
    let stage = Stage::set().await;
    let shipped = [
        definition(json!({ "name": "edited" })),
        definition(json!({ "name": "deleted" })),
    ];
    applied(&stage, &shipped).await;
    let conn = &mut *stage.conn().await;
    let edit = definition(json!({ "name": "edited", "cron": "@hourly" }));
    schedules::put(conn, TenantId::PLATFORM, &edit, Expect::Any, "ann")
        .await
        .unwrap();
    let id = schedules::find(conn, TenantId::PLATFORM, "deleted")
        .await
        .unwrap()
        .unwrap();
    schedules::delete(conn, id, "ann").await.unwrap();
    assert_eq!(applied(&stage, &shipped).await.kept, ["edited", "deleted"]);
    assert_eq!(
        stage
            .db
            .text("SELECT string_agg(name || ' ' || cron, ', ') FROM fleet.schedule")
            .await,
        "edited @hourly"
    );
}

#[tokio::test]
async fn every_default_fits_the_kinds_of_this_installation() {
    let stage = Stage::set().await;
    let kinds: Vec<_> = fleet_jobs::registry().infos().cloned().collect();
    register_kinds(&mut *stage.conn().await, &kinds)
        .await
        .unwrap();
    let round = applied(&stage, &default_schedules()).await;
    assert_eq!(round.skipped, []);
    assert_eq!(round.added.len(), default_schedules().len());
    for default in default_schedules() {
        let payload = default.payload.clone();
        let fits = match default.kind.as_str() {
            Refresh::KIND => serde_json::from_value::<Refresh>(payload).is_ok(),
            PromotionReview::KIND => serde_json::from_value::<PromotionReview>(payload).is_ok(),
            Prune::KIND => serde_json::from_value::<Prune>(payload).is_ok(),
            ScoreAll::KIND => serde_json::from_value::<ScoreAll>(payload).is_ok(),
            Reconcile::KIND => serde_json::from_value::<Reconcile>(payload).is_ok(),
            Train::KIND => serde_json::from_value::<Train>(payload).is_ok(),
            RouteBacklog::KIND => serde_json::from_value::<RouteBacklog>(payload).is_ok(),
            SlaSweep::KIND => serde_json::from_value::<SlaSweep>(payload).is_ok(),
            Digest::KIND => serde_json::from_value::<Digest>(payload).is_ok(),
            other => panic!("{other}: this test does not know its payload"),
        };
        assert!(fits, "{}: {}", default.name, default.payload);
    }
}
