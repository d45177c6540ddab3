//! A metric row before and after it has been judged: [`Raw`] is text by field, [`MetricRow`] is what gets stored.

use std::borrow::Cow;

use chrono::NaiveDate;
use fleet_queue::TenantId;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Whose rows a source may bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every row names its tenant; partners never seen before are registered.
    Platform,
    /// Rows belong to this tenant, whether they say so or not; another tenant's are refused, and so are unknown partners.
    Tenant(TenantId),
}

/// What a campaign did on one day under one agent variant.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricRow {
    /// Whose campaign it is.
    pub tenant: Uuid,
    /// The client it was run for.
    pub client: Uuid,
    /// The partner who ran it; none where the client did.
    pub partner: Option<Uuid>,
    /// The campaign.
    pub campaign: Uuid,
    /// The day, in the campaign's own zone.
    pub day: NaiveDate,
    /// Which agent configuration ran it.
    pub variant: String,
    /// Times shown.
    pub impressions: i64,
    /// Times clicked.
    pub clicks: i64,
    /// Times it led to what the client wants.
    pub conversions: i64,
    /// Cost, in millionths of the currency.
    pub spend_micros: i64,
    /// Return, in millionths of the currency.
    pub revenue_micros: i64,
    /// ISO 4217 code.
    pub currency: String,
    /// In how many hours of the day conversions happened, where the source says so.
    pub conversion_hours: Option<i16>,
    /// How the source spells its ids, and its segment: used only to register a campaign never seen before.
    pub origin: Origin,
}

/// What a source tells of a campaign beyond the figures.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Origin {
    pub(crate) client: String,
    pub(crate) partner: String,
    pub(crate) campaign: String,
    pub(crate) industry: Option<String>,
    pub(crate) channel: Option<String>,
}

/// The columns of a metric row, by the names that headers and objects use.
pub(crate) const FIELDS: [&str; 15] = [
    "tenant_id",
    "client_id",
    "partner_id",
    "campaign_id",
    "day",
    "impressions",
    "clicks",
    "conversions",
    "spend_micros",
    "revenue_micros",
    "currency",
    "agent_variant",
    "conversion_hours",
    "industry",
    "channel",
];

/// The place of a column in [`FIELDS`].
pub(crate) fn field_index(name: &str) -> Option<usize> {
    FIELDS
        .iter()
        .position(|field| field.eq_ignore_ascii_case(name.trim()))
}

/// A row as text, field by field; a field that is absent or empty is `None`.
#[derive(Debug, Default)]
pub(crate) struct Raw<'a>([Option<Cow<'a, str>>; FIELDS.len()]);

impl<'a> Raw<'a> {
    /// Sets a field by its place in [`FIELDS`]; surrounding blanks do not count.
    pub(crate) fn set(&mut self, index: usize, text: Cow<'a, str>) {
        let text = match text {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
            Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
        };
        self.0[index] = (!text.is_empty()).then_some(text);
    }

    /// The text of a field, by name. The name must be one of [`FIELDS`].
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        field_index(name).and_then(|index| self.0[index].as_deref())
    }
}

/// The id that a source's spelling stands for.
///
/// A UUID stands for itself. Anything else (advertising networks number their campaigns) is hashed together with its kind and
/// tenant, so that the same spelling is the same id on every ingest, and two tenants' number 17 are two campaigns.
pub fn id_of(kind: &str, tenant: Uuid, text: &str) -> Uuid {
    Uuid::try_parse(text).unwrap_or_else(|_| {
        let digest = Sha256::new()
            .chain_update(kind)
            .chain_update(tenant.as_bytes())
            .chain_update(text)
            .finalize();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        uuid::Builder::from_custom_bytes(bytes).into_uuid()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_stands_for_itself() {
        let id = Uuid::from_u128(0x1234);
        assert_eq!(id_of("campaign", Uuid::nil(), &id.to_string()), id);
    }

    #[test]
    fn other_spellings_are_stable_and_differ_by_kind_and_tenant() {
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert_eq!(id_of("campaign", one, "17"), id_of("campaign", one, "17"));
        assert_ne!(id_of("campaign", one, "17"), id_of("campaign", other, "17"));
        assert_ne!(id_of("campaign", one, "17"), id_of("client", one, "17"));
    }
}
