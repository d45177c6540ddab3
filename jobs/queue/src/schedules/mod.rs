//! Schedules: what is to be enqueued, when, and exactly once a tick. Upholds I6, I7, I8, I9.
//!
//! ```text
//!   definition ──timetable──► ticks ──catch_up──► ticks worth firing ──overlap──► jobs
//!                                                                      │
//!              one transaction:  schedule_tick rows  +  jobs  +  watermark and next_at
//! ```
//!
//! There is no leader. Any process may call [`fire_due`] at any time: a due schedule's row is locked by one of them and skipped by the others.
//! Three things make a tick fire once, whoever is killed when: its row in `schedule_tick` and its job commit together, with the step of the
//! watermark past it; the watermark never goes back, so a clock that is set back fires nothing again; and the row's primary key refuses a second one.
//! What is due is decided by the database's clock alone.
//!
//! A tick is a whole second, a run by hand never is, so neither can take the other's place.
//! The pure parts ([`Timetable`], catch-up, overlap) know no database; what a job of a schedule does is not known here at all.

mod apply;
mod catch_up;
mod control;
mod cron;
mod definition;
mod fire;
mod history;
mod jitter;
mod look_up;
mod overlap;
mod prune;
mod put;
mod record;
mod start;
mod timetable;
mod transaction;
mod wall;

pub use apply::{Applied, apply};
pub use catch_up::Missed;
pub use control::{Ran, delete, pause, resume, run_now};
pub use definition::{Definition, JobOptions};
pub use fire::{Fired, fire_due};
pub use history::{Change, history};
pub use look_up::{PausedBy, Schedule, find, get, list};
pub use overlap::Overlap;
pub use prune::prune_ticks;
pub use put::{Expect, Put, put};
pub use record::{TickRecord, record};
pub use start::FiredTick;
pub use timetable::{Preview, PreviewedTick, Timetable, preview};
pub use wall::{Ambiguous, Nonexistent};
