//! Partners as people keep them: who they are, what they are versed in, when they work and when they are away.
//!
//! [`profile`] is what a partner is, put whole by [`store`]; [`leaves`] is when it takes no new work. What follows from either, the score, is
//! asked for by the database itself in the same transaction ([`crate::capacity`]). Load and cap are not here: they are capacity's.

mod leaves;
mod profile;
mod store;

pub use leaves::{Leave, LeaveError, add_leave, list_leaves, remove_leave};
pub use profile::{Profile, Wrong};
pub(crate) use store::is_known;
pub use store::{Partner, ProfileError, find_partner, list_partners, put_partner};
