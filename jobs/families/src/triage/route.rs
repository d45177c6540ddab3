//! Who gets a ticket: a partner what can wait, an admin what cannot, Tier 1 what nobody else can take.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::priority::Priority;

/// Categories that an admin sees to, however urgent.
const ADMINS: [&str; 3] = ["bug", "outage", "login_security"];

/// Who gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// The brand's own first line.
    Tier1,
    /// The client's partner.
    Partner,
    /// An admin.
    Admin,
}

impl Route {
    /// Its word in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tier1 => "tier1",
            Self::Partner => "partner",
            Self::Admin => "admin",
        }
    }

    /// The escalation level it begins at.
    pub fn level(self) -> i16 {
        match self {
            Self::Tier1 => 0,
            Self::Partner => 1,
            Self::Admin => 3,
        }
    }
}

/// Where a ticket goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Routed {
    pub(crate) route: Route,
    /// Whose it is, where it is a partner's.
    pub(crate) partner: Option<Uuid>,
    /// An admin keeps an eye on it.
    pub(crate) watched: bool,
    /// It is for a partner, and none has room.
    pub(crate) wants_partner: bool,
}

impl Routed {
    /// Where the partner turned out to have no room.
    pub(super) const WITHOUT_ROOM: Self = Self {
        route: Route::Tier1,
        partner: None,
        watched: false,
        wants_partner: true,
    };
}

/// Routes. `severe`: a rule said that it must not wait; `partner`: the client's, if it has room.
pub(crate) fn route(
    category: &str,
    priority: Priority,
    severe: bool,
    partner: Option<Uuid>,
) -> Routed {
    let admins = severe || priority == Priority::High || ADMINS.contains(&category);
    let route = match (admins, partner) {
        (true, _) => Route::Admin,
        (false, Some(_)) => Route::Partner,
        (false, None) => Route::Tier1,
    };
    Routed {
        route,
        partner: partner.filter(|_| route == Route::Partner),
        watched: route == Route::Partner && priority == Priority::Medium,
        wants_partner: route == Route::Tier1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_wait_is_the_partners_and_what_cannot_the_admins() {
        use Priority::{High, Low, Medium};
        let ann = Some(Uuid::from_u128(1));
        let told = |category, priority, severe, partner| {
            let it = route(category, priority, severe, partner);
            (it.route.name(), it.partner, it.watched, it.wants_partner)
        };
        assert_eq!(
            told("how_to", Low, false, ann),
            ("partner", ann, false, false)
        );
        assert_eq!(
            told("billing", Medium, false, ann),
            ("partner", ann, true, false)
        );
        assert_eq!(
            told("billing", High, false, ann),
            ("admin", None, false, false)
        );
        assert_eq!(told("bug", Low, false, ann), ("admin", None, false, false));
        assert_eq!(
            told("how_to", Low, true, ann),
            ("admin", None, false, false)
        );
        assert_eq!(
            told("how_to", Low, false, None),
            ("tier1", None, false, true)
        );
        assert_eq!(Route::Admin.level(), 3);
    }
}
