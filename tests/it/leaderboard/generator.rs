//! The demo data: the same from the same seed, and cheats that the rules can be measured by.

use chrono::NaiveDate;
use fleet_jobs::demo::{self, DemoError, Options};
use fleet_jobs::leaderboard::Period;

use super::market::{Market, end};

const DIGEST: &str = "SELECT md5(string_agg((m.tenant_id, m.campaign_id, m.day, m.agent_variant, m.impressions, m.clicks, m.conversions, m.spend_micros, m.revenue_micros)::text, ',' ORDER BY m.campaign_id, m.day, m.agent_variant)) FROM fleet.campaign_metrics m";

async fn made(options: Options) -> (Market, demo::DemoReport) {
    let market = Market::open().await;
    let report = demo::load(&mut *market.db.conn().await, &options, |_, _| ())
        .await
        .unwrap();
    (market, report)
}

fn options(seed: u64) -> Options {
    Options {
        seed,
        days: 20,
        last_day: Some(end()),
        ..Options::SMALL
    }
}

#[tokio::test]
async fn the_seed_decides_everything() {
    let ((one, first), (two, second), (three, _)) =
        tokio::join!(made(options(1)), made(options(1)), made(options(2)));
    assert_eq!(first, second);
    assert_eq!(one.db.text(DIGEST).await, two.db.text(DIGEST).await);
    assert_ne!(one.db.text(DIGEST).await, three.db.text(DIGEST).await);
    let again = demo::load(&mut *one.db.conn().await, &options(1), |_, _| ())
        .await
        .unwrap();
    assert_eq!(again.rows, first.rows);
    assert_eq!(
        one.db
            .number("SELECT count(*) FROM fleet.campaign_metrics")
            .await as u64,
        first.rows,
        "loaded again it replaces itself"
    );
}

#[tokio::test]
async fn what_is_bad_is_refused_in_many_ways_and_what_is_good_is_taken() {
    let (market, report) = made(Options {
        bad_share: 0.05,
        ..options(3)
    })
    .await;
    assert!(report.refused > 100, "{report:?}");
    assert_eq!(
        market
            .db
            .number("SELECT count(*) FROM fleet.metric_quarantine")
            .await as u64,
        report.refused
    );
    assert!(
        market
            .db
            .number("SELECT count(DISTINCT reason) FROM fleet.metric_quarantine")
            .await
            >= 8
    );
}

#[tokio::test]
async fn boards_of_every_kind_are_published_from_it() {
    let (market, _) = made(Options {
        last_day: None,
        ..Options::SMALL
    })
    .await;
    demo::compute_boards(&market.db.pool, |_, _| ())
        .await
        .unwrap();
    assert_eq!(
        market
            .db
            .number("SELECT count(*) FROM fleet.leaderboards WHERE current_run_id IS NULL")
            .await,
        0
    );
    let weekly = "SELECT count(*) FROM fleet.leaderboard_runs r JOIN fleet.leaderboards b USING (board_id) WHERE b.period = 'week' AND r.status IN ('published', 'superseded')";
    assert_eq!(market.db.number(weekly).await, 5);
    assert!(market.db.number("SELECT count(*) FROM fleet.badges").await > 0);
    let moved = "SELECT count(*) FROM fleet.leaderboard_entries WHERE rank_delta <> 0";
    assert!(market.db.number(moved).await > 0);
}

/// Three seeds together, so that the figures rest on enough cheats; RESULTS quote these.
#[tokio::test]
async fn the_anomaly_rules_find_the_cheats_and_hardly_anybody_else() {
    let (mut labelled, mut held, mut both) = (0, 0, 0);
    for seed in [11, 12, 13] {
        let options = Options {
            fraud_share: 0.25,
            days: 60,
            campaigns: 160,
            ..options(seed)
        };
        let (market, _) = made(options).await;
        let board = market.board_of_demo(Period::Rolling30d).await;
        let after: NaiveDate = end().succ_opt().unwrap();
        market.refresh_until(&board, after).await;
        let found = demo::detection(&mut *market.db.conn().await).await.unwrap();
        labelled += found.labelled;
        held += found.held;
        both += found.both;
    }
    let (precision, recall) = (both as f64 / held as f64, both as f64 / labelled as f64);
    println!(
        "anomalies: {labelled} cheats, {held} held, precision {precision:.3}, recall {recall:.3}"
    );
    assert!(labelled > 80, "{labelled} cheats are enough to measure by");
    assert!(precision >= 0.95, "precision {precision}");
    assert!(recall >= 0.90, "recall {recall}");
}

#[tokio::test]
async fn nothing_can_be_made_of_nothing() {
    let market = Market::open().await;
    let none = Options {
        partners: 0,
        ..Options::SMALL
    };
    let refused = demo::load(&mut *market.db.conn().await, &none, |_, _| ()).await;
    assert!(matches!(refused, Err(DemoError::Options)), "{refused:?}");
}
