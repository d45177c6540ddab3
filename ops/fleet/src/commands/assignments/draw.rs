//! Assignments, decisions and the waitlist as people read them.

use chrono::{DateTime, Utc};
use fleet_jobs::assignment::{Assignment, Decided, Waiting};
use serde_json::Value;

use crate::output::{Cell, Hue, Page, Table, ago, blank_or};

pub(super) fn assignments(page: &mut Page, assignments: &[Assignment], now: DateTime<Utc>) {
    let mut table = Table::new(&[
        "CLIENT", "PARTNER", ">WEIGHT", "BY", ">SURE", "SINCE", "UNTIL",
    ]);
    for it in assignments {
        table.row([
            called(it.client.as_ref(), &it.client_id).into(),
            called(it.partner.as_ref(), &it.partner_id).into(),
            format!("{:.1}", it.weight).into(),
            mode(it),
            share(it.confidence).into(),
            ago(now, it.started_at).into(),
            blank_or(it.ended_at.map(|at| ago(now, at))).into(),
        ]);
    }
    page.table(
        &table,
        "nobody looks after anybody; `fleet demo` makes some",
    );
}

fn called(name: Option<&String>, id: &uuid::Uuid) -> String {
    name.cloned().unwrap_or_else(|| id.to_string())
}

fn mode(it: &Assignment) -> Cell {
    let name = it.mode.as_deref().unwrap_or("elsewhere");
    let hue = if it.manual_overload {
        Hue::Red
    } else {
        Hue::Plain
    };
    Cell::new(hue, name)
}

fn share(value: Option<f64>) -> String {
    blank_or(value.map(|share| format!("{:.0}%", share * 100.0)))
}

pub(super) fn assignment(page: &mut Page, it: &Assignment, now: DateTime<Utc>) {
    page.heading(&format!(
        "{} is looked after by {}",
        called(it.client.as_ref(), &it.client_id),
        called(it.partner.as_ref(), &it.partner_id)
    ));
    page.field("client", it.client_id);
    page.field("partner", it.partner_id);
    page.field("since", ago(now, it.started_at));
    page.field("weight", it.weight);
    page.field_if(
        "load then",
        it.load_after
            .zip(it.cap_then)
            .map(|(load, cap)| format!("{load} of {cap}")),
    );
    page.field_if("decided by", it.decided_by.as_ref());
    page.field_if("reason", it.reason.as_ref());
    page.field_if("sure", it.confidence.map(|sure| share(Some(sure))));
    if let Some(rationale) = &it.rationale {
        because(page, rationale);
    }
}

/// The rationale: its words, and the candidates with the parts of their scores.
fn because(page: &mut Page, rationale: &Value) {
    page.field_if("because", rationale["summary"].as_str());
    let Some(candidates) = rationale["candidates"]
        .as_array()
        .filter(|all| !all.is_empty())
    else {
        return;
    };
    let mut table = Table::new(&[
        "CANDIDATE",
        "TIER",
        ">SCORE",
        ">CAPACITY",
        ">BOARD",
        ">SKILLS",
        ">HOURS",
        ">LATELY",
        ">LOAD",
    ]);
    for it in candidates {
        let part = |name: &str| figure(&it["parts"][name]);
        table.row([
            it["partner_id"].as_str().unwrap_or_default().into(),
            it["tier"].as_str().unwrap_or_default().into(),
            figure(&it["score"]).into(),
            part("capacity").into(),
            part("leaderboard").into(),
            part("skills").into(),
            part("hours").into(),
            part("recent").into(),
            format!("{} of {}", it["load"], it["cap"]).into(),
        ]);
    }
    page.table(&table, "");
}

fn figure(value: &Value) -> String {
    blank_or(value.as_f64().map(|figure| format!("{figure:.3}")))
}

pub(super) fn decisions(page: &mut Page, name: &str, decisions: &[Decided], now: DateTime<Utc>) {
    page.heading(&format!("Decisions on {name}"));
    if decisions.is_empty() {
        page.field("none", "nothing was decided on it yet");
    }
    for it in decisions {
        page.heading(&format!(
            "{} ({}), {}",
            it.outcome,
            it.mode,
            ago(now, it.decided_at)
        ));
        page.field("by", &it.decided_by);
        page.field_if("reason", it.reason.as_ref());
        because(page, &it.rationale);
    }
}

pub(super) fn waiting(page: &mut Page, waiting: &[Waiting], now: DateTime<Utc>) {
    let mut table = Table::new(&["CLIENT", ">WEIGHT", "WHY", "SINCE", "TRIED", "TOLD"]);
    for it in waiting {
        table.row([
            it.name.as_str().into(),
            format!("{:.1}", it.weight).into(),
            it.why.as_str().into(),
            ago(now, it.since).into(),
            ago(now, it.tried_at).into(),
            blank_or(it.alerted_at.map(|at| ago(now, at))).into(),
        ]);
    }
    page.table(&table, "nobody waits");
}
