//! Who there is: tenants, partners, clients and their campaigns, each made from the seed and its own number.

use chrono::{Days, NaiveDate};
use uuid::Uuid;

use super::Options;
use super::catalog::{CHANNELS, CURRENCIES, Channel, Currency, INDUSTRIES, Industry};
use super::dice::Dice;

const FIRST: [&str; 12] = [
    "Bright", "North", "Blue", "Lotus", "Summit", "Harbour", "Maple", "Orbit", "Cedar", "Quill",
    "Ember", "Tidal",
];
const SECOND: [&str; 12] = [
    "Reach",
    "Signal",
    "Works",
    "Growth",
    "Studio",
    "Media",
    "Digital",
    "Labs",
    "Partners",
    "Collective",
    "Craft",
    "Path",
];

/// Languages besides English.
pub(super) const LANGUAGES: [&str; 4] = ["de", "es", "fr", "hi"];

/// A partner and what it is good at.
pub(super) struct Partner {
    pub(super) id: Uuid,
    pub(super) name: String,
    pub(super) senior: bool,
    pub(super) active_since: NaiveDate,
    /// Its clicks and conversions, against what is typical.
    pub(super) skill: (f64, f64),
    /// Share of its promises it keeps.
    pub(super) reliability: f64,
    /// `named`, `hidden`, or nothing said, which is anonymous.
    pub(super) visibility: Option<&'static str>,
    /// What it is versed in.
    pub(super) versed: Versed,
}

/// Industries, channels and languages: what a partner knows, or a client needs.
pub(super) struct Versed {
    pub(super) industries: Vec<&'static str>,
    pub(super) channels: Vec<&'static str>,
    pub(super) languages: Vec<&'static str>,
}

/// A client of a tenant.
pub(super) struct Client {
    pub(super) tenant: Uuid,
    pub(super) id: Uuid,
    pub(super) name: String,
    pub(super) active_since: NaiveDate,
    pub(super) industry: &'static Industry,
    pub(super) currency: &'static Currency,
    /// Its budget, against a middling one.
    size: f64,
    /// How much larger it is at the end of a year.
    growth: f64,
}

/// A campaign: one client's, on one channel, run by one partner or by the client itself.
pub(super) struct Campaign<'p> {
    pub(super) number: u64,
    pub(super) id: Uuid,
    pub(super) client: &'p Client,
    pub(super) partner: Option<&'p Partner>,
    pub(super) name: String,
    pub(super) channel: &'static Channel,
    pub(super) size: f64,
    pub(super) growth: f64,
    /// Days before the last on which it began, and whether a tuned agent runs beside the baseline.
    pub(super) age: u32,
    pub(super) tuned: bool,
}

/// The `number`th partner.
pub(super) fn partner(options: &Options, last_day: NaiveDate, number: u32) -> Partner {
    let mut dice = Dice::of(options.seed, "partner", number.into());
    let ability = 0.16 * dice.normal();
    Partner {
        id: dice.id(),
        name: format!("{} {} {number}", dice.pick(&FIRST), dice.pick(&SECOND)),
        senior: dice.chance(0.08),
        // One in twenty is too new to be ranked.
        active_since: last_day
            - Days::new(if dice.chance(0.05) {
                dice.below(25)
            } else {
                60 + dice.below(900)
            }),
        skill: (
            (ability + 0.08 * dice.normal()).exp(),
            (ability + 0.10 * dice.normal()).exp(),
        ),
        reliability: (0.955 + 0.3 * ability + 0.03 * dice.normal()).clamp(0.5, 1.0),
        visibility: match dice.below(20) {
            0..=10 => Some("named"),
            11..=12 => Some("hidden"),
            _ => None,
        },
        versed: versed(&mut Dice::of(options.seed, "versed", number.into())),
    }
}

/// What a partner knows: about half of everything, and English.
fn versed(dice: &mut Dice) -> Versed {
    let mut languages = vec!["en"];
    languages.extend(LANGUAGES.iter().filter(|_| dice.chance(0.35)));
    Versed {
        industries: INDUSTRIES
            .iter()
            .map(|it| it.name)
            .filter(|_| dice.chance(0.5))
            .collect(),
        channels: CHANNELS
            .iter()
            .map(|it| it.name)
            .filter(|_| dice.chance(0.6))
            .collect(),
        languages,
    }
}

/// The `number`th client.
pub(super) fn client(options: &Options, last_day: NaiveDate, number: u32) -> Client {
    let mut dice = Dice::of(options.seed, "client", number.into());
    let tenant = number % options.tenants;
    Client {
        tenant: tenant_id(options, tenant),
        id: dice.id(),
        name: format!("{} {} & Co {number}", dice.pick(&SECOND), dice.pick(&FIRST)),
        active_since: last_day - Days::new(40 + dice.below(1_000)),
        industry: &INDUSTRIES[number as usize / options.tenants as usize % INDUSTRIES.len()],
        currency: &CURRENCIES[tenant as usize % CURRENCIES.len()],
        size: dice.spread(0.6),
        growth: 0.15 + 0.3 * dice.normal(),
    }
}

/// The `number`th tenant's id.
pub(super) fn tenant_id(options: &Options, number: u32) -> Uuid {
    Dice::of(options.seed, "tenant", number.into()).id()
}

/// The `number`th campaign, among the given clients and partners.
pub(super) fn campaign<'p>(
    options: &Options,
    clients: &'p [Client],
    partners: &'p [Partner],
    number: u32,
) -> Campaign<'p> {
    let mut dice = Dice::of(options.seed, "campaign", number.into());
    let client = &clients[number as usize % clients.len()];
    // Every partner gets one before any gets a second; one client in thirty helps itself.
    let partner = (!dice.chance(0.03)).then(|| &partners[number as usize % partners.len()]);
    let channel = dice.pick(&CHANNELS);
    let age = if dice.chance(0.1) {
        dice.below(options.days.into()) as u32
    } else {
        options.days
    };
    Campaign {
        number: number.into(),
        id: dice.id(),
        client,
        partner,
        name: format!("{} {} {number}", client.industry.name, channel.name),
        channel,
        size: client.size * dice.spread(0.4),
        growth: client.growth,
        age,
        tuned: dice.chance(0.2),
    }
}
