//! A person decides: the answer and the job that carries it out are one transaction.

use fleet_queue::TenantId;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::correct::{self, CorrectionError};
use super::read::{Approval, find};
use super::verdict::Status;
use crate::event::{self, Event};

/// What `fleet.enqueue` says where no worker ever registered the kind.
const NO_SUCH_KIND: &str = "FL001";

/// What a person decides.
#[derive(Clone, Debug, PartialEq)]
pub enum Choice {
    /// Do it.
    Approve,
    /// Leave it.
    Reject,
    /// Do this instead.
    Correct(Value),
}

impl Choice {
    /// What the audit calls it.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Approve => "approvals.approve",
            Self::Reject => "approvals.reject",
            Self::Correct(_) => "approvals.correct",
        }
    }

    fn status(&self) -> Status {
        match self {
            Self::Approve => Status::Approved,
            Self::Reject => Status::Rejected,
            Self::Correct(_) => Status::Corrected,
        }
    }

    fn correction(&self) -> Option<&Value> {
        match self {
            Self::Correct(correction) => Some(correction),
            Self::Approve | Self::Reject => None,
        }
    }
}

/// Why nothing was decided.
#[derive(Debug, thiserror::Error)]
pub enum DecideError {
    /// There is none, as far as the session may know.
    #[error("there is no approval {0}")]
    Unknown(Uuid),
    /// Somebody or something was faster.
    #[error("it is {status} already{}", by.as_ref().map(|by| format!(", by {by}")).unwrap_or_default())]
    Settled {
        /// How it stands.
        status: String,
        /// Who decided.
        by: Option<String>,
    },
    /// The proposal is another than the person saw.
    #[error(
        "the proposal was replaced: this is revision {now}, and {seen} was decided on; look again"
    )]
    Replaced {
        /// The revision that the person saw.
        seen: i32,
        /// The one that waits.
        now: i32,
    },
    /// The correction cannot be carried out.
    #[error("{0}")]
    Correction(String),
    /// No worker has told the database of the kind of job that would carry it out.
    #[error(
        "no worker that runs {0}, which would carry it out, was ever started: start one and decide again"
    )]
    NotRun(String),
    /// The database did not carry it out.
    #[error("the database did not carry it out")]
    Database(#[from] sqlx::Error),
}

impl From<CorrectionError> for DecideError {
    fn from(error: CorrectionError) -> Self {
        match error {
            CorrectionError::Refused(why) => Self::Correction(why),
            CorrectionError::Database(error) => Self::Database(error),
        }
    }
}

/// Decides a question that waits, for `actor`, and enqueues what carries it out. `seen` is the revision that the person decided on,
/// where that is known.
pub async fn decide(
    conn: &mut PgConnection,
    approval: Uuid,
    choice: &Choice,
    seen: Option<i32>,
    actor: &str,
    note: Option<&str>,
) -> Result<Approval, DecideError> {
    let mut tx = conn.begin().await?;
    let it = waiting(&mut tx, approval, seen).await?;
    if let Some(correction) = choice.correction() {
        let tenant = TenantId(it.tenant_id);
        correct::check(&mut tx, tenant, &it.decision, it.subject, correction).await?;
    }
    settle(&mut tx, approval, choice, actor, note).await?;
    let carried = carry_out(&mut tx, &it).await;
    carried.map_err(|error| not_carried(error, it.apply_kind.clone()))?;
    announce(&mut tx, &it, choice, actor, note).await?;
    let decided = find(&mut tx, approval).await?;
    tx.commit().await?;
    decided.ok_or(DecideError::Unknown(approval))
}

/// The question, locked, if it waits and is the one the person saw.
async fn waiting(
    conn: &mut PgConnection,
    approval: Uuid,
    seen: Option<i32>,
) -> Result<Approval, DecideError> {
    sqlx::query!(
        r#"-- approval.lock
        SELECT approval_id FROM fleet.approvals WHERE approval_id = $1 FOR UPDATE"#,
        approval,
    )
    .fetch_optional(&mut *conn)
    .await?;
    let it = find(conn, approval).await?;
    let it = it.ok_or(DecideError::Unknown(approval))?;
    if it.status != Status::Pending.as_str() {
        return Err(DecideError::Settled {
            status: it.status,
            by: it.decided_by,
        });
    }
    match seen {
        Some(seen) if seen != it.revision => Err(DecideError::Replaced {
            seen,
            now: it.revision,
        }),
        _ => Ok(it),
    }
}

async fn settle(
    conn: &mut PgConnection,
    approval: Uuid,
    choice: &Choice,
    actor: &str,
    note: Option<&str>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"-- approval.decide
        UPDATE fleet.approvals SET status = $2, correction = $3, decided_at = fleet.clock(), decided_by = $4, note = $5
        WHERE approval_id = $1"#,
        approval,
        choice.status().as_str(),
        choice.correction(),
        actor,
        note as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Enqueues the job of the kind that the family named.
pub(super) async fn carry_out(conn: &mut PgConnection, it: &Approval) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"-- approval.carry_out
        SELECT fleet.enqueue($1, jsonb_build_object('approval_id', $2::uuid), jsonb_build_object('tenant_id', $3::uuid))"#,
        it.apply_kind,
        it.approval_id,
        it.tenant_id,
    )
    .fetch_one(conn)
    .await?;
    Ok(())
}

fn not_carried(error: sqlx::Error, kind: String) -> DecideError {
    match error.as_database_error() {
        Some(told) if told.code().as_deref() == Some(NO_SUCH_KIND) => DecideError::NotRun(kind),
        _ => error.into(),
    }
}

async fn announce(
    conn: &mut PgConnection,
    it: &Approval,
    choice: &Choice,
    actor: &str,
    note: Option<&str>,
) -> Result<(), sqlx::Error> {
    let kind = match choice {
        Choice::Approve => "approval.approved",
        Choice::Reject => "approval.rejected",
        Choice::Correct(_) => "approval.corrected",
    };
    let event = Event {
        kind,
        subject: it.approval_id,
        payload: json!({ "decision": it.decision, "subject": it.subject, "by": actor, "note": note }),
    };
    event::record(conn, TenantId(it.tenant_id), &event).await
}
