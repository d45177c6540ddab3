//! Assignment: which partner looks after which client, decided by figures that a person can read.
//!
//! [`desk`] says what rules a partner out and [`fit`] what its score is made of; [`candidates`] looks at all partners, whom [`roster`] keeps at
//! hand and [`standing`] in step, and [`choose`] finds the best; [`assign`] decides on one client: takes a slot ([`slot`]) of the best partner that has one, asks a
//! person where it is not sure ([`propose`], keeping a [`reservation`]), or puts the client on the [`waitlist`]. Each decision keeps its
//! [`rationale`]. [`plan`] decides on many clients at once: [`optimum`] says who could go where, [`solve`] finds what is best for all.
//! What is weighed is [`settings`], rows with history.
//!
//! Nobody goes over a cap but by a person's word: the guard is one statement in the database, `fleet.take_slot`, and every way in goes
//! through it, in the transaction that inserts the row. Locks are taken in one order: client, approval, partners by id.
//!
//! The kinds: [`auto`](Auto) for one client, [`batch`](Batch) for many and for those that wait, [`transfer`](Transfer),
//! [`detach_all`](DetachAll), [`rebalance`](Rebalance), [`apply`](Apply) for what a person said, [`expire`](Expire) for what nobody said,
//! [`overdue`](Overdue) for whoever waits for too long. A person's own choice is [`manual`].

mod apply;
mod assign;
mod auto;
mod batch;
mod candidates;
mod choose;
mod client;
mod closing;
mod correct;
mod decision;
mod desk;
mod detach_all;
mod expire;
mod fit;
mod follow_up;
mod manual;
mod optimum;
mod overdue;
mod partner;
mod plan;
mod propose;
mod rationale;
mod read;
mod rebalance;
mod reservation;
mod roster;
mod said;
mod settings;
mod slot;
mod solve;
mod standing;
mod transfer;
mod waitlist;

pub use apply::Apply;
pub use assign::{AssignError, Outcome};
pub use auto::{Auto, AutoError, assign_now};
pub use batch::{Batch, Batched, Place, Queue};
pub use client::ClientError;
pub use correct::{Correction, check_correction};
pub use desk::Filter;
pub use detach_all::DetachAll;
pub use expire::Expire;
pub use fit::Parts;
pub use manual::{ByHand, ByHandError, Made, assign_by_hand};
pub use overdue::Overdue;
pub use propose::Proposed;
pub use rationale::{Candidate, Rationale};
pub(crate) use read::standing as observe;
pub use read::{Assignment, Decided, Wanted, list_assignments, list_decisions};
pub use rebalance::{Rebalance, Rebalanced};
pub use roster::Roster;
pub use settings::{Settings, Weights};
pub use solve::{Costs, solve};
pub use transfer::Transfer;
pub use waitlist::{Waiting, list_waiting};
