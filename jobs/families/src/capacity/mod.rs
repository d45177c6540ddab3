//! Capacity: how much more work each partner can take, and how well it would do it, in one number.
//!
//! [`formula`] says what the number is: load against the cap, times how the partner has kept its promises, answered and succeeded,
//! each drawn towards what its tier is like where little is known ([`priors`]). [`gather`] reads the inputs of a few partners in
//! one statement, [`record`] stores what follows from them, unless somebody else has stored since, and [`rescore`] is the two in
//! turn. [`level`] decides when a partner is near full, without flapping.
//!
//! The kinds: [`score`](Score) after a change to one partner, which the database itself asks for (`fleet.ask_capacity`);
//! [`score_all`](ScoreAll) every hour, because leave and the trailing ninety days move by the clock; [`reconcile`](Reconcile)
//! every night, which finds loads that their rows do not bear out. People read in [`read`] and turn the cap in [`limits`]; what all of it is
//! weighed by are [`settings`], rows with history.
//! Nothing here assigns a client: that is for whoever reads the score.

mod formula;
mod gather;
mod level;
mod limits;
mod priors;
mod read;
mod reconcile;
mod record;
mod rescore;
mod score;
mod score_all;
mod settings;

pub use formula::{Components, Inputs, Scored, score};
pub use level::Level;
pub use limits::{LimitError, Limits, set_limits};
pub use priors::TierPrior;
pub(crate) use read::filled;
pub use read::{Capacity, HISTORY_MAX, Listed, Past, capacity_of, list_capacity, tenant_of};
pub use reconcile::{Drift, Reconcile, Reconciled, reconcile};
pub use rescore::{CHUNK, Rescored, rescore};
pub use score::Score;
pub use score_all::{ScoreAll, ScoredAll, score_all};
pub use settings::{Caps, Loads, Settings, Weights};
