//! Decisions that software proposes and a person takes: nothing is applied before.
//!
//! A family that is not sure enough ([`policy`]) asks ([`ask`]) instead of acting, with what it would do and why. A person approves,
//! rejects or corrects it ([`decide`]); the decision and the job that carries it out, of the kind the family named, are one
//! transaction. That job reads the [`verdict`] and applies it, or releases what was reserved for it. What nobody decides in time
//! [`expires`](Expire) and is told to the same job. How often people overrule each kind of decision stands in [`record`].
//! Nothing here knows what the decisions are about, but for [`correct`], which asks the family whether a correction can be carried out.

mod ask;
mod correct;
mod decide;
mod expire;
mod policy;
mod read;
mod record;
mod verdict;

pub use ask::{Proposal, ask, withdraw};
pub use correct::CorrectionError;
pub use decide::{Choice, DecideError, decide};
pub use expire::Expire;
pub use policy::{Policy, PolicyError, PolicyRow, Review, list_policies, policy, set_policy};
pub use read::{Approval, Filter, find, list};
pub use record::{Record, record};
pub use verdict::{Status, Verdict, verdict};
