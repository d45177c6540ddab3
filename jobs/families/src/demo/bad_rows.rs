//! Rows that are wrong, in every way that ingest refuses, as lines of a file: they come in by the front door like anybody's.

use std::fmt::Write;

use super::dice::Dice;
use crate::metrics::MetricRow;

/// The file's header.
pub(super) const HEADER: &str = "tenant_id,client_id,partner_id,campaign_id,day,impressions,clicks,conversions,spend_micros,revenue_micros,currency,agent_variant";

/// A row's line, spoilt in one way or another.
pub(super) fn spoil(row: &MetricRow, dice: &mut Dice) -> Vec<u8> {
    let mut fields = fields(row);
    match dice.below(9) {
        0 => fields[6] = (row.impressions + 1 + dice.below(50) as i64).to_string(),
        1 => fields[7] = (row.clicks + 1).to_string(),
        2 => fields[5] = format!("-{}", fields[5]),
        3 => "2199-01-01".clone_into(&mut fields[4]),
        4 => "XTS".clone_into(&mut fields[10]),
        5 => "12.50 EUR".clone_into(&mut fields[8]),
        6 => fields[3].clear(),
        7 => fields.truncate(7),
        _ => {
            let mut line = fields.join(",").into_bytes();
            line.push(0xff);
            return line;
        }
    }
    fields.join(",").into_bytes()
}

fn fields(row: &MetricRow) -> Vec<String> {
    let mut text = String::new();
    let partner = row
        .partner
        .map(|partner| partner.to_string())
        .unwrap_or_default();
    write!(
        text,
        "{},{},{partner},{},{},{},{},{},{},{},{},{}",
        row.tenant,
        row.client,
        row.campaign,
        row.day,
        row.impressions,
        row.clicks,
        row.conversions,
        row.spend_micros,
        row.revenue_micros,
        row.currency,
        row.variant
    )
    .expect("writing to a string cannot fail");
    text.split(',').map(str::to_owned).collect()
}
