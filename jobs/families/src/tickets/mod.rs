//! Tickets as records: how they come in, what is said under them, what people change, and what people see.
//!
//! [`intake`] takes new ones with their first message and their job, [`import`] does so from files and streams; [`message`] adds
//! what is said later; [`edit`] is what a person decides, which nothing automatic overwrites. Whatever changes a ticket holds its
//! row and keeps its clocks ([`crate::triage`]) in the same transaction. Sorting them is the triage's.

mod edit;
mod error;
mod hold;
mod import;
mod intake;
mod message;
mod read;
mod rows;

pub use edit::{Edit, Whose, edit};
pub use error::TicketError;
pub(crate) use hold::{Held, Key, columns, hold, hold_all, hold_free};
pub use import::{ImportReport, Refusal, import};
pub use intake::{Created, MessageText, NewTicket, Outcome, TICKETS_MAX, create};
pub use message::{Author, NewMessage, Said, say};
pub use read::{ClockView, Detail, Explained, Filter, Linked, Listed, MessageView, list, show};
