//! `fleet check`: holds what processes remember of a run against the invariants. Exit code 1 where one is broken.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use fleet_check::{Evidence, Facts, Ruling, Seen, Verdict, check, load, read};
use serde_json::json;

use crate::database::Target;
use crate::output::{Hue, Out, Page};

/// Hold histories that processes kept (--history) against the invariants
#[derive(Args, Debug)]
pub(crate) struct Check {
    /// Files, or folders of *.ndjson
    #[arg(required = true, value_name = "HISTORY")]
    histories: Vec<PathBuf>,
    /// Everything was given the time to end: a job that still lives is lost
    #[arg(long)]
    drained: bool,
    /// Compare with what a campaign kept of its tables: the facts.json beside its histories; goes before a database
    #[arg(long, value_name = "FILE", conflicts_with = "data")]
    facts: Option<PathBuf>,
    /// Compare with this database's tables too
    #[command(flatten)]
    target: Target,
}

/// Violations of one invariant that are shown to a person.
const SHOWN_MAX: usize = 5;

impl Check {
    pub(crate) async fn run(self, out: Out) -> anyhow::Result<ExitCode> {
        let entries = read(&self.histories)?;
        let facts = self.facts().await?;
        let evidence = Evidence::of(entries, facts, self.drained);
        let (seen, verdict) = (evidence.seen(), check(&evidence));
        let said =
            json!({ "clean": verdict.is_clean(), "seen": seen, "findings": verdict.findings });
        out.answer(&said, |page| draw(page, &seen, &verdict))
            .context("nobody reads what is said")?;
        Ok(exit_code(&verdict))
    }

    /// Of the file or the database that was named, if one was.
    async fn facts(&self) -> anyhow::Result<Option<Facts>> {
        if let Some(path) = &self.facts {
            let kept = Facts::kept(path);
            return kept.map(Some).with_context(|| {
                format!(
                    "could not read {} as the facts.json of a campaign",
                    path.display()
                )
            });
        }
        if !self.target.is_named() {
            return Ok(None);
        }
        let database = self.target.connect().await?;
        let mut conn = database.db().acquire("check.load").await?;
        Ok(Some(load(&mut conn).await?))
    }
}

/// 1 where an invariant is broken.
pub(super) fn exit_code(verdict: &Verdict) -> ExitCode {
    if verdict.is_clean() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// What was found, for a person.
pub(super) fn draw(page: &mut Page, seen: &Seen, verdict: &Verdict) {
    page.line(format_args!(
        "{} histories, {} events: {} jobs acknowledged, {} claims, {} of them settled{}",
        seen.histories,
        seen.events,
        seen.enqueued,
        seen.claims,
        seen.settled,
        seen.rows
            .map_or_else(String::new, |rows| format!("; {rows} jobs in the database")),
    ));
    for finding in &verdict.findings {
        let (hue, found) = match &finding.ruling {
            Ruling::Kept { looked_at } => (Hue::Green, format!("kept, in {looked_at} cases")),
            Ruling::Unseen { why } => (Hue::Yellow, format!("not seen: {why}")),
            Ruling::Broken { violations } => {
                (Hue::Red, format!("BROKEN, {} times", violations.len()))
            }
        };
        page.hued(
            hue,
            format_args!("{:4} {}: {found}", finding.invariant, finding.promise),
        );
        let violations = finding.ruling.violations();
        for violation in violations.iter().take(SHOWN_MAX) {
            page.line(format_args!("       {}", violation.said));
            for line in &violation.shown_by {
                page.line(format_args!("         {line}"));
            }
        }
        if violations.len() > SHOWN_MAX {
            page.line(format_args!(
                "       and {} more; --json names all",
                violations.len() - SHOWN_MAX
            ));
        }
    }
}
