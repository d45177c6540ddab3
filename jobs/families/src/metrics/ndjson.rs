//! Metric rows as JSON, one object a line.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::value::RawValue;

use super::reason::{Fault, Reason};
use super::row::{Raw, field_index};

/// Takes one object apart; keys that mean nothing here are left alone.
pub(crate) fn record(line: &str) -> Result<Raw<'_>, Fault> {
    let object: HashMap<Cow<'_, str>, &RawValue> =
        serde_json::from_str(line).map_err(|_| Fault::line(Reason::Malformed))?;
    let mut raw = Raw::default();
    for (name, value) in object {
        let Some(index) = field_index(&name) else {
            continue;
        };
        if let Some(text) = scalar(value.get()).map_err(|reason| Fault::at(&name, reason))? {
            raw.set(index, text);
        }
    }
    Ok(raw)
}

/// The text of a string or number; nothing of null.
fn scalar(json: &str) -> Result<Option<Cow<'_, str>>, Reason> {
    match json.as_bytes() {
        [b'"', ..] => match serde_json::from_str::<String>(json) {
            Ok(text) => Ok(Some(Cow::Owned(text))),
            Err(_) => Err(Reason::Malformed),
        },
        [b'n', ..] => Ok(None),
        [b'-' | b'0'..=b'9', ..] => Ok(Some(Cow::Borrowed(json))),
        _ => Err(Reason::WrongType),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_strings_numbers_and_nulls() {
        let raw = record(
            r#"{"clicks": 12, "day": "2026-11-01", "partner_id": null, "other": {"deep": []}}"#,
        )
        .expect("good");
        assert_eq!(raw.get("clicks"), Some("12"));
        assert_eq!(raw.get("day"), Some("2026-11-01"));
        assert_eq!(raw.get("partner_id"), None);
    }

    #[test]
    fn refuses_what_is_no_object_and_names_a_field_of_the_wrong_type() {
        for line in ["", "[]", "17", r#"{"clicks": 1"#, "{} {}"] {
            assert_eq!(
                record(line).map(|_| ()),
                Err(Fault::line(Reason::Malformed)),
                "{line}"
            );
        }
        let fault = record(r#"{"clicks": [1]}"#)
            .map(|_| ())
            .expect_err("an array is no number");
        assert_eq!(
            (fault.field, fault.reason),
            (Some("clicks"), Reason::WrongType)
        );
    }
}
