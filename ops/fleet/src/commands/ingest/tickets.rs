//! `fleet ingest tickets FILE`: tickets with their first messages, each with the job that sorts it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::Args;
use fleet_jobs::metrics::Format;
use fleet_jobs::tickets::{ImportReport, import};
use fleet_queue::{Job, TenantId};
use tokio::fs::File;
use tokio::io::BufReader;

use super::Written;
use crate::audit;
use crate::database::Target;
use crate::output::{Hue, Out, Page, Table, count};

#[derive(Args, Debug)]
pub(super) struct Tickets {
    /// The file
    file: PathBuf,
    /// How its rows are written [default: by the file's extension]
    #[arg(long)]
    format: Option<Written>,
    /// Take only this tenant's rows; without it every row names its tenant
    #[arg(long)]
    tenant: Option<TenantId>,
}

impl Tickets {
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
        let length = file.metadata().await.map_or(0, |metadata| metadata.len());
        let database = target.connect().await?;
        // Not in a transaction: each batch commits by itself.
        let mut conn = database.db().acquire("tickets.import").await?;
        let bar = out.progress().bytes("reading", length);
        let report = import(
            &mut *conn,
            BufReader::new(file),
            format,
            self.tenant,
            |bytes, rows| {
                bar.set_position(bytes);
                bar.set_message(format!("{} rows", count(rows as i64)));
            },
        )
        .await;
        bar.finish_and_clear();
        let report = report?;
        audit::record(
            &mut conn,
            "tickets.ingest",
            &self.file.display().to_string(),
            None,
        )
        .await?;
        drop(conn);
        database
            .wake(&[fleet_jobs::triage::Ticket::policy().queue.to_owned()])
            .await;
        out.answer(&report, |page| draw(page, &self.file, &report))?;
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
