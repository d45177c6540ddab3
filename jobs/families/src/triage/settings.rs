//! What triage is turned by: rows with history, a tenant's own before the platform's, and these defaults where neither is.

use fleet_queue::TenantId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgConnection;

use super::ground::ground;
use super::labels::check_category;
use super::priority::{Priority, Raising};
use super::second_opinion::Endpoint;
use super::sla::Targets;
use crate::settings::await_turn;

/// The settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// What is promised for each priority, in business minutes.
    pub sla: Sla,
    /// What makes a ticket urgent.
    pub priority: Raising,
    /// Tickets of a client whose likeness differs in at most so many bits are candidates for a merge …
    #[schemars(range(max = 64))]
    pub duplicate_bits: u32,
    /// … within so many hours.
    #[schemars(range(max = 8_760))]
    pub duplicate_hours: u32,
    /// Older tickets are not given to a partner that finds room again.
    #[schemars(range(max = 3_650))]
    pub backlog_days: u32,
    /// Whether the draft of an answer is sent without a person having read it.
    pub auto_reply: bool,
    /// A model elsewhere, asked where ours is not sure; the platform's own setting. None: nobody is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub second_opinion: Option<Endpoint>,
}

/// What is promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Sla {
    /// Where it is urgent.
    pub high: Targets,
    /// Where it is middling.
    pub medium: Targets,
    /// Where it can wait.
    pub low: Targets,
}

impl Default for Sla {
    fn default() -> Self {
        let hours = |first_response: u32, next_response: u32, resolution: u32| Targets {
            first_response: first_response * 60,
            next_response: next_response * 60,
            resolution: resolution * 60,
        };
        Self {
            high: hours(1, 2, 8),
            medium: hours(4, 8, 24),
            low: hours(8, 16, 72),
        }
    }
}

impl Sla {
    /// What is promised for a priority.
    pub fn of(&self, priority: Priority) -> Targets {
        match priority {
            Priority::High => self.high,
            Priority::Medium => self.medium,
            Priority::Low => self.low,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sla: Sla::default(),
            priority: Raising::default(),
            duplicate_bits: 3,
            duplicate_hours: 24,
            backlog_days: 30,
            auto_reply: false,
            second_opinion: None,
        }
    }
}

/// Settings as they are in force, with the version that a decision names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct InForce {
    /// 0: the defaults of the program.
    pub version: i32,
    /// They.
    pub settings: Settings,
}

impl InForce {
    /// A tenant's own, else the platform's, else the defaults; but the endpoint is always the platform's. A row that an older or newer
    /// version of the program wrote and this one cannot read counts as absent.
    pub(super) fn of(own: Option<(i32, Value)>, platform: Option<(i32, Value)>) -> Self {
        let read = |(version, settings)| {
            let settings = serde_json::from_value(settings).ok()?;
            Some(Self { version, settings })
        };
        let platform: Option<Self> = platform.and_then(read);
        let endpoint = platform
            .as_ref()
            .and_then(|it| it.settings.second_opinion.clone());
        let mut first = own.and_then(read).or(platform).unwrap_or_default();
        first.settings.second_opinion = endpoint;
        first
    }
}

/// Why settings were not taken.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A value that makes no sense.
    #[error("{field}: {problem}")]
    Refused {
        /// Which.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The database did not carry it out.
    #[error("the database did not carry it out")]
    Database(#[from] sqlx::Error),
}

fn refused<T>(field: &'static str, problem: impl Into<String>) -> Result<T, SettingsError> {
    let problem = problem.into();
    Err(SettingsError::Refused { field, problem })
}

impl Settings {
    /// Refuses what makes no sense; only the platform may name an endpoint that its workers talk to.
    pub fn check(&self, tenant: TenantId) -> Result<(), SettingsError> {
        self.sla.check()?;
        check_raising(&self.priority)?;
        if self.duplicate_bits > 64 || self.duplicate_hours > 8_760 || self.backlog_days > 3_650 {
            return refused(
                "duplicate_bits",
                "bits are at most 64, duplicate_hours 8760, backlog_days 3650",
            );
        }
        match &self.second_opinion {
            Some(_) if tenant != TenantId::PLATFORM => refused(
                "second_opinion",
                "only the platform names the endpoint that its workers ask",
            ),
            Some(endpoint) => endpoint.check(),
            None => Ok(()),
        }
    }
}

impl Sla {
    fn check(&self) -> Result<(), SettingsError> {
        let all = [self.high, self.medium, self.low];
        let minutes = all.map(|it| [it.first_response, it.next_response, it.resolution]);
        let mut minutes = minutes.as_flattened().iter();
        match minutes.find(|minutes| !(1..=100_000).contains(*minutes)) {
            Some(odd) => refused(
                "sla",
                format!("{odd} minutes are promised, 1 to 100000 can be"),
            ),
            None => Ok(()),
        }
    }
}

fn check_raising(by: &Raising) -> Result<(), SettingsError> {
    if !(-1.0..=1.0).contains(&by.angry_below) {
        return refused(
            "priority.angry_below",
            format!("is {}; sentiments are -1 to 1", by.angry_below),
        );
    }
    for category in by.priors.keys() {
        check_category(category).or_else(|problem| refused("priority.priors", problem))?;
    }
    if by.repeated < 2 || by.repeated_days > 365 || by.priors.len() > 500 {
        return refused(
            "priority",
            "repeated is at least 2, repeated_days at most 365, priors at most 500",
        );
    }
    Ok(())
}

/// What is in force for a tenant.
pub async fn settings(conn: &mut PgConnection, tenant: TenantId) -> Result<InForce, sqlx::Error> {
    Ok(ground(conn, tenant).await?.in_force)
}

/// Adds a version; the one before stays readable.
pub async fn set_settings(
    conn: &mut PgConnection,
    tenant: TenantId,
    settings: &Settings,
    actor: &str,
) -> Result<InForce, SettingsError> {
    settings.check(tenant)?;
    await_turn(conn, "triage").await?;
    let value = serde_json::to_value(settings).expect("plain data");
    let version = sqlx::query_scalar!(
        r#"-- triage.set_settings
        INSERT INTO fleet.triage_settings (tenant_id, version, settings, set_by)
        SELECT $1, COALESCE(max(version), 0) + 1, $2, left($3, 200) FROM fleet.triage_settings WHERE tenant_id = $1
        RETURNING version"#,
        tenant.0,
        value,
        actor,
    )
    .fetch_one(conn)
    .await?;
    Ok(InForce {
        version,
        settings: settings.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_what_was_promised_and_pass_their_own_check() {
        let settings = Settings::default();
        settings.check(TenantId::PLATFORM).expect("sound");
        let high = settings.sla.of(Priority::High);
        assert_eq!(
            (high.first_response, high.next_response, high.resolution),
            (60, 120, 480)
        );
        let empty: Settings = serde_json::from_str("{}").expect("every field has a default");
        assert_eq!(empty, settings);
    }

    #[test]
    fn nonsense_is_named() {
        let field = |change: fn(&mut Settings), tenant| {
            let mut settings = Settings::default();
            change(&mut settings);
            match settings.check(tenant) {
                Err(SettingsError::Refused { field, .. }) => field,
                other => panic!("{other:?}"),
            }
        };
        let tenant = TenantId(uuid::Uuid::from_u128(1));
        assert_eq!(field(|it| it.sla.low.resolution = 0, tenant), "sla");
        assert_eq!(
            field(|it| it.priority.angry_below = f64::NAN, tenant),
            "priority.angry_below"
        );
        assert_eq!(field(|it| it.priority.repeated = 1, tenant), "priority");
        let odd =
            |it: &mut Settings| _ = it.priority.priors.insert("Bad Name".into(), Priority::Low);
        assert_eq!(field(odd, tenant), "priority.priors");
        assert_eq!(field(|it| it.duplicate_bits = 65, tenant), "duplicate_bits");
        let ask = |it: &mut Settings| it.second_opinion = Some(Endpoint::example());
        assert_eq!(field(ask, tenant), "second_opinion");
    }
}
