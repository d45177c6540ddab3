//! Who sees whom: names by choice, aliases otherwise, the hidden not at all; and a database that refuses the rest.

use fleet_jobs::leaderboard::{
    Entry, Period, SubjectKind, Viewer, Visibility, board_page, list, rank_of, set_visibility,
};
use fleet_queue::TenantId;
use serde_json::json;

use super::market::{Daily, Market, TENANT, end};

/// Six partners: the first named, the second hidden, the others have said nothing.
async fn six(market: &Market) {
    market.ladder(6).await;
    for (who, how) in [("p01", Visibility::Named), ("p02", Visibility::Hidden)] {
        let mut conn = market.db.conn().await;
        set_visibility(
            &mut conn,
            TenantId::PLATFORM,
            SubjectKind::Partner,
            Market::partner(who),
            how,
        )
        .await
        .unwrap();
    }
}

async fn seen(market: &Market, board: uuid::Uuid, tenant: &str, viewer: Viewer) -> Vec<Entry> {
    let mut session = market.session(tenant).await;
    board_page(&mut session, board, viewer, None, 200)
        .await
        .unwrap()
        .unwrap()
        .entries
}

#[tokio::test]
async fn a_partner_sees_itself_the_named_and_aliases() {
    let market = Market::open().await;
    six(&market).await;
    let board = market.board(Period::Rolling30d).await;
    market.refresh(&board).await;
    let tenant = TENANT.to_string();
    let entries = seen(
        &market,
        board.id,
        &tenant,
        Viewer::Partner(Market::partner("p03")),
    )
    .await;
    let ranks: Vec<_> = entries.iter().map(|e| e.rank.unwrap()).collect();
    assert_eq!(
        ranks,
        [1, 3, 4, 5, 6],
        "the hidden one leaves a gap and is counted"
    );
    assert_eq!(
        (entries[0].label.as_str(), entries[0].is_own),
        ("p01", false)
    );
    assert_ne!(entries[0].metrics, json!({}));
    assert_eq!(
        (entries[1].label.as_str(), entries[1].is_own),
        ("p03", true)
    );
    let stranger = &entries[2];
    let digits = stranger.label.strip_prefix("Partner #").unwrap();
    assert!(
        digits.len() == 4 && digits.chars().all(|c| c.is_ascii_hexdigit()),
        "{}",
        stranger.label
    );
    assert_eq!((stranger.subject_id, &stranger.metrics), (None, &json!({})));
    let own = seen(
        &market,
        board.id,
        &tenant,
        Viewer::Partner(Market::partner("p02")),
    )
    .await;
    assert!(
        own.iter().any(|e| e.is_own && e.label == "p02"),
        "the hidden see themselves"
    );
    assert_eq!(seen(&market, board.id, "*", Viewer::Admin).await.len(), 6);
}

#[tokio::test]
async fn an_alias_stays_on_its_board_and_differs_on_another() {
    let market = Market::open().await;
    six(&market).await;
    let mut labels = Vec::new();
    for period in [Period::Rolling30d, Period::Week] {
        let board = market.board(period).await;
        for _ in 0..2 {
            market.refresh(&board).await;
            let entries = seen(&market, board.id, &TENANT.to_string(), Viewer::Tenant).await;
            labels.push(
                entries
                    .into_iter()
                    .find(|e| e.rank == Some(5))
                    .unwrap()
                    .label,
            );
        }
    }
    assert_eq!((&labels[0], &labels[2]), (&labels[1], &labels[3]));
    assert_ne!(labels[0], labels[2]);
}

#[tokio::test]
async fn a_change_of_mind_shows_at_once() {
    let market = Market::open().await;
    six(&market).await;
    let board = market.board(Period::Rolling30d).await;
    market.refresh(&board).await;
    let mut conn = market.db.conn().await;
    set_visibility(
        &mut conn,
        TenantId::PLATFORM,
        SubjectKind::Partner,
        Market::partner("p01"),
        Visibility::Hidden,
    )
    .await
    .unwrap();
    let entries = seen(&market, board.id, &TENANT.to_string(), Viewer::Tenant).await;
    assert_eq!(entries[0].rank, Some(3));
}

#[tokio::test]
async fn an_industry_of_fewer_than_five_shows_only_oneself() {
    let market = Market::open().await;
    market.ladder(4).await;
    for n in 1..=4 {
        let who = Market::partner(&format!("p{n:02}"));
        set_visibility(
            &mut *market.db.conn().await,
            TenantId::PLATFORM,
            SubjectKind::Partner,
            who,
            Visibility::Named,
        )
        .await
        .unwrap();
    }
    let board = market
        .board_of(
            TenantId::PLATFORM,
            SubjectKind::Partner,
            Period::Rolling30d,
            Some("retail"),
            &json!({}),
        )
        .await;
    market.refresh(&board).await;
    let viewer = Viewer::Partner(Market::partner("p03"));
    let mut session = market.session(&TENANT.to_string()).await;
    let page = board_page(&mut session, board.id, viewer, None, 200)
        .await
        .unwrap()
        .unwrap();
    assert!(page.suppressed);
    assert_eq!(
        page.entries
            .iter()
            .map(|e| e.label.as_str())
            .collect::<Vec<_>>(),
        ["p03"]
    );
    let other = rank_of(&mut session, board.id, viewer, Market::partner("p01"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(other.entry, None, "not by asking for one of them either");
    drop(session);
    market.works("p05", 30, Daily::earning(1)).await;
    market.refresh(&board).await;
    assert_eq!(
        seen(&market, board.id, &TENANT.to_string(), viewer)
            .await
            .len(),
        5
    );
}

#[tokio::test]
async fn a_tenant_sees_its_own_campaigns_by_name_and_others_by_alias() {
    let market = Market::open().await;
    market.works("mine", 30, Daily::earning(9)).await;
    let theirs = (1..=30).map(|back| {
        Market::line("theirs", end() - chrono::Days::new(back), Daily::earning(8))
            .replace(&TENANT.to_string(), "00000000-0000-0000-0000-000000000008")
    });
    market.csv(&theirs.collect::<Vec<_>>().join("\n")).await;
    let board = market
        .board_of(
            TenantId::PLATFORM,
            SubjectKind::Campaign,
            Period::Rolling30d,
            None,
            &json!({}),
        )
        .await;
    market.refresh(&board).await;
    let entries = seen(&market, board.id, &TENANT.to_string(), Viewer::Tenant).await;
    let labels: Vec<_> = entries
        .iter()
        .map(|e| (e.is_own, e.label.split('#').next().unwrap().to_owned()))
        .collect();
    assert!(
        labels.contains(&(true, "mine".to_owned()))
            && labels.contains(&(false, "Campaign ".to_owned())),
        "{labels:?}"
    );
}

#[tokio::test]
async fn the_database_itself_refuses() {
    let market = Market::open().await;
    six(&market).await;
    let platform = market.board(Period::Rolling30d).await;
    let own = market
        .board_of(
            TENANT,
            SubjectKind::Campaign,
            Period::Rolling30d,
            None,
            &json!({}),
        )
        .await;
    market.refresh(&platform).await;
    market.refresh(&own).await;
    let stranger = "00000000-0000-0000-0000-000000000008";
    assert_eq!(
        list(&mut *market.session(&TENANT.to_string()).await, None, 10)
            .await
            .unwrap()
            .len(),
        2
    );
    assert_eq!(
        list(&mut *market.session(stranger).await, None, 10)
            .await
            .unwrap()
            .len(),
        1,
        "a tenant's board is its own"
    );
    let mut session = market.session(stranger).await;
    assert_eq!(
        board_page(&mut session, own.id, Viewer::Admin, None, 10)
            .await
            .unwrap(),
        None
    );
    // Claiming to be an admin gives a tenant nothing that it would not see anyway.
    let claimed = board_page(&mut session, platform.id, Viewer::Admin, None, 10)
        .await
        .unwrap()
        .unwrap();
    assert!(
        claimed
            .entries
            .iter()
            .all(|e| !e.is_own && (e.subject_id.is_none() || e.label == "p01")),
        "{claimed:?}"
    );
}

#[tokio::test]
async fn tables_are_closed_to_a_tenant_that_has_nothing_in_them() {
    let market = Market::open().await;
    six(&market).await;
    market
        .refresh(&market.board(Period::Rolling30d).await)
        .await;
    let stranger = "00000000-0000-0000-0000-000000000008";
    let mut session = market.session(stranger).await;
    for sql in [
        "SELECT count(*) FROM fleet.leaderboard_entries",
        "SELECT count(*) FROM fleet.campaign_metrics",
        "SELECT count(*) FROM fleet.partners",
        "SELECT count(*) FROM fleet.badges",
        "SELECT count(*) FROM fleet.event",
    ] {
        let rows: i64 = sqlx::query_scalar(sql)
            .fetch_one(&mut *session)
            .await
            .unwrap();
        assert_eq!(rows, 0, "{sql}");
    }
    for sql in [
        "SELECT alias_salt::text FROM fleet.leaderboards",
        "SELECT name FROM fleet.leaderboard_subjects",
        "SELECT score::text FROM fleet.partner_leaderboard",
    ] {
        let mut session = market.session(stranger).await;
        let refused = sqlx::query(sql).fetch_all(&mut *session).await.unwrap_err();
        assert!(
            refused.to_string().contains("permission denied"),
            "{sql}: {refused}"
        );
    }
}
