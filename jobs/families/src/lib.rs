//! The job families: what the business does with the fleet.
pub mod metrics;
