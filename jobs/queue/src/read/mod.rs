//! What people and programs look at. Nothing here writes, and nothing counts rows.

mod find;

pub use find::find_state;
