//! Puts the demo into a database, and computes its boards.

use chrono::{Days, NaiveDate};
use serde::Serialize;
use sqlx::{PgConnection, PgPool};

use super::dice::Dice;
use super::fraud::{self, Label};
use super::population::{self, Campaign, Client, Partner};
use super::{Options, bad_rows, figures, setup, tickets, workload};
use crate::leaderboard::{self, BoardError, Period};
use crate::metrics::{self, Format, IngestError, MetricRow, Scope, store};
use crate::tickets::TicketError;

/// Rows in a transaction.
const BATCH: usize = 10_000;
/// Weekly boards that a demo's history has, so that promotions have something to rest on.
const WEEKS: u64 = 5;

/// What was made.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DemoReport {
    /// Tenants.
    pub tenants: u32,
    /// Partners.
    pub partners: u32,
    /// Clients.
    pub clients: u32,
    /// Campaigns.
    pub campaigns: u32,
    /// Metric rows stored.
    pub rows: u64,
    /// Metric rows refused, as was meant.
    pub refused: u64,
    /// Campaigns that cheat.
    pub cheats: usize,
    /// First and last day of metrics.
    pub days: (NaiveDate, NaiveDate),
}

/// Why the demo could not be made.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// Nothing can be made of nothing.
    #[error(
        "tenants, partners, clients, campaigns and days must each be at least 1, days at most 3650"
    )]
    Options,
    /// A board was refused.
    #[error("a demo board could not be made")]
    Board(#[from] BoardError),
    /// The bad rows did not even reach the quarantine.
    #[error("the demo's bad rows could not be read in")]
    Ingest(#[from] IngestError),
    /// The tickets were not taken.
    #[error("the demo's tickets could not be made")]
    Tickets(#[from] TicketError),
    /// The database did not carry it out.
    #[error("the database did not take the demo data")]
    Database(#[from] sqlx::Error),
}

/// Makes everything but the boards' runs; `progress` is told rows done and rows expected.
pub async fn load(
    conn: &mut PgConnection,
    options: &Options,
    mut progress: impl FnMut(u64, u64),
) -> Result<DemoReport, DemoError> {
    let counts = [
        options.tenants,
        options.partners,
        options.clients,
        options.campaigns,
        options.days,
    ];
    if counts.contains(&0) || options.days > 3650 {
        return Err(DemoError::Options);
    }
    let yesterday = metrics::today(conn).await? - Days::new(1);
    let last_day = options.last_day.unwrap_or(yesterday);
    let partners: Vec<_> = (0..options.partners)
        .map(|n| population::partner(options, last_day, n))
        .collect();
    let clients: Vec<_> = (0..options.clients)
        .map(|n| population::client(options, last_day, n))
        .collect();
    let campaigns: Vec<_> = (0..options.campaigns)
        .map(|n| population::campaign(options, &clients, &partners, n))
        .collect();
    write_people(conn, options, last_day, &partners, &clients, &campaigns).await?;
    let labels: Vec<_> = campaigns
        .iter()
        .map(|campaign| fraud::label(options, campaign, last_day))
        .collect();
    let mut writer = Writer::new(options, last_day);
    for (campaign, label) in campaigns.iter().zip(&labels) {
        writer.take(campaign, label.as_ref());
        if writer.rows.len() >= BATCH {
            writer.flush(conn).await?;
            progress(
                writer.written,
                u64::from(options.campaigns) * u64::from(options.days),
            );
        }
    }
    let (rows, refused) = writer.finish(conn).await?;
    let labels: Vec<_> = labels.into_iter().flatten().collect();
    fraud::keep(conn, &labels).await?;
    ask(conn, options, &clients).await?;
    setup::boards(conn, options).await?;
    Ok(DemoReport {
        tenants: options.tenants,
        partners: options.partners,
        clients: options.clients,
        campaigns: options.campaigns,
        rows,
        refused,
        cheats: labels.len(),
        days: (last_day - Days::new(u64::from(options.days) - 1), last_day),
    })
}

async fn write_people(
    conn: &mut PgConnection,
    options: &Options,
    last_day: NaiveDate,
    partners: &[Partner],
    clients: &[Client],
    campaigns: &[Campaign<'_>],
) -> Result<(), sqlx::Error> {
    setup::rates(conn, options, last_day).await?;
    setup::partners(conn, partners).await?;
    setup::clients(conn, clients).await?;
    setup::campaigns(conn, campaigns, last_day).await?;
    setup::promises(conn, options, partners, last_day).await?;
    workload::assignments(conn, options, clients, partners).await?;
    workload::desks(conn, options, partners, last_day).await?;
    workload::outcomes(conn, options, campaigns, last_day).await
}

/// What support of the demo works by, and what it has to do.
async fn ask(
    conn: &mut PgConnection,
    options: &Options,
    clients: &[Client],
) -> Result<(), DemoError> {
    let tenants: Vec<_> = (0..options.tenants)
        .map(|number| population::tenant_id(options, number))
        .collect();
    tickets::hours(conn, &tenants).await?;
    tickets::articles(conn, options).await?;
    tickets::tickets(conn, options, clients).await?;
    Ok(())
}

/// Metric rows on their way into the database.
struct Writer<'o> {
    options: &'o Options,
    last_day: NaiveDate,
    rows: Vec<MetricRow>,
    written: u64,
    spoilt: Vec<u8>,
}

impl<'o> Writer<'o> {
    fn new(options: &'o Options, last_day: NaiveDate) -> Self {
        let spoilt = format!("{}\n", bad_rows::HEADER).into_bytes();
        Self {
            options,
            last_day,
            rows: Vec::with_capacity(BATCH),
            written: 0,
            spoilt,
        }
    }

    /// All days of a campaign, some of them spoilt: a spoilt row stands in the place of the good one.
    fn take(&mut self, campaign: &Campaign<'_>, label: Option<&Label>) {
        let mut dice = Dice::of(self.options.seed, "spoil", campaign.number);
        for back in (0..campaign.age.min(self.options.days)).rev() {
            let day = self.last_day - Days::new(back.into());
            for mut row in figures::rows(self.options, campaign, day, back) {
                fraud::distort(label, &mut row);
                if dice.chance(self.options.bad_share) {
                    self.spoilt.extend(bad_rows::spoil(&row, &mut dice));
                    self.spoilt.push(b'\n');
                } else {
                    self.rows.push(row);
                }
            }
        }
    }

    async fn flush(&mut self, conn: &mut PgConnection) -> Result<(), sqlx::Error> {
        for batch in self.rows.chunks(BATCH) {
            self.written += store::write(conn, batch).await?.accepted;
        }
        self.rows.clear();
        Ok(())
    }

    /// Writes the rest, and sends the spoilt rows through the front door. Gives how many were stored and refused.
    async fn finish(mut self, conn: &mut PgConnection) -> Result<(u64, u64), DemoError> {
        self.flush(conn).await?;
        let options = metrics::Options {
            format: Format::Csv,
            scope: Scope::Platform,
            source: "demo".to_owned(),
        };
        let report = metrics::ingest(conn, self.spoilt.as_slice(), &options, |_| ()).await?;
        Ok((self.written + report.accepted, report.quarantined))
    }
}

/// Computes every board: the weekly ones week by week up to now, the others once. Gives how many runs were published.
pub async fn compute_boards(
    pool: &PgPool,
    mut progress: impl FnMut(u64, u64),
) -> Result<u64, BoardError> {
    let mut conn = pool.acquire().await?;
    let today = metrics::today(&mut conn).await?;
    let boards = leaderboard::list(&mut conn, None, 1_000).await?;
    drop(conn);
    let (total, mut published) = (boards.len() as u64, 0);
    for (done, board) in boards.iter().enumerate() {
        let latest = board
            .period
            .window(None, today)
            .ok_or(BoardError::Window)?
            .end;
        let back = if board.period == Period::Week {
            WEEKS - 1
        } else {
            0
        };
        for weeks in (0..=back).rev() {
            leaderboard::refresh(pool, board, Some(latest - Days::new(7 * weeks)), false).await?;
            published += 1;
        }
        progress(done as u64 + 1, total);
    }
    Ok(published)
}
