//! What a partner is scored by: its rows and nobody else's, at one moment, the newest winning.

use chrono::TimeDelta;
use fleet_jobs::capacity::score_all;
use fleet_tests::eventually;

use super::office::Office;

/// A desk whose score was worked out by hand: load 3 + 0.5 + 0.2 + 0.05; S, R and C as their comments say.
const DESK: &str = "
    INSERT INTO fleet.client_assignments (tenant_id, client_id, partner_id, weight, started_at, ended_at) VALUES
        (md5('t')::uuid, md5('c1')::uuid, '00000000-0000-0000-0000-0000000000a1', 1, '2026-01-01', NULL),
        (md5('u')::uuid, md5('c2')::uuid, '00000000-0000-0000-0000-0000000000a1', 2, '2026-01-01', NULL),
        (md5('t')::uuid, md5('c3')::uuid, '00000000-0000-0000-0000-0000000000a1', 0.5, '2026-01-01', NULL),
        (md5('t')::uuid, md5('c4')::uuid, '00000000-0000-0000-0000-0000000000a1', 2, '2026-01-01', '2026-01-02');
    INSERT INTO fleet.tickets (tenant_id, client_id, partner_id, escalation_level, opened_at, waiting, status, closed_at) VALUES
        (md5('t')::uuid, md5('c1')::uuid, '00000000-0000-0000-0000-0000000000a1', 1, now(), false, 'open', NULL),
        (md5('t')::uuid, md5('c1')::uuid, '00000000-0000-0000-0000-0000000000a1', 2, now(), false, 'escalated', NULL),
        (md5('t')::uuid, md5('c1')::uuid, '00000000-0000-0000-0000-0000000000a1', 1, now(), true, 'open', NULL), -- waits for the client
        (md5('t')::uuid, md5('c1')::uuid, '00000000-0000-0000-0000-0000000000a1', 3, now(), false, 'escalated', NULL), -- an admin has it
        (md5('t')::uuid, md5('c1')::uuid, '00000000-0000-0000-0000-0000000000a1', 1, now(), false, 'resolved', now());
    INSERT INTO fleet.campaigns (tenant_id, campaign_id, client_id, partner_id, name, active_since, ended_on) VALUES
        (md5('t')::uuid, md5('k1')::uuid, md5('c1')::uuid, '00000000-0000-0000-0000-0000000000a1', 'runs', '2026-01-01', NULL),
        (md5('t')::uuid, md5('k2')::uuid, md5('c1')::uuid, '00000000-0000-0000-0000-0000000000a1', 'ended', '2026-01-01', '2026-02-01');
    -- Eight of ten kept; what is over ninety days old counts no more.
    INSERT INTO fleet.sla_outcomes (tenant_id, partner_id, met, decided_at)
    SELECT md5('t')::uuid, '00000000-0000-0000-0000-0000000000a1', i <= 8, now() - interval '1 day' FROM generate_series(1, 10) i;
    INSERT INTO fleet.sla_outcomes (tenant_id, partner_id, met, decided_at)
    SELECT md5('t')::uuid, '00000000-0000-0000-0000-0000000000a1', false, now() - interval '91 days' FROM generate_series(1, 50) i;
    -- Every hour is a working hour here; the median of 2, 4 and 30 hours is 4, which halves R.
    UPDATE fleet.partners SET work_days = '{1,2,3,4,5,6,7}', opens = '00:00', closes = '24:00';
    INSERT INTO fleet.tickets (tenant_id, client_id, partner_id, escalation_level, opened_at, first_response_at, status, closed_at)
    SELECT md5('t')::uuid, md5('c1')::uuid, '00000000-0000-0000-0000-0000000000a1', 1, now() - interval '5 days', now() - interval '5 days' + h * interval '1 hour', 'resolved', now()
    FROM unnest(ARRAY[2, 4, 30]) h;
    -- Half of four goals were met: so does the tier, which is only this partner.
    INSERT INTO fleet.campaign_outcomes (tenant_id, campaign_id, partner_id, goal_met)
    SELECT md5('t')::uuid, md5('k2')::uuid, '00000000-0000-0000-0000-0000000000a1', i <= 2 FROM generate_series(1, 4) i";

#[tokio::test]
async fn a_partner_is_scored_by_what_its_rows_say() {
    let office = Office::open().await;
    office.db.execute(DESK).await;
    assert_eq!(office.score().await.rescored.scored, 1);
    let ann = office.ann().await;
    assert_eq!((ann.load, ann.cap), (3.75, 15.0));
    let part = |name: &str| ann.components[name].as_f64().unwrap();
    // H = 1 - 3.75 / 15; S = (8 + 20 * 0.8) / 30; C = (2 + M / 2) / (4 + M), whatever M is.
    for (name, expected) in [
        ("headroom", 0.75),
        ("sla", 0.8),
        ("response", 0.5),
        ("success", 0.5),
    ] {
        assert!((part(name) - expected).abs() < 1e-9, "{name}: {ann:?}");
    }
    // 100 * sqrt(0.75) * (0.40 * 0.8 + 0.25 * 0.5 + 0.35 * 0.5)
    assert_eq!((ann.score, ann.confidence), (53.69, 0.5));
    assert_eq!((ann.inputs_version, ann.history.len()), (1, 1));
}

#[tokio::test]
async fn a_first_response_is_counted_in_the_partners_own_working_hours() {
    let office = Office::open().await;
    office.db.execute("
        UPDATE fleet.partners SET zone = 'Europe/Berlin', opens = '09:00', closes = '17:00';
        -- Friday 16:00 to Monday 10:00 on Berlin's clocks, which were set forward on the Sunday between.
        INSERT INTO fleet.tickets (tenant_id, client_id, partner_id, escalation_level, opened_at, first_response_at)
        VALUES (md5('t')::uuid, md5('c')::uuid, '00000000-0000-0000-0000-0000000000a1', 1, '2026-03-27 15:00Z', '2026-03-30 08:00Z')").await;
    let hours = "SELECT first_response_hours::text FROM fleet.tickets";
    assert_eq!(office.db.text(hours).await, "2");
    office
        .db
        .execute(
            "UPDATE fleet.partners SET opens = '00:00'; UPDATE fleet.tickets SET waiting = true",
        )
        .await;
    assert_eq!(
        office.db.text(hours).await,
        "2",
        "a calendar that changes later changes no past"
    );
    office
        .db
        .execute("UPDATE fleet.tickets SET first_response_at = NULL")
        .await;
    let uncounted = "SELECT count(*) FROM fleet.tickets WHERE first_response_hours IS NULL";
    assert_eq!(office.db.number(uncounted).await, 1);
}

#[tokio::test]
async fn who_is_paused_on_leave_or_without_a_slot_scores_nothing() {
    let office = Office::scored().await;
    assert!(office.ann().await.score > 0.0);
    let after = async |change| office.score_after(change).await;
    assert_eq!(
        after("UPDATE fleet.partners SET status = 'paused'").await,
        0.0
    );
    assert!(after("UPDATE fleet.partners SET status = 'active'").await > 0.0);
    assert_eq!(after("UPDATE fleet.partners SET max_load = 0.9").await, 0.0);
    assert!(after("UPDATE fleet.partners SET max_load = NULL").await > 0.0);
    let leave = "INSERT INTO fleet.partner_leaves (tenant_id, partner_id, starts_at, ends_at)
        VALUES ('00000000-0000-0000-0000-000000000000', '00000000-0000-0000-0000-0000000000a1', now() - interval '1 day', now() + interval '1 day')";
    assert_eq!(after(leave).await, 0.0);
    let over = "UPDATE fleet.partner_leaves SET ends_at = now() - interval '1 hour'";
    assert!(after(over).await > 0.0);
}

#[tokio::test]
async fn a_tenants_own_partner_answers_to_no_other_tenant() {
    let office = Office::open().await;
    let load = office.db.execute("
        UPDATE fleet.partners SET tenant_id = md5('t')::uuid;
        INSERT INTO fleet.client_assignments (tenant_id, client_id, partner_id) VALUES
            (md5('t')::uuid, md5('c1')::uuid, '00000000-0000-0000-0000-0000000000a1'),
            (md5('u')::uuid, md5('c2')::uuid, '00000000-0000-0000-0000-0000000000a1');
        INSERT INTO fleet.partner_leaves (tenant_id, partner_id, starts_at, ends_at)
        VALUES (md5('u')::uuid, '00000000-0000-0000-0000-0000000000a1', now() - interval '1 day', now() + interval '1 day')");
    load.await;
    office.score().await;
    let ann = office.ann().await;
    assert_eq!(ann.load, 1.0, "the other tenant's client is not counted");
    assert!(ann.score > 0.0, "nor does it send her on leave");
}

#[tokio::test]
async fn an_older_computation_never_takes_the_place_of_a_newer() {
    let office = Office::scored().await;
    let newer = office.ann().await;
    office
        .db
        .execute("UPDATE fleet.partners SET max_load = 3")
        .await;
    let older = newer.computed_at - TimeDelta::seconds(1);
    let done = score_all(&office.db.pool, older).await.unwrap().rescored;
    assert_eq!((done.scored, done.overtaken), (0, 1));
    assert_eq!(office.ann().await, newer_with_cap(newer, 3.0));
}

/// The capacity is what it was; only the profile shows the cap that is to come.
fn newer_with_cap(
    mut capacity: fleet_jobs::capacity::Capacity,
    cap: f64,
) -> fleet_jobs::capacity::Capacity {
    capacity.max_load = Some(cap);
    capacity
}

#[tokio::test]
async fn what_somebody_stored_in_between_is_gone_over_again() {
    let office = Office::scored().await;
    let now = office.now().await;
    // Another stores at the same moment, having seen a client that is not committed yet.
    let mut other = office.db.pool.begin().await.unwrap();
    sqlx::raw_sql(
        "
        INSERT INTO fleet.client_assignments (tenant_id, client_id, partner_id, weight)
        VALUES (md5('t')::uuid, md5('c')::uuid, '00000000-0000-0000-0000-0000000000a1', 7);
        UPDATE fleet.partner_capacity SET inputs_version = inputs_version + 1",
    )
    .execute(&mut *other)
    .await
    .unwrap();
    let pool = office.db.pool.clone();
    let ours = tokio::spawn(async move { score_all(&pool, now).await.unwrap() });
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    eventually("ours waits for the row", || async {
        (office.db.number(waiting).await == 1).then_some(())
    })
    .await;
    other.commit().await.unwrap();
    assert_eq!(ours.await.unwrap().rescored.scored, 1);
    let ann = office.ann().await;
    assert_eq!(
        (ann.inputs_version, ann.load),
        (3, 7.0),
        "computed anew over what the other had seen"
    );
}
