//! Who asks for a score: every change to what it rests on, in its own transaction, a burst of them once.

use super::office::{ASKED, Office};

const CLIENT: &str = "INSERT INTO fleet.client_assignments (tenant_id, client_id, partner_id)
    VALUES (md5('t')::uuid, gen_random_uuid(), '00000000-0000-0000-0000-0000000000a1')";

#[tokio::test]
async fn a_burst_of_changes_is_one_job_half_a_minute_ahead() {
    let office = Office::scored().await;
    for _ in 0..5 {
        office.db.execute(CLIENT).await;
    }
    assert_eq!(office.db.number(ASKED).await, 1);
    let ahead = "SELECT count(*) FROM fleet.job WHERE kind = 'capacity.score' AND state = 'scheduled' AND unique_until_started
        AND run_at - created_at BETWEEN interval '29 seconds' AND interval '31 seconds'
        AND payload = '{\"partner_id\": \"00000000-0000-0000-0000-0000000000a1\"}'";
    assert_eq!(office.db.number(ahead).await, 1);
}

#[tokio::test]
async fn each_kind_of_change_asks() {
    for change in [
        CLIENT,
        "INSERT INTO fleet.tickets (tenant_id, client_id, partner_id, escalation_level) VALUES (md5('t')::uuid, md5('c')::uuid, '00000000-0000-0000-0000-0000000000a1', 1)",
        "INSERT INTO fleet.sla_outcomes (tenant_id, partner_id, met, decided_at) VALUES (md5('t')::uuid, '00000000-0000-0000-0000-0000000000a1', true, now())",
        "INSERT INTO fleet.campaign_outcomes (tenant_id, campaign_id, partner_id, goal_met) VALUES (md5('t')::uuid, md5('k')::uuid, '00000000-0000-0000-0000-0000000000a1', true)",
        "INSERT INTO fleet.partner_leaves (tenant_id, partner_id, starts_at, ends_at) VALUES (md5('t')::uuid, '00000000-0000-0000-0000-0000000000a1', now(), now() + interval '1 day')",
        "INSERT INTO fleet.campaigns (tenant_id, campaign_id, client_id, partner_id, name, active_since) VALUES (md5('t')::uuid, md5('k')::uuid, md5('c')::uuid, '00000000-0000-0000-0000-0000000000a1', 'k', now())",
        "UPDATE fleet.partners SET tier = 'senior'",
        "UPDATE fleet.partners SET status = 'paused'",
        "UPDATE fleet.partners SET max_load = 1",
    ] {
        let office = Office::scored().await;
        office.db.execute(change).await;
        assert_eq!(office.db.number(ASKED).await, 1, "{change}");
    }
}

#[tokio::test]
async fn ends_and_moves_ask_for_whom_they_leave_and_whom_they_reach() {
    let office = Office::open().await;
    office.db.execute("
        INSERT INTO fleet.partners (tenant_id, partner_id, name, active_since)
        VALUES ('00000000-0000-0000-0000-000000000000', '00000000-0000-0000-0000-0000000000b2', 'Bob', '2024-01-01')").await;
    office.db.execute(CLIENT).await;
    assert_eq!(
        office.db.number(ASKED).await,
        0,
        "who was never scored waits for the hourly pass"
    );
    office.score().await;
    office
        .db
        .execute("UPDATE fleet.client_assignments SET partner_id = '00000000-0000-0000-0000-0000000000b2'")
        .await;
    assert_eq!(office.db.number(ASKED).await, 2, "both have changed");
    let office = Office::open().await;
    office.db.execute(CLIENT).await;
    office.score().await;
    office
        .db
        .execute("DELETE FROM fleet.client_assignments")
        .await;
    assert_eq!(office.db.number(ASKED).await, 1);
}

#[tokio::test]
async fn what_changes_nothing_or_is_rolled_back_asks_for_nothing() {
    let office = Office::scored().await;
    office
        .db
        .execute("UPDATE fleet.partners SET performance_metrics = '{\"week\": {}}', name = 'Anna'; BEGIN; UPDATE fleet.partners SET tier = 'senior'; ROLLBACK")
        .await;
    assert_eq!(office.db.number(ASKED).await, 0);
}

#[tokio::test]
async fn a_change_to_many_at_once_is_one_pass() {
    let office = Office::open().await;
    office.db.execute("
        INSERT INTO fleet.partners (tenant_id, partner_id, name, active_since)
        SELECT '00000000-0000-0000-0000-000000000000', md5('p' || i)::uuid, 'partner ' || i, '2024-01-01' FROM generate_series(1, 150) i").await;
    assert_eq!(office.score().await.rescored.scored, 151);
    let tickets = "INSERT INTO fleet.tickets (tenant_id, client_id, partner_id, escalation_level) SELECT md5('t')::uuid, md5('c')::uuid, partner_id, 1 FROM fleet.partners";
    office.db.execute(tickets).await;
    office.db.execute(tickets).await;
    let asked = "SELECT string_agg(kind || ' ' || state, ', ') FROM fleet.job";
    assert_eq!(office.db.text(asked).await, "capacity.score_all scheduled");
}

#[tokio::test]
async fn a_full_queue_refuses_no_change() {
    let office = Office::scored().await;
    office.db.execute("
        SELECT fleet.enqueue('capacity.reconcile', '{}');
        INSERT INTO fleet.queue (name, max_depth) VALUES ('default', 1) ON CONFLICT (name) DO UPDATE SET max_depth = 1")
        .await;
    office.db.execute(CLIENT).await;
    assert_eq!(office.db.number(ASKED).await, 0);
    office.score().await;
    assert_eq!(office.ann().await.load, 1.0, "the hourly pass finds it");
}
