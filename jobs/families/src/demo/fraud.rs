//! Campaigns that cheat, and the labels that say which: what anomaly rules find is measured against them.

use chrono::{Days, NaiveDate};
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Options;
use super::dice::Dice;
use super::population::Campaign;
use crate::metrics::MetricRow;

/// A way of cheating.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FraudKind {
    /// Machines click for a day.
    ClickFlood,
    /// Made-up conversions for a day.
    ConversionStuffing,
    /// Revenue booked on a day without a click.
    RevenueWithoutClicks,
    /// One day's revenue many times the usual.
    RevenueSpike,
    /// All conversions within a few hours, day after day.
    ConversionBurst,
}

impl FraudKind {
    const ALL: [Self; 5] = [
        Self::ClickFlood,
        Self::ConversionStuffing,
        Self::RevenueWithoutClicks,
        Self::RevenueSpike,
        Self::ConversionBurst,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::ClickFlood => "click_flood",
            Self::ConversionStuffing => "conversion_stuffing",
            Self::RevenueWithoutClicks => "revenue_without_clicks",
            Self::RevenueSpike => "revenue_spike",
            Self::ConversionBurst => "conversion_burst",
        }
    }

    /// Turns an honest row into what the cheat reports.
    fn distort(self, row: &mut MetricRow) {
        let revenue = row.revenue_micros.max(50_000_000);
        match self {
            Self::ClickFlood => {
                row.clicks = (row.clicks * 8 + 200).min(row.impressions);
                row.conversions = row.conversions.min(row.clicks);
            }
            Self::ConversionStuffing => {
                row.impressions = row.impressions.max(2_000);
                row.clicks = row.clicks.max(80);
                row.conversions = row.clicks * 3 / 4;
            }
            Self::RevenueWithoutClicks => {
                (row.clicks, row.conversions, row.spend_micros) = (0, 0, 0);
                row.conversion_hours = Some(0);
                row.revenue_micros = revenue;
            }
            Self::RevenueSpike => row.revenue_micros = revenue * 25,
            Self::ConversionBurst => {
                (row.conversions, row.revenue_micros) = (0, 0);
                row.conversion_hours = Some(0);
            }
        }
    }
}

/// One cheat.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Label {
    /// Whose campaign.
    pub tenant_id: Uuid,
    /// The campaign.
    pub campaign_id: Uuid,
    /// How it cheats.
    pub kind: FraudKind,
    /// On which day.
    pub day: NaiveDate,
}

/// Whether a campaign cheats, how and when: on a day within the sixty that the rules look back.
pub(super) fn label(
    options: &Options,
    campaign: &Campaign<'_>,
    last_day: NaiveDate,
) -> Option<Label> {
    let mut dice = Dice::of(options.seed, "fraud", campaign.number);
    if !dice.chance(options.fraud_share) || campaign.age < 30 {
        return None;
    }
    let kind = *dice.pick(&FraudKind::ALL);
    let back = dice.below(options.days.clamp(1, 28).into());
    let day = last_day - Days::new(back);
    Some(Label {
        tenant_id: campaign.client.tenant,
        campaign_id: campaign.id,
        kind,
        day,
    })
}

/// Applies a cheat to a row of its campaign.
pub(super) fn distort(label: Option<&Label>, row: &mut MetricRow) {
    let Some(label) = label else { return };
    // A burst is a trait of the whole span: everything happens within three hours of its day.
    if label.kind == FraudKind::ConversionBurst && row.day == label.day {
        row.clicks = row.clicks.max(90).min(row.impressions);
        row.conversions = row.clicks * 2 / 3;
        row.conversion_hours = Some(3);
    } else if label.kind == FraudKind::ConversionBurst || row.day == label.day {
        label.kind.distort(row);
    }
}

/// Keeps the labels beside the data.
pub(super) async fn keep(conn: &mut PgConnection, labels: &[Label]) -> Result<(), sqlx::Error> {
    let tenants: Vec<_> = labels.iter().map(|label| label.tenant_id).collect();
    let campaigns: Vec<_> = labels.iter().map(|label| label.campaign_id).collect();
    let kinds: Vec<_> = labels.iter().map(|label| label.kind.name()).collect();
    let days: Vec<_> = labels.iter().map(|label| label.day).collect();
    sqlx::query!(
        r#"-- demo.keep_labels
        INSERT INTO fleet.demo_labels (tenant_id, campaign_id, kind, day)
        SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::date[])
        ON CONFLICT DO NOTHING"#,
        &tenants,
        &campaigns,
        &kinds as &[&str],
        &days,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// How many campaigns the anomaly rules should have held, did hold, and held rightly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Detection {
    /// Campaigns that cheat.
    pub labelled: i64,
    /// Campaigns with a hold.
    pub held: i64,
    /// Both.
    pub both: i64,
}

/// Compares labels with holds, campaign by campaign.
pub async fn detection(conn: &mut PgConnection) -> Result<Detection, sqlx::Error> {
    sqlx::query_as!(
        Detection,
        r#"-- demo.detection
        WITH labelled AS (
            SELECT DISTINCT tenant_id, campaign_id FROM fleet.demo_labels
        ), held AS (
            SELECT DISTINCT tenant_id, campaign_id FROM fleet.metric_holds
        )
        SELECT (SELECT count(*) FROM labelled) AS "labelled!", (SELECT count(*) FROM held) AS "held!",
               (SELECT count(*) FROM labelled JOIN held USING (tenant_id, campaign_id)) AS "both!""#
    )
    .fetch_one(conn)
    .await
}
