//! `fleet tickets`: what clients ask for, why each was sorted as it was, and what a person decides about one.

mod draw;

use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};
use fleet_jobs::tickets::{Author, Detail, Edit, Filter, NewMessage, Whose, edit, list, say, show};
use fleet_jobs::triage::Priority;
use fleet_queue::TenantId;
use serde::de::DeserializeOwned;
use serde_json::json;
use uuid::Uuid;

use crate::audit;
use crate::database::{Database, Target, now};
use crate::output::Out;

const PRIORITIES: [&str; 3] = ["low", "medium", "high"];
const OWNERS: [&str; 4] = ["tier1", "partner", "senior", "admin"];

/// Tickets: what clients ask for, whose they are, and why
#[derive(Args, Debug)]
pub(crate) struct Tickets {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List tickets, the newest first (the default)
    Ls(Ls),
    /// Show a ticket: what was said, what was promised, what may help
    Show {
        /// The ticket
        ticket: Uuid,
    },
    /// Say why a ticket was sorted as it was
    Why {
        /// The ticket
        ticket: Uuid,
    },
    /// Decide about a ticket; what is set here stands
    Set(Set),
    /// Answer a ticket, as staff
    Answer {
        /// The ticket
        ticket: Uuid,
        /// What to say
        text: String,
        /// It waits for the customer from now on
        #[arg(long)]
        waiting: bool,
    },
}

#[derive(Args, Debug, Default)]
struct Ls {
    /// Only those that stand so: live (all but the resolved), open, in_progress, escalated, resolved
    #[arg(long, value_name = "STATUS", value_parser = ["live", "open", "in_progress", "escalated", "resolved"])]
    status: Option<String>,
    /// Only those so urgent
    #[arg(long, value_name = "PRIORITY", value_parser = PRIORITIES)]
    priority: Option<String>,
    /// Only those about this
    #[arg(long)]
    category: Option<String>,
    /// Only those that are theirs
    #[arg(long, value_name = "WHOSE", value_parser = OWNERS)]
    assigned_to: Option<String>,
    /// Only those that a person must look at
    #[arg(long)]
    review: bool,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: i64,
}

#[derive(Args, Debug)]
struct Set {
    /// The ticket
    ticket: Uuid,
    /// What it is about
    #[arg(long)]
    category: Option<String>,
    /// How urgent it is
    #[arg(long, value_name = "PRIORITY", value_parser = PRIORITIES)]
    priority: Option<String>,
    /// Whose it is
    #[arg(long, value_name = "WHOSE", value_parser = OWNERS)]
    assigned_to: Option<String>,
    /// It is done with (true), or not after all (false)
    #[arg(long, value_name = "BOOL")]
    resolved: Option<bool>,
    /// Whether it waits for the customer
    #[arg(long, value_name = "BOOL")]
    waiting: Option<bool>,
    /// Only if it is still of the version that was looked at
    #[arg(long, value_name = "VERSION")]
    if_version: Option<i32>,
}

impl Tickets {
    pub(crate) async fn run(self, out: Out) -> anyhow::Result<ExitCode> {
        let database = self.target.connect().await?;
        match self.action {
            None => {
                ls(
                    &database,
                    Ls {
                        limit: 20,
                        ..Ls::default()
                    },
                    out,
                )
                .await
            }
            Some(Action::Ls(asked)) => ls(&database, asked, out).await,
            Some(Action::Show { ticket }) => {
                let found = find(&database, ticket).await?;
                let now = now(&mut *database.begin().await?).await?;
                out.answer(&found, |page| draw::ticket(page, &found, now))?;
                Ok(ExitCode::SUCCESS)
            }
            Some(Action::Why { ticket }) => {
                let found = find(&database, ticket).await?;
                out.answer(&json!({ "decisions": found.decisions }), |page| {
                    draw::why(page, &found);
                })?;
                Ok(ExitCode::SUCCESS)
            }
            Some(Action::Set(set)) => set.run(&database, out).await,
            Some(Action::Answer {
                ticket,
                text,
                waiting,
            }) => answer(&database, ticket, text, waiting, out).await,
        }
    }
}

async fn ls(database: &Database, asked: Ls, out: Out) -> anyhow::Result<ExitCode> {
    let filter = Filter {
        status: asked.status,
        priority: asked.priority,
        category: asked.category,
        assigned_to: asked.assigned_to,
        needs_review: asked.review.then_some(true),
        ..Filter::default()
    };
    let mut tx = database.begin().await?;
    let now = now(&mut tx).await?;
    let tickets = list(&mut tx, &filter, asked.limit.clamp(1, 10_000)).await?;
    out.answer(&json!({ "tickets": tickets }), |page| {
        draw::tickets(page, &tickets, now);
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn find(database: &Database, ticket: Uuid) -> anyhow::Result<Detail> {
    let found = show(&mut *database.begin().await?, ticket).await?;
    found.ok_or_else(|| {
        anyhow!("there is no ticket {ticket}; `fleet tickets` lists those there are")
    })
}

/// A word that clap has let through, as the type it stands for.
fn meant<T: DeserializeOwned>(word: Option<String>) -> anyhow::Result<Option<T>> {
    let value = word.map(|word| serde_json::from_value(word.into()));
    value
        .transpose()
        .context("a word of the command line is not known")
}

impl Set {
    async fn run(self, database: &Database, out: Out) -> anyhow::Result<ExitCode> {
        let change = Edit {
            version: self.if_version,
            category: self.category,
            priority: meant::<Priority>(self.priority)?,
            assigned_to: meant::<Whose>(self.assigned_to)?,
            resolved: self.resolved,
            waiting: self.waiting,
        };
        let tenant = TenantId(find(database, self.ticket).await?.ticket.tenant_id);
        let mut tx = database.begin().await?;
        let version = edit(&mut tx, tenant, self.ticket, &change, &audit::actor()).await?;
        let version =
            version.ok_or_else(|| anyhow!("there is no ticket {} any more", self.ticket))?;
        audit::record(&mut tx, "tickets.edit", &self.ticket.to_string(), None).await?;
        tx.commit().await?;
        out.answer(
            &json!({ "ticket_id": self.ticket, "version": version }),
            |page| {
                page.field("set", format_args!("{}, version {version}", self.ticket));
            },
        )?;
        Ok(ExitCode::SUCCESS)
    }
}

async fn answer(
    database: &Database,
    ticket: Uuid,
    text: String,
    waiting: bool,
    out: Out,
) -> anyhow::Result<ExitCode> {
    let tenant = TenantId(find(database, ticket).await?.ticket.tenant_id);
    let message = NewMessage {
        author: Author::Staff,
        body: text,
        message_id: None,
        waiting,
    };
    let mut tx = database.begin().await?;
    let said = say(&mut tx, tenant, ticket, &message).await?;
    let said = said.ok_or_else(|| anyhow!("there is no ticket {ticket} any more"))?;
    audit::record(&mut tx, "tickets.say", &ticket.to_string(), None).await?;
    tx.commit().await?;
    out.answer(&said, |page| page.field("answered", said.message_id))?;
    Ok(ExitCode::SUCCESS)
}
