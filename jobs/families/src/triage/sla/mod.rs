//! What was promised: clocks in business time, kept by whoever changes a ticket, watched by jobs at their exact thresholds.
//!
//! [`calendar`] counts business time, [`plan`] says what a ticket's clocks should be at a moment, [`keep`] makes what [`load`] read so in the
//! database with everything that follows: events, outcomes, escalation ([`escalate`]), and the one job a clock that waits for its
//! next threshold. Who keeps holds the ticket's row, so that no breach is found twice.

mod calendar;
mod escalate;
mod hours;
mod keep;
mod load;
mod plan;

pub use calendar::Calendar;
pub use hours::{Holiday, Hours, HoursError, holidays, hours, set_holidays, set_hours};
pub use keep::Kept;
pub(crate) use keep::{keep, keep_all};
pub use plan::{Promise, Targets};
