//! The worker in this process, on a real database, with handlers that do what a test tells them: I1, I2, I4, I6, I11.

mod endings;
mod identity;
mod limits;
mod settling;
mod stage;
mod stopping;
mod toys;
mod trouble;
mod waking;
