//! `fleet clients`: who is served, and by whom; and taking one in.

mod draw;

use std::process::ExitCode;

use anyhow::anyhow;
use clap::{Args, Subcommand};
use fleet_jobs::clients::{Client, NewClient, create_client, list_clients};
use fleet_queue::TenantId;
use serde_json::json;

use crate::audit;
use crate::database::{Database, Target};
use crate::input;
use crate::output::Out;

/// Clients of one name that a refusal can list.
const SEVERAL: i64 = 10;

/// Clients: who is served, and by whom
#[derive(Args, Debug)]
pub(crate) struct Clients {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List clients (the default)
    Ls {
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 30)]
        limit: i64,
    },
    /// Show a client, and who looks after it
    Show {
        /// The client: its id or its name
        client: String,
    },
    /// Take a client in, with the job that finds it a partner
    Add {
        /// Whose client
        #[arg(long)]
        tenant: TenantId,
        /// The client as JSON, such as '{"name": "Acme", "plan": "standard"}'
        client: String,
    },
}

impl Clients {
    pub(crate) async fn run(self, out: Out) -> anyhow::Result<ExitCode> {
        let database = self.target.connect().await?;
        match self.action.unwrap_or(Action::Ls { limit: 30 }) {
            Action::Ls { limit } => ls(&database, limit, out).await,
            Action::Show { client } => {
                let client = choose(&database, &client).await?;
                out.answer(&client, |page| draw::client(page, &client))?;
                Ok(ExitCode::SUCCESS)
            }
            Action::Add { tenant, client } => add(&database, tenant, &client, out).await,
        }
    }
}

async fn ls(database: &Database, limit: i64, out: Out) -> anyhow::Result<ExitCode> {
    let clients = list_clients(
        &mut *database.begin().await?,
        None,
        None,
        limit.clamp(1, 1000),
    )
    .await?;
    out.answer(&json!({ "clients": clients }), |page| {
        draw::clients(page, &clients);
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn add(
    database: &Database,
    tenant: TenantId,
    text: &str,
    out: Out,
) -> anyhow::Result<ExitCode> {
    let client: NewClient =
        serde_json::from_str(text).map_err(|error| anyhow!("the client does not fit: {error}"))?;
    client.check()?;
    let mut tx = database.begin().await?;
    let created = create_client(&mut tx, tenant, &client).await?;
    audit::record(
        &mut tx,
        "clients.create",
        &created.client_id.to_string(),
        None,
    )
    .await?;
    tx.commit().await?;
    database.wake(&["default".to_owned()]).await;
    out.answer(&created, |page| {
        page.heading(&format!("{} was taken in", client.name));
        page.field("client", created.client_id);
        page.field_if("job", created.job_id);
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The client that is meant; ambiguity is refused with the candidates.
pub(super) async fn choose(database: &Database, called: &str) -> anyhow::Result<Client> {
    let mut tx = database.begin().await?;
    let found = list_clients(&mut tx, Some(called), None, SEVERAL).await?;
    input::only(found, "client", called, |it| it.client_id)
}
