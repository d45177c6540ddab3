//! Settings are rows with history: the latest holds, a decision names its version, and the past stays.

use fleet_jobs::assignment::{Auto, Settings, Weights};
use fleet_jobs::settings::{SettingsError, Versioned};
use fleet_queue::TenantId;

use super::house::{House, TENANT};

#[tokio::test]
async fn a_change_is_a_version_that_the_next_decision_names() {
    let house = House::open().await;
    house.partner("ann", 9.0, "").await;
    house.score().await;
    let mut conn = house.db.conn().await;
    let weights = Weights {
        capacity: 1.0,
        leaderboard: 0.0,
        ..Weights::default()
    };
    let changed = Settings {
        weights,
        ..Settings::default()
    };
    let version = changed
        .change(&mut conn, "Grace", Some("try"))
        .await
        .unwrap();
    assert_eq!((version.version, version.settings), (2, changed));
    let client = house.client("acme", "").await;
    house.assign(client).await;
    assert_eq!(house.rationale(client).await["settings_version"], 2);
    assert_eq!(Settings::history(&mut conn, 10).await.unwrap().len(), 2);
    let bad = Settings {
        top_share: 2.0,
        ..Settings::default()
    };
    assert!(matches!(
        bad.change(&mut conn, "Grace", None).await,
        Err(SettingsError::Field {
            field: "top_share",
            ..
        })
    ));
    for change in [
        "UPDATE fleet.assignment_settings SET changed_by = 'me'",
        "DELETE FROM fleet.assignment_settings",
        "DELETE FROM fleet.assignment_decisions",
    ] {
        let refused = sqlx::query(change)
            .execute(&house.db.pool)
            .await
            .expect_err(change);
        assert!(
            refused.to_string().contains("is only added to"),
            "{refused}"
        );
    }
    house.db.execute("INSERT INTO fleet.assignment_settings (version, settings, changed_by) VALUES (3, '{\"weight\": 1}', 'test')").await;
    assert!(matches!(
        Settings::current(&mut conn).await,
        Err(SettingsError::Stored { version: 3, .. })
    ));
}

/// A newer build may have stored them, in an upgrade of which this worker's turn has not come yet.
#[tokio::test]
async fn a_job_that_cannot_read_the_settings_is_tried_again() {
    let house = House::open().await;
    let client = house.client("acme", "").await;
    house.db.execute("INSERT INTO fleet.assignment_settings (version, settings, changed_by) VALUES (2, '{\"weight\": 1}', 'test')").await;
    house.put(Auto::of(client).new_job(TenantId(TENANT))).await;
    house.work().await;
    let waits = "SELECT count(*) FROM fleet.job WHERE kind = 'assignment.auto' AND state = 'scheduled' AND attempt = 1";
    assert_eq!(house.db.number(waits).await, 1);
}
