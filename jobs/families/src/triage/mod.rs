//! Triage: what a ticket is about, how urgent it is, whose it is, what may help; and whether promises to its owner are kept.
//!
//! A ticket's [`text`] is cleaned and masked; the model ([`classifier`]) or, without one, [`rules`] say what it is about;
//! [`sentiment`], [`priority`] and [`route`] do the rest, and [`decide`] puts it together with everything that speaks for it.
//! All that is pure. [`gather`] reads what it rests on, [`room`] takes what a partner has left, [`record`] writes what follows;
//! where the model is not sure enough the decision waits as an approval and nothing is applied before. What a person has set is
//! never overwritten.
//!
//! The kinds: [`ticket`](Ticket) sorts one, [`together`] with others that are due at the same time; [`apply`](Apply) carries out a
//! person's verdict; [`sla_deadline`](SlaDeadline) and [`sla_sweep`](SlaSweep) watch the clocks ([`sla`]);
//! [`route_backlog`](RouteBacklog) gives partners what they had no room for; [`digest`](Digest) sums a day up.
//!
//! [`model`] is the classifier and knows no database. Labelled texts come in as a [`dataset`]; [`train`](Train) makes a model of
//! them, [`evaluate`](Evaluate) measures one, and [`promote`](Promote) puts one to use that an admin approved, as [`promotion`]
//! says. [`models`] keeps them and knows which is in use. The first is made of the tickets that ship with the program
//! ([`shipped`]).

mod apply;
mod background;
mod backlog;
mod classifier;
pub mod dataset;
mod decide;
mod digest;
mod evaluate;
mod evaluations;
mod gather;
mod ground;
mod kb;
mod kept;
mod labels;
mod likes;
pub mod model;
mod models;
mod priority;
mod promote;
mod promotion;
mod record;
mod reply;
mod room;
mod route;
mod rules;
mod second_opinion;
mod sentiment;
mod settings;
pub mod shipped;
mod sla;
mod sla_deadline;
mod sla_sweep;
mod sort;
mod text;
mod ticket;
mod together;
mod train;

pub use apply::{Apply, check_correction};
pub use background::Training;
pub use backlog::{Drained, RouteBacklog, route_backlog};
pub use digest::{Digest, Digested, digest};
pub(crate) use digest::{in_review, precision};
pub use evaluate::{Evaluate, judge};
pub use evaluations::{
    CSV_HEADER, Evaluation, csv_after, csv_line, find_evaluation, list_evaluations,
};
pub use kb::{Article, ArticleError, NewArticle, articles, put_article};
pub(crate) use labels::{check_category, label};
pub use models::{Listed, ModelVersion, UseError, active_model, list_models, load};
pub use priority::{Priority, Raising};
pub use promote::Promote;
pub(crate) use room::{take_partner, take_senior};
pub use route::Route;
pub use second_opinion::Endpoint;
pub use settings::{InForce, Settings, SettingsError, Sla, set_settings, settings};
pub(crate) use sla::keep;
pub use sla::{
    Calendar, Holiday, Hours, HoursError, Kept, Promise, Targets, holidays, hours, set_holidays,
    set_hours,
};
pub use sla_deadline::{SlaDeadline, look};
pub use sla_sweep::{SlaSweep, Swept, sweep};
pub use sort::{Sorted, sort};
pub use ticket::Ticket;
pub use together::Together;
pub use train::{Train, TrainedModel, keep_trained};

/// What a person is asked about, in the words of the approvals.
pub const DECISION: &str = "triage";
