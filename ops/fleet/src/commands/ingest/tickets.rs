//! `fleet ingest tickets FILE`: tickets with their first messages, each with the job that sorts it.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use fleet_jobs::tickets::{ImportReport, import};
use fleet_queue::{Job, TenantId};

use super::source::{Source, show};
use crate::audit;
use crate::database::Target;
use crate::output::{Hue, Out, Page, Table, count};

#[derive(Args, Debug)]
pub(super) struct Tickets {
    #[command(flatten)]
    source: Source,
    /// Take only this tenant's rows; without it every row names its tenant
    #[arg(long)]
    tenant: Option<TenantId>,
}

impl Tickets {
    pub(super) async fn run(self, target: &Target, out: Out) -> anyhow::Result<ExitCode> {
        let format = self.source.format()?;
        let (input, bar) = self.source.open(out).await?;
        let database = target.connect().await?;
        // Not in a transaction: each batch commits by itself.
        let mut conn = database.db().acquire("tickets.import").await?;
        let report = import(&mut *conn, input, format, self.tenant, |it| show(&bar, it)).await;
        bar.finish_and_clear();
        let report = report?;
        audit::record(&mut conn, "tickets.ingest", &self.source.name(), None).await?;
        drop(conn);
        database
            .wake(&[fleet_jobs::triage::Ticket::policy().queue.to_owned()])
            .await;
        out.answer(&report, |page| draw(page, &self.source.file, &report))?;
        Ok(ExitCode::SUCCESS)
    }
}

fn draw(page: &mut Page, file: &Path, report: &ImportReport) {
    let n = |rows: u64| count(rows as i64);
    page.heading(&format!("{}: {} rows read", file.display(), n(report.read)));
    page.field("created", n(report.created));
    page.field("there already", n(report.duplicates));
    let hue = if report.refused > 0 {
        Hue::Yellow
    } else {
        Hue::Plain
    };
    page.field_hued("refused", hue, n(report.refused));
    if !report.ignored_columns.is_empty() {
        page.field(
            "ignored",
            format_args!("columns {}", report.ignored_columns.join(", ")),
        );
    }
    if report.refusals.is_empty() {
        return;
    }
    let mut table = Table::new(&[">LINE", "FIELD", "PROBLEM", "BEGINS"]);
    for refusal in &report.refusals {
        table.row([
            refusal.line.to_string().into(),
            refusal.field.unwrap_or("").into(),
            refusal.problem.as_str().into(),
            refusal.text.as_str().into(),
        ]);
    }
    page.table(&table, "");
}
