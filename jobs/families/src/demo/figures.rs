//! What a campaign does on a day: impressions by size, weekday, season and growth; clicks and conversions by chance; money by price.

use chrono::{Datelike, NaiveDate, Weekday};

use super::Options;
use super::catalog::Currency;
use super::dice::Dice;
use super::population::Campaign;
use crate::metrics::{MetricRow, Origin};

/// How much better the tuned agent clicks and converts.
const TUNED: (f64, f64) = (1.06, 1.10);

/// The rows of a campaign on the day `back` days before the last: one, or two where a tuned agent shares the traffic.
pub(super) fn rows(
    options: &Options,
    campaign: &Campaign<'_>,
    day: NaiveDate,
    back: u32,
) -> impl Iterator<Item = MetricRow> {
    let place = campaign.number * 100_000 + u64::from(back);
    let mut dice = Dice::of(options.seed, "row", place);
    let traffic = impressions(campaign, day, back, &mut dice);
    let tuned = campaign
        .tuned
        .then(|| row(campaign, day, "tuned", traffic / 2, &mut dice));
    let baseline = traffic - tuned.as_ref().map_or(0, |row| row.impressions);
    let baseline = row(campaign, day, "baseline", baseline, &mut dice);
    std::iter::once(baseline).chain(tuned)
}

fn impressions(campaign: &Campaign<'_>, day: NaiveDate, back: u32, dice: &mut Dice) -> i64 {
    let industry = campaign.client.industry;
    let weekend = matches!(day.weekday(), Weekday::Sat | Weekday::Sun);
    let weekday = if weekend { industry.weekend } else { 1.0 };
    let (peak, height) = industry.season;
    let phase = std::f64::consts::TAU * (f64::from(day.ordinal()) - peak) / 365.25;
    let season = 1.0 + height * phase.cos();
    let growth = (1.0 + campaign.growth)
        .max(0.2)
        .powf(-f64::from(back) / 365.25);
    let expected = campaign.channel.impressions * campaign.size * weekday * season * growth;
    (expected * dice.spread(0.12)).round() as i64
}

fn row(
    campaign: &Campaign<'_>,
    day: NaiveDate,
    variant: &str,
    impressions: i64,
    dice: &mut Dice,
) -> MetricRow {
    let (industry, channel) = (campaign.client.industry, campaign.channel);
    let (click_skill, sale_skill) = campaign.partner.map_or((0.9, 0.9), |partner| partner.skill);
    let (click_tuning, sale_tuning) = if variant == "tuned" {
        TUNED
    } else {
        (1.0, 1.0)
    };
    let ctr = channel.ctr * industry.click_factor * click_skill * click_tuning * dice.spread(0.05);
    let cvr =
        industry.cvr * channel.conversion_factor * sale_skill * sale_tuning * dice.spread(0.05);
    let clicks = dice.successes(impressions, ctr.min(0.5));
    let conversions = dice.successes(clicks, cvr.min(0.4));
    let spend = clicks as f64 * channel.click_cost * industry.cost_factor * dice.spread(0.1);
    // Orders differ: the more of them, the nearer their mean to the usual.
    let order = industry.order_value * dice.spread(0.35 / (conversions.max(1) as f64).sqrt());
    MetricRow {
        tenant: campaign.client.tenant,
        client: campaign.client.id,
        partner: campaign.partner.map(|partner| partner.id),
        campaign: campaign.id,
        day,
        variant: variant.to_owned(),
        impressions,
        clicks,
        conversions,
        spend_micros: micros(spend, campaign.client.currency),
        revenue_micros: micros(conversions as f64 * order, campaign.client.currency),
        currency: campaign.client.currency.code.to_owned(),
        conversion_hours: Some(busy_hours(conversions, dice)),
        origin: Origin::default(),
    }
}

/// US dollars in millionths of another currency.
pub(super) fn micros(dollars: f64, currency: &Currency) -> i64 {
    (dollars / currency.worth * 1e6).round() as i64
}

/// In how many of a day's hours so many conversions fall, by chance.
fn busy_hours(conversions: i64, dice: &mut Dice) -> i16 {
    let quiet = (1.0 - 1.0 / 18.0_f64).powf(conversions as f64);
    let expected = 18.0 * (1.0 - quiet);
    let least = i16::from(conversions > 0);
    ((expected + 0.6 * dice.normal()).round() as i16).clamp(least, 24)
}
