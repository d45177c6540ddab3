//! `fleet keys`: who may call the API.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use fleet_control_api::Scope;
use fleet_control_api::keys::{CreatedKey, KeyInfo, NewKey, create, list, revoke};
use fleet_queue::TenantId;
use serde_json::json;
use uuid::Uuid;

use crate::database::{Database, Target, now};
use crate::output::{Cell, Hue, Out, Page, Table, ago};
use crate::{audit, input};

/// Who may call the API: make, list and revoke keys
#[derive(Args, Debug)]
pub(crate) struct Keys {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List keys, without their secrets (the default)
    Ls,
    /// Make a key; its text is shown once
    Create(Create),
    /// Revoke a key; it stops working within a second
    Revoke {
        /// The key's id, as listed
        id: Uuid,
    },
}

#[derive(Args, Debug)]
struct Create {
    /// What it is for
    name: String,
    /// Reach only this tenant's rows
    #[arg(long, conflicts_with = "admin")]
    tenant: Option<TenantId>,
    /// May do everything, for every tenant
    #[arg(long, conflicts_with = "scopes")]
    admin: bool,
    /// What it may do, by comma, such as jobs:enqueue,jobs:read
    #[arg(
        long = "scope",
        value_name = "SCOPE",
        value_delimiter = ',',
        required_unless_present = "admin"
    )]
    scopes: Vec<Scope>,
    /// Kinds it may enqueue, by comma [default: any]
    #[arg(long = "kind", value_name = "KIND", value_delimiter = ',')]
    kinds: Vec<String>,
    /// Good for so long [default: until revoked]
    #[arg(long, value_name = "DURATION", value_parser = input::duration)]
    expires_in: Option<Duration>,
}

impl Keys {
    pub(crate) async fn run(self, out: Out) -> anyhow::Result<ExitCode> {
        let database = self.target.connect().await?;
        match self.action.unwrap_or(Action::Ls) {
            Action::Ls => show(&database, out).await?,
            Action::Create(new) => make(&database, new, out).await?,
            Action::Revoke { id } => end(&database, id, out).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn show(database: &Database, out: Out) -> anyhow::Result<()> {
    let mut tx = database.begin().await?;
    let now = now(&mut tx).await?;
    let keys = list(&mut tx).await?;
    out.answer(&json!({ "keys": keys }), |page| draw(page, &keys, now))?;
    Ok(())
}

fn draw(page: &mut Page, keys: &[KeyInfo], now: DateTime<Utc>) {
    let mut table = Table::new(&[
        "ID", "BEGINS", "NAME", "TENANT", "SCOPES", "MADE", "USED", "STATE",
    ]);
    for key in keys {
        table.row([
            key.id.to_string().into(),
            format!("fleet_{}", key.prefix).into(),
            key.name.as_str().into(),
            key.tenant_id
                .map_or("every".to_owned(), |id| id.to_string())
                .into(),
            key.scopes.join(",").into(),
            ago(now, key.created_at).into(),
            key.last_used_at
                .map_or("never".to_owned(), |at| ago(now, at))
                .into(),
            state(key, now),
        ]);
    }
    page.table(
        &table,
        "no keys; `fleet keys create NAME --admin` makes one",
    );
}

fn state(key: &KeyInfo, now: DateTime<Utc>) -> Cell {
    match (key.revoked_at, key.expires_at) {
        (Some(at), _) => Cell::new(Hue::Red, format!("revoked {}", ago(now, at))),
        (None, Some(at)) if at <= now => Cell::new(Hue::Red, format!("expired {}", ago(now, at))),
        (None, Some(at)) => Cell::new(Hue::Green, format!("good, expires {}", ago(now, at))),
        (None, None) => Cell::new(Hue::Green, "good"),
    }
}

async fn make(database: &Database, new: Create, out: Out) -> anyhow::Result<()> {
    let mut tx = database.begin().await?;
    let now = now(&mut tx).await?;
    let new = NewKey {
        name: new.name,
        tenant: new.tenant,
        scopes: if new.admin {
            vec![Scope::Admin]
        } else {
            new.scopes
        },
        kinds: Some(new.kinds).filter(|kinds| !kinds.is_empty()),
        expires_at: new.expires_in.map(|length| now + length),
    };
    let CreatedKey { id, key } = create(&mut tx, &new).await?;
    audit::record(&mut tx, "key.create", &id.to_string(), None).await?;
    tx.commit().await?;
    out.answer(&json!({ "id": id, "key": key }), |page| {
        page.field("id", id);
        page.field_hued("key", Hue::Green, &key);
        page.hued(Hue::Dim, "This is the only time it is shown.");
    })?;
    Ok(())
}

async fn end(database: &Database, id: Uuid, out: Out) -> anyhow::Result<()> {
    let mut tx = database.begin().await?;
    if !revoke(&mut tx, id).await? {
        bail!("no key {id} works; `fleet keys` lists them");
    }
    audit::record(&mut tx, "key.revoke", &id.to_string(), None).await?;
    tx.commit().await?;
    out.answer(&json!({ "revoked": id }), |page| {
        page.line(format_args!("key {id} is revoked"));
    })?;
    Ok(())
}
