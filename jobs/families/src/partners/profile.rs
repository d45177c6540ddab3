//! What a partner is, as a person says it.

use chrono::{NaiveDate, NaiveTime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The longest name, in characters.
const NAME_MAX: usize = 200;
/// The most skills of a sort, and regions.
const WORDS_MAX: usize = 50;
/// The longest of them, in characters.
const WORD_MAX: usize = 60;
/// The most tenants that a partner can be kept to.
const SERVES_MAX: usize = 1000;

/// What a person says of a partner. What is left out has the default, also where the partner had another before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// What it is called; 1 to 200 characters.
    pub name: String,
    /// `active`, `paused` (no new work for now) or `inactive` (gone).
    #[serde(default = "active")]
    pub status: String,
    /// `standard` or `senior`.
    #[serde(default = "standard")]
    pub tier: String,
    /// Since when it works; today where left out.
    #[serde(default)]
    pub active_since: Option<NaiveDate>,
    /// Industries that it is versed in.
    #[serde(default)]
    pub industries: Vec<String>,
    /// Channels that it is versed in.
    #[serde(default)]
    pub channels: Vec<String>,
    /// Languages that it speaks; at least one.
    #[serde(default = "english")]
    pub languages: Vec<String>,
    /// Where it may keep data; none: anywhere.
    #[serde(default)]
    pub regions: Vec<String>,
    /// The tenants it works for; left out: every one.
    #[serde(default)]
    pub serves: Option<Vec<Uuid>>,
    /// Where its working hours are, as in `Europe/Berlin`.
    #[serde(default = "utc")]
    pub zone: String,
    /// The days it works, 1 is Monday.
    #[serde(default = "weekdays")]
    pub work_days: Vec<i16>,
    /// When its day begins.
    #[serde(default = "nine")]
    pub opens: NaiveTime,
    /// When it ends.
    #[serde(default = "five")]
    pub closes: NaiveTime,
}

fn active() -> String {
    "active".into()
}

fn standard() -> String {
    "standard".into()
}

fn english() -> Vec<String> {
    vec!["en".into()]
}

fn utc() -> String {
    "UTC".into()
}

fn weekdays() -> Vec<i16> {
    (1..=5).collect()
}

fn nine() -> NaiveTime {
    NaiveTime::from_hms_opt(9, 0, 0).unwrap_or_default()
}

fn five() -> NaiveTime {
    NaiveTime::from_hms_opt(17, 0, 0).unwrap_or_default()
}

/// What is wrong with a profile.
#[derive(Debug, thiserror::Error)]
#[error("{field}: {detail}")]
pub struct Wrong {
    /// Which field.
    pub field: &'static str,
    /// What is wrong with it, and what would do.
    pub detail: String,
}

fn wrong(field: &'static str, detail: impl Into<String>) -> Wrong {
    let detail = detail.into();
    Wrong { field, detail }
}

impl Profile {
    /// Refuses what no partner can be.
    pub(super) fn check(&self) -> Result<(), Wrong> {
        let length = self.name.chars().count();
        if !(1..=NAME_MAX).contains(&length) {
            let detail = format!("has {length} characters; 1 to {NAME_MAX} are possible");
            return Err(wrong("name", detail));
        }
        one_of("status", &self.status, &["active", "paused", "inactive"])?;
        one_of("tier", &self.tier, &["standard", "senior"])?;
        words("industries", &self.industries)?;
        words("channels", &self.channels)?;
        words("languages", &self.languages)?;
        words("regions", &self.regions)?;
        if self.languages.is_empty() {
            return Err(wrong("languages", "is empty; it speaks at least one"));
        }
        self.check_hours()?;
        let tenants = self.serves.as_ref().map_or(1, Vec::len);
        if (1..=SERVES_MAX).contains(&tenants) {
            return Ok(());
        }
        let detail = format!("names {tenants} tenants; 1 to {SERVES_MAX} are possible");
        Err(wrong("serves", detail))
    }

    fn check_hours(&self) -> Result<(), Wrong> {
        let days = &self.work_days;
        if days.is_empty() || days.len() > 7 || !days.iter().all(|day| (1..=7).contains(day)) {
            let detail = "has to name days from 1 (Monday) to 7, at least one";
            return Err(wrong("work_days", detail));
        }
        if self.opens < self.closes {
            return Ok(());
        }
        let detail = format!("is {}, not after opens, {}", self.closes, self.opens);
        Err(wrong("closes", detail))
    }
}

fn one_of(field: &'static str, word: &str, words: &[&str]) -> Result<(), Wrong> {
    if words.contains(&word) {
        return Ok(());
    }
    let known = words.join(", ");
    Err(wrong(
        field,
        format!("is \"{word}\"; one of {known} is expected"),
    ))
}

fn words(field: &'static str, words: &[String]) -> Result<(), Wrong> {
    if words.len() > WORDS_MAX {
        let detail = format!("has {} entries; {WORDS_MAX} are possible", words.len());
        return Err(wrong(field, detail));
    }
    let fits = |word: &String| (1..=WORD_MAX).contains(&word.chars().count());
    match words.iter().find(|word| !fits(word)) {
        None => Ok(()),
        Some(word) => {
            let start: String = word.chars().take(20).collect();
            let detail = format!("\"{start}\" has to have 1 to {WORD_MAX} characters");
            Err(wrong(field, detail))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut Profile)) -> Option<&'static str> {
        let text = r#"{ "name": "Ann" }"#;
        let mut profile: Profile = serde_json::from_str(text).expect("the rest has defaults");
        change(&mut profile);
        profile.check().err().map(|wrong| wrong.field)
    }

    #[test]
    fn a_name_is_all_that_must_be_said() {
        assert_eq!(refused(|_| ()), None);
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        assert_eq!(refused(|it| it.name.clear()), Some("name"));
        assert_eq!(refused(|it| it.name = "é".repeat(201)), Some("name"));
        assert_eq!(refused(|it| it.name = "é".repeat(200)), None);
        assert_eq!(refused(|it| it.status = "asleep".into()), Some("status"));
        assert_eq!(refused(|it| it.tier = "gold".into()), Some("tier"));
        assert_eq!(refused(|it| it.languages.clear()), Some("languages"));
        let many = vec!["a".to_owned(); 51];
        assert_eq!(refused(|it| it.channels = many), Some("channels"));
        assert_eq!(
            refused(|it| it.regions = vec![String::new()]),
            Some("regions")
        );
        assert_eq!(refused(|it| it.work_days = vec![0]), Some("work_days"));
        assert_eq!(refused(|it| it.work_days.clear()), Some("work_days"));
        assert_eq!(refused(|it| it.closes = it.opens), Some("closes"));
        assert_eq!(refused(|it| it.serves = Some(vec![])), Some("serves"));
    }
}
