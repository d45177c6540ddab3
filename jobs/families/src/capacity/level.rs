//! When a partner is near full, and when no longer: with a margin between the two, so that one ticket more or less is no news.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::settings::Settings;

/// Headroom at which a partner is full, whatever else is set.
const FULL: f64 = 0.0;

/// How full a partner is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// It has room.
    Open,
    /// Little of its cap is left: a tenth, or as the settings say.
    NearFull,
    /// Nothing is left.
    Full,
}

impl Level {
    /// The name in the database and in events.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::NearFull => "near_full",
            Self::Full => "full",
        }
    }

    /// The level of that name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Open, Self::NearFull, Self::Full]
            .into_iter()
            .find(|level| level.name() == name)
    }

    /// The level that headroom gives, coming from another: it rises at once, and falls only past the margin.
    #[must_use]
    pub fn after(self, headroom: f64, settings: &Settings) -> Self {
        let now = Self::of(headroom, settings);
        let lenient = Self::of(headroom - settings.margin, settings);
        if now >= self { now } else { lenient.min(self) }
    }

    /// The level that headroom gives to a partner seen for the first time.
    pub fn of(headroom: f64, settings: &Settings) -> Self {
        if headroom <= FULL {
            Self::Full
        } else if headroom <= settings.near_full {
            Self::NearFull
        } else {
            Self::Open
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_entered_at_once_and_left_with_a_margin() {
        use Level::{Full, NearFull, Open};
        for (was, headroom, now) in [
            (Open, 0.11, Open),
            (Open, 0.10, NearFull),
            (Open, 0.0, Full),
            (NearFull, 0.14, NearFull),
            (NearFull, 0.16, Open),
            (NearFull, 0.0, Full),
            (Full, 0.04, Full),
            (Full, 0.06, NearFull),
            (Full, 0.14, NearFull),
            (Full, 0.9, Open),
        ] {
            let settings = Settings::default();
            assert_eq!(was.after(headroom, &settings), now, "{was:?} at {headroom}");
        }
        let early = Settings {
            near_full: 0.3,
            margin: 0.2,
            ..Settings::default()
        };
        assert_eq!(Open.after(0.3, &early), NearFull);
        assert_eq!(NearFull.after(0.45, &early), NearFull);
    }

    #[test]
    fn a_ticket_that_comes_and_goes_at_the_edge_is_told_once() {
        let mut level = Level::Open;
        let mut told = 0;
        for turn in 0..20 {
            let next = level.after(
                if turn % 2 == 0 { 0.099 } else { 0.106 },
                &Settings::default(),
            );
            told += u32::from(next != level);
            level = next;
        }
        assert_eq!((told, level), (1, Level::NearFull));
    }

    #[test]
    fn names_lead_back() {
        for level in [Level::Open, Level::NearFull, Level::Full] {
            assert_eq!(Level::named(level.name()), Some(level));
        }
        assert_eq!(Level::named("empty"), None);
    }
}
