//! Judges a row by itself: types, signs, what cannot exceed what, the day, the currency, whose it is.
//!
//! What only the database knows (is this a partner?) is [`super::identity`]'s.

use std::collections::HashMap;

use chrono::NaiveDate;
use uuid::Uuid;

use super::reason::{Fault, Reason};
use super::row::{MetricRow, Origin, Raw, Scope, id_of};

/// No count or amount of a single day is larger: a hundred million units of a currency.
const LARGEST: i64 = 100_000_000_000_000;
const LONGEST_ID: usize = 200;
const LONGEST_SEGMENT: usize = 60;
const LONGEST_VARIANT: usize = 40;

/// What rows are measured against; read once for an ingest.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) scope: Scope,
    /// The database's day, in UTC.
    pub(crate) today: NaiveDate,
    /// First day with an exchange rate, by currency.
    pub(crate) currencies: HashMap<String, NaiveDate>,
}

impl Rules {
    /// The row, or the first thing wrong with it.
    pub(crate) fn check(&self, raw: &Raw<'_>) -> Result<MetricRow, Fault> {
        let tenant = self.tenant(raw)?;
        let day = self.day(raw)?;
        let origin = origin(raw)?;
        let row = MetricRow {
            tenant,
            client: id_of("client", tenant, &origin.client),
            partner: (!origin.partner.is_empty())
                .then(|| id_of("partner", Uuid::nil(), &origin.partner)),
            campaign: id_of("campaign", tenant, &origin.campaign),
            day,
            variant: text(raw, "agent_variant", LONGEST_VARIANT)?
                .unwrap_or("baseline")
                .to_owned(),
            impressions: count(raw, "impressions")?,
            clicks: count(raw, "clicks")?,
            conversions: count(raw, "conversions")?,
            spend_micros: count(raw, "spend_micros")?,
            revenue_micros: count(raw, "revenue_micros")?,
            currency: self.currency(raw, day)?,
            conversion_hours: hours(raw)?,
            origin,
        };
        plausible(&row)?;
        Ok(row)
    }

    fn tenant(&self, raw: &Raw<'_>) -> Result<Uuid, Fault> {
        let stated = raw
            .get("tenant_id")
            .map(|text| Uuid::try_parse(text).map_err(|_| Fault::at("tenant_id", Reason::NotAnId)))
            .transpose()?;
        match (self.scope, stated) {
            (Scope::Platform, Some(tenant)) if !tenant.is_nil() => Ok(tenant),
            (Scope::Platform, _) => Err(Fault::at("tenant_id", Reason::Missing)),
            (Scope::Tenant(own), Some(stated)) if stated != own.0 => {
                Err(Fault::at("tenant_id", Reason::ForeignTenant))
            }
            (Scope::Tenant(own), _) => Ok(own.0),
        }
    }

    fn day(&self, raw: &Raw<'_>) -> Result<NaiveDate, Fault> {
        let text = required(raw, "day", LONGEST_SEGMENT)?;
        let day = date(text).ok_or(Fault::at("day", Reason::BadDate))?;
        if day > self.today {
            Err(Fault::at("day", Reason::FutureDay))
        } else {
            Ok(day)
        }
    }

    fn currency(&self, raw: &Raw<'_>, day: NaiveDate) -> Result<String, Fault> {
        let code = raw
            .get("currency")
            .ok_or(Fault::at("currency", Reason::Missing))?;
        match self.currencies.get(code) {
            Some(since) if *since <= day => Ok(code.to_owned()),
            _ => Err(Fault::at("currency", Reason::UnknownCurrency)),
        }
    }

    /// Where a refused row would have belonged, as far as can be told: tenant, campaign, day.
    pub(crate) fn place(&self, raw: &Raw<'_>) -> (Uuid, Option<Uuid>, Option<NaiveDate>) {
        let tenant = match self.scope {
            Scope::Tenant(own) => own.0,
            Scope::Platform => self.tenant(raw).unwrap_or_default(),
        };
        let campaign = raw
            .get("campaign_id")
            .map(|text| id_of("campaign", tenant, text));
        (tenant, campaign, raw.get("day").and_then(date))
    }
}

/// A date written YYYY-MM-DD, and nothing else: 01/02/26 is two days.
fn date(text: &str) -> Option<NaiveDate> {
    (text.len() == 10)
        .then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok())
        .flatten()
}

fn origin(raw: &Raw<'_>) -> Result<Origin, Fault> {
    Ok(Origin {
        client: required(raw, "client_id", LONGEST_ID)?.to_owned(),
        partner: text(raw, "partner_id", LONGEST_ID)?
            .unwrap_or_default()
            .to_owned(),
        campaign: required(raw, "campaign_id", LONGEST_ID)?.to_owned(),
        industry: text(raw, "industry", LONGEST_SEGMENT)?.map(str::to_lowercase),
        channel: text(raw, "channel", LONGEST_SEGMENT)?.map(str::to_lowercase),
    })
}

fn text<'a>(raw: &'a Raw<'_>, field: &str, longest: usize) -> Result<Option<&'a str>, Fault> {
    match raw.get(field) {
        // NUL is valid UTF-8 that PostgreSQL's text cannot hold.
        Some(text) if text.contains('\0') => Err(Fault::at(field, Reason::Malformed)),
        Some(text) if text.chars().count() > longest => Err(Fault::at(field, Reason::TooLong)),
        found => Ok(found),
    }
}

fn required<'a>(raw: &'a Raw<'_>, field: &str, longest: usize) -> Result<&'a str, Fault> {
    text(raw, field, longest)?.ok_or(Fault::at(field, Reason::Missing))
}

fn count(raw: &Raw<'_>, field: &str) -> Result<i64, Fault> {
    let text = raw.get(field).ok_or(Fault::at(field, Reason::Missing))?;
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Fault::at(field, Reason::NotANumber));
    }
    match text.parse() {
        Ok(number) if number < 0 => Err(Fault::at(field, Reason::Negative)),
        Ok(number) if number <= LARGEST => Ok(number),
        _ => Err(Fault::at(field, Reason::TooLarge)),
    }
}

fn hours(raw: &Raw<'_>) -> Result<Option<i16>, Fault> {
    let field = "conversion_hours";
    match raw.get(field).map(|_| count(raw, field)).transpose()? {
        Some(hours) if hours > 24 => Err(Fault::at(field, Reason::TooLarge)),
        hours => Ok(hours.map(|hours| hours as i16)),
    }
}

fn plausible(row: &MetricRow) -> Result<(), Fault> {
    if row.clicks > row.impressions {
        return Err(Fault::at("clicks", Reason::ClicksExceedImpressions));
    }
    if row.conversions > row.clicks {
        return Err(Fault::at("conversions", Reason::ConversionsExceedClicks));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use fleet_queue::TenantId;
    use proptest::prelude::*;

    use super::super::ndjson;
    use super::super::row::FIELDS;
    use super::*;

    const TENANT: Uuid = Uuid::from_u128(7);

    fn rules(scope: Scope) -> Rules {
        let day = |text| date(text).expect("a date");
        Rules {
            scope,
            today: day("2026-11-20"),
            currencies: HashMap::from([("EUR".to_owned(), day("2026-01-01"))]),
        }
    }

    fn good() -> serde_json::Value {
        serde_json::json!({
            "tenant_id": TENANT, "client_id": "acme", "campaign_id": 17, "day": "2026-11-20", "impressions": 100,
            "clicks": 10, "conversions": 1, "spend_micros": 5, "revenue_micros": 9, "currency": "EUR",
        })
    }

    fn judge(scope: Scope, field: &str, value: serde_json::Value) -> Result<MetricRow, Fault> {
        let mut row = good();
        row[field] = value;
        let line = row.to_string();
        rules(scope).check(&ndjson::record(&line)?)
    }

    #[test]
    fn takes_a_good_row() {
        let row = judge(Scope::Platform, "clicks", 10.into()).expect("good");
        assert_eq!(
            (row.tenant, row.partner, row.variant.as_str()),
            (TENANT, None, "baseline")
        );
        assert_eq!(row.campaign, id_of("campaign", TENANT, "17"));
    }

    #[test]
    fn names_the_field_and_the_reason() {
        let long = "x".repeat(201);
        for (field, value, reason) in [
            ("clicks", "101".into(), Reason::ClicksExceedImpressions),
            ("conversions", 11.into(), Reason::ConversionsExceedClicks),
            ("impressions", (-1).into(), Reason::Negative),
            ("impressions", "1e3".into(), Reason::NotANumber),
            (
                "spend_micros",
                "99999999999999999999".into(),
                Reason::TooLarge,
            ),
            ("revenue_micros", "".into(), Reason::Missing),
            ("day", "2026-11-21".into(), Reason::FutureDay),
            ("day", "2026-02-30".into(), Reason::BadDate),
            ("day", "26-1-3".into(), Reason::BadDate),
            ("currency", "XTS".into(), Reason::UnknownCurrency),
            ("tenant_id", "7".into(), Reason::NotAnId),
            ("tenant_id", serde_json::Value::Null, Reason::Missing),
            ("campaign_id", long.into(), Reason::TooLong),
            ("conversion_hours", 25.into(), Reason::TooLarge),
            ("agent_variant", "a\0b".into(), Reason::Malformed),
        ] {
            let fault = judge(Scope::Platform, field, value).expect_err(field);
            assert_eq!((fault.field, fault.reason), (Some(field), reason));
        }
    }

    #[test]
    fn a_day_before_the_first_rate_has_no_known_currency() {
        let fault = judge(Scope::Platform, "day", "2025-12-31".into()).expect_err("no rate");
        assert_eq!(fault, Fault::at("currency", Reason::UnknownCurrency));
    }

    #[test]
    fn a_tenant_brings_only_its_own_rows() {
        let own = Scope::Tenant(TenantId(TENANT));
        assert!(judge(own, "tenant_id", serde_json::Value::Null).is_ok());
        let fault = judge(
            Scope::Tenant(TenantId(Uuid::from_u128(8))),
            "clicks",
            1.into(),
        );
        assert_eq!(fault.expect_err("foreign").reason, Reason::ForeignTenant);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(line: String, field in 0..FIELDS.len(), text: String) {
            let _ = ndjson::record(&line).and_then(|raw| rules(Scope::Platform).check(&raw));
            let _ = judge(Scope::Platform, FIELDS[field], text.into());
        }

        #[test]
        fn what_passes_is_plausible(impressions in -5_i64..50, clicks in -5_i64..50, conversions in -5_i64..50) {
            let line = serde_json::json!({
                "tenant_id": TENANT, "client_id": "a", "campaign_id": "b", "day": "2026-11-01", "currency": "EUR",
                "impressions": impressions, "clicks": clicks, "conversions": conversions,
                "spend_micros": 0, "revenue_micros": 0,
            }).to_string();
            let passed = ndjson::record(&line).and_then(|raw| rules(Scope::Platform).check(&raw)).is_ok();
            prop_assert_eq!(passed, 0 <= conversions && conversions <= clicks && clicks <= impressions);
        }
    }
}
