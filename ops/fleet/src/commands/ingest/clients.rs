//! `fleet ingest clients FILE`: clients from a CSV or NDJSON file, each with the job that finds it a partner.

use std::process::ExitCode;

use clap::Args;
use fleet_jobs::clients::{ClientReport, take_clients};
use fleet_queue::TenantId;

use super::source::{Source, show};
use crate::audit;
use crate::database::Target;
use crate::output::{Hue, Out, Page, Table, count};

#[derive(Args, Debug)]
pub(super) struct Clients {
    #[command(flatten)]
    source: Source,
    /// Whose clients they are
    #[arg(long)]
    tenant: TenantId,
}

impl Clients {
    pub(super) async fn run(self, target: &Target, out: Out) -> anyhow::Result<ExitCode> {
        let format = self.source.format()?;
        let (input, bar) = self.source.open(out).await?;
        let database = target.connect().await?;
        // Not in a transaction: each batch commits by itself.
        let mut conn = database.db().acquire("clients.ingest").await?;
        let report =
            take_clients(&mut *conn, input, format, self.tenant, |it| show(&bar, it)).await;
        bar.finish_and_clear();
        let report = report?;
        audit::record(&mut conn, "clients.ingest", &self.source.name(), None).await?;
        drop(conn);
        database.wake(&["default".to_owned()]).await;
        out.answer(&report, |page| draw(page, &report))?;
        Ok(ExitCode::SUCCESS)
    }
}

fn draw(page: &mut Page, report: &ClientReport) {
    let n = |lines: u64| count(lines as i64);
    page.heading(&format!("{} lines read", n(report.read)));
    page.field("created", n(report.created));
    page.field("updated", n(report.updated));
    let bad = if report.refused > 0 {
        Hue::Yellow
    } else {
        Hue::Plain
    };
    page.field_hued("refused", bad, n(report.refused));
    if report.refused == 0 {
        return;
    }
    let mut table = Table::new(&[">LINE", "FIELD", "PROBLEM"]);
    for example in &report.examples {
        table.row([
            example.line.to_string().into(),
            example.field.as_str().into(),
            example.problem.as_str().into(),
        ]);
    }
    page.table(&table, "");
}
