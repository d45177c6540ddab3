//! The control API: enqueue, inspect, steer; over HTTP with JSON, keys, and an OpenAPI document made from the code.
//!
//! Upholds I9 (every body, page, wait and queue is bounded), I12 (every transaction takes a role that owns nothing and is bound to
//! the caller's tenant) and I13 (what changes something leaves a row of the audit in the same transaction).
//! It runs no job and keeps no state that matters: any number of these processes run side by side and may be killed at any moment.
//!
//! One file an endpoint group in `routes`; what they share lies beside it.

mod audit;
pub mod auth;
mod checks;
mod enqueue;
mod examples;
mod extract;
mod gather;
mod guard;
mod idempotency;
mod kinds;
mod measure;
mod nearest;
mod openapi;
mod problem;
mod queries;
mod request_id;
mod routes;
mod server;
mod settings;
mod shared_commit;
mod state;
mod system;
mod unstorable;
mod waiting;
mod waking;

pub use auth::{Scope, keys};
pub use server::{ApiError, document, serve};
pub use settings::{ApiSettings, RenderMetrics};
