//! Scores, ranks and who gets one.

use fleet_jobs::leaderboard::{BoardError, Period, SubjectKind, Viewer, create, rank_of};
use fleet_queue::TenantId;
use serde_json::json;

use super::market::{Daily, Market, TENANT, end};

/// The worked example of the design: with m = .02 and M = 1000, 3 clicks of 20 rank below 2,600 of 100,000.
#[tokio::test]
async fn few_trials_are_drawn_towards_the_mean() {
    let market = Market::open().await;
    let shrunk = |c: i64, n: i64| {
        let pool = market.db.pool.clone();
        async move {
            let sql = "SELECT fleet.shrunk_rate($1::numeric, $2::numeric, 0.02, 1000)::float8";
            sqlx::query_scalar::<_, f64>(sql)
                .bind(c)
                .bind(n)
                .fetch_one(&pool)
                .await
                .unwrap()
        }
    };
    let (few, many) = (shrunk(3, 20).await, shrunk(2_600, 100_000).await);
    assert!((few - 0.022_549).abs() < 1e-6, "{few}");
    assert!((many - 0.025_940_6).abs() < 1e-6, "{many}");
    assert!(
        few < many,
        "though 3 of 20 is 15 % and 2,600 of 100,000 is 2.6 %"
    );
}

#[tokio::test]
async fn the_score_is_the_weighted_sum_of_percent_ranks() {
    let market = Market::open().await;
    let day = |clicks, conversions, spend, revenue| Daily {
        impressions: 10_000,
        clicks,
        conversions,
        spend,
        revenue,
    };
    market.works("clicks", 30, day(500, 5, 100, 500)).await;
    market.works("sales", 30, day(300, 60, 100, 400)).await;
    market.works("money", 30, day(200, 20, 100, 900)).await;
    let board = market.board(Period::Rolling30d).await;
    market.refresh(&board).await;
    let page = market.page(&board).await;
    let score = |who: &str| {
        page.entries
            .iter()
            .find(|e| e.label == who)
            .unwrap()
            .score
            .unwrap()
    };
    // Percent ranks of CTR, CVR, ROAS and revenue, each 0, 1/2 or 1, under 30, 35, 25 and 10.
    assert_eq!(score("clicks"), 30.0 + 0.0 + 12.5 + 5.0);
    assert_eq!(score("sales"), 15.0 + 35.0 + 0.0 + 0.0);
    assert_eq!(score("money"), 0.0 + 17.5 + 25.0 + 10.0);
    assert_eq!(
        market.standings(&board).await,
        "money ranked 1 new\nsales ranked 2 new\nclicks ranked 3 new"
    );
}

#[tokio::test]
async fn who_spent_nothing_is_scored_over_the_rest() {
    let market = Market::open().await;
    let day = |clicks, spend| Daily {
        impressions: 10_000,
        clicks,
        conversions: 10,
        spend,
        revenue: 100,
    };
    market.works("free", 30, day(300, 0)).await;
    market.works("cheap", 30, day(200, 10)).await;
    market.works("dear", 30, day(100, 50)).await;
    let board = market.board(Period::Rolling30d).await;
    market.refresh(&board).await;
    let free = &market
        .page(&board)
        .await
        .entries
        .into_iter()
        .find(|e| e.label == "free")
        .unwrap();
    assert_eq!(free.metrics["roas"], serde_json::Value::Null);
    // CTR best; CVR worst, because the same sales came from more clicks; revenue alike for all, which is percent rank 0.
    let expected = 100.0 * 0.30 / (0.30 + 0.35 + 0.10);
    assert!((free.score.unwrap() - expected).abs() < 1e-9, "{free:?}");
}

#[tokio::test]
async fn equal_scores_share_a_rank_and_leave_a_gap() {
    let market = Market::open().await;
    for (who, revenue) in [("a", 900), ("b", 900), ("c", 500), ("d", 100)] {
        market.works(who, 30, Daily::earning(revenue)).await;
    }
    let board = market.board(Period::Rolling30d).await;
    market.refresh(&board).await;
    let page = market.page(&board).await;
    let ranks: Vec<_> = page
        .entries
        .iter()
        .map(|e| {
            (
                e.rank.unwrap(),
                e.dense_rank.unwrap(),
                e.percentile.unwrap(),
            )
        })
        .collect();
    assert_eq!(ranks, [(1, 1, 1.0), (1, 1, 1.0), (3, 2, 0.5), (4, 3, 0.25)]);
    let places: Vec<_> = page.entries.iter().map(|e| e.place).collect();
    assert_eq!(places, [1, 2, 3, 4], "display has no ties");
}

#[tokio::test]
async fn money_is_compared_in_one_currency() {
    let market = Market::open().await;
    market.works("dollars", 30, Daily::earning(150)).await;
    market.works("euros", 30, Daily::earning(1)).await;
    // A hundred euros are two hundred dollars here.
    market.db.execute("UPDATE fleet.campaign_metrics m SET currency = 'EUR', spend_micros = 50000000, revenue_micros = 100000000 FROM fleet.campaigns c WHERE c.campaign_id = m.campaign_id AND c.name = 'euros'").await;
    let board = market.board(Period::Rolling30d).await;
    market.refresh(&board).await;
    let page = market.page(&board).await;
    let revenue = |who: &str| {
        page.entries
            .iter()
            .find(|e| e.label == who)
            .unwrap()
            .metrics["revenue"]
            .as_f64()
    };
    assert_eq!(
        (revenue("dollars"), revenue("euros")),
        (Some(4_500.0), Some(6_000.0))
    );
}

#[tokio::test]
async fn who_has_too_little_is_listed_with_what_is_missing() {
    let market = Market::open().await;
    market.ladder(2).await;
    market
        .works(
            "brief",
            13,
            Daily {
                impressions: 50,
                clicks: 1,
                conversions: 0,
                spend: 1,
                revenue: 9,
            },
        )
        .await;
    market.works("young", 30, Daily::earning(5)).await;
    market
        .db
        .execute("UPDATE fleet.partners SET active_since = '2025-06-10' WHERE name = 'young'")
        .await;
    let board = market.board(Period::Rolling30d).await;
    market.refresh(&board).await;
    let mut session = market.session("*").await;
    let mut missing = Vec::new();
    for who in ["brief", "young", "p01"] {
        let rank = rank_of(&mut session, board.id, Viewer::Admin, Market::partner(who))
            .await
            .unwrap()
            .unwrap();
        missing.push(rank.entry.unwrap().missing);
    }
    assert_eq!(
        missing[0],
        json!([
            {"requirement": "active_days", "has": 13, "needs": 14},
            {"requirement": "impressions", "has": 650, "needs": 1000},
        ])
    );
    assert_eq!(
        missing[1],
        json!([{"requirement": "tenure_days", "has": 20, "needs": 30}])
    );
    assert_eq!(missing[2], json!([]));
    let nobody = rank_of(&mut session, board.id, Viewer::Admin, uuid::Uuid::nil())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(nobody.entry, None, "without a metric there is no entry");
}

#[tokio::test]
async fn boards_of_clients_campaigns_industries_and_tenants_count_their_own() {
    let market = Market::open().await;
    market.ladder(3).await;
    let other = "00000000-0000-0000-0000-000000000008";
    let lines: Vec<_> = (1..=30)
        .map(|back| {
            format!(
                "{other},acme,p01,17,{},1000,50,5,1000000,9000000,USD,travel,social",
                end() - chrono::Days::new(back)
            )
        })
        .collect();
    assert_eq!(market.csv(&lines.join("\n")).await.accepted, 30);
    let platform = TenantId::PLATFORM;
    for (tenant, kind, industry, subjects) in [
        (platform, SubjectKind::Partner, None, 3),
        (platform, SubjectKind::Client, None, 4),
        (platform, SubjectKind::Campaign, None, 4),
        (platform, SubjectKind::Campaign, Some("travel"), 1),
        (platform, SubjectKind::Partner, Some("Travel"), 1),
        (TENANT, SubjectKind::Campaign, None, 3),
        (TENANT, SubjectKind::Partner, None, 3),
    ] {
        let board = market
            .board_of(tenant, kind, Period::Rolling30d, industry, &json!({}))
            .await;
        let refreshed = market.refresh(&board).await;
        assert_eq!(
            refreshed.built.subjects, subjects,
            "{kind:?} {industry:?} of {tenant}"
        );
    }
}

#[tokio::test]
async fn the_top_tenth_wears_a_badge_until_it_falls_out() {
    let market = Market::open().await;
    market.ladder(11).await;
    let board = market.board(Period::Rolling30d).await;
    market.refresh(&board).await;
    let worn = "SELECT string_agg(p.name, ' ' ORDER BY p.name) FROM fleet.badges b JOIN fleet.partners p ON p.partner_id = b.subject_id WHERE revoked_at IS NULL";
    assert_eq!(
        market.db.text(worn).await,
        "p01 p02",
        "a tenth of eleven, rounded up"
    );
    assert_eq!(
        market.page(&board).await.entries[0].badges,
        ["top_10_percent"]
    );
    market.works("p02", 30, Daily::earning(1)).await;
    market.refresh(&board).await;
    assert_eq!(market.db.text(worn).await, "p01 p03");
    assert_eq!(
        (
            market.events("badge.awarded").await,
            market.events("badge.revoked").await
        ),
        (3, 1)
    );
    // p02 fell nine places; p03 climbed one, and over the badge's edge.
    let told = "SELECT string_agg(p.name || ' ' || (payload ->> 'from') || ' ' || (payload ->> 'to'), ', ' ORDER BY p.name) FROM fleet.event e JOIN fleet.partners p ON p.partner_id::text = e.subject WHERE kind = 'rank.changed'";
    assert_eq!(market.db.text(told).await, "p02 2 11, p03 3 2");
}

#[tokio::test]
async fn nine_ranked_make_no_tenth() {
    let market = Market::open().await;
    market.ladder(9).await;
    let board = market.board(Period::Rolling30d).await;
    market.refresh(&board).await;
    assert_eq!(
        market.db.number("SELECT count(*) FROM fleet.badges").await,
        0
    );
}

#[tokio::test]
async fn partners_carry_their_figures_and_the_view_shows_the_ranks() {
    let market = Market::open().await;
    market.ladder(3).await;
    let board = market.board(Period::Rolling30d).await;
    market.refresh(&board).await;
    let rank = "SELECT (performance_metrics -> 'rolling_30d' ->> 'rank')::bigint FROM fleet.partners WHERE name = 'p02'";
    assert_eq!(market.db.number(rank).await, 2);
    let view = "SELECT string_agg(rank::text || ' ' || (metrics ->> 'revenue'), ', ' ORDER BY rank) FROM fleet.partner_leaderboard";
    assert_eq!(
        market.db.text(view).await,
        "1 29970.00, 2 29940.00, 3 29910.00"
    );
}

#[tokio::test]
async fn criteria_are_checked_when_saved_and_boards_are_unique() {
    let market = Market::open().await;
    let mut conn = market.db.conn().await;
    let wrong = json!({"weights": {"ctr": 2.0}});
    let refused = create(
        &mut conn,
        TenantId::PLATFORM,
        "x",
        SubjectKind::Partner,
        Period::Week,
        None,
        &wrong,
    )
    .await;
    let error = refused.unwrap_err().to_string();
    assert!(
        error.contains("weights.ctr: must lie between 0 and 1"),
        "{error}"
    );
    market.board(Period::Week).await;
    let again = create(
        &mut conn,
        TenantId::PLATFORM,
        "x",
        SubjectKind::Partner,
        Period::Week,
        None,
        &json!({}),
    )
    .await;
    assert!(matches!(again, Err(BoardError::Exists { .. })), "{again:?}");
}
