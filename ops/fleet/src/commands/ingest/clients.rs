//! `fleet ingest clients FILE`: clients from a CSV or NDJSON file, each with the job that finds it a partner.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::Args;
use fleet_jobs::clients::{ClientReport, take_clients};
use fleet_jobs::metrics::Format;
use fleet_queue::TenantId;
use tokio::fs::File;
use tokio::io::BufReader;

use super::Written;
use crate::audit;
use crate::database::Target;
use crate::output::{Hue, Out, Page, Table, count};

#[derive(Args, Debug)]
pub(super) struct Clients {
    /// The file
    file: PathBuf,
    /// How its lines are written [default: by the file's extension]
    #[arg(long)]
    format: Option<Written>,
    /// Whose clients they are
    #[arg(long)]
    tenant: TenantId,
}

impl Clients {
    pub(super) async fn run(self, target: &Target, out: Out) -> anyhow::Result<ExitCode> {
        let format = self
            .format
            .map(Format::from)
            .or_else(|| Format::of(&self.file));
        let format = format.ok_or_else(|| {
            anyhow!(
                "{} ends neither in .csv nor in .ndjson; say which it is with --format",
                self.file.display()
            )
        })?;
        let file = File::open(&self.file).await;
        let file = file.with_context(|| format!("could not open {}", self.file.display()))?;
        let database = target.connect().await?;
        // Not in a transaction: each batch commits by itself.
        let mut conn = database.db().acquire("clients.ingest").await?;
        let report = take_clients(&mut *conn, BufReader::new(file), format, self.tenant).await?;
        audit::record(
            &mut conn,
            "clients.ingest",
            &self.file.display().to_string(),
            None,
        )
        .await?;
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
