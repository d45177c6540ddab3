//! `fleet ingest metrics|clients|rates|tickets FILE`: data from CSV or NDJSON files; bad rows are named and cost no good one.

mod clients;
mod rates;
mod source;
mod tickets;

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use fleet_jobs::metrics::{IngestReport, Options, Scope, ingest};
use fleet_queue::TenantId;

use self::source::Source;
use crate::audit;
use crate::database::Target;
use crate::output::{Hue, Out, Page, Table, count};

/// Take data in from files
#[derive(Args, Debug)]
pub(crate) struct Ingest {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Campaign metrics, a row a campaign and day; rows that cannot be believed go to quarantine
    Metrics(Metrics),
    /// Clients of a tenant, a line each; each comes with the job that finds it a partner
    Clients(clients::Clients),
    /// Exchange rates as CSV: currency, day, rate (what one unit is worth in the reporting currency)
    Rates(rates::Rates),
    /// Tickets: client_id and body, with subject, external_id, message_id, opened_at where known; rows that cannot be taken are named
    Tickets(tickets::Tickets),
}

#[derive(Args, Debug)]
struct Metrics {
    #[command(flatten)]
    source: Source,
    /// Take only this tenant's rows; without it every row names its tenant
    #[arg(long)]
    tenant: Option<TenantId>,
}

impl Ingest {
    pub(crate) async fn run(self, out: Out) -> anyhow::Result<ExitCode> {
        match self.what {
            What::Metrics(metrics) => metrics.run(&self.target, out).await,
            What::Clients(clients) => clients.run(&self.target, out).await,
            What::Rates(rates) => rates.run(&self.target, out).await,
            What::Tickets(tickets) => tickets.run(&self.target, out).await,
        }
    }
}

impl Metrics {
    async fn run(self, target: &Target, out: Out) -> anyhow::Result<ExitCode> {
        let options = self.options()?;
        let (input, bar) = self.source.open(out).await?;
        let database = target.connect().await?;
        // Not in a transaction: each batch commits by itself.
        let mut conn = database.db().acquire("metrics.ingest").await?;
        let report = ingest(&mut *conn, input, &options, |it| source::show(&bar, it)).await;
        bar.finish_and_clear();
        let report = report?;
        // Each batch has committed by now: the audit says what came in, and cannot keep it out.
        audit::record(&mut conn, "metrics.ingest", &options.source, None).await?;
        out.answer(&report, |page| draw(page, &self.source.file, &report))?;
        Ok(ExitCode::SUCCESS)
    }

    fn options(&self) -> anyhow::Result<Options> {
        let scope = self.tenant.map_or(Scope::Platform, Scope::Tenant);
        Ok(Options {
            format: self.source.format()?,
            scope,
            source: self.source.name(),
        })
    }
}

fn draw(page: &mut Page, file: &Path, report: &IngestReport) {
    let n = |rows: u64| count(rows as i64);
    page.heading(&format!("{}: {} rows read", file.display(), n(report.read)));
    page.field(
        "accepted",
        format_args!(
            "{} ({} replaced an earlier one)",
            n(report.accepted),
            n(report.replaced)
        ),
    );
    let bad = if report.quarantined > 0 {
        Hue::Yellow
    } else {
        Hue::Plain
    };
    page.field_hued("quarantined", bad, n(report.quarantined));
    if !report.ignored_columns.is_empty() {
        page.field(
            "ignored",
            format_args!("columns {}", report.ignored_columns.join(", ")),
        );
    }
    if report.quarantined == 0 {
        return;
    }
    page.heading("Why rows were refused");
    for (reason, rows) in &report.by_reason {
        page.field(reason.name(), n(*rows));
    }
    page.heading("The first of them");
    let mut table = Table::new(&[">LINE", "FIELD", "REASON", "BEGINS"]);
    for example in &report.examples {
        table.row([
            example.line.to_string().into(),
            example.field.unwrap_or("").into(),
            example.reason.name().into(),
            example.text.as_str().into(),
        ]);
    }
    page.table(&table, "");
}
