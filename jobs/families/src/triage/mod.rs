//! Triage: what a ticket is about, how urgent it is, and who should have it.
//!
//! [`model`] is the classifier and knows no database.

pub mod model;
