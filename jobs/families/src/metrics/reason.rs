//! Why rows are refused.

use schemars::JsonSchema;
use serde::Serialize;

use super::row::{FIELDS, field_index};

/// Why a row was refused. The names are part of the interface: they stand in reports and in the quarantine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The line is not UTF-8.
    InvalidUtf8,
    /// The line is longer than is read.
    LineTooLong,
    /// The line is no record at all.
    Malformed,
    /// More or fewer fields than the header.
    WrongFieldCount,
    /// An array, object or boolean where a number or text belongs.
    WrongType,
    /// A field that must be there is not.
    Missing,
    /// Not a whole number.
    NotANumber,
    /// Below zero.
    Negative,
    /// Larger than anything real.
    TooLarge,
    /// Longer than the column holds.
    TooLong,
    /// Not a UUID.
    NotAnId,
    /// Not a date written YYYY-MM-DD.
    BadDate,
    /// After today (UTC).
    FutureDay,
    /// No exchange rate is known for it on that day.
    UnknownCurrency,
    /// More clicks than impressions.
    ClicksExceedImpressions,
    /// More conversions than clicks.
    ConversionsExceedClicks,
    /// Another tenant's row.
    ForeignTenant,
    /// A partner nobody has registered.
    UnknownPartner,
}

impl Reason {
    /// The name in reports and in the quarantine.
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidUtf8 => "invalid_utf8",
            Self::LineTooLong => "line_too_long",
            Self::Malformed => "malformed",
            Self::WrongFieldCount => "wrong_field_count",
            Self::WrongType => "wrong_type",
            Self::Missing => "missing",
            Self::NotANumber => "not_a_number",
            Self::Negative => "negative",
            Self::TooLarge => "too_large",
            Self::TooLong => "too_long",
            Self::NotAnId => "not_an_id",
            Self::BadDate => "bad_date",
            Self::FutureDay => "future_day",
            Self::UnknownCurrency => "unknown_currency",
            Self::ClicksExceedImpressions => "clicks_exceed_impressions",
            Self::ConversionsExceedClicks => "conversions_exceed_clicks",
            Self::ForeignTenant => "foreign_tenant",
            Self::UnknownPartner => "unknown_partner",
        }
    }
}

/// What is wrong with a row, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// `None` where it is the line as a whole.
    pub(crate) field: Option<&'static str>,
    pub(crate) reason: Reason,
}

impl Fault {
    pub(crate) fn line(reason: Reason) -> Self {
        Self {
            field: None,
            reason,
        }
    }

    pub(crate) fn at(field: &str, reason: Reason) -> Self {
        Self {
            field: field_index(field).map(|index| FIELDS[index]),
            reason,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_serialized_name_is_the_name() {
        for reason in [
            Reason::InvalidUtf8,
            Reason::NotANumber,
            Reason::ClicksExceedImpressions,
            Reason::NotAnId,
        ] {
            assert_eq!(serde_json::json!(reason), reason.name());
        }
    }
}
