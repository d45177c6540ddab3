//! `triage.promote`: puts a model to use that an admin approved.
//!
//! Trigger: the decision on a `triage_model` approval, in its own transaction.
//! Effect: the model is active, the one before it retired; an event says so.
//! Safe to repeat because: only a candidate is put to use, and that commits together with the job's completion.
//! Gives up when: there is no such approval of the tenant.

use fleet_queue::{Cx, Job, JobError, JobResult, Policy};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::models::{self, ModelVersion};
use super::promotion;
use crate::approval::{Status, Verdict, verdict};
use crate::event::{self, Event};

/// Carries out the decision on a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Promote {
    /// The decision.
    pub approval_id: Uuid,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Promoted {
    model_version: ModelVersion,
    activated: bool,
    note: Option<String>,
}

impl Job for Promote {
    const KIND: &'static str = "triage.promote";
    const DESCRIPTION: &'static str = "Puts an approved ticket classifier to use.";

    type Deps = ();

    fn policy() -> Policy {
        Policy {
            max_attempts: 8,
            ..Policy::DEFAULT
        }
    }

    fn example() -> Self {
        Self {
            approval_id: Uuid::nil(),
        }
    }

    async fn run(self, cx: Cx<()>) -> JobResult {
        let mut tx = cx.pool().begin().await?;
        let Some(decided) = verdict(&mut tx, self.approval_id, cx.tenant()).await? else {
            let unknown = format!(
                "approval_id: the tenant has no approval {}",
                self.approval_id
            );
            return Err(JobError::discard(unknown));
        };
        let promoted = carry_out(&mut tx, &cx, &decided).await?;
        let done = cx.settle_in(&mut tx, Some(&promoted)).await?;
        tx.commit().await?;
        Ok(done)
    }
}

async fn carry_out(
    conn: &mut PgConnection,
    cx: &Cx<()>,
    decided: &Verdict,
) -> Result<Promoted, sqlx::Error> {
    let version = ModelVersion(decided.subject);
    let held = |note: String| Promoted {
        model_version: version,
        activated: false,
        note: Some(note),
    };
    if decided.status != Status::Approved {
        let note = format!("an admin's answer was: {}", decided.status.as_str());
        models::note(conn, version, &note).await?;
        return Ok(held(note));
    }
    // Another may have been put to use since this one was proposed.
    let candidate = models::standing(conn, cx.tenant(), version).await?;
    let Some(candidate) = candidate.filter(|it| it.status == "candidate") else {
        return Ok(held("it is no candidate any more".to_owned()));
    };
    let current = promotion::current(conn, cx.tenant()).await?;
    if let Some(why) = promotion::worse(&candidate, current.as_ref()) {
        models::note(conn, version, &why).await?;
        return Ok(held(why));
    }
    let activated = models::activate(conn, cx.tenant(), version).await?;
    let event = Event {
        kind: "triage.model_activated",
        subject: version.0,
        payload: json!({ "name": candidate.name, "approval_id": decided.approval_id, "by": decided.decided_by }),
    };
    event::record(conn, cx.tenant(), &event).await?;
    Ok(Promoted {
        model_version: version,
        activated,
        note: None,
    })
}
