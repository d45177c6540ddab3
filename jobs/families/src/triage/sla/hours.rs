//! A tenant's business hours and holidays: what people set, and the calendar that follows.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use chrono_tz::Tz;
use fleet_queue::TenantId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::calendar::Calendar;
use crate::triage::ground::ground;

/// Holidays that a tenant can have.
const HOLIDAYS_MAX: usize = 1_000;

/// When a tenant's promises run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// An IANA time zone.
    pub zone: String,
    /// Days of work; 1 is Monday.
    pub work_days: Vec<u8>,
    /// `HH:MM`.
    pub opens: String,
    /// `HH:MM`, after `opens`; `24:00` is the end of the day.
    pub closes: String,
}

/// A day on which no promise runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Holiday {
    /// The day, in the tenant's zone.
    pub day: NaiveDate,
    /// What it is called.
    #[serde(default)]
    pub name: String,
}

/// Why hours or holidays were not set.
#[derive(Debug, thiserror::Error)]
pub enum HoursError {
    /// A value that makes no sense.
    #[error("{problem}")]
    Refused {
        /// Which.
        field: &'static str,
        /// What is wrong with it, and what would be right.
        problem: String,
    },
    /// The database did not carry it out.
    #[error("the database did not carry it out")]
    Database(#[from] sqlx::Error),
}

impl Default for Hours {
    fn default() -> Self {
        Self::of(&Calendar::default())
    }
}

impl Hours {
    fn of(calendar: &Calendar) -> Self {
        let wall = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        Self {
            zone: calendar.zone.name().to_owned(),
            work_days: calendar.work_days.clone(),
            opens: wall(calendar.opens),
            closes: wall(calendar.closes),
        }
    }

    /// The calendar without holidays, or what is wrong.
    pub fn check(&self) -> Result<Calendar, HoursError> {
        let refused = |field, problem| HoursError::Refused { field, problem };
        let zone: Tz = self.zone.parse().map_err(|_| {
            refused(
                "zone",
                format!("\"{}\" is no time zone; Europe/Berlin is one", self.zone),
            )
        })?;
        let days: BTreeSet<u8> = self.work_days.iter().copied().collect();
        if days.is_empty()
            || days.len() != self.work_days.len()
            || !days.iter().all(|day| (1..=7).contains(day))
        {
            let problem =
                "name each day of work once, 1 (Monday) to 7; there must be one".to_owned();
            return Err(refused("work_days", problem));
        }
        let minute = |field, text: &str| {
            minute(text).ok_or_else(|| {
                refused(field, format!("\"{text}\" is no time of day; 09:00 is one"))
            })
        };
        let (opens, closes) = (
            minute("opens", &self.opens)?,
            minute("closes", &self.closes)?,
        );
        if opens >= closes {
            let problem = format!("{} does not lie after {}", self.closes, self.opens);
            return Err(refused("closes", problem));
        }
        let work_days = days.into_iter().collect();
        Ok(Calendar {
            zone,
            work_days,
            opens,
            closes,
            holidays: BTreeSet::new(),
        })
    }
}

fn minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    if hours.len() != 2 || minutes.len() != 2 || text.contains(['+', '-']) {
        return None;
    }
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    let minute = hours * 60 + minutes;
    (minutes < 60 && minute <= 1_440).then_some(minute)
}

/// A tenant's hours; where it has said nothing the platform's, else Monday to Friday, 9 to 17 UTC.
pub async fn hours(conn: &mut PgConnection, tenant: TenantId) -> Result<Hours, sqlx::Error> {
    Ok(Hours::of(&ground(conn, tenant).await?.calendar))
}

/// Sets a tenant's hours. Clocks that run are kept by them from their next change on.
pub async fn set_hours(
    conn: &mut PgConnection,
    tenant: TenantId,
    hours: &Hours,
) -> Result<(), HoursError> {
    let calendar = hours.check()?;
    let days: Vec<i16> = calendar
        .work_days
        .iter()
        .map(|day| i16::from(*day))
        .collect();
    sqlx::query!(
        r#"-- sla.set_hours
        INSERT INTO fleet.business_hours (tenant_id, zone, work_days, opens, closes)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (tenant_id) DO UPDATE
        SET zone = EXCLUDED.zone, work_days = EXCLUDED.work_days, opens = EXCLUDED.opens, closes = EXCLUDED.closes"#,
        tenant.0,
        hours.zone,
        &days,
        calendar.opens as i16,
        calendar.closes as i16,
    )
    .execute(conn)
    .await
    .map_err(unknown_zone)?;
    Ok(())
}

/// A zone that we know and PostgreSQL does not.
fn unknown_zone(error: sqlx::Error) -> HoursError {
    match &error {
        sqlx::Error::Database(refusal) if refusal.code().as_deref() == Some("22023") => {
            HoursError::Refused {
                field: "zone",
                problem: "the database does not know this time zone".to_owned(),
            }
        }
        _ => error.into(),
    }
}

/// A tenant's own holidays, in order.
pub async fn holidays(
    conn: &mut PgConnection,
    tenant: TenantId,
) -> Result<Vec<Holiday>, sqlx::Error> {
    sqlx::query_as!(
        Holiday,
        r#"-- sla.holidays
        SELECT day, name AS "name!: String" FROM fleet.holidays WHERE tenant_id = $1 ORDER BY day"#,
        tenant.0,
    )
    .fetch_all(conn)
    .await
}

/// Puts these in the place of a tenant's holidays.
pub async fn set_holidays(
    conn: &mut PgConnection,
    tenant: TenantId,
    holidays: &[Holiday],
) -> Result<(), HoursError> {
    let refused = |field, problem| Err(HoursError::Refused { field, problem });
    if holidays.len() > HOLIDAYS_MAX {
        return refused(
            "holidays",
            format!("has {}, at most {HOLIDAYS_MAX} are kept", holidays.len()),
        );
    }
    let days: Vec<NaiveDate> = holidays.iter().map(|holiday| holiday.day).collect();
    if days.iter().collect::<BTreeSet<_>>().len() != days.len() {
        return refused("holidays", "names a day twice".to_owned());
    }
    let sane = NaiveDate::from_ymd_opt(2000, 1, 1).zip(NaiveDate::from_ymd_opt(2200, 1, 1));
    if days
        .iter()
        .any(|day| sane.is_none_or(|(first, last)| !(first..last).contains(day)))
    {
        return refused(
            "holidays.day",
            "lies outside of the years 2000 to 2199".to_owned(),
        );
    }
    let names: Vec<&str> = holidays
        .iter()
        .map(|holiday| holiday.name.as_str())
        .collect();
    if names.iter().any(|name| name.chars().count() > 200) {
        return refused("holidays.name", "is over 200 characters".to_owned());
    }
    sqlx::query!(
        r#"-- sla.forget_holidays
        DELETE FROM fleet.holidays WHERE tenant_id = $1 AND day <> ALL ($2)"#,
        tenant.0,
        &days,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        r#"-- sla.set_holidays
        INSERT INTO fleet.holidays (tenant_id, day, name)
        SELECT $1, day, name FROM unnest($2::date[], $3::text[]) AS h (day, name)
        ON CONFLICT (tenant_id, day) DO UPDATE SET name = EXCLUDED.name"#,
        tenant.0,
        &days,
        &names as &[&str],
    )
    .execute(conn)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_read_as_people_write_them() {
        let hours = Hours {
            zone: "Europe/Berlin".into(),
            work_days: vec![6, 1],
            opens: "08:30".into(),
            closes: "24:00".into(),
        };
        let calendar = hours.check().expect("sound");
        assert_eq!(
            (calendar.opens, calendar.closes, calendar.work_days),
            (510, 1_440, vec![1, 6])
        );
        assert_eq!(
            Hours::default().check().expect("sound"),
            Calendar::default()
        );
    }

    #[test]
    fn nonsense_is_named() {
        let field = |change: fn(&mut Hours)| {
            let mut hours = Hours::default();
            change(&mut hours);
            match hours.check() {
                Err(HoursError::Refused { field, .. }) => field,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(field(|it| it.zone = "Europe/Atlantis".into()), "zone");
        assert_eq!(field(|it| it.work_days = vec![]), "work_days");
        assert_eq!(field(|it| it.work_days = vec![1, 1]), "work_days");
        assert_eq!(field(|it| it.work_days = vec![0]), "work_days");
        assert_eq!(field(|it| it.opens = "9:00".into()), "opens");
        assert_eq!(field(|it| it.closes = "24:01".into()), "closes");
        assert_eq!(field(|it| it.closes = "09:00".into()), "closes");
        assert_eq!(field(|it| it.opens = "+9:-1".into()), "opens");
    }
}
