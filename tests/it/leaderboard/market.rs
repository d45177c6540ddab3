//! A small market on a database of its own: partners whose campaigns do the same every day, so that every figure is known.

use chrono::{Days, NaiveDate};
use fleet_jobs::leaderboard::{
    Board, BoardPage, Period, Refreshed, SubjectKind, Viewer, board_page, create, find, load,
    refresh,
};
use fleet_jobs::metrics::{Format, IngestReport, Options, Scope, id_of, ingest};
use fleet_queue::TenantId;
use fleet_tests::{TestDb, database};
use serde_json::{Value, json};
use sqlx::{PgPool, Postgres, Transaction};
use uuid::Uuid;

/// Whose campaigns they are.
pub(super) const TENANT: TenantId = TenantId(Uuid::from_u128(0x7e7a));

pub(super) const HEADER: &str = "tenant_id,client_id,partner_id,campaign_id,day,impressions,clicks,conversions,spend_micros,revenue_micros,currency,industry,channel";

/// The first day that windows do not count: a Monday long past.
pub(super) fn end() -> NaiveDate {
    NaiveDate::from_ymd_opt(2025, 6, 30).unwrap()
}

/// What a partner's campaign does each day; money in US dollars.
#[derive(Clone, Copy, Debug)]
pub(super) struct Daily {
    pub(super) impressions: i64,
    pub(super) clicks: i64,
    pub(super) conversions: i64,
    pub(super) spend: i64,
    pub(super) revenue: i64,
}

impl Daily {
    /// A day whose revenue makes the difference, and everything else is alike.
    pub(super) fn earning(revenue: i64) -> Self {
        Self {
            impressions: 1_000,
            clicks: 50,
            conversions: 5,
            spend: 100,
            revenue,
        }
    }
}

pub(super) struct Market {
    pub(super) db: TestDb,
}

impl Market {
    /// A market with exchange rates and nobody in it.
    pub(super) async fn open() -> Self {
        let db = database().await;
        db.execute("INSERT INTO fleet.fx_rates (currency, day, rate) VALUES ('USD', '2024-01-01', 1), ('EUR', '2024-01-01', 2)").await;
        Self { db }
    }

    /// The id that a partner's name stands for.
    pub(super) fn partner(name: &str) -> Uuid {
        id_of("partner", Uuid::nil(), name)
    }

    /// A line of a file: one day of the campaign that carries its partner's name.
    pub(super) fn line(name: &str, day: NaiveDate, daily: Daily) -> String {
        let Daily {
            impressions,
            clicks,
            conversions,
            spend,
            revenue,
        } = daily;
        format!(
            "{},client of {name},{name},{name},{day},{impressions},{clicks},{conversions},{spend}000000,{revenue}000000,USD,retail,search",
            TENANT.0
        )
    }

    /// Lets a partner do the same for so many days up to the window's end.
    pub(super) async fn works(&self, name: &str, days: u64, daily: Daily) {
        self.works_until(end(), name, days, daily).await;
    }

    pub(super) async fn works_until(&self, end: NaiveDate, name: &str, days: u64, daily: Daily) {
        let lines: Vec<_> = (1..=days)
            .map(|back| Self::line(name, end - Days::new(back), daily))
            .collect();
        let report = self.csv(&lines.join("\n")).await;
        assert_eq!(report.quarantined, 0, "{report:?}");
        // Registered by its first row, it would be too new to be ranked.
        let sql = "WITH p AS (UPDATE fleet.partners SET active_since = '2024-01-01') UPDATE fleet.campaigns SET active_since = '2024-01-01'";
        sqlx::query(sql).execute(&self.db.pool).await.unwrap();
    }

    /// Partners `p01`, `p02` … of whom the first earns most.
    pub(super) async fn ladder(&self, partners: i64) {
        for n in 1..=partners {
            self.works(&format!("p{n:02}"), 30, Daily::earning(1_000 - n))
                .await;
        }
    }

    /// Takes in lines under the market's header.
    pub(super) async fn csv(&self, lines: &str) -> IngestReport {
        self.file(
            Format::Csv,
            Scope::Platform,
            format!("{HEADER}\n{lines}").as_bytes(),
        )
        .await
    }

    pub(super) async fn file(&self, format: Format, scope: Scope, bytes: &[u8]) -> IngestReport {
        let options = Options {
            format,
            scope,
            source: "test".to_owned(),
        };
        ingest(&mut *self.db.conn().await, bytes, &options, |_| ())
            .await
            .unwrap()
    }

    /// A platform board of partners.
    pub(super) async fn board(&self, period: Period) -> Board {
        self.board_of(
            TenantId::PLATFORM,
            SubjectKind::Partner,
            period,
            None,
            &json!({}),
        )
        .await
    }

    pub(super) async fn board_of(
        &self,
        tenant: TenantId,
        kind: SubjectKind,
        period: Period,
        industry: Option<&str>,
        criteria: &Value,
    ) -> Board {
        let mut conn = self.db.conn().await;
        let id = create(&mut conn, tenant, "board", kind, period, industry, criteria)
            .await
            .unwrap();
        load(&mut conn, tenant, id).await.unwrap().unwrap()
    }

    /// The demo's board of all partners.
    pub(super) async fn board_of_demo(&self, period: Period) -> Board {
        let mut conn = self.db.conn().await;
        find(
            &mut conn,
            TenantId::PLATFORM,
            SubjectKind::Partner,
            period,
            None,
        )
        .await
        .unwrap()
        .unwrap()
    }

    /// Computes and publishes a board for the window that ends with the market's.
    pub(super) async fn refresh(&self, board: &Board) -> Refreshed {
        self.refresh_until(board, end()).await
    }

    pub(super) async fn refresh_until(&self, board: &Board, end: NaiveDate) -> Refreshed {
        refresh(&self.db.pool, board, Some(end), false)
            .await
            .unwrap()
    }

    /// A transaction as the API's role, for a tenant or `*`.
    pub(super) async fn session(&self, tenant: &str) -> Transaction<'_, Postgres> {
        session_on(&self.db.pool, tenant).await
    }

    /// The first page of a board as an admin sees it.
    pub(super) async fn page(&self, board: &Board) -> BoardPage {
        let mut session = self.session("*").await;
        board_page(&mut session, board.id, Viewer::Admin, None, 200)
            .await
            .unwrap()
            .unwrap()
    }

    /// The current board as text, an entry a line: label, status, rank, movement.
    pub(super) async fn standings(&self, board: &Board) -> String {
        let page = self.page(board).await;
        let number = |n: Option<i32>| n.map_or("-".to_owned(), |n| n.to_string());
        let lines: Vec<_> = page
            .entries
            .iter()
            .map(|e| {
                let movement = if e.is_new {
                    "new".to_owned()
                } else {
                    number(e.rank_delta)
                };
                format!("{} {} {} {movement}", e.label, e.status, number(e.rank))
            })
            .collect();
        lines.join("\n")
    }

    /// How many events of a kind there are.
    pub(super) async fn events(&self, kind: &str) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM fleet.event WHERE kind = $1")
            .bind(kind)
            .fetch_one(&self.db.pool)
            .await
            .unwrap()
    }
}

/// The same on connections of the caller's own.
pub(super) async fn session_on(pool: &PgPool, tenant: &str) -> Transaction<'static, Postgres> {
    let act = "SELECT set_config('role', 'fleet_api', true), set_config('fleet.tenant', $1, true)";
    let mut tx = pool.begin().await.unwrap();
    sqlx::query(act)
        .bind(tenant)
        .execute(&mut *tx)
        .await
        .unwrap();
    tx
}
