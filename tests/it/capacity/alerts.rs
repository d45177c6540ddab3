//! What is told: a score that jumps, and a partner that fills up, once and not at every ticket.

use super::office::Office;

const TICKET: &str = "INSERT INTO fleet.tickets (tenant_id, client_id, partner_id, escalation_level) VALUES (md5('t')::uuid, md5('c')::uuid, '00000000-0000-0000-0000-0000000000a1', 1)";
const CLOSE: &str = "DELETE FROM fleet.tickets";

/// With a cap of 10, a load of 8.9: one ticket short of a tenth.
const BUSY: &str = "
    UPDATE fleet.partners SET max_load = 10;
    INSERT INTO fleet.client_assignments (tenant_id, client_id, partner_id, weight)
    VALUES (md5('t')::uuid, md5('c')::uuid, '00000000-0000-0000-0000-0000000000a1', 8.9)";

#[tokio::test]
async fn near_full_is_told_once_and_not_at_every_ticket() {
    let office = Office::open().await;
    office.score_after(BUSY).await;
    let told = async || office.events("capacity.near_full").await;
    let level = async || office.ann().await.level;
    assert_eq!((level().await.as_str(), told().await), ("open", 0));
    for _ in 0..3 {
        office.score_after(TICKET).await;
        assert_eq!((level().await.as_str(), told().await), ("near_full", 1));
        office.score_after(CLOSE).await;
        assert_eq!((level().await.as_str(), told().await), ("near_full", 1));
    }
    let relief = "UPDATE fleet.client_assignments SET weight = 8";
    office.score_after(relief).await;
    assert_eq!(level().await, "open");
    office
        .score_after("UPDATE fleet.client_assignments SET weight = 10")
        .await;
    assert_eq!((level().await.as_str(), told().await), ("full", 2));
    let payload = "SELECT payload->>'was' || ' ' || (payload->>'level') || ' ' || (payload->>'headroom') FROM fleet.event
        WHERE kind = 'capacity.near_full' ORDER BY id DESC LIMIT 1";
    assert_eq!(office.db.text(payload).await, "open full 0.0");
}

#[tokio::test]
async fn a_score_that_jumps_is_told_and_one_that_creeps_is_kept_in_the_history() {
    let office = Office::scored().await;
    let before = office.ann().await.score;
    let crept = office.score_after(TICKET).await;
    assert!(
        crept < before && before - crept < 5.0,
        "{before} to {crept}"
    );
    assert_eq!(office.events("capacity.changed").await, 0);
    let jump = "INSERT INTO fleet.client_assignments (tenant_id, client_id, partner_id, weight)
        VALUES (md5('t')::uuid, md5('c')::uuid, '00000000-0000-0000-0000-0000000000a1', 6)";
    let jumped = office.score_after(jump).await;
    assert!(crept - jumped >= 5.0, "{crept} to {jumped}");
    assert_eq!(office.events("capacity.changed").await, 1);
    office.score().await;
    let ann = office.ann().await;
    let past: Vec<_> = ann.history.iter().map(|past| past.score).collect();
    assert_eq!(
        past,
        [jumped, crept, before],
        "what stayed the same adds nothing"
    );
    assert_eq!(ann.inputs_version, 4);
}
