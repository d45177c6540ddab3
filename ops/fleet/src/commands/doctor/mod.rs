//! `fleet doctor`: looks the installation over and says what is wrong, with what to do about it.
//!
//! Each check is a question to the database and a judgement; one that cannot be asked has failed. Nothing is changed.

mod disk;
mod engine;
mod invariants;
mod schema;
mod server;

use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use serde_json::json;

use crate::database::Target;
use crate::output::{Hue, Out, Page};

/// Look the installation over; exit code 1 where something is wrong
#[derive(Args, Debug)]
pub(crate) struct Doctor {
    #[command(flatten)]
    target: Target,
}

/// How serious a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    /// As it should be.
    Pass,
    /// It works, but somebody should look.
    Warn,
    /// A promise does not hold, or will not for long.
    Fail,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Finding {
    check: &'static str,
    verdict: Verdict,
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

impl Finding {
    fn pass(check: &'static str, found: impl Into<String>) -> Self {
        Self {
            check,
            verdict: Verdict::Pass,
            found: found.into(),
            fix: None,
        }
    }

    fn warn(check: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            check,
            verdict: Verdict::Warn,
            found: found.into(),
            fix: Some(fix.into()),
        }
    }

    fn fail(check: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            check,
            verdict: Verdict::Fail,
            found: found.into(),
            fix: Some(fix.into()),
        }
    }

    /// A check that could not be made has failed.
    fn of(check: &'static str, asked: anyhow::Result<Self>) -> Self {
        asked.unwrap_or_else(|error| {
            Self::fail(
                check,
                format!("could not be checked: {error:#}"),
                "see the database's log",
            )
        })
    }
}

impl Doctor {
    pub(crate) async fn run(self, out: Out) -> anyhow::Result<ExitCode> {
        let database = self.target.connect_unchecked().await?;
        let mut findings = server::look(&database).await;
        let schema = schema::look(&database).await;
        let usable = schema.verdict != Verdict::Fail;
        findings.push(schema);
        if usable {
            findings.extend(schema::look_inside(&database).await);
            findings.extend(engine::look(&database).await);
            findings.extend(invariants::look(&database).await);
        }
        let worst = findings
            .iter()
            .map(|finding| finding.verdict)
            .max()
            .unwrap_or(Verdict::Pass);
        out.answer(&json!({ "verdict": worst, "checks": findings }), |page| {
            draw(page, &findings);
        })?;
        Ok(if worst == Verdict::Fail {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        })
    }
}

fn draw(page: &mut Page, findings: &[Finding]) {
    for finding in findings {
        let (word, hue) = match finding.verdict {
            Verdict::Pass => ("pass", Hue::Green),
            Verdict::Warn => ("warn", Hue::Yellow),
            Verdict::Fail => ("FAIL", Hue::Red),
        };
        page.hued(
            hue,
            format_args!("{word}  {}: {}", finding.check, finding.found),
        );
        if let Some(fix) = &finding.fix {
            page.line(format_args!("      {fix}"));
        }
    }
    let count = |verdict| {
        findings
            .iter()
            .filter(|finding| finding.verdict == verdict)
            .count()
    };
    page.line(format_args!(
        "\n{} passed, {} to look at, {} failed",
        count(Verdict::Pass),
        count(Verdict::Warn),
        count(Verdict::Fail)
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_that_could_not_be_made_has_failed_and_failing_is_the_worst() {
        let finding = Finding::of("disk", Err(anyhow::anyhow!("no such table")));
        assert_eq!(finding.verdict, Verdict::Fail);
        assert!(finding.found.contains("no such table"), "{}", finding.found);
        assert!(Verdict::Fail > Verdict::Warn && Verdict::Warn > Verdict::Pass);
    }
}
