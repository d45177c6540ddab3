//! Approvals as people read them.

use chrono::{DateTime, Utc};
use fleet_jobs::approval::{Approval, PolicyRow, Record};
use serde_json::Value;

use crate::output::{Cell, Hue, Page, Table, ago, blank_or, until};

pub(super) fn list(page: &mut Page, approvals: &[Approval], now: DateTime<Utc>) {
    let mut table = Table::new(&[
        "ID", "DECISION", "ABOUT", "STATUS", ">SURE", "ASKED", "ENDS", "BY",
    ]);
    for it in approvals {
        table.row([
            it.approval_id.to_string().into(),
            it.decision.as_str().into(),
            it.subject.to_string().into(),
            status(&it.status),
            share(it.confidence).into(),
            ago(now, it.asked_at).into(),
            blank_or(it.expires_at.map(|at| until(now, at))).into(),
            blank_or(it.decided_by.as_ref()).into(),
        ]);
    }
    page.table(&table, "nothing waits for a person");
}

fn status(name: &str) -> Cell {
    let hue = match name {
        "pending" => Hue::Yellow,
        "approved" => Hue::Green,
        "rejected" | "corrected" => Hue::Red,
        _ => Hue::Dim,
    };
    Cell::new(hue, name)
}

fn share(value: Option<f64>) -> String {
    blank_or(value.map(|share| format!("{:.0}%", share * 100.0)))
}

pub(super) fn approval(page: &mut Page, it: &Approval, now: DateTime<Utc>) {
    page.heading(&format!("{} about {}", it.decision, it.subject));
    page.field("approval", it.approval_id);
    page.field("status", &it.status);
    page.field("revision", it.revision);
    page.field_if("sure", it.confidence.map(|sure| share(Some(sure))));
    page.field_if("wanted", it.threshold.map(|sure| share(Some(sure))));
    page.field("asked", ago(now, it.asked_at));
    page.field_if("ends", it.expires_at.map(|at| until(now, at)));
    page.field_if("decided", it.decided_at.map(|at| ago(now, at)));
    page.field_if("by", it.decided_by.as_ref());
    page.field_if("note", it.note.as_ref());
    lines(page, "would be done", &it.proposal);
    if let Some(correction) = &it.correction {
        lines(page, "done instead", correction);
    }
    lines(page, "because", &it.rationale);
}

/// A document, indented below its name.
fn lines(page: &mut Page, name: &str, document: &Value) {
    page.line(format_args!("{name}:"));
    for line in format!("{document:#}").lines() {
        page.line(format_args!("  {line}"));
    }
}

pub(super) fn policies(page: &mut Page, policies: &[PolicyRow]) {
    let mut table = Table::new(&[
        "DECISION",
        "TENANT",
        ">VERSION",
        "REVIEW",
        ">THRESHOLD",
        "SET BY",
        "NOTE",
    ]);
    for it in policies {
        let tenant = (!it.tenant_id.is_nil()).then_some(it.tenant_id);
        table.row([
            it.decision.as_str().into(),
            tenant.map_or("every other".into(), |id| id.to_string().into()),
            it.version.to_string().into(),
            it.review.as_str().into(),
            format!("{:.2}", it.threshold).into(),
            it.set_by.as_str().into(),
            blank_or(it.note.as_ref()).into(),
        ]);
    }
    page.table(&table, "no decision of that name has a policy");
}

pub(super) fn record(page: &mut Page, decisions: &[Record]) {
    let mut table = Table::new(&[
        "DECISION",
        ">PENDING",
        ">APPROVED",
        ">REJECTED",
        ">CORRECTED",
        ">EXPIRED",
        ">OVERRULED",
    ]);
    for it in decisions {
        table.row([
            it.decision.as_str().into(),
            it.pending.to_string().into(),
            it.approved.to_string().into(),
            it.rejected.to_string().into(),
            it.corrected.to_string().into(),
            it.expired.to_string().into(),
            share(it.overruled).into(),
        ]);
    }
    page.table(&table, "nothing was asked yet");
}
