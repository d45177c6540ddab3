//! From rank to tier: proposed by rules, decided by a person.

use chrono::Days;
use fleet_jobs::leaderboard::{
    Board, Candidate, Decision, Period, Promotions, Reviewed, decide_candidate, list_candidates,
    review,
};

use super::market::{Daily, Market, end};

/// Twelve partners over three weeks; all keep their promises.
async fn season(market: &Market) -> Board {
    market.ladder(12).await;
    market.db.execute("INSERT INTO fleet.sla_outcomes (tenant_id, partner_id, met, decided_at) SELECT tenant_id, partner_id, true, now() - interval '1 day' FROM fleet.partners, generate_series(1, 25)").await;
    let board = market.board(Period::Week).await;
    market.refresh_until(&board, end() - Days::new(7)).await;
    board
}

async fn reviewed(market: &Market, board: &Board) -> Reviewed {
    let mut tx = market.db.pool.begin().await.unwrap();
    let reviewed = review(&mut tx, board, &Promotions::default())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    reviewed
}

async fn pending(market: &Market) -> Vec<Candidate> {
    list_candidates(&mut *market.db.conn().await, Some("pending"), None, 50)
        .await
        .unwrap()
}

#[tokio::test]
async fn two_weeks_at_the_top_are_proposed_once_and_approved_by_a_person() {
    let market = Market::open().await;
    let board = season(&market).await;
    assert_eq!(
        reviewed(&market, &board).await.promotions,
        0,
        "one week is chance"
    );
    market.refresh(&board).await;
    assert_eq!(
        reviewed(&market, &board).await.promotions,
        2,
        "a tenth of twelve, rounded up"
    );
    assert_eq!(
        reviewed(&market, &board).await.promotions,
        0,
        "they are pending"
    );
    let candidates = pending(&market).await;
    let first = candidates
        .iter()
        .find(|c| c.partner_id == Market::partner("p01"))
        .unwrap();
    assert_eq!(first.evidence["weeks"][0]["rank"], 1);
    let mut conn = market.db.conn().await;
    let decided = decide_candidate(
        &mut conn,
        first.candidate_id,
        Decision::Approve,
        "ann",
        None,
    )
    .await
    .unwrap()
    .unwrap();
    assert_eq!(
        (decided.status.as_str(), decided.decided_by.as_deref()),
        ("approved", Some("ann"))
    );
    assert!(
        decide_candidate(&mut conn, first.candidate_id, Decision::Reject, "bob", None)
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(
        market
            .db
            .text("SELECT string_agg(name, ' ') FROM fleet.partners WHERE tier = 'senior'")
            .await,
        "p01"
    );
    assert_eq!(
        (
            market.events("promotion.proposed").await,
            market.events("promotion.approved").await
        ),
        (2, 1)
    );
}

#[tokio::test]
async fn what_was_rejected_is_not_proposed_again_for_a_while() {
    let market = Market::open().await;
    let board = season(&market).await;
    market.refresh(&board).await;
    reviewed(&market, &board).await;
    for candidate in pending(&market).await {
        decide_candidate(
            &mut *market.db.conn().await,
            candidate.candidate_id,
            Decision::Reject,
            "ann",
            Some("too soon"),
        )
        .await
        .unwrap();
    }
    assert_eq!(reviewed(&market, &board).await.promotions, 0);
    market
        .db
        .execute("UPDATE fleet.promotion_candidates SET decided_at = now() - interval '29 days'")
        .await;
    assert_eq!(reviewed(&market, &board).await.promotions, 2);
}

#[tokio::test]
async fn a_proposal_whose_grounds_are_gone_is_withdrawn() {
    let market = Market::open().await;
    let board = season(&market).await;
    market.refresh(&board).await;
    reviewed(&market, &board).await;
    market.db.execute("INSERT INTO fleet.partner_escalations (tenant_id, partner_id) SELECT tenant_id, partner_id FROM fleet.partners WHERE name = 'p01'").await;
    assert_eq!(reviewed(&market, &board).await.withdrawn, 1);
    assert_eq!(pending(&market).await.len(), 1);
    assert_eq!(market.events("promotion.withdrawn").await, 1);
}

#[tokio::test]
async fn a_gap_between_weeks_or_broken_promises_propose_nothing() {
    let market = Market::open().await;
    let board = season(&market).await;
    market.refresh_until(&board, end() + Days::new(7)).await;
    assert_eq!(
        reviewed(&market, &board).await.promotions,
        0,
        "a week is missing in between"
    );
    let market = Market::open().await;
    let board = season(&market).await;
    market.refresh(&board).await;
    market.db.execute("UPDATE fleet.sla_outcomes SET met = false WHERE outcome_id IN (SELECT DISTINCT ON (partner_id) outcome_id FROM fleet.sla_outcomes)").await;
    market.db.execute("UPDATE fleet.sla_outcomes SET met = false WHERE outcome_id IN (SELECT DISTINCT ON (partner_id) outcome_id FROM fleet.sla_outcomes WHERE met)").await;
    assert_eq!(
        reviewed(&market, &board).await.promotions,
        0,
        "23 of 25 is 92 %"
    );
}

#[tokio::test]
async fn a_senior_slips_after_four_weeks_and_not_before() {
    let market = Market::open().await;
    market.ladder(12).await;
    market.works("p12", 60, Daily::earning(1)).await;
    for n in 1..12 {
        market
            .works(&format!("p{n:02}"), 60, Daily::earning(1_000 - n))
            .await;
    }
    market
        .db
        .execute("UPDATE fleet.partners SET tier = 'senior' WHERE name IN ('p01', 'p12')")
        .await;
    let board = market.board(Period::Week).await;
    for (week, expected) in [(3, 0), (2, 0), (1, 0), (0, 1)] {
        market
            .refresh_until(&board, end() - Days::new(7 * week))
            .await;
        assert_eq!(
            reviewed(&market, &board).await.demotions,
            expected,
            "{week} weeks before the last"
        );
    }
    let candidate = &pending(&market).await[0];
    assert_eq!(
        (candidate.partner_id, candidate.direction.as_str()),
        (Market::partner("p12"), "demotion")
    );
    decide_candidate(
        &mut *market.db.conn().await,
        candidate.candidate_id,
        Decision::Approve,
        "ann",
        None,
    )
    .await
    .unwrap();
    assert_eq!(
        market
            .db
            .text("SELECT tier FROM fleet.partners WHERE name = 'p12'")
            .await,
        "standard"
    );
}
