//! What assignments are weighed by: rows with history. A change is a new version, because decisions name the one they used.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgConnection;

use crate::settings::{SettingsError, Stored, Versioned, unless};

/// How much each part of a score counts. The first four are added, the last is taken off.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "AssignmentWeights")]
pub struct Weights {
    /// The partner's capacity score.
    pub capacity: f64,
    /// Its percentile on the platform's partner board.
    pub leaderboard: f64,
    /// How closely what it knows fits what the client needs.
    pub skills: f64,
    /// How much of the client's working week it works, too.
    pub hours: f64,
    /// What it was given in the last day, so that the best do not get everything.
    pub recent: f64,
}

impl Default for Weights {
    fn default() -> Self {
        Self {
            capacity: 0.45,
            leaderboard: 0.35,
            skills: 0.15,
            hours: 0.05,
            recent: 0.10,
        }
    }
}

/// Weights and thresholds. What is left out has its default; what is unknown is refused.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "AssignmentSettings")]
pub struct Settings {
    /// How much each part of a score counts.
    pub weights: Weights,
    /// Clients given in a day at which `recent` counts in full.
    pub recent_full: u16,
    /// The percentile of a partner that is not ranked.
    pub unranked_percentile: f64,
    /// Monthly budget, in millionths of the reporting currency, from which a client is of high value; one on the enterprise plan always is.
    pub high_value_budget_micros: i64,
    /// How far down the leaderboard a high-value client may go where no senior partner has room.
    pub top_share: f64,
    /// Hours for which a slot is kept while a person decides.
    pub reservation_hours: u16,
    /// How quickly confidence grows with the margin between the best partner and the next.
    pub confidence_slope: f64,
    /// Whether a person decides on every high-value client.
    pub review_high_value: bool,
    /// Hours on the waitlist after which somebody is told.
    pub alert_hours: u16,
    /// The share of its cap down to which a partner is relieved.
    pub rebalance_to: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            weights: Weights::default(),
            recent_full: 5,
            unranked_percentile: 0.5,
            high_value_budget_micros: 10_000_000_000,
            top_share: 0.2,
            reservation_hours: 24,
            confidence_slope: 12.0,
            review_high_value: false,
            alert_hours: 24,
            rebalance_to: 0.8,
        }
    }
}

impl Versioned for Settings {
    const FAMILY: &'static str = "assignment";

    fn check(&self) -> Result<(), SettingsError> {
        let w = &self.weights;
        for (field, share) in [
            ("weights.capacity", w.capacity),
            ("weights.leaderboard", w.leaderboard),
            ("weights.skills", w.skills),
            ("weights.hours", w.hours),
            ("weights.recent", w.recent),
            ("unranked_percentile", self.unranked_percentile),
            ("top_share", self.top_share),
            ("rebalance_to", self.rebalance_to),
        ] {
            unless(
                (0.0..=1.0).contains(&share),
                field,
                share,
                "0 to 1 are allowed",
            )?;
        }
        let sum = w.capacity + w.leaderboard + w.skills + w.hours;
        unless(
            sum > 0.0,
            "weights",
            sum,
            "one that is added must be above 0",
        )?;
        let slope = self.confidence_slope;
        let steep = (0.1..=1000.0).contains(&slope);
        unless(steep, "confidence_slope", slope, "0.1 to 1000 are allowed")?;
        let budget = self.high_value_budget_micros;
        unless(
            budget >= 0,
            "high_value_budget_micros",
            budget,
            "at least 0",
        )?;
        for (field, n) in [
            ("recent_full", self.recent_full),
            ("reservation_hours", self.reservation_hours),
            ("alert_hours", self.alert_hours),
        ] {
            unless((1..=1000).contains(&n), field, n, "1 to 1000 are allowed")?;
        }
        Ok(())
    }

    async fn rows(conn: &mut PgConnection, limit: i64) -> Result<Vec<Stored>, sqlx::Error> {
        sqlx::query_as!(
            Stored,
            r#"-- assignment.settings
            SELECT version, settings, changed_by, reason AS "reason: String", changed_at
            FROM fleet.assignment_settings
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
            r#"-- assignment.add_settings
            INSERT INTO fleet.assignment_settings (version, settings, changed_by, reason)
            SELECT COALESCE(max(version), 0) + 1, $1, $2, $3 FROM fleet.assignment_settings"#,
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
        let migration = include_str!("../../../../migrations/0027_create_assignments.sql");
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
        let bad: [(&str, Spoil); 7] = [
            ("weights.hours", |it| it.weights.hours = f64::NAN),
            ("weights.recent", |it| it.weights.recent = -0.1),
            ("weights", |it| {
                it.weights = Weights {
                    capacity: 0.0,
                    leaderboard: 0.0,
                    skills: 0.0,
                    hours: 0.0,
                    recent: 0.1,
                };
            }),
            ("confidence_slope", |it| it.confidence_slope = 0.0),
            ("high_value_budget_micros", |it| {
                it.high_value_budget_micros = -1;
            }),
            ("reservation_hours", |it| it.reservation_hours = 0),
            ("top_share", |it| it.top_share = 1.1),
        ];
        for (name, spoil) in bad {
            let mut settings = Settings::default();
            spoil(&mut settings);
            let error = settings.check().expect_err(name).to_string();
            assert!(error.starts_with(&format!("{name} is ")), "{name}: {error}");
        }
        assert!(serde_json::from_str::<Settings>(r#"{"weight": 1}"#).is_err());
    }
}
