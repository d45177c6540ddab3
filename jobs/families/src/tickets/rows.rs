//! A row of a file as a ticket: its fields by the header's columns or by their names, each checked on its own.

use std::borrow::Cow;
use std::collections::BTreeMap;

use fleet_queue::TenantId;
use uuid::Uuid;

use super::error::TicketError;
use super::intake::NewTicket;
use crate::metrics::split;

/// What a row can say.
pub(super) const COLUMNS: [&str; 7] = [
    "tenant_id",
    "client_id",
    "subject",
    "body",
    "external_id",
    "message_id",
    "opened_at",
];

/// A row's tenant and ticket. `own`: whose rows the source may bring.
pub(super) fn row(
    header: Option<&[Option<usize>]>,
    own: Option<TenantId>,
    text: &str,
) -> Result<(TenantId, NewTicket), TicketError> {
    let mut fields = match header {
        Some(header) => by_header(header, text)?,
        None => by_name(text)?,
    };
    let mut id = |name: &'static str| {
        let text = fields.remove(name).filter(|text| !text.is_empty());
        let parsed = text.map(|text| {
            text.trim()
                .parse::<Uuid>()
                .map_err(|_| TicketError::refused(name, format!("\"{text}\" is no UUID")))
        });
        parsed.transpose()
    };
    let (named, client) = (id("tenant_id")?.map(TenantId), id("client_id")?);
    let missing = |field| TicketError::refused(field, "is missing");
    let tenant = match (own, named) {
        (Some(own), Some(other)) if own != other => {
            Err(TicketError::refused("tenant_id", "is another tenant's"))
        }
        (Some(own), _) => Ok(own),
        (None, named) => named.ok_or_else(|| missing("tenant_id")),
    }?;
    let opened = fields.remove("opened_at").filter(|text| !text.is_empty());
    let opened_at = opened.map(|text| {
        text.parse().map_err(|_| {
            TicketError::refused(
                "opened_at",
                format!("\"{text}\" is no time; 2026-11-21T10:00:00Z is one"),
            )
        })
    });
    let mut text = |name| fields.remove(name).unwrap_or_default();
    let optional = |text: String| (!text.is_empty()).then_some(text);
    let ticket = NewTicket {
        client_id: client.ok_or_else(|| missing("client_id"))?,
        subject: text("subject"),
        body: text("body"),
        external_id: optional(text("external_id")),
        message_id: optional(text("message_id")),
        opened_at: opened_at.transpose()?,
    };
    Ok((tenant, ticket))
}

type Fields = BTreeMap<&'static str, String>;

fn by_header(header: &[Option<usize>], text: &str) -> Result<Fields, TicketError> {
    let values =
        split(text).ok_or_else(|| TicketError::refused("line", "has an unclosed quote"))?;
    if values.len() != header.len() {
        let problem = format!(
            "has {} fields, the header has {}",
            values.len(),
            header.len()
        );
        return Err(TicketError::refused("line", problem));
    }
    let named = header
        .iter()
        .zip(values)
        .filter_map(|(column, value)| Some((COLUMNS[(*column)?], value)));
    Ok(named
        .map(|(name, value)| (name, value.replace("\\n", "\n")))
        .collect())
}

fn by_name(text: &str) -> Result<Fields, TicketError> {
    let object: BTreeMap<Cow<'_, str>, serde_json::Value> = serde_json::from_str(text)
        .map_err(|error| TicketError::refused("line", format!("is no JSON object: {error}")))?;
    let mut fields = Fields::new();
    for (name, value) in object {
        let Some(column) = COLUMNS.iter().find(|column| **column == name) else {
            let shown: String = name.chars().take(60).collect();
            return Err(TicketError::refused(
                "line",
                format!("has a field \"{shown}\", which means nothing here"),
            ));
        };
        match value {
            serde_json::Value::Null => {}
            serde_json::Value::String(text) => {
                fields.insert(column, text);
            }
            _ => return Err(TicketError::refused(column, "is no text")),
        }
    }
    Ok(fields)
}
