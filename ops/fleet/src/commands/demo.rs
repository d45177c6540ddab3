//! `fleet demo`: a marketplace that looks real, made from a seed, of any size.

use std::process::ExitCode;

use clap::Args;
use fleet_jobs::capacity::score_all;
use fleet_jobs::demo::{DemoReport, Options, compute_boards, load, newcomers};
use serde_json::json;

use crate::database::{Target, now};
use crate::output::{Out, count};

/// Make demo data: the same seed and size give the same rows
#[derive(Args, Debug)]
pub(crate) struct Demo {
    #[command(flatten)]
    target: Target,
    /// Metric rows, with partners and campaigns in proportion [default: about 20000]
    #[arg(long, value_name = "N")]
    rows: Option<u32>,
    /// Partners
    #[arg(long, value_name = "N")]
    partners: Option<u32>,
    /// Clients
    #[arg(long, value_name = "N")]
    clients: Option<u32>,
    /// Campaigns
    #[arg(long, value_name = "N")]
    campaigns: Option<u32>,
    /// Tenants
    #[arg(long, value_name = "N")]
    tenants: Option<u32>,
    /// Days of metrics, ending yesterday
    #[arg(long, value_name = "N")]
    days: Option<u32>,
    /// Everything follows from it
    #[arg(long, value_name = "N", default_value_t = Options::SMALL.seed)]
    seed: u64,
    /// Share of campaigns that cheat, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = Options::SMALL.fraud_share)]
    fraud_share: f64,
    /// Share of rows that are wrong, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = Options::SMALL.bad_share)]
    bad_share: f64,
    /// Compute no leaderboards and no capacities
    #[arg(long)]
    no_boards: bool,
}

impl Demo {
    pub(crate) async fn run(self, out: Out) -> anyhow::Result<ExitCode> {
        let database = self.target.connect_for_changes().await?;
        database.db().check_schema().await?;
        let options = self.options();
        let bar = out.progress().bar("rows", 0);
        let mut conn = database.db().acquire("demo.load").await?;
        let made = load(&mut conn, &options, |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        })
        .await;
        bar.finish_and_clear();
        drop(conn);
        let made = made?;
        let runs = if self.no_boards {
            0
        } else {
            compute(&database, &options, out).await?
        };
        say(&made, runs, out)?;
        Ok(ExitCode::SUCCESS)
    }

    fn options(&self) -> Options {
        let size = self.rows.map_or(Options::SMALL, Options::with_rows);
        Options {
            seed: self.seed,
            tenants: self.tenants.unwrap_or(size.tenants),
            partners: self.partners.unwrap_or(size.partners),
            clients: self.clients.unwrap_or(size.clients),
            campaigns: self.campaigns.unwrap_or(size.campaigns),
            days: self.days.unwrap_or(size.days),
            last_day: None,
            fraud_share: self.fraud_share.clamp(0.0, 1.0),
            bad_share: self.bad_share.clamp(0.0, 1.0),
        }
    }
}

async fn compute(
    database: &crate::database::Database,
    options: &Options,
    out: Out,
) -> anyhow::Result<u64> {
    let bar = out.progress().bar("leaderboards", 0);
    let runs = compute_boards(database.db().pool(), |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    })
    .await;
    bar.finish_and_clear();
    let as_of = now(&mut *database.begin().await?).await?;
    score_all(database.db().pool(), as_of).await?;
    let mut tx = database.begin().await?;
    newcomers(&mut tx, options).await?;
    tx.commit().await?;
    Ok(runs?)
}

fn say(made: &DemoReport, runs: u64, out: Out) -> anyhow::Result<()> {
    out.answer(&json!({ "made": made, "runs": runs }), |page| {
        page.field(
            "metrics",
            format_args!(
                "{} rows, {} to {}",
                count(made.rows as i64),
                made.days.0,
                made.days.1
            ),
        );
        page.field(
            "refused",
            format_args!("{} bad rows, as was meant", count(made.refused as i64)),
        );
        page.field("partners", count(made.partners));
        page.field(
            "clients",
            format_args!("{} of {} tenants", count(made.clients), made.tenants),
        );
        page.field(
            "campaigns",
            format_args!("{}, {} of them cheat", count(made.campaigns), made.cheats),
        );
        page.field(
            "leaderboards",
            format_args!("{runs} runs computed; `fleet leaderboard` shows them"),
        );
    })?;
    Ok(())
}
