//! `fleet why ID`: what a job waits for, in words and as data.

use std::process::ExitCode;

use clap::Args;
use fleet_queue::JobId;
use fleet_queue::read::{Reason, why};

use super::jobs::unknown;
use crate::database::Target;
use crate::output::{Hue, Out, state_hue};

/// Say what a job waits for, or what became of it
#[derive(Args, Debug)]
pub(crate) struct WhyJob {
    #[command(flatten)]
    target: Target,
    /// The job
    id: JobId,
}

impl WhyJob {
    pub(crate) async fn run(self, out: Out) -> anyhow::Result<ExitCode> {
        let database = self.target.connect().await?;
        let mut tx = database.begin().await?;
        let answer = why(&mut tx, self.id)
            .await?
            .ok_or_else(|| unknown(self.id))?;
        out.answer(&answer, |page| {
            page.field_hued("state", state_hue(answer.state), answer.state);
            page.line(&answer.summary);
            for hint in answer.reasons.iter().filter_map(hint) {
                page.hued(Hue::Dim, hint);
            }
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

/// What a person may do about it, where a command does it.
fn hint(reason: &Reason) -> Option<String> {
    match reason {
        Reason::Paused(pause) => {
            let flag = match pause.scope.as_str() {
                "queue" => String::new(),
                scope => format!("--{scope} "),
            };
            Some(format!(
                "to go on: fleet queues resume {flag}{}",
                pause.name
            ))
        }
        Reason::NoWorker { .. } => Some("to see who serves what: fleet workers".to_owned()),
        Reason::Cap { .. } | Reason::Rate { .. } => {
            Some("to see or change limits: fleet limits".to_owned())
        }
        _ => None,
    }
}
