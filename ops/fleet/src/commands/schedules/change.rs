//! Changing schedules. Each change is recorded with the schedule and in the audit, in one transaction.

use std::path::Path;

use anyhow::{Context, bail};
use fleet_queue::schedules::{
    Applied, Definition, Expect, apply, delete, pause, put, resume, run_now,
};
use fleet_queue::{TenantId, WorkerId, wake};
use serde::Deserialize;
use serde_json::json;

use super::named;
use crate::database::Database;
use crate::output::{Hue, Out};
use crate::{audit, input};

pub(super) async fn pause_it(
    database: &Database,
    tenant: TenantId,
    name: &str,
    note: &str,
    out: Out,
) -> anyhow::Result<()> {
    let mut tx = database.begin().await?;
    let schedule = named(&mut tx, tenant, name).await?;
    pause(&mut tx, schedule.id, note, &audit::actor()).await?;
    audit::record(&mut tx, "schedule.pause", name, Some(note)).await?;
    tx.commit().await?;
    out.answer(&json!({ "paused": name }), |page| {
        page.line(format_args!("{name} fires no tick until it is resumed"));
    })?;
    Ok(())
}

pub(super) async fn resume_it(
    database: &Database,
    tenant: TenantId,
    name: &str,
    out: Out,
) -> anyhow::Result<()> {
    let mut tx = database.begin().await?;
    let schedule = named(&mut tx, tenant, name).await?;
    if !resume(&mut tx, schedule.id, &audit::actor()).await? {
        bail!("schedule \"{name}\" is not paused");
    }
    audit::record(&mut tx, "schedule.resume", name, None).await?;
    tx.commit().await?;
    out.answer(&json!({ "resumed": name }), |page| {
        page.line(format_args!("{name} fires from its next tick on"));
    })?;
    Ok(())
}

pub(super) async fn run(
    database: &Database,
    tenant: TenantId,
    name: &str,
    out: Out,
) -> anyhow::Result<()> {
    let mut tx = database.begin().await?;
    let schedule = named(&mut tx, tenant, name).await?;
    let ran = run_now(&mut tx, schedule.id)
        .await?
        .with_context(|| format!("schedule \"{name}\" was deleted meanwhile"))?;
    audit::record(&mut tx, "schedule.run", name, None).await?;
    tx.commit().await?;
    database.wake(ran.queue.as_slice()).await;
    let mut conn = database.db().acquire("wake.nudge").await?;
    for worker in ran.told {
        wake::nudge(&mut conn, WorkerId(worker)).await?;
    }
    let said = json!({ "schedule": name, "job_id": ran.tick.job, "fired": ran.tick.fired, "tick_at": ran.tick.tick_at });
    out.answer(&said, |page| match ran.queue {
        Some(_) => page.line(format_args!("job {}", ran.tick.job)),
        None => page.hued(
            Hue::Yellow,
            format_args!(
                "skipped: job {} of an earlier tick is in its way",
                ran.tick.job
            ),
        ),
    })?;
    Ok(())
}

pub(super) async fn put_it(
    database: &Database,
    tenant: TenantId,
    text: &str,
    revision: Option<i32>,
    out: Out,
) -> anyhow::Result<()> {
    let definition: Definition = serde_json::from_value(input::payload(text)?)
        .context("this is no definition of a schedule")?;
    let expect = revision.map_or(Expect::Any, Expect::Revision);
    let mut tx = database.begin().await?;
    let done = put(&mut tx, tenant, &definition, expect, &audit::actor()).await?;
    audit::record(&mut tx, "schedule.put", &definition.name, None).await?;
    tx.commit().await?;
    let said = json!({ "id": done.id, "revision": done.revision, "changed": done.changed });
    out.answer(&said, |page| {
        if done.changed {
            page.line(format_args!(
                "schedule {} is at revision {}",
                definition.name, done.revision
            ));
        } else {
            page.line(format_args!(
                "schedule {} said this already",
                definition.name
            ));
        }
    })?;
    Ok(())
}

pub(super) async fn remove(
    database: &Database,
    tenant: TenantId,
    name: &str,
    out: Out,
) -> anyhow::Result<()> {
    let mut tx = database.begin().await?;
    let schedule = named(&mut tx, tenant, name).await?;
    delete(&mut tx, schedule.id, &audit::actor()).await?;
    audit::record(&mut tx, "schedule.delete", name, None).await?;
    tx.commit().await?;
    out.answer(&json!({ "deleted": name }), |page| {
        page.line(format_args!(
            "schedule {name} is gone; what it enqueued is left alone"
        ));
    })?;
    Ok(())
}

/// A file of schedules, as the one that ships.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schedule: Vec<Definition>,
}

pub(super) async fn apply_file(
    database: &Database,
    file: Option<&Path>,
    out: Out,
) -> anyhow::Result<()> {
    let definitions = match file {
        None => fleet_scheduler::default_schedules(),
        Some(path) => read(path).with_context(|| format!("could not use {}", path.display()))?,
    };
    let mut tx = database.begin().await?;
    let applied = apply(&mut tx, &definitions).await?;
    audit::record(
        &mut tx,
        "schedule.apply",
        &format!("{} schedules", definitions.len()),
        None,
    )
    .await?;
    tx.commit().await?;
    say(&applied, out)
}

fn read(path: &Path) -> anyhow::Result<Vec<Definition>> {
    let file: File = toml::from_str(&std::fs::read_to_string(path)?)?;
    Ok(file.schedule)
}

fn say(applied: &Applied, out: Out) -> anyhow::Result<()> {
    let said = json!({
        "added": applied.added, "updated": applied.updated, "kept": applied.kept,
        "skipped": applied.skipped.iter().map(|(name, why)| json!({ "name": name, "why": why })).collect::<Vec<_>>(),
    });
    out.answer(&said, |page| {
        for (word, names) in [
            ("added", &applied.added),
            ("updated", &applied.updated),
            ("kept", &applied.kept),
        ] {
            if !names.is_empty() {
                page.field(word, names.join(", "));
            }
        }
        for (name, why) in &applied.skipped {
            page.field_hued("skipped", Hue::Yellow, format_args!("{name}: {why}"));
        }
    })?;
    Ok(())
}
