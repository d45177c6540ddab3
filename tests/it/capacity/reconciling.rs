//! A night puts right what its rows do not bear out, and leaves alone what is being asked for.

use fleet_jobs::capacity::reconcile;

use super::office::{ANN, ASKED, Office};

/// Rows that come in past the triggers, as a restore brings them.
const PAST_TRIGGERS: &str = "
    BEGIN; SET LOCAL session_replication_role = replica;
    INSERT INTO fleet.client_assignments (tenant_id, client_id, partner_id, weight)
    VALUES (md5('t')::uuid, md5('c')::uuid, '00000000-0000-0000-0000-0000000000a1', 3);
    INSERT INTO fleet.tickets (tenant_id, client_id, partner_id, escalation_level) VALUES (md5('t')::uuid, md5('c')::uuid, '00000000-0000-0000-0000-0000000000a1', 1);
    COMMIT";

#[tokio::test]
async fn a_load_that_drifted_is_told_and_put_right() {
    let office = Office::scored().await;
    office.db.execute(PAST_TRIGGERS).await;
    let found = reconcile(&office.db.pool).await.unwrap();
    assert_eq!(found.drifted, 1);
    let drift = found.drifts[0];
    assert_eq!(
        (drift.partner_id, drift.stored, drift.counted),
        (ANN, 0.0, 3.1)
    );
    assert_eq!(office.ann().await.load, 3.1);
    assert_eq!(office.events("capacity.drifted").await, 1);
    assert_eq!(
        reconcile(&office.db.pool).await.unwrap().drifted,
        0,
        "what was put right agrees"
    );
}

#[tokio::test]
async fn a_change_whose_job_waits_is_no_drift() {
    let office = Office::scored().await;
    office.db.execute("INSERT INTO fleet.client_assignments (tenant_id, client_id, partner_id) VALUES (md5('t')::uuid, md5('c')::uuid, '00000000-0000-0000-0000-0000000000a1')").await;
    assert_eq!(office.db.number(ASKED).await, 1);
    assert_eq!(reconcile(&office.db.pool).await.unwrap().drifted, 0);
    office.db.execute("DELETE FROM fleet.job").await;
    assert_eq!(
        reconcile(&office.db.pool).await.unwrap().drifted,
        1,
        "without its job it is one"
    );
}

#[tokio::test]
async fn what_other_tenants_say_of_a_tenants_partner_is_no_drift() {
    let office = Office::open().await;
    office
        .db
        .execute(
            "
        UPDATE fleet.partners SET tenant_id = md5('t')::uuid;
        INSERT INTO fleet.client_assignments (tenant_id, client_id, partner_id) VALUES
            (md5('t')::uuid, md5('c1')::uuid, '00000000-0000-0000-0000-0000000000a1'),
            (md5('u')::uuid, md5('c2')::uuid, '00000000-0000-0000-0000-0000000000a1')",
        )
        .await;
    office.score().await;
    assert_eq!(reconcile(&office.db.pool).await.unwrap().drifted, 0);
}

#[tokio::test]
async fn history_is_kept_for_four_hundred_days() {
    let office = Office::scored().await;
    office
        .db
        .execute("INSERT INTO fleet.capacity_history
            SELECT tenant_id, partner_id, 100 + d, load, cap, score, level, now() - d * interval '1 day', settings_version FROM fleet.capacity_history, unnest(ARRAY[399, 401]) d")
        .await;
    assert_eq!(reconcile(&office.db.pool).await.unwrap().forgotten, 1);
    assert_eq!(office.ann().await.history.len(), 2);
}
