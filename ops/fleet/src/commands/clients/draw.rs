//! Clients as people read them.

use fleet_jobs::clients::Client;

use crate::output::{Cell, Hue, Page, Table, blank_or, count};

pub(super) fn clients(page: &mut Page, clients: &[Client]) {
    let mut table = Table::new(&[
        "ID",
        "NAME",
        "STATUS",
        "PLAN",
        "INDUSTRY",
        "LOOKED AFTER BY",
    ]);
    for it in clients {
        table.row([
            it.client_id.to_string().into(),
            it.name.as_str().into(),
            it.status.as_str().into(),
            it.plan.as_str().into(),
            it.industry.as_deref().unwrap_or("").into(),
            partner(it),
        ]);
    }
    page.table(&table, "no clients; `fleet demo` makes some");
}

fn partner(it: &Client) -> Cell {
    match (it.partner_id, it.proposed_partner_id, it.waiting_since) {
        (Some(partner), ..) => Cell::new(Hue::Green, partner.to_string()),
        (_, Some(partner), _) => Cell::new(Hue::Yellow, format!("{partner}, if a person approves")),
        (.., Some(_)) => Cell::new(Hue::Red, "nobody; it waits"),
        _ => Cell::new(Hue::Dim, "nobody"),
    }
}

pub(super) fn client(page: &mut Page, it: &Client) {
    page.heading(&format!("{} ({}, {})", it.name, it.plan, it.status));
    page.field("client", it.client_id);
    page.field("tenant", it.tenant_id);
    page.field("since", it.active_since);
    page.field(
        "monthly budget",
        count(it.monthly_budget_micros / 1_000_000),
    );
    page.field_if("industry", it.industry.as_ref());
    page.field("channels", it.channels.join(", "));
    page.field("languages", it.languages.join(", "));
    page.field_if("region", it.region.as_ref());
    page.field("exclusive", it.exclusive);
    page.field("zone", &it.zone);
    page.field("looked after by", blank_or(it.partner_id));
    page.field_if("proposed", it.proposed_partner_id);
    page.field_if("waits since", it.waiting_since);
}
