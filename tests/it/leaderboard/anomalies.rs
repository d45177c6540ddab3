//! Figures too good to be true, and what a hold does until a person clears it.

use chrono::Days;
use fleet_jobs::leaderboard::{Board, Period, clear, list_holds};

use super::market::{Daily, Market, end};

/// A ladder with a board published, and then a day of `p03` that nobody believes.
async fn suspect(market: &Market, daily: Daily) -> Board {
    market.ladder(12).await;
    let board = market.board(Period::Week).await;
    market.refresh_until(&board, end() - Days::new(7)).await;
    market
        .csv(&Market::line("p03", end() - Days::new(2), daily))
        .await;
    market.refresh(&board).await;
    board
}

async fn rules(market: &Market) -> String {
    market
        .db
        .text("SELECT COALESCE(string_agg(rule, ' ' ORDER BY rule), '') FROM fleet.metric_holds")
        .await
}

#[tokio::test]
async fn each_rule_finds_its_cheat() {
    for (daily, rule) in [
        (
            Daily {
                clicks: 700,
                ..Daily::earning(997)
            },
            "ctr_outlier",
        ),
        (
            Daily {
                conversions: 28,
                ..Daily::earning(997)
            },
            "cvr_outlier",
        ),
        (
            Daily {
                clicks: 100,
                conversions: 70,
                ..Daily::earning(997)
            },
            "cvr_too_high",
        ),
        (Daily::earning(40_000), "revenue_outlier"),
        (
            Daily {
                clicks: 0,
                conversions: 0,
                spend: 0,
                ..Daily::earning(997)
            },
            "revenue_without_clicks",
        ),
    ] {
        let market = Market::open().await;
        suspect(&market, daily).await;
        assert!(
            rules(&market).await.contains(rule),
            "{rule}: {}",
            rules(&market).await
        );
    }
}

#[tokio::test]
async fn conversions_within_a_few_hours_stand_out() {
    let market = Market::open().await;
    market.ladder(2).await;
    market
        .db
        .execute("UPDATE fleet.campaign_metrics SET conversion_hours = 4")
        .await;
    let board = market.board(Period::Rolling30d).await;
    market.refresh(&board).await;
    assert_eq!(
        rules(&market).await,
        "",
        "four hours a day is how people buy"
    );
    market.db.execute("UPDATE fleet.campaign_metrics SET conversion_hours = CASE WHEN day = '2025-06-20' THEN 6 ELSE 0 END, seq = nextval('fleet.metric_seq')").await;
    market.refresh(&board).await;
    assert_eq!(
        rules(&market).await,
        "conversions_in_few_hours conversions_in_few_hours"
    );
}

#[tokio::test]
async fn an_ordinary_good_day_is_no_anomaly() {
    let market = Market::open().await;
    suspect(
        &market,
        Daily {
            clicks: 70,
            conversions: 9,
            ..Daily::earning(1_500)
        },
    )
    .await;
    assert_eq!(rules(&market).await, "");
}

#[tokio::test]
async fn the_held_keep_their_rank_and_do_not_compete() {
    let market = Market::open().await;
    let board = suspect(&market, Daily::earning(40_000)).await;
    let page = market.page(&board).await;
    let held = page.entries.iter().find(|e| e.label == "p03").unwrap();
    assert_eq!(
        (
            held.status.as_str(),
            held.rank,
            held.prev_rank,
            held.rank_delta
        ),
        ("held", None, Some(3), None)
    );
    assert_eq!(
        page.run
            .as_ref()
            .map(|run| (run.subjects, run.ranked, run.held)),
        Some((12, 11, 1))
    );
    let p04 = page.entries.iter().find(|e| e.label == "p04").unwrap();
    assert_eq!(p04.rank, Some(3), "the others are ranked among themselves");
}

#[tokio::test]
async fn who_is_held_keeps_its_badge() {
    let market = Market::open().await;
    market.ladder(12).await;
    let board = market.board(Period::Week).await;
    market.refresh_until(&board, end() - Days::new(7)).await;
    market
        .csv(&Market::line(
            "p01",
            end() - Days::new(2),
            Daily::earning(40_000),
        ))
        .await;
    market.refresh(&board).await;
    assert_eq!(market.events("badge.revoked").await, 0);
}

#[tokio::test]
async fn a_cleared_hold_lets_go_and_is_not_opened_again() {
    let market = Market::open().await;
    let board = suspect(&market, Daily::earning(40_000)).await;
    let mut session = market.session("*").await;
    let holds = list_holds(&mut session, true, None, 10).await.unwrap();
    assert_eq!(holds.len(), 1, "{holds:?}");
    let cleared = clear(&mut session, holds[0].hold_id, "ann", Some("a trade fair"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(cleared.cleared_by.as_deref(), Some("ann"));
    assert!(
        clear(&mut session, holds[0].hold_id, "bob", None)
            .await
            .unwrap()
            .is_none(),
        "once"
    );
    session.commit().await.unwrap();
    market.works("p12", 1, Daily::earning(988)).await;
    market.refresh(&board).await;
    assert!(
        market.standings(&board).await.starts_with("p03 ranked 1 2"),
        "{}",
        market.standings(&board).await
    );
    assert_eq!(
        market
            .db
            .number("SELECT count(*) FROM fleet.metric_holds WHERE cleared_at IS NULL")
            .await,
        0
    );
    assert_eq!(market.events("hold.cleared").await, 1);
}

#[tokio::test]
async fn a_hold_of_a_later_window_does_not_reach_back() {
    let market = Market::open().await;
    let board = suspect(&market, Daily::earning(40_000)).await;
    let other = market.board(Period::Day).await;
    let refreshed = market.refresh_until(&other, end() - Days::new(7)).await;
    assert_eq!(refreshed.built.held, 0);
    assert_eq!(market.page(&board).await.run.unwrap().held, 1);
}
