//! Looking at schedules: the list, one of them with its record, its ticks to come.

use anyhow::Context;
use chrono::{DateTime, Utc};
use fleet_queue::TenantId;
use fleet_queue::schedules::{
    Change, Preview, Schedule, TickRecord, Timetable, history, list, record,
};
use serde_json::json;

use super::named;
use crate::database::{Database, now};
use crate::output::{Cell, Hue, Out, Page, Table, ago, state_hue, until};

/// Schedules listed at most.
const LIST_MAX: i64 = 500;
/// Ticks and changes shown of one schedule.
const RECORD_MAX: i64 = 10;

pub(super) async fn list_all(
    database: &Database,
    tenant: Option<TenantId>,
    out: Out,
) -> anyhow::Result<()> {
    let mut tx = database.begin().await?;
    let now = now(&mut tx).await?;
    let schedules = list(&mut tx, tenant, None, LIST_MAX).await?;
    out.answer(&json!({ "schedules": schedules }), |page| {
        draw_list(page, &schedules, now);
    })?;
    Ok(())
}

fn draw_list(page: &mut Page, schedules: &[Schedule], now: DateTime<Utc>) {
    let mut table = Table::new(&["NAME", "KIND", "WHEN", "ZONE", "NEXT", ">MISSED", "STATE"]);
    for schedule in schedules {
        let definition = &schedule.definition;
        table.row([
            definition.name.as_str().into(),
            definition.kind.as_str().into(),
            definition.cron.as_str().into(),
            definition.zone.as_str().into(),
            schedule
                .next_at
                .map_or("ended".to_owned(), |at| ago(now, at))
                .into(),
            schedule.missed_count.to_string().into(),
            state(schedule),
        ]);
    }
    page.table(
        &table,
        "no schedules; `fleet schedules apply` adds those that ship with this binary",
    );
}

fn state(schedule: &Schedule) -> Cell {
    match (&schedule.error, &schedule.paused) {
        (Some(error), _) => Cell::new(Hue::Red, error.as_str()),
        (None, Some(pause)) => Cell::new(
            Hue::Yellow,
            format!("paused by {}: {}", pause.by, pause.note),
        ),
        (None, None) => Cell::new(Hue::Green, "on"),
    }
}

pub(super) async fn show(
    database: &Database,
    tenant: TenantId,
    name: &str,
    out: Out,
) -> anyhow::Result<()> {
    let mut tx = database.begin().await?;
    let now = now(&mut tx).await?;
    let schedule = named(&mut tx, tenant, name).await?;
    let ticks = record(&mut tx, schedule.id, None, RECORD_MAX).await?;
    let changes = history(&mut tx, schedule.id, None, RECORD_MAX).await?;
    let said = json!({ "schedule": schedule, "ticks": ticks, "changes": changes });
    out.answer(&said, |page| {
        draw_one(page, &schedule, &ticks, &changes, now);
    })?;
    Ok(())
}

fn draw_one(
    page: &mut Page,
    schedule: &Schedule,
    ticks: &[TickRecord],
    changes: &[Change],
    now: DateTime<Utc>,
) {
    page.heading(&schedule.definition.name);
    page.field_if("next", schedule.next_at.map(|at| until(now, at)));
    page.field(
        "revision",
        format_args!(
            "{}, by {} {}",
            schedule.revision,
            schedule.updated_by,
            ago(now, schedule.updated_at)
        ),
    );
    page.field("missed", schedule.missed_count);
    if let Some(pause) = &schedule.paused {
        page.field_hued(
            "paused",
            Hue::Yellow,
            format_args!("{} by {}: {}", ago(now, pause.since), pause.by, pause.note),
        );
    }
    if let Some(error) = &schedule.error {
        page.field_hued("error", Hue::Red, error);
    }
    page.heading("Definition");
    // A definition is plain data: it was read from JSON.
    page.line(serde_json::to_string_pretty(&schedule.definition).unwrap_or_default());
    page.heading("Last ticks");
    let mut table = Table::new(&["TICK", "CAUSE", "OUTCOME", "JOB", "STATE", "REASON"]);
    for tick in ticks {
        let state = tick.state.map_or("".into(), |state| {
            Cell::new(state_hue(state), state.as_str())
        });
        table.row([
            until(now, tick.tick_at).into(),
            tick.cause.as_str().into(),
            tick.outcome.as_str().into(),
            tick.job_id.to_string().into(),
            state,
            tick.reason.as_deref().unwrap_or_default().into(),
        ]);
    }
    page.table(&table, "none yet");
    page.heading("Changes");
    for change in changes {
        let note = change
            .note
            .as_deref()
            .map_or(String::new(), |note| format!(": {note}"));
        page.line(format_args!(
            "{:3} {} {} by {}{note}",
            change.revision,
            change.action,
            ago(now, change.at),
            change.by
        ));
    }
}

pub(super) async fn next(
    database: &Database,
    tenant: TenantId,
    name: &str,
    n: usize,
    out: Out,
) -> anyhow::Result<()> {
    let mut tx = database.begin().await?;
    let now = now(&mut tx).await?;
    let schedule = named(&mut tx, tenant, name).await?;
    let table = Timetable::of(&schedule.definition).context("its times cannot be read")?;
    let preview = table.preview(now, n);
    out.answer(&preview, |page| draw_ticks(page, &preview, now))?;
    Ok(())
}

fn draw_ticks(page: &mut Page, preview: &Preview, now: DateTime<Utc>) {
    let past = preview.past.iter().map(|tick| (Hue::Dim, tick));
    for (hue, tick) in past.chain(preview.next.iter().map(|tick| (Hue::Plain, tick))) {
        let local = tick.local.format("%a %Y-%m-%d %H:%M:%S %:z");
        page.hued(
            hue,
            format_args!("{local} {}  {}", preview.zone, ago(now, tick.at)),
        );
    }
}
