//! The fleet binary: the command line, and the wiring of the roles into processes.
//!
//! It decides nothing that a role could: a command reads its arguments, calls a role or the engine,
//! and says what came of it. Only this crate knows all the others.

mod audit;
mod cli;
mod commands;
mod database;
mod input;
mod output;
mod roles;

pub use cli::main;
