//! The verbs: the only code that writes the job tables. One file each, in the order of a job's life.

pub mod cancel;
pub mod claim;
pub mod enqueue;
mod leave;
pub mod pause;
pub mod progress;
pub mod promote;
pub mod prune;
pub mod renew;
pub mod reschedule;
pub mod rescue;
pub mod resume;
pub mod retry;
pub mod settle;
