//! The worker: claims jobs, runs their handlers, renews its lease, settles results.
//!
//! ```text
//!   intake ──claims──▶ lineup ──apalis──▶ handlers ──results──▶ settling
//!      ▲                                     ▲
//!   words, idle (what to ask, when)       held (how to stop them) ◀── renewal (the lease; cancellations)
//! ```
//! Each box is a task of its own with a connection of its own, so that none waits for another's query. Upholds I1, I2, I4, I6, I9,
//! I11; the fence itself is the engine's. No apalis type leaves this crate.

mod assignment;
mod backend;
mod batch;
mod execute;
mod held;
mod identity;
mod idle;
mod intake;
mod layer;
mod line;
mod lineup;
mod listening;
mod pace;
mod proof;
mod renewal;
mod run;
mod sampler;
mod settings;
mod settling;
mod shared;
mod verdict;
mod words;

pub use run::{WorkerError, run};
pub use settings::{SettingsError, WorkerSettings};
