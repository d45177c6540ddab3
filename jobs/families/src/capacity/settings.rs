//! What capacities are weighed by: rows with history. A change is a new version, because scores name the one they used; it has everybody
//! scored anew (`fleet.capacity_settings_changed`), in its own transaction.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgConnection;

use crate::settings::{SettingsError, Stored, Versioned, unless};

/// How much each part of a score counts; together 1, so that the score ends at 100.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "CapacityWeights")]
pub struct Weights {
    /// Promises kept.
    pub sla: f64,
    /// Speed of the first response.
    pub response: f64,
    /// Campaigns that met their goal.
    pub success: f64,
}

impl Default for Weights {
    fn default() -> Self {
        Self {
            sla: 0.40,
            response: 0.25,
            success: 0.35,
        }
    }
}

/// How much a partner takes that has no cap of its own, by tier.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Caps {
    /// As most are.
    pub standard: f64,
    /// A senior one.
    pub senior: f64,
}

impl Default for Caps {
    fn default() -> Self {
        Self {
            standard: 15.0,
            senior: 30.0,
        }
    }
}

impl Caps {
    pub(super) fn of(&self, tier: &str) -> f64 {
        match tier {
            "senior" => self.senior,
            _ => self.standard,
        }
    }
}

/// What one of each adds to the load, beside clients' weights; in hundredths.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Loads {
    /// An open ticket on which a promise is running.
    pub ticket: f64,
    /// A running campaign.
    pub campaign: f64,
}

impl Default for Loads {
    fn default() -> Self {
        Self {
            ticket: 0.1,
            campaign: 0.05,
        }
    }
}

/// Weights and thresholds. What is left out has its default; what is unknown is refused.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "CapacitySettings")]
pub struct Settings {
    /// How much each part of a score counts.
    pub weights: Weights,
    /// How much a tier takes.
    pub caps: Caps,
    /// What adds to a load.
    pub loads: Loads,
    /// As many promises at the tier's mean are imagined beside a partner's own; with as many of its own it is fully known.
    pub sla_strength: f64,
    /// Working hours of first response that halve its part.
    pub response_half_life: f64,
    /// That part of a partner who has answered nothing yet.
    pub response_unknown: f64,
    /// With less room than that there is no free slot: the weight of a client as most are.
    pub slot: f64,
    /// Headroom at which a partner is near full.
    pub near_full: f64,
    /// How far headroom must rise above where a level began before the level ends.
    pub margin: f64,
    /// Points by which a score must move for it to be news.
    pub news: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            weights: Weights::default(),
            caps: Caps::default(),
            loads: Loads::default(),
            sla_strength: 20.0,
            response_half_life: 4.0,
            response_unknown: 0.5,
            slot: 1.0,
            near_full: 0.1,
            margin: 0.05,
            news: 5.0,
        }
    }
}

impl Versioned for Settings {
    const FAMILY: &'static str = "capacity";

    fn check(&self) -> Result<(), SettingsError> {
        let w = &self.weights;
        for (field, share) in [
            ("weights.sla", w.sla),
            ("weights.response", w.response),
            ("weights.success", w.success),
            ("response_unknown", self.response_unknown),
            ("near_full", self.near_full),
            ("margin", self.margin),
        ] {
            let good = (0.0..=1.0).contains(&share);
            unless(good, field, share, "0 to 1 are allowed")?;
        }
        let sum = w.sla + w.response + w.success;
        let whole = (sum - 1.0).abs() < 1e-9;
        unless(whole, "weights", sum, "together they must be 1")?;
        for (field, load) in [
            ("loads.ticket", self.loads.ticket),
            ("loads.campaign", self.loads.campaign),
        ] {
            // Loads are kept in hundredths: what is finer would differ from the rows it is the sum of.
            let good = (0.0..=100.0).contains(&load)
                && (load * 100.0 - (load * 100.0).round()).abs() < 1e-6;
            unless(good, field, load, "0 to 100 in hundredths are allowed")?;
        }
        for (field, cap) in [
            ("caps.standard", self.caps.standard),
            ("caps.senior", self.caps.senior),
        ] {
            let good = (0.0..=999_999.0).contains(&cap);
            unless(good, field, cap, "0 to 999999 are allowed")?;
        }
        for (field, n) in [
            ("sla_strength", self.sla_strength),
            ("response_half_life", self.response_half_life),
            ("slot", self.slot),
            ("news", self.news),
        ] {
            let good = (0.01..=1000.0).contains(&n);
            unless(good, field, n, "0.01 to 1000 are allowed")?;
        }
        Ok(())
    }

    async fn rows(conn: &mut PgConnection, limit: i64) -> Result<Vec<Stored>, sqlx::Error> {
        sqlx::query_as!(
            Stored,
            r#"-- capacity.settings
            SELECT version, settings, changed_by, reason AS "reason: String", changed_at
            FROM fleet.capacity_settings
            WHERE tenant_id = '00000000-0000-0000-0000-000000000000'
            ORDER BY version DESC
            LIMIT $1"#,
            limit,
        )
        .fetch_all(conn)
        .await
    }

    async fn add(
        conn: &mut PgConnection,
        settings: Value,
        by: &str,
        reason: Option<&str>,
    ) -> Result<(), sqlx::Error> {
        sqlx::query!(
            r#"-- capacity.add_settings
            INSERT INTO fleet.capacity_settings (version, settings, changed_by, reason)
            SELECT COALESCE(max(version), 0) + 1, $1, $2, $3 FROM fleet.capacity_settings"#,
            settings,
            by,
            reason as _,
        )
        .execute(conn)
        .await
        .map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Spoil = fn(&mut Settings);

    #[test]
    fn the_defaults_are_what_the_platform_begins_with() {
        let migration = include_str!("../../../../migrations/0025_create_capacity.sql");
        let text = migration
            .split("VALUES (1, '")
            .nth(1)
            .and_then(|rest| rest.split("', '").next());
        let seeded: Settings = serde_json::from_str(text.expect("seeded")).expect("readable");
        assert_eq!(seeded, Settings::default());
        seeded.check().expect("good");
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        let bad: [(&str, Spoil); 9] = [
            ("weights.sla", |it| it.weights.sla = f64::NAN),
            ("weights.response", |it| it.weights.response = -0.1),
            ("weights", |it| it.weights.success = 0.36),
            ("caps.senior", |it| it.caps.senior = -1.0),
            ("loads.ticket", |it| it.loads.ticket = 0.001),
            ("loads.campaign", |it| it.loads.campaign = 101.0),
            ("near_full", |it| it.near_full = 1.1),
            ("slot", |it| it.slot = 0.0),
            ("response_half_life", |it| {
                it.response_half_life = f64::INFINITY;
            }),
        ];
        for (name, spoil) in bad {
            let mut settings = Settings::default();
            spoil(&mut settings);
            let error = settings.check().expect_err(name).to_string();
            assert!(error.starts_with(&format!("{name} is ")), "{name}: {error}");
        }
        for loads in [0.07, 0.1, 0.29, 0.57, 1.15, 99.99] {
            let settings = Settings {
                loads: Loads {
                    ticket: loads,
                    campaign: loads,
                },
                ..Settings::default()
            };
            assert!(settings.check().is_ok(), "{loads}");
        }
        assert!(serde_json::from_str::<Settings>(r#"{"weight": 1}"#).is_err());
    }
}
