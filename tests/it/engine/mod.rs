//! The engine's verbs, each promise a story, straight on the database.

mod claims;
mod clock;
mod cut_off;
mod deck;
mod ending;
mod enqueueing;
mod fairness;
mod idling;
mod limits;
mod overlap;
mod waiting;
