//! Exchange rates: what a unit of a currency is worth in the reporting currency, day by day, read from a file.
//!
//! The reporting currency is the one that is worth 1 from the beginning of time ([`FIRST_DAY`]) on: a migration makes it USD, and
//! [`replace`] makes it another, which drops every rate that was given in the old one. A day without a rate uses the latest
//! before it. What a rate is used for is the leaderboard's and the ingest's business.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::Serialize;
use sqlx::PgConnection;

/// The day from which the reporting currency has its rate.
pub const FIRST_DAY: NaiveDate = NaiveDate::from_ymd_opt(1, 1, 1).expect("a date");

const COLUMNS: [&str; 3] = ["currency", "day", "rate"];
/// A rate is `numeric(20, 10)`: so many digits before the point and after it.
const DIGITS_MAX: usize = 10;

/// One rate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Three capital letters, as ISO 4217 has them.
    pub currency: String,
    /// From when it holds.
    pub day: NaiveDate,
    /// What one unit is worth, as a decimal number: it is stored exactly.
    pub rate: String,
}

/// A line that is no rate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BadRate {
    /// From 1.
    pub line: usize,
    /// The column at fault, where it is one.
    pub field: Option<&'static str>,
    /// What is wrong, and what would be right.
    pub problem: String,
}

/// A file of rates, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// The good ones; of two for the same currency and day the last.
    pub good: Vec<Rate>,
    /// The others.
    pub bad: Vec<BadRate>,
}

/// The first line does not name the columns.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line 1 must name the columns currency, day and rate, separated by commas: {0}")]
pub struct BadHeader(String);

/// Reads a file's text: a header line, then a rate a line.
pub fn read(text: &str, reporting: &str) -> Result<Rates, BadHeader> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = text.lines().enumerate();
    let header = lines.next().map(|(_, line)| line).unwrap_or_default();
    let places = places(header)?;
    let mut good = BTreeMap::new();
    let mut bad = Vec::new();
    for (index, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
        match read_line(line, places, reporting) {
            Ok(rate) => {
                good.insert((rate.currency.clone(), rate.day), rate);
            }
            Err((field, problem)) => bad.push(BadRate {
                line: index + 1,
                field,
                problem,
            }),
        }
    }
    Ok(Rates {
        good: good.into_values().collect(),
        bad,
    })
}

type Fault = (Option<&'static str>, String);

/// In which field of a line each column stands.
fn places(header: &str) -> Result<[usize; 3], BadHeader> {
    let names: Vec<String> = fields(header).map(str::to_ascii_lowercase).collect();
    let mut places = [0; 3];
    for (place, column) in places.iter_mut().zip(COLUMNS) {
        let mut found = names.iter().enumerate().filter(|(_, name)| *name == column);
        let first = found
            .next()
            .ok_or_else(|| BadHeader(format!("{column} is missing")))?;
        if found.next().is_some() {
            return Err(BadHeader(format!("{column} appears twice")));
        }
        *place = first.0;
    }
    Ok(places)
}

/// None of the columns can hold a comma, so quotes around a field are only dropped.
fn fields(line: &str) -> impl Iterator<Item = &str> {
    line.split(',').map(|field| field.trim().trim_matches('"'))
}

fn read_line(line: &str, places: [usize; 3], reporting: &str) -> Result<Rate, Fault> {
    let values: Vec<&str> = fields(line).collect();
    let value = |column: usize| {
        let value = values.get(places[column]).copied().unwrap_or_default();
        let missing = || (Some(COLUMNS[column]), "is missing".to_owned());
        Some(value)
            .filter(|value| !value.is_empty())
            .ok_or_else(missing)
    };
    let (currency, day, rate) = (value(0)?.to_ascii_uppercase(), value(1)?, value(2)?);
    if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
        let problem =
            format!("\"{currency}\" is no currency; three letters are expected, such as EUR");
        return Err((Some("currency"), problem));
    }
    let day = day.parse().map_err(|_| {
        let problem = format!("\"{day}\" is no day; write it YYYY-MM-DD");
        (Some("day"), problem)
    })?;
    if !is_decimal(rate) {
        let problem = format!(
            "\"{rate}\" is no rate; a number above 0 is expected, such as 1.0843, with at most {DIGITS_MAX} digits before the point and after it"
        );
        return Err((Some("rate"), problem));
    }
    if currency == reporting && !is_one(rate) {
        let problem = format!("{reporting} is the reporting currency: its rate is 1, not {rate}");
        return Err((Some("rate"), problem));
    }
    Ok(Rate {
        currency,
        day,
        rate: rate.to_owned(),
    })
}

fn is_decimal(text: &str) -> bool {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| {
        (1..=DIGITS_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    digits(whole) && digits(part) && text.bytes().any(|byte| (b'1'..=b'9').contains(&byte))
}

fn is_one(decimal: &str) -> bool {
    let (whole, part) = decimal.split_once('.').unwrap_or((decimal, ""));
    whole.trim_start_matches('0') == "1" && part.trim_end_matches('0').is_empty()
}

/// The currency in which money is compared.
pub async fn reporting(conn: &mut PgConnection) -> Result<String, sqlx::Error> {
    sqlx::query_scalar!(
        r#"-- rates.reporting
        SELECT currency FROM fleet.fx_rates
        WHERE tenant_id = '00000000-0000-0000-0000-000000000000' AND day = $1"#,
        FIRST_DAY,
    )
    .fetch_one(conn)
    .await
}

/// Adds rates; one for a day that has one takes its place. Returns how many were new or different.
pub async fn add(conn: &mut PgConnection, rates: &[Rate]) -> Result<u64, sqlx::Error> {
    let currencies: Vec<_> = rates.iter().map(|rate| rate.currency.as_str()).collect();
    let days: Vec<_> = rates.iter().map(|rate| rate.day).collect();
    let worth: Vec<_> = rates.iter().map(|rate| rate.rate.as_str()).collect();
    let changed = sqlx::query!(
        r#"-- rates.add
        INSERT INTO fleet.fx_rates AS r (currency, day, rate)
        SELECT currency, day, worth::numeric(20, 10) FROM unnest($1::text[], $2::date[], $3::text[]) AS n (currency, day, worth)
        ON CONFLICT (tenant_id, currency, day) DO UPDATE SET rate = EXCLUDED.rate WHERE r.rate <> EXCLUDED.rate"#,
        &currencies as &[&str],
        &days,
        &worth as &[&str],
    )
    .execute(conn)
    .await?;
    Ok(changed.rows_affected())
}

/// Makes `reporting` the reporting currency. The rates of before were given in another, so they go: call it with the new ones at hand.
pub async fn replace(conn: &mut PgConnection, reporting: &str) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"-- rates.clear
        DELETE FROM fleet.fx_rates WHERE tenant_id = '00000000-0000-0000-0000-000000000000'"#
    )
    .execute(&mut *conn)
    .await?;
    let unit = Rate {
        currency: reporting.to_owned(),
        day: FIRST_DAY,
        rate: "1".to_owned(),
    };
    add(conn, &[unit]).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<(usize, Option<&'static str>)> {
        let rates = read(text, "USD").expect("a good header");
        rates.bad.iter().map(|bad| (bad.line, bad.field)).collect()
    }

    #[test]
    fn reads_rates_in_any_order_of_columns() {
        let text = "\u{feff}day, Rate ,currency,source\r\n2026-01-02,1.0843,eur,ecb\r\n\r\n2026-01-02,\"1.1\",EUR,later\r\n2026-01-01,1.00,USD,";
        let rates = read(text, "USD").expect("a good header");
        let good: Vec<_> = rates
            .good
            .iter()
            .map(|r| (r.currency.as_str(), r.rate.as_str()))
            .collect();
        assert_eq!(
            (good, rates.bad),
            (vec![("EUR", "1.1"), ("USD", "1.00")], vec![])
        );
    }

    #[test]
    fn names_each_bad_line_and_its_column() {
        let text = "currency,day,rate\nEURO,2026-01-01,1\nEUR,01.01.2026,1\nEUR,2026-02-30,1\nEUR,2026-01-01,0.0\nEUR,2026-01-01,-1\n\
            EUR,2026-01-01,1e3\nEUR,2026-01-01,12345678901\nEUR,2026-01-01\n,,\nUSD,2026-01-01,1.2\nEUR,2026-01-01,.5";
        let fields = [
            "currency", "day", "day", "rate", "rate", "rate", "rate", "rate", "currency", "rate",
            "rate",
        ];
        let expected: Vec<_> = (2..).zip(fields.map(Some)).collect();
        assert_eq!(problems(text), expected);
    }

    #[test]
    fn a_header_without_the_columns_is_refused() {
        for (header, word) in [
            ("", "currency"),
            ("currency,day", "rate"),
            ("rate,day,day,currency", "twice"),
        ] {
            let error = read(header, "USD").expect_err(header);
            assert!(error.to_string().contains(word), "{header}: {error}");
        }
    }
}
