//! What people do about assignments: by a job that is followed to its end, or at once.

use std::process::ExitCode;

use anyhow::anyhow;
use clap::Args;
use fleet_jobs::assignment::{self, ByHand, assign_by_hand};
use fleet_queue::{NewJob, TenantId};

use super::{choose_client, partner};
use crate::audit;
use crate::commands::jobs::run_job;
use crate::database::Database;
use crate::output::Out;

#[derive(Args, Debug)]
pub(super) struct Auto {
    /// The client: its id or its name
    client: String,
    /// Decide anew where a proposal waits for a person
    #[arg(long)]
    force: bool,
}

impl Auto {
    pub(super) async fn run(self, database: &Database, out: Out) -> anyhow::Result<ExitCode> {
        let client = choose_client(database, &self.client).await?;
        let auto = assignment::Auto {
            force: self.force,
            ..assignment::Auto::of(client.client_id)
        };
        let done = carry_out(
            database,
            &auto.new_job(TenantId(client.tenant_id)),
            None,
            out,
        )
        .await?;
        if done == ExitCode::SUCCESS {
            return super::why(database, &client.client_id.to_string(), out).await;
        }
        Ok(done)
    }
}

#[derive(Args, Debug)]
pub(super) struct Assign {
    /// The client: its id or its name
    client: String,
    /// The partner: its id or its name
    partner: String,
    /// Why
    #[arg(long)]
    reason: String,
    /// Even beyond what the partner takes
    #[arg(long)]
    manual_overload: bool,
}

impl Assign {
    pub(super) async fn run(self, database: &Database, out: Out) -> anyhow::Result<ExitCode> {
        let client = choose_client(database, &self.client).await?;
        let to = partner(database, &self.partner).await?;
        let by = audit::actor();
        let mut tx = database.begin().await?;
        let by_hand = ByHand {
            tenant: TenantId(client.tenant_id),
            client: client.client_id,
            partner: to,
            reason: &self.reason,
            overload: self.manual_overload,
            by: &by,
        };
        let made = assign_by_hand(&mut tx, &by_hand).await?;
        let subject = client.client_id.to_string();
        audit::record(&mut tx, "assignments.assign", &subject, Some(&self.reason)).await?;
        tx.commit().await?;
        out.answer(&made, |page| {
            page.heading(&format!(
                "{} is looked after by {}",
                client.name, self.partner
            ));
            page.field("load", format_args!("{} of {}", made.load, made.cap));
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Args, Debug)]
pub(super) struct Transfer {
    /// The client: its id or its name
    client: String,
    /// Who shall look after it: its id or its name
    #[arg(long)]
    to: String,
    /// Why
    #[arg(long)]
    reason: Option<String>,
}

impl Transfer {
    pub(super) async fn run(self, database: &Database, out: Out) -> anyhow::Result<ExitCode> {
        let client = choose_client(database, &self.client).await?;
        let from = client.partner_id;
        let from = from.ok_or_else(|| {
            anyhow!(
                "nobody looks after {}; `fleet assignments auto` finds it a partner",
                client.name
            )
        })?;
        let transfer = assignment::Transfer {
            client_id: client.client_id,
            from,
            to: partner(database, &self.to).await?,
            reason: self.reason.clone(),
        };
        let job = NewJob::of(&transfer).tenant(TenantId(client.tenant_id));
        let done = carry_out(database, &job, self.reason.as_deref(), out).await?;
        if done == ExitCode::SUCCESS {
            return super::show(database, &client.client_id.to_string(), out).await;
        }
        Ok(done)
    }
}

#[derive(Args, Debug)]
pub(super) struct Rebalance {
    /// The partner: its id or its name
    partner: String,
    /// Why
    #[arg(long)]
    reason: String,
}

impl Rebalance {
    pub(super) async fn run(self, database: &Database, out: Out) -> anyhow::Result<ExitCode> {
        let rebalance = assignment::Rebalance {
            partner_id: partner(database, &self.partner).await?,
            reason: self.reason.clone(),
        };
        let done = carry_out(database, &NewJob::of(&rebalance), Some(&self.reason), out).await?;
        if done == ExitCode::SUCCESS {
            out.note("what was proposed: fleet approvals ls --decision rebalance");
        }
        Ok(done)
    }
}

#[derive(Args, Debug)]
pub(super) struct DetachAll {
    /// The partner: its id or its name
    partner: String,
    /// Why
    #[arg(long)]
    reason: Option<String>,
}

impl DetachAll {
    pub(super) async fn run(self, database: &Database, out: Out) -> anyhow::Result<ExitCode> {
        let detach = assignment::DetachAll {
            partner_id: partner(database, &self.partner).await?,
            reason: self.reason.clone(),
        };
        carry_out(database, &NewJob::of(&detach), self.reason.as_deref(), out).await
    }
}

/// Enqueues the job, with the audit of who wanted it, and follows it.
async fn carry_out(
    database: &Database,
    job: &NewJob,
    reason: Option<&str>,
    out: Out,
) -> anyhow::Result<ExitCode> {
    let mut tx = database.begin().await?;
    audit::job(&mut tx, "jobs.enqueue", job.id, reason).await?;
    if run_job(database, tx, job, out).await? {
        Ok(ExitCode::SUCCESS)
    } else {
        Ok(ExitCode::FAILURE)
    }
}
