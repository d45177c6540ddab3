//! The scheduler: fires schedules and keeps the engine's house. Upholds I3, I7, I8.
//!
//! ```text
//!   lookout ── one cheap statement ──► outlook ──► ticks, promote, expire, rescue: exactly when due
//!                                         └─────► age, fold, sweep, retire, clear, partitions, prune: each at its pace
//! ```
//!
//! Any number of schedulers may run, and any may be killed at any moment: nobody leads, every duty is safe when two do it at once,
//! and the database's clock decides what is due. What a duty does is an engine call in `fleet-queue`; here is only *when*.
//! A duty that fails is tried again after a wait and never ends the process; neither does an outage of the database.

mod defaults;
mod duties;
mod error;
mod keeper;
mod listening;
mod lookout;
mod place;
mod rhythm;
mod settings;
mod status;

use std::sync::Arc;

use fleet_queue::Db;
use tokio_util::sync::CancellationToken;

pub use defaults::default_schedules;
pub use duties::{Duty, Round, Upkeep};
pub use error::{DutyError, SchedulerError};
pub use settings::SchedulerSettings;

/// Runs every duty until `soft` is cancelled; then each finishes the round it is in.
pub async fn run(
    settings: SchedulerSettings,
    db: Db,
    soft: CancellationToken,
) -> Result<(), SchedulerError> {
    settings.validate()?;
    let house = Arc::new(keeper::House::new(Upkeep::new(db, settings), soft));
    tracing::info!(process = %house.process, duties = Duty::ALL.len(), "scheduler started");
    let keepers = Duty::ALL.map(|duty| keeper::keep(Arc::clone(&house), duty));
    tokio::join!(
        lookout::look_out(&house),
        listening::listen(&house),
        status::write_down(&house),
        futures::future::join_all(keepers),
    );
    tracing::info!(process = %house.process, "scheduler stopped");
    Ok(())
}
