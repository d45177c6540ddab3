//! Ticket classifiers: made, measured, put to use, by jobs as in production.

mod jobs;
mod promotion;
mod quality;
mod stage;
