//! The family's kinds, run by a worker as in production.

use std::time::Duration;

use fleet_jobs::leaderboard::{Period, PromotionReview, Prune, Refresh, SubjectKind};
use fleet_queue::transitions::enqueue::enqueue;
use fleet_queue::{Job, NewJob, TenantId, wake};
use fleet_tests::eventually;
use fleet_worker::WorkerSettings;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::market::{Market, TENANT, end};

const ENDED: &str = "SELECT count(*) FROM fleet.job_history";

/// Runs the jobs and gives for each its state with its output or reason, in the order of enqueueing.
async fn run(market: &Market, jobs: &[NewJob]) -> Vec<(String, Value)> {
    let (soft, hard) = (CancellationToken::new(), CancellationToken::new());
    let settings = WorkerSettings {
        shutdown_grace: Duration::from_secs(20),
        ..WorkerSettings::default()
    };
    let worker = fleet_worker::run(
        settings,
        market.db.db.clone(),
        fleet_jobs::registry(),
        soft.clone(),
        hard,
    );
    let worker = tokio::spawn(worker);
    let mut conn = market.db.conn().await;
    let mut ids = Vec::new();
    for job in jobs {
        ids.push(enqueue(&mut conn, job).await.unwrap().id.0);
        wake::wake(&mut conn, std::slice::from_ref(&job.queue))
            .await
            .unwrap();
    }
    let distinct = ids.iter().collect::<std::collections::HashSet<_>>().len() as i64;
    eventually("all have ended", || async {
        (market.db.number(ENDED).await == distinct).then_some(())
    })
    .await;
    soft.cancel();
    worker.await.unwrap().unwrap();
    let mut ended = Vec::new();
    for id in ids {
        let sql = "SELECT h.state::text, COALESCE(o.output, to_jsonb(h.reason)) FROM fleet.job_history h LEFT JOIN fleet.job_output o ON o.job_id = h.id WHERE h.id = $1";
        ended.push(
            sqlx::query_as(sql)
                .bind(id)
                .fetch_one(&market.db.pool)
                .await
                .unwrap(),
        );
    }
    ended
}

#[tokio::test]
async fn a_refresh_publishes_and_says_what_it_did() {
    let market = Market::open().await;
    market.ladder(3).await;
    let board = market.board(Period::Rolling30d).await;
    let by_id = Refresh {
        window_end: Some(end()),
        ..Refresh::of(board.id)
    };
    let ended = run(
        &market,
        &[
            by_id.new_job(TenantId::PLATFORM),
            by_id.new_job(TenantId::PLATFORM),
        ],
    )
    .await;
    assert_eq!(
        ended[0], ended[1],
        "within a minute the second is the first"
    );
    let (state, output) = &ended[0];
    assert_eq!(state, "completed");
    assert_eq!(
        (
            &output["outcome"],
            &output["subjects"],
            &output["rows_read"]
        ),
        (&json!("published"), &json!(3), &json!(90))
    );
    assert_eq!(
        market.page(&board).await.run.unwrap().checksum.unwrap(),
        output["checksum"].as_str().unwrap()
    );
}

#[tokio::test]
async fn the_usual_board_is_made_when_it_is_first_refreshed_and_one_of_an_industry_is_not() {
    let market = Market::open().await;
    let weekly = |industry: Option<&str>| {
        NewJob::of(&Refresh {
            kind: Some(SubjectKind::Client),
            period: Some(Period::Week),
            industry: industry.map(Into::into),
            ..Refresh::default()
        })
    };
    let ended = run(&market, &[weekly(None), weekly(Some("retial"))]).await;
    assert_eq!(ended[0].0, "completed", "{}", ended[0].1);
    assert_eq!(ended[1].0, "discarded", "a word may be misspelt");
    let boards = "SELECT count(*) FROM fleet.leaderboards WHERE subject_kind = 'client' AND name = 'Clients: the week'";
    assert_eq!(market.db.number(boards).await, 1);
}

#[tokio::test]
async fn what_cannot_be_helped_by_trying_again_is_discarded_with_the_reason() {
    let market = Market::open().await;
    let board = market.board(Period::Rolling30d).await;
    market
        .db
        .execute("UPDATE fleet.leaderboards SET scoring_criteria = '{\"weights\": {\"ctr\": -1}}'")
        .await;
    let refresh = |refresh: Refresh| NewJob::of(&refresh);
    let jobs = [
        refresh(Refresh::of(Uuid::nil())),
        refresh(Refresh::default()),
        refresh(Refresh {
            period: Some(Period::Week),
            ..Refresh::of(board.id)
        }),
        refresh(Refresh::of(board.id)),
        refresh(Refresh::of(board.id)).tenant(TENANT),
        NewJob::of(&PromotionReview {
            board_id: Some(board.id),
        }),
    ];
    let words = [
        "no such leaderboard",
        "either board_id or kind",
        "rolling_30d, not week",
        "weights.ctr: must lie between 0 and 1",
        "no such leaderboard",
        "weekly board of partners",
    ];
    for ((state, reason), word) in run(&market, &jobs).await.into_iter().zip(words) {
        assert_eq!(state, "discarded");
        assert!(reason.to_string().contains(word), "{reason} says {word}");
    }
}

#[tokio::test]
async fn review_and_prune_run_as_jobs() {
    let market = Market::open().await;
    market.ladder(12).await;
    let board = market.board(Period::Week).await;
    market
        .refresh_until(&board, end() - chrono::Days::new(7))
        .await;
    market.refresh(&board).await;
    let jobs = [
        NewJob::of(&PromotionReview {
            board_id: Some(board.id),
        }),
        NewJob::of(&PromotionReview::default()),
        NewJob::of(&PromotionReview::default()).tenant(TENANT),
        NewJob::of(&Prune::default()),
    ];
    let ended = run(&market, &jobs).await;
    let none = json!({"boards": 0, "partners": 0, "promotions": 0, "demotions": 0, "withdrawn": 0});
    let mut one = none.clone();
    (one["boards"], one["partners"]) = (json!(1), json!(2));
    for (ended, reviewed) in ended.iter().zip([&one, &one, &none]) {
        assert_eq!(*ended, ("completed".to_owned(), reviewed.clone()));
    }
    assert_eq!(
        (ended[3].0.as_str(), &ended[3].1["runs"]),
        ("completed", &json!(0))
    );
}

#[test]
fn kinds_are_named_for_their_place() {
    assert_eq!(Refresh::KIND, "leaderboard.refresh");
    assert_eq!(PromotionReview::KIND, "leaderboard.promotion_review");
    assert_eq!(Prune::KIND, "leaderboard.prune");
}
