//! What capacities are weighed by: the latest version holds, scores name theirs, and a change has everybody scored anew.

use fleet_jobs::capacity::{Caps, Loads, Settings, Weights, reconcile, rescore};
use fleet_jobs::settings::{SettingsError, Versioned};

use super::office::{ANN, Office};

/// One client, two tickets.
const WORK: &str = "
    INSERT INTO fleet.client_assignments (tenant_id, client_id, partner_id) VALUES (md5('t')::uuid, md5('c')::uuid, '00000000-0000-0000-0000-0000000000a1');
    INSERT INTO fleet.tickets (tenant_id, client_id, partner_id, escalation_level)
    SELECT md5('t')::uuid, md5('c')::uuid, '00000000-0000-0000-0000-0000000000a1', 1 FROM generate_series(1, 2)";
const ASKED: &str =
    "SELECT count(*) FROM fleet.job WHERE kind = 'capacity.score_all' AND state = 'available'";

fn other() -> Settings {
    Settings {
        weights: Weights {
            sla: 0.0,
            response: 1.0,
            success: 0.0,
        },
        caps: Caps {
            standard: 8.0,
            senior: 9.0,
        },
        loads: Loads {
            ticket: 0.5,
            campaign: 0.1,
        },
        response_unknown: 0.9,
        near_full: 0.8,
        ..Settings::default()
    }
}

async fn change(office: &Office, settings: &Settings) -> Result<i32, SettingsError> {
    let mut conn = office.db.conn().await;
    let changed = settings.change(&mut conn, "Grace", Some("try")).await?;
    assert_eq!(changed.settings, *settings);
    Ok(changed.version)
}

#[tokio::test]
async fn a_change_is_a_version_by_which_everybody_is_scored_anew() {
    let office = Office::open().await;
    office.db.execute(WORK).await;
    office.score().await;
    let before = office.ann().await;
    assert_eq!(
        (before.load, before.cap, before.settings_version),
        (1.2, 15.0, 1)
    );
    assert_eq!(office.db.number(ASKED).await, 0);
    assert_eq!(change(&office, &other()).await.unwrap(), 2);
    assert_eq!(
        office.db.number(ASKED).await,
        1,
        "in the change's own transaction"
    );
    office.score().await;
    let after = office.ann().await;
    assert_eq!((after.load, after.cap), (2.0, 8.0));
    // 100 · √(6/8) · 0.9
    assert_eq!((after.score, after.level.as_str()), (77.94, "near_full"));
    let versions: Vec<i32> = after.history.iter().map(|it| it.settings_version).collect();
    assert_eq!((after.settings_version, versions), (2, vec![2, 1]));
    let mut conn = office.db.conn().await;
    assert_eq!(Settings::history(&mut conn, 10).await.unwrap().len(), 2);
}

/// Until everybody is scored anew, loads are counted as they were, which is no drift.
#[tokio::test]
async fn a_change_is_no_drift_and_one_partner_follows_before_the_others() {
    let office = Office::open().await;
    office.db.execute(WORK).await;
    office.score().await;
    change(&office, &other()).await.unwrap();
    // As if the pass had been lost.
    office.db.execute("DELETE FROM fleet.job").await;
    assert_eq!(reconcile(&office.db.pool).await.unwrap().drifted, 0);
    assert_eq!(office.ann().await.load, 1.2);
    let now = office.now().await;
    rescore(&mut *office.db.conn().await, &[ANN], now)
        .await
        .unwrap();
    assert_eq!(office.ann().await.load, 2.0);
    assert_eq!(reconcile(&office.db.pool).await.unwrap().drifted, 0);
    office
        .db
        .execute("UPDATE fleet.partner_capacity SET load = 1.2")
        .await;
    office.db.execute("DELETE FROM fleet.job").await;
    assert_eq!(reconcile(&office.db.pool).await.unwrap().drifted, 1);
    assert_eq!(office.ann().await.load, 2.0, "put right by what holds");
}

#[tokio::test]
async fn what_cannot_be_used_is_refused_or_told_by_its_version() {
    let office = Office::scored().await;
    let bad = Settings {
        near_full: 2.0,
        ..Settings::default()
    };
    let refused = change(&office, &bad).await.expect_err("over 1").to_string();
    assert_eq!(refused, "near_full is 2.0; 0 to 1 are allowed");
    for (sql, problem) in [
        (
            "UPDATE fleet.capacity_settings SET changed_by = 'me'",
            "is only added to",
        ),
        ("DELETE FROM fleet.capacity_settings", "is only added to"),
        (
            "INSERT INTO fleet.capacity_settings (version, settings, changed_by) VALUES (2, '{}', 'me')",
            "capacity_settings_name_loads",
        ),
    ] {
        let refused = sqlx::query(sql).execute(&office.db.pool).await;
        let refused = refused.expect_err(sql).to_string();
        assert!(refused.contains(problem), "{refused}");
    }
    office
        .db
        .execute("INSERT INTO fleet.capacity_settings (version, settings, changed_by) VALUES (2, '{\"loads\": {\"ticket\": 1, \"campaign\": 1}, \"cap\": 1}', 'me')")
        .await;
    assert!(matches!(
        Settings::current(&mut *office.db.conn().await).await,
        Err(SettingsError::Stored { version: 2, .. })
    ));
    let now = office.now().await;
    let stopped = rescore(&mut *office.db.conn().await, &[ANN], now).await;
    let stopped = stopped.expect_err("unreadable").to_string();
    assert_eq!(
        stopped,
        "version 2 of the capacity settings cannot be read: store a version that can"
    );
}
