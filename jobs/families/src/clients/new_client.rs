//! A client as it comes in, and what is refused about it: every bound of the table, told by field before the database is asked.

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

const NAME_MAX: usize = 200;
const WORD_MAX: usize = 60;
const LIST_MAX: usize = 50;

/// A client that comes in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewClient {
    /// Its id; left out: one is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<Uuid>,
    /// What it is called, in 1 to 200 characters.
    #[schemars(length(min = 1, max = 200))]
    pub name: String,
    /// Since when it is a client; left out: today.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_since: Option<NaiveDate>,
    /// `active`, `dormant` (onboarded, and asking for little) or `closed`; left out: active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// `starter`, `standard` or `enterprise`; left out: standard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Plan>,
    /// In millionths of the reporting currency; left out: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub monthly_budget_micros: Option<i64>,
    /// What its partner must know; left out: nothing in particular.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 60))]
    pub industry: Option<String>,
    /// Channels that its partner must know, at most 50.
    #[serde(default)]
    #[schemars(length(max = 50))]
    pub channels: Vec<String>,
    /// Languages that its partner must speak, at most 50.
    #[serde(default)]
    #[schemars(length(max = 50))]
    pub languages: Vec<String>,
    /// Where its data must stay; left out: anywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 60))]
    pub region: Option<String>,
    /// Whether it wants no partner that serves another client of its industry.
    #[serde(default)]
    pub exclusive: bool,
    /// Its zone, such as `Europe/Berlin`; left out: UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 60))]
    pub zone: Option<String>,
}

/// How a client stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It is served.
    #[default]
    Active,
    /// It is onboarded, and asks for little.
    Dormant,
    /// It is a client no more.
    Closed,
}

impl Status {
    /// The name in the database and in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Dormant => "dormant",
            Self::Closed => "closed",
        }
    }
}

/// What a client pays for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Plan {
    /// The least.
    Starter,
    /// What most have.
    #[default]
    Standard,
    /// Of high value, whatever its budget.
    Enterprise,
}

impl Plan {
    /// The name in the database and in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Starter => "starter",
            Self::Standard => "standard",
            Self::Enterprise => "enterprise",
        }
    }
}

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct Fault {
    /// Which.
    pub field: String,
    /// What is wrong, and what would be right.
    pub problem: String,
}

impl Fault {
    pub(super) fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            problem: problem.into(),
        }
    }
}

impl NewClient {
    /// Refuses what the table would refuse, by field.
    pub fn check(&self) -> Result<(), Fault> {
        text("name", Some(&self.name), NAME_MAX)?;
        text("industry", self.industry.as_deref(), WORD_MAX)?;
        text("region", self.region.as_deref(), WORD_MAX)?;
        list("channels", &self.channels)?;
        list("languages", &self.languages)?;
        budget(self.monthly_budget_micros)?;
        zone(self.zone.as_deref())?;
        day(self.active_since)
    }
}

pub(super) fn text(field: &str, value: Option<&str>, most: usize) -> Result<(), Fault> {
    let Some(value) = value else { return Ok(()) };
    if value.contains('\0') {
        return Err(Fault::new(
            field,
            "holds a zero character, which cannot be stored",
        ));
    }
    let length = value.chars().count();
    if (1..=most).contains(&length) {
        return Ok(());
    }
    Err(Fault::new(
        field,
        format!("has {length} characters, 1 to {most} are allowed"),
    ))
}

pub(super) fn list(field: &str, values: &[String]) -> Result<(), Fault> {
    if values.len() > LIST_MAX {
        let problem = format!(
            "has {} entries, at most {LIST_MAX} are allowed",
            values.len()
        );
        return Err(Fault::new(field, problem));
    }
    for (at, value) in values.iter().enumerate() {
        text(&format!("{field}[{at}]"), Some(value), WORD_MAX)?;
        if values[..at].contains(value) {
            return Err(Fault::new(field, format!("names \"{value}\" twice")));
        }
    }
    Ok(())
}

pub(super) fn budget(micros: Option<i64>) -> Result<(), Fault> {
    match micros {
        Some(micros) if micros < 0 => {
            let problem = format!("is {micros}; at least 0 is allowed");
            Err(Fault::new("monthly_budget_micros", problem))
        }
        _ => Ok(()),
    }
}

pub(super) fn zone(name: Option<&str>) -> Result<(), Fault> {
    match name {
        Some(name) if name.parse::<chrono_tz::Tz>().is_err() => {
            let name: String = name.chars().take(WORD_MAX).collect();
            let problem = format!("\"{name}\" is no zone; give one such as Europe/Berlin");
            Err(Fault::new("zone", problem))
        }
        _ => Ok(()),
    }
}

fn day(since: Option<NaiveDate>) -> Result<(), Fault> {
    use chrono::Datelike;
    match since {
        Some(day) if !(1900..=9999).contains(&day.year()) => {
            let problem = format!("is {day}; the years 1900 to 9999 are allowed");
            Err(Fault::new("active_since", problem))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Spoil = fn(&mut NewClient);

    #[test]
    fn every_bound_is_told_by_its_field() {
        let good = NewClient {
            name: "Acme".to_owned(),
            ..NewClient::default()
        };
        good.check().expect("good");
        let cases: [(&str, Spoil); 9] = [
            ("name", |it| it.name.clear()),
            ("name", |it| it.name = "x".repeat(201)),
            ("name", |it| it.name = "a\0b".to_owned()),
            ("industry", |it| it.industry = Some(String::new())),
            ("channels[0]", |it| it.channels = vec!["x".repeat(61)]),
            ("channels", |it| it.channels = vec!["search".to_owned(); 2]),
            ("languages", |it| {
                it.languages = (0..51).map(|n| n.to_string()).collect();
            }),
            ("monthly_budget_micros", |it| {
                it.monthly_budget_micros = Some(-1);
            }),
            ("zone", |it| it.zone = Some("Mars/Olympus".to_owned())),
        ];
        for (field, spoil) in cases {
            let mut client = good.clone();
            spoil(&mut client);
            assert_eq!(client.check().expect_err(field).field, field);
        }
    }
}
