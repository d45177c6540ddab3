//! `fleet approvals`: what waits for a person, the decisions on it, and which decisions wait at all.

mod draw;

use std::process::ExitCode;

use anyhow::anyhow;
use clap::{Args, Subcommand, ValueEnum};
use fleet_jobs::approval::{
    Choice, Filter, Policy, Review, Status, decide, find, list, list_policies, record, set_policy,
};
use fleet_queue::TenantId;
use serde_json::json;
use uuid::Uuid;

use crate::audit;
use crate::database::{Database, Target, now};
use crate::input;
use crate::output::Out;

/// Approvals: what software would do and a person decides
#[derive(Args, Debug)]
pub(crate) struct Approvals {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List what waits (the default), or what was decided
    Ls(Ls),
    /// Show what would be done, what it rests on, and what became of it
    Show {
        /// The approval
        id: Uuid,
    },
    /// Have it done
    Approve(Decide),
    /// Have it left
    Reject(Decide),
    /// Have something else done
    Correct {
        #[command(flatten)]
        decide: Decide,
        /// What: JSON, @FILE or - for standard input
        #[arg(long, value_name = "JSON")]
        to: String,
    },
    /// How often people approved and overruled each kind of decision
    Record {
        /// Decided within so many days
        #[arg(long, value_name = "N", default_value_t = 90, value_parser = clap::value_parser!(i32).range(1..=3650))]
        days: i32,
    },
    /// Which decisions wait for a person; with one named, its policy's past
    Policies {
        /// The kind of decision, such as `assignment`
        decision: Option<String>,
    },
    /// Set which decisions of a kind wait from now on
    Policy(SetPolicy),
}

#[derive(Args, Debug)]
struct Ls {
    /// Only those that stand so
    #[arg(long, value_enum, default_value = "pending")]
    status: Standing,
    /// Only this kind of decision
    #[arg(long)]
    decision: Option<String>,
    /// Only those about this client or ticket
    #[arg(long, value_name = "ID")]
    about: Option<Uuid>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=1000))]
    limit: i64,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Standing {
    All,
    Pending,
    Approved,
    Rejected,
    Corrected,
    Expired,
    Withdrawn,
}

impl Standing {
    fn status(self) -> Option<Status> {
        match self {
            Self::All => None,
            Self::Pending => Some(Status::Pending),
            Self::Approved => Some(Status::Approved),
            Self::Rejected => Some(Status::Rejected),
            Self::Corrected => Some(Status::Corrected),
            Self::Expired => Some(Status::Expired),
            Self::Withdrawn => Some(Status::Withdrawn),
        }
    }
}

#[derive(Args, Debug)]
struct Decide {
    /// The approval
    id: Uuid,
    /// Why
    #[arg(long)]
    note: Option<String>,
    /// The revision that was looked at; where the proposal was replaced since, nothing is decided
    #[arg(long, value_name = "N")]
    revision: Option<i32>,
}

#[derive(Args, Debug)]
struct SetPolicy {
    /// The kind of decision
    decision: String,
    /// Which of them wait
    #[arg(long, value_enum)]
    review: When,
    /// Confidence below which one waits, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    threshold: f64,
    /// Whose [default: every tenant's that has no policy of its own]
    #[arg(long)]
    tenant: Option<TenantId>,
    /// Why
    #[arg(long)]
    note: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum When {
    Never,
    BelowThreshold,
    Always,
}

impl From<When> for Review {
    fn from(when: When) -> Self {
        match when {
            When::Never => Self::Never,
            When::BelowThreshold => Self::BelowThreshold,
            When::Always => Self::Always,
        }
    }
}

impl Approvals {
    pub(crate) async fn run(self, out: Out) -> anyhow::Result<ExitCode> {
        let database = self.target.connect().await?;
        let waiting = Ls {
            status: Standing::Pending,
            decision: None,
            about: None,
            limit: 50,
        };
        match self.action.unwrap_or(Action::Ls(waiting)) {
            Action::Ls(which) => which.run(&database, out).await?,
            Action::Show { id } => show(&database, id, out).await?,
            Action::Approve(it) => it.run(&database, Choice::Approve, out).await?,
            Action::Reject(it) => it.run(&database, Choice::Reject, out).await?,
            Action::Correct { decide, to } => {
                let choice = Choice::Correct(input::payload(&to)?);
                decide.run(&database, choice, out).await?;
            }
            Action::Record { days } => overruled(&database, days, out).await?,
            Action::Policies { decision } => {
                policies(&database, decision.as_deref(), out).await?;
            }
            Action::Policy(it) => it.run(&database, out).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Ls {
    async fn run(self, database: &Database, out: Out) -> anyhow::Result<()> {
        let filter = Filter {
            approval: None,
            status: self.status.status(),
            decision: self.decision.as_deref(),
            subject: self.about,
        };
        let mut tx = database.begin().await?;
        let now = now(&mut tx).await?;
        let approvals = list(&mut tx, &filter, None, self.limit).await?;
        out.answer(&json!({ "approvals": approvals }), |page| {
            draw::list(page, &approvals, now);
        })?;
        Ok(())
    }
}

async fn show(database: &Database, id: Uuid, out: Out) -> anyhow::Result<()> {
    let mut tx = database.begin().await?;
    let now = now(&mut tx).await?;
    let approval = find(&mut tx, id).await?;
    let approval = approval.ok_or_else(|| anyhow!("there is no approval {id}"))?;
    out.answer(&approval, |page| draw::approval(page, &approval, now))?;
    Ok(())
}

impl Decide {
    async fn run(self, database: &Database, choice: Choice, out: Out) -> anyhow::Result<()> {
        let note = self.note.as_deref();
        let actor = audit::actor();
        let mut tx = database.begin().await?;
        let decided = decide(&mut tx, self.id, &choice, self.revision, &actor, note).await?;
        audit::record(&mut tx, choice.verb(), &self.id.to_string(), note).await?;
        let now = now(&mut tx).await?;
        tx.commit().await?;
        out.answer(&decided, |page| draw::approval(page, &decided, now))?;
        Ok(())
    }
}

async fn overruled(database: &Database, days: i32, out: Out) -> anyhow::Result<()> {
    let decisions = record(&mut *database.begin().await?, days).await?;
    out.answer(&json!({ "decisions": decisions }), |page| {
        draw::record(page, &decisions);
    })?;
    Ok(())
}

async fn policies(database: &Database, of: Option<&str>, out: Out) -> anyhow::Result<()> {
    let policies = list_policies(&mut *database.begin().await?, of).await?;
    out.answer(&json!({ "policies": policies }), |page| {
        draw::policies(page, &policies);
    })?;
    Ok(())
}

impl SetPolicy {
    async fn run(self, database: &Database, out: Out) -> anyhow::Result<()> {
        let policy = Policy {
            threshold: self.threshold,
            review: self.review.into(),
        };
        let tenant = self.tenant.unwrap_or(TenantId::PLATFORM);
        let (actor, note) = (audit::actor(), self.note.as_deref());
        let mut tx = database.begin().await?;
        let set = set_policy(&mut tx, tenant, &self.decision, policy, &actor, note).await?;
        audit::record(&mut tx, "approvals.policy", &self.decision, note).await?;
        tx.commit().await?;
        out.answer(&set, |page| {
            draw::policies(page, std::slice::from_ref(&set));
        })?;
        Ok(())
    }
}
