//! Campaign metrics: how rows come in from files and streams, and what happens to those that cannot be believed.
//!
//! A line is read ([`lines`]), taken apart ([`csv`], [`ndjson`]), judged on its own ([`validate`]) and then, a batch at a time,
//! against what the database knows ([`identity`], driven by [`intake`]); good rows are stored ([`store`]), refused ones kept with their reason
//! ([`quarantine`]). A bad row never costs a good one. Memory is bounded by one batch, whatever the size of the input.

pub(crate) mod csv;
mod identity;
mod ingest;
mod intake;
pub(crate) mod lines;
mod ndjson;
pub(crate) mod quarantine;
mod reason;
mod row;
pub(crate) mod store;
mod validate;

pub use ingest::{Example, Format, IngestError, IngestReport, Options, Progress, ingest};
pub use quarantine::{QuarantinedRow, list_quarantine};
pub use reason::Reason;
pub use row::{MetricRow, Scope, id_of};

pub(crate) use csv::split;
pub(crate) use identity::today;
pub(crate) use lines::Lines;

pub(crate) use row::Origin;
