//! `fleet limits`: caps and rates, and how much of each is in use.

use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, Subcommand};
use fleet_queue::TenantId;
use fleet_queue::limits::{
    LimitInUse, LimitRule, list_limits, remove_limit, set_limit, set_weight,
};
use serde_json::json;

use crate::audit;
use crate::database::{Database, Target};
use crate::output::{Cell, Hue, Out, Page, Table};

/// Caps and rates: list, set, remove; and tenants' weights
#[derive(Args, Debug)]
pub(crate) struct Limits {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the limits and what is in use of them (the default)
    Ls,
    /// Set a limit; one of the same name is replaced
    Set(Set),
    /// Remove a limit
    Rm {
        /// Its name
        name: String,
    },
    /// Set a tenant's share of the fair walk
    Weight {
        /// The tenant
        tenant: TenantId,
        /// Turns it gets where others get one: 1 to 100
        weight: i16,
    },
}

#[derive(Args, Debug)]
struct Set {
    /// Its name
    name: String,
    /// At most so many running
    #[arg(long, value_name = "N")]
    cap: Option<i32>,
    /// At most so many starts a second, on average
    #[arg(long, value_name = "PER_SECOND")]
    rate: Option<f64>,
    /// Starts that may come at once after a quiet time [default: the rate, at least 1]
    #[arg(long, value_name = "N", requires = "rate")]
    burst: Option<i32>,
    /// Only this queue
    #[arg(long)]
    queue: Option<String>,
    /// Only this kind
    #[arg(long)]
    kind: Option<String>,
    /// Only this tenant
    #[arg(long)]
    tenant: Option<TenantId>,
    /// Each tenant has the limit for itself
    #[arg(long, conflicts_with = "tenant")]
    per_tenant: bool,
}

impl Set {
    fn rule(self) -> LimitRule {
        let burst = self
            .burst
            .or(self.rate.map(|rate| rate.ceil().max(1.0) as i32));
        LimitRule {
            name: self.name,
            queue: self.queue,
            kind: self.kind,
            tenant_id: self.tenant.map(|tenant| tenant.0),
            per_tenant: self.per_tenant,
            cap: self.cap,
            rate: self.rate,
            burst,
        }
    }
}

impl Limits {
    pub(crate) async fn run(self, out: Out) -> anyhow::Result<ExitCode> {
        let database = self.target.connect().await?;
        match self.action.unwrap_or(Action::Ls) {
            Action::Ls => list(&database, out).await?,
            Action::Set(set) => save(&database, set.rule(), out).await?,
            Action::Rm { name } => remove(&database, &name, out).await?,
            Action::Weight { tenant, weight } => weigh(&database, tenant, weight, out).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn list(database: &Database, out: Out) -> anyhow::Result<()> {
    let limits = list_limits(&mut *database.begin().await?).await?;
    out.answer(&json!({ "limits": limits }), |page| draw(page, &limits))?;
    Ok(())
}

fn draw(page: &mut Page, limits: &[LimitInUse]) {
    let mut table = Table::new(&[
        "NAME", "OF", ">CAP", ">RATE/S", ">BURST", ">RUNNING", ">AT CAP",
    ]);
    for limit in limits {
        let rule = &limit.rule;
        let number = |n: Option<i32>| n.map_or(String::new(), |n| n.to_string());
        let full = if limit.full > 0 {
            Hue::Yellow
        } else {
            Hue::Plain
        };
        table.row([
            rule.name.as_str().into(),
            selects(rule).into(),
            number(rule.cap).into(),
            rule.rate
                .map_or(String::new(), |rate| rate.to_string())
                .into(),
            number(rule.burst).into(),
            limit.running.to_string().into(),
            Cell::new(full, limit.full.to_string()),
        ]);
    }
    page.table(
        &table,
        "no limits; `fleet limits set NAME --cap N` makes one",
    );
}

/// Which jobs a rule is about, in words.
fn selects(rule: &LimitRule) -> String {
    let named = |name: &str, value: Option<String>| value.map(|value| format!("{name} {value}"));
    let parts = [
        named("queue", rule.queue.clone()),
        named("kind", rule.kind.clone()),
        named("tenant", rule.tenant_id.map(|id| id.to_string())),
        rule.per_tenant.then(|| "each tenant".to_owned()),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    if parts.is_empty() {
        "all jobs".to_owned()
    } else {
        parts.join(", ")
    }
}

async fn save(database: &Database, rule: LimitRule, out: Out) -> anyhow::Result<()> {
    let mut tx = database.begin().await?;
    set_limit(&mut tx, &rule).await?;
    audit::record(&mut tx, "limit.set", &rule.name, None).await?;
    tx.commit().await?;
    out.answer(&rule, |page| {
        page.line(format_args!(
            "limit {} holds for {}",
            rule.name,
            selects(&rule)
        ));
    })?;
    Ok(())
}

async fn remove(database: &Database, name: &str, out: Out) -> anyhow::Result<()> {
    let mut tx = database.begin().await?;
    if !remove_limit(&mut tx, name).await? {
        bail!("there is no limit named \"{name}\"; `fleet limits` lists them");
    }
    audit::record(&mut tx, "limit.remove", name, None).await?;
    tx.commit().await?;
    out.answer(&json!({ "removed": name }), |page| {
        page.line(format_args!("limit {name} is gone"));
    })?;
    Ok(())
}

async fn weigh(database: &Database, tenant: TenantId, weight: i16, out: Out) -> anyhow::Result<()> {
    let mut tx = database.begin().await?;
    set_weight(&mut tx, tenant, weight).await?;
    audit::record(&mut tx, "tenant.weight", &tenant.to_string(), None).await?;
    tx.commit().await?;
    let said = json!({ "tenant_id": tenant, "weight": weight });
    out.answer(&said, |page| {
        page.line(format_args!(
            "tenant {tenant} gets {weight} turns in each round"
        ));
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_told_in_words() {
        assert_eq!(selects(&LimitRule::default()), "all jobs");
        let rule = LimitRule {
            queue: Some("mail".into()),
            per_tenant: true,
            ..LimitRule::default()
        };
        assert_eq!(selects(&rule), "queue mail, each tenant");
    }
}
