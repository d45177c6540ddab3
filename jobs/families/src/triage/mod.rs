//! Triage: what a ticket is about, how urgent it is, whose it is, what may help; and whether promises to its owner are kept.
//!
//! A ticket's [`text`] is cleaned and masked; the model ([`classifier`]) or, without one, [`rules`] say what it is about;
//! [`sentiment`], [`priority`] and [`route`] do the rest, and [`decide`] puts it together with everything that speaks for it.
//! All that is pure. [`gather`] reads what it rests on, [`record`] writes what follows; where the model is not sure enough the
//! decision waits as an approval and nothing is applied before. What a person has set is never overwritten.
//!
//! The kinds: [`ticket`](Ticket) sorts one; [`apply`](Apply) carries out a person's verdict; [`sla_deadline`](SlaDeadline) and
//! [`sla_sweep`](SlaSweep) watch the clocks ([`sla`]); [`route_backlog`](RouteBacklog) gives partners what they had no room for;
//! [`digest`](Digest) sums a day up.

mod apply;
mod backlog;
mod classifier;
mod decide;
mod digest;
mod gather;
mod kb;
mod labels;
pub mod model;
mod priority;
mod record;
mod reply;
mod route;
mod rules;
mod second_opinion;
mod sentiment;
mod settings;
mod sla;
mod sla_deadline;
mod sla_sweep;
mod sort;
mod text;
mod ticket;

pub use apply::{Apply, check_correction};
pub use backlog::{Drained, RouteBacklog, route_backlog};
pub use digest::{Digest, Digested, digest};
pub(crate) use digest::{in_review, precision};
pub(crate) use gather::partner_for;
pub use kb::{Article, ArticleError, NewArticle, articles, put_article};
pub(crate) use labels::{check_category, label};
pub use priority::{Priority, Raising};
pub use route::Route;
pub use second_opinion::Endpoint;
pub use settings::{InForce, Settings, SettingsError, Sla, set_settings, settings};
pub use sla::{
    Calendar, Holiday, Hours, HoursError, Kept, Promise, Targets, holidays, hours, set_holidays,
    set_hours,
};
pub(crate) use sla::{keep, senior_for};
pub use sla_deadline::{SlaDeadline, look};
pub use sla_sweep::{SlaSweep, Swept, sweep};
pub use sort::{Sorted, sort};
pub use ticket::Ticket;

/// What a person is asked about, in the words of the approvals.
pub const DECISION: &str = "triage";
