//! Tickets as people read them.

use chrono::{DateTime, Utc};
use fleet_jobs::tickets::{Detail, Explained, Listed};
use serde_json::Value;

use crate::output::{Cell, Hue, Page, Table, ago, blank_or};

pub(super) fn tickets(page: &mut Page, tickets: &[Listed], now: DateTime<Utc>) {
    let mut table = Table::new(&[
        "ID", "SUBJECT", "STATUS", "PRIORITY", "CATEGORY", "WHOSE", "DUE", "OPENED",
    ]);
    for ticket in tickets {
        table.row([
            ticket.ticket_id.to_string().into(),
            short(&ticket.subject).into(),
            status(ticket),
            priority(&ticket.priority),
            blank_or(ticket.category.clone()).into(),
            ticket.assigned_to.as_str().into(),
            due(ticket.due_at, now),
            ago(now, ticket.opened_at).into(),
        ]);
    }
    page.table(&table, "no tickets; `fleet demo` makes some");
}

fn short(text: &str) -> String {
    let mut shown: String = text.chars().take(48).collect();
    if text.chars().count() > 48 {
        shown.push('…');
    }
    shown
}

fn status(ticket: &Listed) -> Cell {
    let hue = match ticket.status.as_str() {
        "escalated" => Hue::Red,
        "resolved" => Hue::Green,
        _ if ticket.needs_review => Hue::Yellow,
        _ => Hue::Plain,
    };
    let words = match (ticket.needs_review, ticket.waiting) {
        (true, _) => format!("{}, to review", ticket.status),
        (_, true) => format!("{}, waiting", ticket.status),
        _ => ticket.status.clone(),
    };
    Cell::new(hue, words)
}

fn priority(name: &str) -> Cell {
    let hue = match name {
        "high" => Hue::Red,
        "medium" => Hue::Yellow,
        _ => Hue::Plain,
    };
    Cell::new(hue, name)
}

/// In how long, or how long ago.
fn due(at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Cell {
    let Some(at) = at else {
        return "".into();
    };
    let minutes = (at - now).num_minutes();
    let words = match minutes {
        ..=-1 => ago(now, at),
        0..=119 => format!("in {minutes} min"),
        _ => format!("in {} h", minutes / 60),
    };
    let hue = match minutes {
        ..=-1 => Hue::Red,
        0..=60 => Hue::Yellow,
        _ => Hue::Plain,
    };
    Cell::new(hue, words)
}

pub(super) fn ticket(page: &mut Page, it: &Detail, now: DateTime<Utc>) {
    let ticket = &it.ticket;
    page.heading(&format!("{} ({})", ticket.subject, ticket.ticket_id));
    page.field(
        "status",
        format_args!("{}, {} priority", ticket.status, ticket.priority),
    );
    page.field("about", blank_or(ticket.category.clone()));
    page.field(
        "whose",
        format_args!("{}, level {}", ticket.assigned_to, ticket.escalation_level),
    );
    page.field("client", ticket.client_id);
    if let Some(partner) = ticket.partner_id {
        page.field("partner", partner);
    }
    if ticket.needs_review {
        page.field_hued("review", Hue::Yellow, "a person must look at it");
    }
    if let Some(sentiment) = it.sentiment {
        page.field("sentiment", format_args!("{sentiment:.2}"));
    }
    page.field(
        "version",
        format_args!("{}, revision {}", ticket.version, it.revision),
    );
    page.heading("Promises");
    let mut table = Table::new(&["CLOCK", "STATE", ">MINUTES", "DUE", ">WARNED"]);
    for clock in &it.clocks {
        table.row([
            clock.clock.as_str().into(),
            clock.state.as_str().into(),
            clock.target_minutes.to_string().into(),
            due(clock.due_at, now),
            clock.warned.to_string().into(),
        ]);
    }
    page.table(&table, "none yet");
    page.heading("Said");
    let mut table = Table::new(&["WHEN", "WHO", "WHAT"]);
    for message in &it.messages {
        let first = message.body.lines().next().unwrap_or_default();
        let line: String = first.chars().take(90).collect();
        table.row([
            ago(now, message.sent_at).into(),
            message.author.as_str().into(),
            line.into(),
        ]);
    }
    page.table(&table, "nothing");
    suggestions(page, it);
}

fn suggestions(page: &mut Page, it: &Detail) {
    let titles: Vec<&str> = it
        .suggestions
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|it| it["title"].as_str())
        .collect();
    if !titles.is_empty() {
        page.field("may help", titles.join("; "));
    }
    for link in &it.links {
        page.field(
            "looks like",
            format_args!(
                "{} ({}, {} bits apart)",
                link.other_id, link.reason, link.distance
            ),
        );
    }
}

pub(super) fn why(page: &mut Page, it: &Detail) {
    if it.decisions.is_empty() {
        page.field("not sorted", "no decision was made about it yet");
    }
    for decision in &it.decisions {
        one(page, decision);
    }
}

fn one(page: &mut Page, it: &Explained) {
    page.heading(&format!(
        "{} priority, {}, to {}",
        it.priority, it.category, it.route
    ));
    page.field(
        "by",
        format_args!("{} of revision {}", it.model_version, it.revision),
    );
    page.field(
        "confidence",
        format_args!(
            "{:.0}%, {:.0}% is asked for: {}",
            it.confidence * 100.0,
            it.threshold * 100.0,
            it.outcome
        ),
    );
    let text = |name: &str| {
        it.explanation
            .get(name)
            .filter(|value| !value.is_null())
            .map(plain)
    };
    for (label, name) in [
        ("to review", "review"),
        ("features", "because"),
        ("rules", "rules"),
        ("raised by", "raised_by"),
        ("sentiment", "sentiment"),
        ("language", "language"),
        ("second", "second_opinion"),
    ] {
        if let Some(text) = text(name).filter(|text| !text.is_empty()) {
            page.field(label, text);
        }
    }
}

/// JSON without the marks of JSON, as far as that can be read.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => match number.as_f64() {
            Some(fraction) if !number.is_i64() => format!("{fraction:.2}"),
            _ => number.to_string(),
        },
        Value::Array(items) => match items.as_slice() {
            [Value::String(text), Value::Number(_)] => format!("{text} {}", plain(&items[1])),
            _ => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        },
        Value::Object(fields) => {
            let pairs = fields.iter().filter(|(_, value)| !plain(value).is_empty());
            pairs
                .map(|(name, value)| format!("{name}: {}", plain(value)))
                .collect::<Vec<_>>()
                .join("; ")
        }
        Value::Null => String::new(),
        Value::Bool(is) => is.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_decision_rests_on_reads_as_a_line() {
        let because = json!({ "margin": 0.987_654, "words": [["log in", 0.123], ["page", 0.05]], "hits": ["outage"], "none": null, "n": 3 });
        assert_eq!(
            plain(&because),
            "hits: outage; margin: 0.99; n: 3; words: log in 0.12, page 0.05"
        );
    }
}
