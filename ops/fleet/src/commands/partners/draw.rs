//! Partners and their capacity as people read them.

use chrono::{DateTime, Utc};
use fleet_jobs::capacity::{Capacity, Level, Listed};

use crate::output::{Cell, Hue, Page, Table, ago, blank_or};

pub(super) fn partners(page: &mut Page, partners: &[Listed]) {
    let mut table = Table::new(&[
        "ID", "NAME", "TIER", "STATUS", ">LOAD", ">CAP", ">SCORE", "LEVEL",
    ]);
    for partner in partners {
        let figure = |value: Option<f64>| blank_or(value.map(|value| format!("{value:.2}")));
        table.row([
            partner.partner_id.to_string().into(),
            partner.name.as_str().into(),
            partner.tier.as_str().into(),
            partner.status.as_str().into(),
            figure(partner.load).into(),
            figure(partner.cap).into(),
            figure(partner.score).into(),
            partner.level.as_deref().map_or("".into(), level),
        ]);
    }
    page.table(&table, "no partners; `fleet demo` makes some");
}

fn level(name: &str) -> Cell {
    let hue = match Level::named(name) {
        Some(Level::Full) => Hue::Red,
        Some(Level::NearFull) => Hue::Yellow,
        _ => Hue::Green,
    };
    Cell::new(hue, name)
}

pub(super) fn capacity(page: &mut Page, it: &Capacity, now: DateTime<Utc>) {
    page.heading(&format!("{} ({}, {})", it.name, it.tier, it.status));
    page.field("score", format_args!("{:.2} of 100", it.score));
    page.field(
        "load",
        format_args!("{:.2} of {:.2}, {}", it.load, it.cap, it.level),
    );
    page.field("headroom", part(it, "headroom"));
    page.field("promises", part(it, "sla"));
    page.field("response", part(it, "response"));
    page.field("success", part(it, "success"));
    page.field(
        "confidence",
        format_args!("{:.0}% from its own history", it.confidence * 100.0),
    );
    page.field("computed", ago(now, it.computed_at));
    let mut table = Table::new(&["COMPUTED", ">LOAD", ">CAP", ">SCORE", "LEVEL"]);
    for past in &it.history {
        table.row([
            ago(now, past.computed_at).into(),
            format!("{:.2}", past.load).into(),
            format!("{:.2}", past.cap).into(),
            format!("{:.2}", past.score).into(),
            level(&past.level),
        ]);
    }
    page.table(&table, "no history is asked for");
}

/// A component, as a share.
fn part(it: &Capacity, name: &str) -> String {
    let value = it.components.get(name).and_then(serde_json::Value::as_f64);
    blank_or(value.map(|share| format!("{:.1}%", share * 100.0)))
}
