//! Metrics coming in: good rows stored, bad rows kept apart with their line, field and reason.

use chrono::Days;
use fleet_jobs::leaderboard::{Period, SubjectKind};
use fleet_jobs::metrics::{Format, IngestError, Options, Reason, Scope, ingest};
use fleet_queue::TenantId;
use fleet_tests::eventually;
use serde_json::json;
use uuid::Uuid;

use super::market::{Daily, HEADER, Market, TENANT, end};

#[tokio::test]
async fn bad_rows_are_named_and_good_ones_get_in() {
    let market = Market::open().await;
    let good = Market::line("p", end(), Daily::earning(9));
    let mut file = format!("{HEADER}\n{good}\n\n").into_bytes();
    file.extend(good.replace(",1000,50,", ",10,50,").bytes());
    file.extend(b"\n\xff\xfe\n1,2,3\n");
    file.extend(good.replace("USD", "XTS").bytes());
    file.extend([b"\n".to_vec(), vec![b'9'; 70_000], b"\n".to_vec()].concat());
    file.extend(Market::line("p", end() - Days::new(1), Daily::earning(9)).bytes());
    let report = market.file(Format::Csv, Scope::Platform, &file).await;
    assert_eq!(
        (
            report.read,
            report.accepted,
            report.replaced,
            report.quarantined
        ),
        (7, 2, 0, 5)
    );
    let named: Vec<_> = report
        .examples
        .iter()
        .map(|e| (e.line, e.field, e.reason))
        .collect();
    assert_eq!(
        named,
        [
            (4, Some("clicks"), Reason::ClicksExceedImpressions),
            (5, None, Reason::InvalidUtf8),
            (6, None, Reason::WrongFieldCount),
            (7, Some("currency"), Reason::UnknownCurrency),
            (8, None, Reason::LineTooLong),
        ]
    );
    let kept = "SELECT string_agg(line || ' ' || reason, ', ' ORDER BY line) FROM fleet.metric_quarantine WHERE source = 'test'";
    assert_eq!(
        market.db.text(kept).await,
        "4 clicks_exceed_impressions, 5 invalid_utf8, 6 wrong_field_count, 7 unknown_currency, 8 line_too_long"
    );
}

#[tokio::test]
async fn a_row_sent_again_replaces_itself_and_raises_the_watermark() {
    let market = Market::open().await;
    let line = |revenue| Market::line("p", end(), Daily::earning(revenue));
    assert_eq!(market.csv(&line(1)).await.replaced, 0);
    let report = market.csv(&format!("{}\n{}", line(2), line(3))).await;
    assert_eq!(
        (report.accepted, report.replaced),
        (2, 2),
        "of two for one key the last stands"
    );
    assert_eq!(
        market
            .db
            .text(
                "SELECT string_agg(revenue_micros || ' ' || seq, ',') FROM fleet.campaign_metrics"
            )
            .await,
        "3000000 2"
    );
}

#[tokio::test]
async fn a_bad_row_counts_once_and_until_a_good_one_comes() {
    let market = Market::open().await;
    let bad = Market::line(
        "p",
        end(),
        Daily {
            clicks: 9_999,
            ..Daily::earning(1)
        },
    );
    for _ in 0..3 {
        assert_eq!(market.csv(&bad).await.quarantined, 1);
    }
    let open = "SELECT count(*) FROM fleet.metric_quarantine WHERE resolved_at IS NULL";
    assert_eq!(market.db.number(open).await, 1);
    market
        .csv(&Market::line("p", end(), Daily::earning(1)))
        .await;
    assert_eq!(market.db.number(open).await, 0);
    market.csv(&bad).await;
    assert_eq!(
        market.db.number(open).await,
        1,
        "sent once more it is open once more"
    );
}

#[tokio::test]
async fn ndjson_says_the_same_as_csv() {
    let market = Market::open().await;
    let row = json!({
        "tenant_id": TENANT, "client_id": "acme", "partner_id": "p", "campaign_id": 17, "day": end(), "impressions": 100,
        "clicks": 10, "conversions": 1, "spend_micros": 5, "revenue_micros": 9, "currency": "EUR", "agent_variant": "tuned",
        "conversion_hours": 1, "something": {"else": true},
    });
    let lines = format!(
        "{row}\n{{\"clicks\": }}\n{}",
        row.to_string().replace("\"2025-06-30\"", "20250630")
    );
    let report = market
        .file(Format::Ndjson, Scope::Platform, lines.as_bytes())
        .await;
    assert_eq!((report.accepted, report.quarantined), (1, 2));
    assert_eq!(
        report.by_reason.into_iter().collect::<Vec<_>>(),
        [(Reason::Malformed, 1), (Reason::BadDate, 1)]
    );
}

#[tokio::test]
async fn a_tenant_brings_only_its_own_rows_and_only_known_partners() {
    let market = Market::open().await;
    market
        .csv(&Market::line("known", end(), Daily::earning(1)))
        .await;
    let own = Scope::Tenant(TENANT);
    let file = |who: &str| format!("{HEADER}\n{}", Market::line(who, end(), Daily::earning(2)));
    assert_eq!(
        market
            .file(Format::Csv, own, file("known").as_bytes())
            .await
            .accepted,
        1
    );
    let stranger = market
        .file(Format::Csv, own, file("stranger").as_bytes())
        .await;
    assert_eq!(stranger.examples[0].reason, Reason::UnknownPartner);
    assert_eq!(stranger.examples[0].line, 2);
    let foreign = market
        .file(
            Format::Csv,
            Scope::Tenant(TenantId(Uuid::from_u128(8))),
            file("known").as_bytes(),
        )
        .await;
    assert_eq!(foreign.examples[0].reason, Reason::ForeignTenant);
    assert_eq!(
        market
            .db
            .number("SELECT count(*) FROM fleet.campaigns")
            .await,
        1,
        "what was refused registers nothing"
    );
}

/// As the API does it: in its own role, which row-level security binds.
#[tokio::test]
async fn a_tenants_session_may_bring_its_rows() {
    let market = Market::open().await;
    market
        .csv(&Market::line("known", end(), Daily::earning(1)))
        .await;
    let mut session = market.session(&TENANT.to_string()).await;
    let options = Options {
        format: Format::Csv,
        scope: Scope::Tenant(TENANT),
        source: "api".to_owned(),
    };
    let lines = [
        Market::line("known", end() - Days::new(1), Daily::earning(1)),
        "bad".to_owned(),
    ];
    let file = format!("{HEADER}\n{}", lines.join("\n"));
    let report = ingest(&mut *session, file.as_bytes(), &options, |_| ())
        .await
        .unwrap();
    assert_eq!((report.accepted, report.quarantined), (1, 1));
}

#[tokio::test]
async fn two_tenants_may_use_the_same_id() {
    let market = Market::open().await;
    let id = Uuid::from_u128(5).to_string();
    let mine = Market::line("p", end(), Daily::earning(1)).replace(",p,p,", &format!(",p,{id},"));
    let theirs = mine.replace(&TENANT.to_string(), "00000000-0000-0000-0000-000000000008");
    assert_eq!(market.csv(&format!("{mine}\n{theirs}")).await.accepted, 2);
    let board = market
        .board_of(
            TenantId::PLATFORM,
            SubjectKind::Campaign,
            Period::Rolling30d,
            None,
            &json!({}),
        )
        .await;
    assert_eq!(
        market
            .refresh_until(&board, end() + Days::new(1))
            .await
            .built
            .subjects,
        2
    );
}

#[tokio::test]
async fn a_file_without_its_columns_is_refused_as_a_whole() {
    let market = Market::open().await;
    let options = Options {
        format: Format::Csv,
        scope: Scope::Platform,
        source: "x".to_owned(),
    };
    let refused = ingest(
        &mut *market.db.conn().await,
        &b"day,clicks\n1,2\n"[..],
        &options,
        |_| (),
    )
    .await;
    let Err(IngestError::BadHeader { problem }) = refused else {
        panic!("{refused:?}")
    };
    assert!(
        problem.contains("client_id") && problem.contains("tenant_id"),
        "{problem}"
    );
}

#[tokio::test]
async fn many_at_once_lose_nothing() {
    let market = Market::open().await;
    let sources = (0..4).map(|source| {
        let lines: Vec<_> = (0..40)
            .map(|back| {
                Market::line(
                    &format!("p{}", (back + source) % 10),
                    end() - Days::new(back),
                    Daily::earning(1),
                )
            })
            .collect();
        let market = &market;
        async move { market.csv(&lines.join("\n")).await }
    });
    let reports = futures::future::join_all(sources).await;
    assert!(reports.iter().all(|report| report.accepted == 40));
    let written: u64 = reports
        .iter()
        .map(|report| report.accepted - report.replaced)
        .sum();
    assert_eq!(
        market
            .db
            .number("SELECT count(*) FROM fleet.campaign_metrics")
            .await,
        written as i64
    );
}

#[tokio::test]
async fn a_wholly_bad_file_does_not_fill_the_quarantine() {
    let market = Market::open().await;
    let lines: Vec<_> = (0..10_050).map(|n| n.to_string()).collect();
    let report = market.csv(&lines.join("\n")).await;
    assert_eq!(
        (report.read, report.quarantined, report.examples.len()),
        (10_050, 10_050, 20)
    );
    assert_eq!(
        market
            .db
            .number("SELECT count(*) FROM fleet.metric_quarantine")
            .await,
        10_000
    );
}

/// The watermark of a run stands for everything up to it only if no number is drawn before its turn to commit.
#[tokio::test]
async fn rows_are_numbered_in_the_order_in_which_they_commit() {
    let market = Market::open().await;
    let mut first = market.db.pool.begin().await.unwrap();
    let lock = "SELECT pg_advisory_xact_lock(hashtextextended('fleet.metric_seq', 0))";
    sqlx::query(lock).execute(&mut *first).await.unwrap();
    let line = Market::line("p", end(), Daily::earning(1));
    let second = market.csv(&line);
    let waiting = async {
        let sql = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        eventually("the second waits", || async {
            (market.db.number(sql).await == 1).then_some(())
        })
        .await;
        let drawn = "SELECT is_called::int::bigint FROM fleet.metric_seq";
        assert_eq!(market.db.number(drawn).await, 0, "and has drawn no number");
        first.commit().await.unwrap();
    };
    let (report, ()) = tokio::join!(second, waiting);
    assert_eq!(report.accepted, 1);
}
