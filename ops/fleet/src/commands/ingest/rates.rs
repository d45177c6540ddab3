//! `fleet ingest rates FILE`: exchange rates, so that money of other currencies can be taken in and compared.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use fleet_jobs::rates::{self, BadRate};
use serde::Serialize;

use crate::audit;
use crate::database::Target;
use crate::output::{Hue, Out, Page, Table, count};

/// Bad lines that are shown; the rest are counted.
const EXAMPLES_MAX: usize = 20;
/// A century of daily rates of every currency is a tenth of it.
const FILE_BYTES_MAX: u64 = 256 << 20;

#[derive(Args, Debug)]
pub(super) struct Rates {
    /// The file: a header line with currency, day and rate, then a rate a line
    file: PathBuf,
    /// Compare money in this currency from now on; rates given in another are dropped
    #[arg(long, value_name = "CURRENCY", value_parser = currency)]
    reporting: Option<String>,
}

/// What became of a file.
#[derive(Debug, Serialize)]
struct Report {
    /// The currency that the rates are given in.
    reporting: String,
    /// Good lines, of those for the same currency and day the last.
    accepted: usize,
    /// Of those, how many the database did not have already.
    changed: u64,
    /// Bad lines.
    refused: usize,
    /// The first of them.
    examples: Vec<BadRate>,
}

impl Rates {
    pub(super) async fn run(self, target: &Target, out: Out) -> anyhow::Result<ExitCode> {
        let text = read(&self.file).await?;
        let database = target.connect().await?;
        let mut tx = database.begin().await?;
        let in_force = rates::reporting(&mut tx).await;
        let in_force = in_force.context("could not read the reporting currency")?;
        let reporting = self.reporting.unwrap_or_else(|| in_force.clone());
        let found = rates::read(&text, &reporting)?;
        if reporting != in_force {
            let replaced = rates::replace(&mut tx, &reporting).await;
            replaced.context("could not change the reporting currency")?;
        }
        let changed = rates::add(&mut tx, &found.good).await;
        let changed = changed.context("could not store the rates; none was")?;
        let subject = self.file.display().to_string();
        audit::record(&mut tx, "rates.ingest", &subject, None).await?;
        tx.commit().await.context("could not store the rates")?;
        let report = Report {
            reporting,
            accepted: found.good.len(),
            changed,
            refused: found.bad.len(),
            examples: found.bad.into_iter().take(EXAMPLES_MAX).collect(),
        };
        out.answer(&report, |page| draw(page, &self.file, &report))?;
        Ok(ExitCode::SUCCESS)
    }
}

async fn read(file: &Path) -> anyhow::Result<String> {
    let shown = file.display();
    let about = tokio::fs::metadata(file).await;
    let about = about.with_context(|| format!("could not open {shown}"))?;
    if about.len() > FILE_BYTES_MAX {
        bail!(
            "{shown} has more than {} MiB; give it in parts",
            FILE_BYTES_MAX >> 20
        );
    }
    let text = tokio::fs::read_to_string(file).await;
    text.with_context(|| format!("could not read {shown} as text in UTF-8"))
}

fn currency(text: &str) -> Result<String, String> {
    let code = text.to_ascii_uppercase();
    if code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase()) {
        Ok(code)
    } else {
        Err("three letters are expected, such as EUR".to_owned())
    }
}

fn draw(page: &mut Page, file: &Path, report: &Report) {
    let n = |rows: usize| count(rows as i64);
    page.heading(&format!(
        "{}: rates in {}",
        file.display(),
        report.reporting
    ));
    page.field(
        "accepted",
        format_args!(
            "{} ({} new or different)",
            n(report.accepted),
            count(report.changed as i64)
        ),
    );
    let bad = if report.refused > 0 {
        Hue::Yellow
    } else {
        Hue::Plain
    };
    page.field_hued("refused", bad, n(report.refused));
    if report.examples.is_empty() {
        return;
    }
    page.heading("Why lines were refused");
    let mut table = Table::new(&[">LINE", "FIELD", "PROBLEM"]);
    for bad in &report.examples {
        table.row([
            bad.line.to_string().into(),
            bad.field.unwrap_or("").into(),
            bad.problem.as_str().into(),
        ]);
    }
    page.table(&table, "");
}
