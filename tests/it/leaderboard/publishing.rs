//! Publishing: whole or not at all, newest wins, and the same input gives the same board.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::Days;
use fleet_jobs::leaderboard::{
    Board, Criteria, Outcome, Period, Viewer, board_page, build, checksum_of, history, prune,
    publish, refresh,
};
use fleet_tests::wait::DEADLINE;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use super::market::{Daily, Market, end, session_on};

/// Who reads a board while it is refreshed.
const READERS: usize = 200;

#[tokio::test]
async fn the_same_input_twice_gives_the_same_checksum() {
    let market = Market::open().await;
    market.ladder(12).await;
    let board = market.board(Period::Rolling30d).await;
    let (first, second) = (market.refresh(&board).await, market.refresh(&board).await);
    assert_eq!(first.built.checksum, second.built.checksum);
    assert_eq!(first.built.watermark, second.built.watermark);
    let mut session = market.session("*").await;
    for run in history(&mut session, board.id, None, 10).await.unwrap() {
        assert_eq!(
            Some(checksum_of(&mut session, &run).await.unwrap()),
            run.checksum
        );
    }
    drop(session);
    market.works("p12", 1, Daily::earning(999_999)).await;
    let third = market.refresh(&board).await;
    assert_ne!(third.built.checksum, first.built.checksum);
    assert!(third.built.watermark > first.built.watermark);
}

#[tokio::test]
async fn two_refreshes_at_once_leave_one_board() {
    let market = Market::open().await;
    market.ladder(12).await;
    let board = market.board(Period::Rolling30d).await;
    let all: Vec<_> = (0..4)
        .map(|_| refresh(&market.db.pool, &board, Some(end()), false))
        .collect();
    let all = futures::future::try_join_all(all).await.unwrap();
    assert!(
        all.iter()
            .all(|run| run.built.checksum == all[0].built.checksum)
    );
    assert_eq!(
        market
            .db
            .number("SELECT count(*) FROM fleet.leaderboard_runs WHERE status = 'published'")
            .await,
        1
    );
    let current = "SELECT count(*) FROM fleet.leaderboards b JOIN fleet.leaderboard_runs r ON r.run_id = b.current_run_id AND r.status = 'published'";
    assert_eq!(market.db.number(current).await, 1);
    assert_eq!(
        market
            .db
            .number("SELECT count(*) FROM fleet.badges WHERE revoked_at IS NULL")
            .await,
        2,
        "badges are worn once"
    );
}

#[tokio::test]
async fn a_late_run_gives_way_to_a_newer_one() {
    let market = Market::open().await;
    market.ladder(12).await;
    let board = market.board(Period::Rolling30d).await;
    let criteria = Criteria::default();
    let window = board.period.window(Some(end()), end()).unwrap();
    let slow = build(&market.db.pool, &board, &criteria, window)
        .await
        .unwrap();
    market.works("p12", 30, Daily::earning(999_999)).await;
    let fast = market.refresh(&board).await;
    let mut tx = market.db.pool.begin().await.unwrap();
    let outcome = publish(&mut tx, &board, &criteria, &slow, false)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(outcome, Outcome::SupersededUnpublished);
    assert_eq!(
        market.page(&board).await.run.unwrap().run_id,
        fast.built.run_id
    );
    let older = market.refresh_until(&board, end() - Days::new(1)).await;
    assert_eq!(
        older.outcome,
        Outcome::SupersededUnpublished,
        "an earlier window is older, however fresh its data"
    );
}

#[tokio::test]
async fn too_many_bad_rows_keep_a_run_back() {
    let market = Market::open().await;
    market.ladder(2).await;
    let board = market.board(Period::Rolling30d).await;
    let good = market.refresh(&board).await;
    let bad: Vec<_> = (1..=4)
        .map(|back| {
            Market::line(
                "p01",
                end() - Days::new(back),
                Daily {
                    clicks: 2_000,
                    ..Daily::earning(1)
                },
            )
        })
        .collect();
    assert_eq!(market.csv(&bad.join("\n")).await.quarantined, 4);
    let held = market.refresh(&board).await;
    assert_eq!(
        (held.outcome, held.built.quarantined),
        (Outcome::Held, 4),
        "four beside sixty good ones"
    );
    assert_eq!(
        market.page(&board).await.run.unwrap().run_id,
        good.built.run_id
    );
    assert_eq!(market.events("leaderboard.held").await, 1);
    market.works("p01", 4, Daily::earning(999)).await;
    let again = market.refresh(&board).await;
    assert_eq!(
        (again.outcome, again.built.quarantined),
        (Outcome::Published, 0),
        "good rows for those days make it good"
    );
}

#[tokio::test]
async fn rows_that_slipped_into_the_table_are_taken_out() {
    let market = Market::open().await;
    market.ladder(3).await;
    market.db.execute("UPDATE fleet.campaign_metrics SET currency = 'XTS' WHERE (campaign_id, day) IN (SELECT campaign_id, day FROM fleet.campaign_metrics ORDER BY seq LIMIT 2)").await;
    let board = market.board(Period::Rolling30d).await;
    let refreshed = market.refresh(&board).await;
    assert_eq!(
        (
            refreshed.outcome,
            refreshed.built.rows_read,
            refreshed.built.quarantined
        ),
        (Outcome::Published, 88, 2)
    );
    assert_eq!(
        market
            .db
            .text("SELECT DISTINCT reason FROM fleet.metric_quarantine")
            .await,
        "unknown_currency"
    );
}

#[tokio::test]
async fn a_dry_run_shows_nothing() {
    let market = Market::open().await;
    market.ladder(2).await;
    let board = market.board(Period::Rolling30d).await;
    let dry = refresh(&market.db.pool, &board, Some(end()), true)
        .await
        .unwrap();
    assert_eq!((dry.outcome, dry.built.subjects), (Outcome::DryRun, 2));
    assert_eq!(market.page(&board).await.run, None);
}

#[tokio::test]
async fn movement_is_told_against_the_window_before() {
    let market = Market::open().await;
    let before = end() - Days::new(7);
    for (who, earlier, later) in [("a", 900, 100), ("b", 500, 500), ("c", 100, 900)] {
        market
            .works_until(before, who, 7, Daily::earning(earlier))
            .await;
        market.works(who, 7, Daily::earning(later)).await;
    }
    let board = market.board(Period::Week).await;
    market.refresh_until(&board, before).await;
    market.works("d", 7, Daily::earning(1)).await;
    for _ in 0..2 {
        market.refresh(&board).await;
        // Computed once more, the week still moves against the week before, not against itself.
        assert_eq!(
            market.standings(&board).await,
            "c ranked 1 2\nb ranked 2 0\na ranked 3 -2\nd ranked 4 new"
        );
    }
}

#[tokio::test]
async fn readers_never_see_a_mixed_or_partial_run() {
    let market = Market::open().await;
    market.ladder(12).await;
    let board = market.board(Period::Rolling30d).await;
    market.refresh(&board).await;
    // Connections of their own, so that the crowd before them does not keep the writer from his.
    let readers_pool = PgPoolOptions::new()
        .max_connections(20)
        .acquire_timeout(DEADLINE)
        .connect_lazy_with((*market.db.pool.connect_options()).clone());
    let rounds: Vec<AtomicU64> = (0..READERS).map(|_| AtomicU64::new(0)).collect();
    let all_have_read = || rounds.iter().all(|n| n.load(Ordering::Relaxed) > 1);
    let writing = async {
        let mut refreshes = 0;
        while refreshes < 6 || !all_have_read() {
            refreshes += 1;
            let shuffled = format!("p{:02}", 1 + refreshes * 5 % 12);
            let earning = Daily::earning(2_000 + refreshes);
            market.works(&shuffled, 30, earning).await;
            market.refresh(&board).await;
        }
        refreshes
    };
    let watching = rounds.iter().map(|n| watch(&readers_pool, &board, n));
    let refreshes = tokio::select! {
        refreshes = writing => refreshes,
        _ = futures::future::join_all(watching) => unreachable!("readers do not end"),
    };
    assert_eq!(
        market
            .db
            .number("SELECT count(*) FROM fleet.leaderboard_runs WHERE status = 'superseded'")
            .await,
        refreshes
    );
}

/// Reads on and on: each page whole in itself, and leafing on within the run one began with.
async fn watch(pool: &PgPool, board: &Board, rounds: &AtomicU64) -> Infallible {
    loop {
        let mut session = session_on(pool, "*").await;
        let mut seen = Vec::new();
        let mut cursor = None;
        let first = board_page(&mut session, board.id, Viewer::Admin, None, 5)
            .await
            .unwrap()
            .unwrap();
        let run = first.run.clone().unwrap();
        let mut page = first;
        loop {
            assert_eq!(page.run.as_ref().map(|run| run.run_id), Some(run.run_id));
            seen.extend(page.entries.iter().map(|e| (e.place, e.score.unwrap())));
            let next = page.next(5);
            assert_ne!(next, cursor);
            cursor = next;
            if cursor.is_none() {
                break;
            }
            page = board_page(&mut session, board.id, Viewer::Admin, cursor, 5)
                .await
                .unwrap()
                .unwrap();
        }
        assert_eq!(
            seen.iter().map(|(place, _)| *place).collect::<Vec<_>>(),
            (1..=run.subjects).collect::<Vec<_>>()
        );
        assert!(
            seen.windows(2).all(|pair| pair[0].1 >= pair[1].1),
            "{seen:?}"
        );
        assert_eq!(
            checksum_of(&mut session, &run).await.unwrap(),
            run.checksum.unwrap()
        );
        rounds.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn a_refresh_that_dies_shows_nothing_and_is_swept_up() {
    let market = Market::open().await;
    market.ladder(2).await;
    let board = market.board(Period::Rolling30d).await;
    let window = board.period.window(Some(end()), end()).unwrap();
    // Built, never published: as a process leaves it that dies in between.
    build(&market.db.pool, &board, &Criteria::default(), window)
        .await
        .unwrap();
    assert_eq!(market.page(&board).await.run, None);
    let mut conn = market.db.conn().await;
    assert_eq!(
        prune(&mut conn, 400).await.unwrap().runs,
        0,
        "it may still be at work"
    );
    market
        .db
        .execute("UPDATE fleet.leaderboard_runs SET started_at = now() - interval '61 minutes'")
        .await;
    let pruned = prune(&mut conn, 400).await.unwrap();
    assert_eq!((pruned.runs, pruned.entries), (1, 2));
}

#[tokio::test]
async fn what_was_pruned_meanwhile_is_never_shown() {
    let market = Market::open().await;
    market.ladder(2).await;
    let board = market.board(Period::Rolling30d).await;
    let window = board.period.window(Some(end()), end()).unwrap();
    let built = build(&market.db.pool, &board, &Criteria::default(), window)
        .await
        .unwrap();
    market
        .db
        .execute("UPDATE fleet.leaderboard_runs SET started_at = now() - interval '61 minutes'")
        .await;
    prune(&mut *market.db.conn().await, 400).await.unwrap();
    let mut tx = market.db.pool.begin().await.unwrap();
    publish(&mut tx, &board, &Criteria::default(), &built, false)
        .await
        .unwrap_err();
    drop(tx);
    assert_eq!(market.page(&board).await.run, None);
}

#[tokio::test]
async fn pruning_keeps_what_is_shown_and_the_last_of_each_window() {
    let market = Market::open().await;
    market.ladder(2).await;
    let board = market.board(Period::Week).await;
    for end in [end() - Days::new(7), end() - Days::new(7), end(), end()] {
        market.refresh_until(&board, end).await;
    }
    market.db.execute("UPDATE fleet.leaderboard_runs SET started_at = started_at - interval '30 days', published_at = published_at - interval '30 days'").await;
    let mut conn = market.db.conn().await;
    assert_eq!(
        prune(&mut conn, 400).await.unwrap().runs,
        2,
        "the earlier of each window's two"
    );
    assert_eq!(
        prune(&mut conn, 20).await.unwrap().runs,
        1,
        "the week before is too old now"
    );
    assert_eq!(
        prune(&mut conn, 0).await.unwrap().runs,
        0,
        "what is shown stays"
    );
    assert_eq!(market.page(&board).await.entries.len(), 2);
}
