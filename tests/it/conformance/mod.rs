//! One suite for three implementations: the engine, the engine through the worker, and the model in plain Rust.
//!
//! [`cases`] names what each verb promises; [`random`] plays what nobody thought of; [`served`] lets a real worker do it.

mod cases;
mod random;
mod served;
mod steps;
