//! Clients: how they come in, one by one or by file, each with the job that finds it a partner; how they are read and changed.

mod intake;
mod new_client;
mod read;
mod store;

pub use intake::{ClientReport, IntakeError, RefusedLine, take_clients};
pub use new_client::{Fault, NewClient, Plan, Status};
pub use read::{Client, ClientPatch, change_client, list_clients};
pub use store::{CreateError, Created, create_client};
