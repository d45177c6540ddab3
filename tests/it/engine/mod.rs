//! The engine's verbs, each promise a story, straight on the database.

mod calling_off;
mod claims;
mod clock;
mod cut_off;
mod deck;
mod dependencies;
mod ending;
mod enqueueing;
mod fairness;
mod handling;
mod idling;
mod limits;
mod looking_ahead;
mod overlap;
mod reading;
mod remembering;
mod settings;
mod settling_together;
mod waiting;
