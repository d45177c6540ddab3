//! What industries and channels are like: typical rates and prices, after the benchmarks that advertising networks publish.

/// A channel's ways.
pub(super) struct Channel {
    pub(super) name: &'static str,
    /// Clicks per impression.
    pub(super) ctr: f64,
    /// Impressions a day of a campaign of middling size.
    pub(super) impressions: f64,
    /// Cost of a click in US dollars.
    pub(super) click_cost: f64,
    /// Conversions per click, against the industry's.
    pub(super) conversion_factor: f64,
}

/// An industry's ways.
pub(super) struct Industry {
    pub(super) name: &'static str,
    /// Clicks per impression, against the channel's.
    pub(super) click_factor: f64,
    /// Conversions per click.
    pub(super) cvr: f64,
    /// What a conversion brings, in US dollars.
    pub(super) order_value: f64,
    /// Cost of a click, against the channel's.
    pub(super) cost_factor: f64,
    /// How much weekends differ: 0.7 is a third less.
    pub(super) weekend: f64,
    /// Day of the year of its season's height, and how high it goes.
    pub(super) season: (f64, f64),
}

/// A currency and its worth in US dollars, the reporting currency.
pub(super) struct Currency {
    pub(super) code: &'static str,
    pub(super) worth: f64,
}

pub(super) const CHANNELS: [Channel; 5] = [
    channel("search", 0.045, 2_400.0, 1.60, 1.30),
    channel("social", 0.012, 7_500.0, 0.75, 0.80),
    channel("display", 0.006, 14_000.0, 0.45, 0.55),
    channel("email", 0.028, 3_000.0, 0.12, 1.10),
    channel("video", 0.009, 9_000.0, 0.50, 0.60),
];

pub(super) const INDUSTRIES: [Industry; 8] = [
    industry("retail", 1.10, 0.030, 70.0, 0.80, (1.15, 340.0, 0.45)),
    industry("travel", 1.20, 0.024, 260.0, 0.90, (1.05, 190.0, 0.40)),
    industry("finance", 0.80, 0.045, 190.0, 1.90, (0.70, 30.0, 0.10)),
    industry("health", 0.90, 0.036, 120.0, 1.20, (0.85, 15.0, 0.15)),
    industry("education", 0.95, 0.040, 150.0, 1.10, (0.75, 235.0, 0.30)),
    industry("software", 0.75, 0.026, 240.0, 1.60, (0.60, 70.0, 0.08)),
    industry("food", 1.30, 0.050, 28.0, 0.45, (1.25, 355.0, 0.20)),
    industry("home", 1.00, 0.032, 160.0, 1.00, (1.10, 120.0, 0.25)),
];

pub(super) const CURRENCIES: [Currency; 4] = [
    Currency {
        code: "USD",
        worth: 1.0,
    },
    Currency {
        code: "EUR",
        worth: 1.09,
    },
    Currency {
        code: "GBP",
        worth: 1.27,
    },
    Currency {
        code: "INR",
        worth: 0.012,
    },
];

const fn channel(
    name: &'static str,
    ctr: f64,
    impressions: f64,
    click_cost: f64,
    conversion_factor: f64,
) -> Channel {
    Channel {
        name,
        ctr,
        impressions,
        click_cost,
        conversion_factor,
    }
}

const fn industry(
    name: &'static str,
    click_factor: f64,
    cvr: f64,
    order_value: f64,
    cost_factor: f64,
    (weekend, peak, height): (f64, f64, f64),
) -> Industry {
    Industry {
        name,
        click_factor,
        cvr,
        order_value,
        cost_factor,
        weekend,
        season: (peak, height),
    }
}
