//! Demo data: a marketplace that looks real, made from a seed.
//!
//! The same seed, options and end day give the same data, row for row. Campaigns have the rates of their industry and channel,
//! their partner's skill, weekdays, a season and growth; some cheat, and which ones is known ([`Label`]), so that what the
//! anomaly rules find can be measured; some rows are wrong, in every way that ingest refuses.
//! It writes through the same validation and storage as any other source ([`crate::metrics`]).

mod bad_rows;
mod catalog;
mod dice;
mod figures;
mod fraud;
mod load;
mod newcomers;
mod population;
mod setup;
mod tickets;
mod workload;

pub use fraud::{Detection, FraudKind, Label, detection};
pub use load::{DemoError, DemoReport, compute_boards, load};
pub use newcomers::newcomers;

use chrono::NaiveDate;

/// How much to make, and of what.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Everything follows from it.
    pub seed: u64,
    /// Tenants, each a company with clients.
    pub tenants: u32,
    /// Partners, who work for clients of any tenant.
    pub partners: u32,
    /// Clients.
    pub clients: u32,
    /// Campaigns.
    pub campaigns: u32,
    /// Days of metrics.
    pub days: u32,
    /// The last day of metrics; by default yesterday by the database's clock.
    pub last_day: Option<NaiveDate>,
    /// Share of campaigns that cheat.
    pub fraud_share: f64,
    /// Share of rows that are wrong.
    pub bad_share: f64,
}

impl Options {
    /// What `fleet up` shows: 60 partners, about 20,000 rows over four months, four tenants.
    pub const SMALL: Self = Self {
        seed: 42,
        tenants: 4,
        partners: 60,
        clients: 90,
        campaigns: 170,
        days: 120,
        last_day: None,
        fraud_share: 0.03,
        bad_share: 0.005,
    };

    /// As many metric rows as wanted, with partners and campaigns in proportion: a million rows are 10,000 partners.
    #[must_use]
    pub fn with_rows(rows: u32) -> Self {
        let days = if rows < 200_000 { 120 } else { 60 };
        let campaigns = (rows / days).max(10);
        let partners = (campaigns * 3 / 5).max(5);
        let clients = (campaigns / 2).max(5);
        let tenants = (partners / 50).clamp(3, 200);
        Self {
            tenants,
            partners,
            clients,
            campaigns,
            days,
            ..Self::SMALL
        }
    }
}
