//! How people write durations, times and payloads on the command line, and say which one they mean.

use std::io::Read;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

/// `90s`, `5m`, `1h30m`, `2 days`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|error| format!("{error}; write it like 90s, 5m or 1h30m"))
}

/// RFC 3339, or `2026-11-21 08:00` or `2026-11-21`, both in UTC.
pub(crate) fn time(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.to_utc());
    }
    let minute = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").ok();
    let day = || {
        NaiveDate::parse_from_str(text, "%Y-%m-%d")
            .ok()?
            .and_hms_opt(0, 0, 0)
    };
    let plain = minute
        .or_else(day)
        .ok_or("write it like 2026-11-21T08:00:00Z or \"2026-11-21 08:00\" (UTC)")?;
    Ok(plain.and_utc())
}

/// `NAME=N`, with N at least 1.
pub(crate) fn name_and_number(text: &str) -> Result<(String, usize), String> {
    let form = || format!("\"{text}\" is not NAME=N");
    let (name, number) = text.split_once('=').ok_or_else(form)?;
    match number.parse() {
        Ok(number) if number > 0 && !name.is_empty() => Ok((name.to_owned(), number)),
        _ => Err(form()),
    }
}

/// A payload: JSON itself, `@FILE`, or `-` for standard input.
pub(crate) fn payload(text: &str) -> anyhow::Result<Value> {
    let (source, json) = match text.strip_prefix('@') {
        Some(file) => (
            file,
            std::fs::read_to_string(file).with_context(|| format!("could not read {file}"))?,
        ),
        None if text == "-" => ("standard input", standard_input()?),
        None => ("the payload", text.to_owned()),
    };
    match serde_json::from_str(&json) {
        Ok(value) => Ok(value),
        Err(error) => bail!("{source} is not JSON: {error}"),
    }
}

fn standard_input() -> anyhow::Result<String> {
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .context("could not read standard input")?;
    Ok(text)
}

/// The one that is meant, of those whose name or id it is; ambiguity is refused with the candidates. `kind` is the word for one of them;
/// the command of that name in the plural lists them.
pub(crate) fn only<T>(
    mut found: Vec<T>,
    kind: &str,
    called: &str,
    id: impl Fn(&T) -> Uuid,
) -> anyhow::Result<T> {
    match (found.pop(), found.len()) {
        (Some(one), 0) => Ok(one),
        (None, _) => Err(anyhow!(
            "no {kind} is called \"{called}\"; `fleet {kind}s` lists those there are"
        )),
        (Some(last), _) => {
            found.push(last);
            let ids: Vec<_> = found.iter().map(|it| id(it).to_string()).collect();
            bail!(
                "several {kind}s are called \"{called}\"; say which by id: {}",
                ids.join(", ")
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_times_are_read_as_people_write_them() {
        assert_eq!(duration("1h30m"), Ok(Duration::from_mins(90)));
        assert!(duration("soon").is_err_and(|error| error.contains("90s")));
        for text in [
            "2026-11-21T08:00:00Z",
            "2026-11-21T09:00:00+01:00",
            "2026-11-21 08:00",
        ] {
            assert_eq!(
                time(text).map(|time| time.timestamp()),
                Ok(1_795_248_000),
                "{text}"
            );
        }
        assert!(time("tomorrow").is_err());
    }

    #[test]
    fn pairs_name_a_positive_number() {
        assert_eq!(name_and_number("mail=4"), Ok(("mail".to_owned(), 4)));
        for wrong in ["mail", "mail=", "mail=0", "=3", "mail=x"] {
            assert!(name_and_number(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_payload_that_is_no_json_says_where() {
        assert_eq!(payload("{\"ms\": 3}").expect("it is JSON")["ms"], 3);
        let refused = payload("{ms: 3}").expect_err("it is not").to_string();
        assert!(refused.contains("line 1 column 2"), "{refused}");
    }
}
