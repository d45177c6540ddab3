//! Conformance: what an engine of jobs must do, said twice, so that the two can be held against each other.
//!
//! [`Engine`] is the real one over PostgreSQL, [`Model`] the same promises in plain Rust, without SQL, locks or batches.
//! Both are a [`Surface`]: they answer the same [`Call`]s and show the same [`Board`]. A test writes [`Op`]s, whose job 3 and claim 2 are whatever
//! the sequence made so far, so that a sequence stays meaningful when proptest leaves steps out; a [`Script`] makes them calls.
//!
//! The clock is pinned for the engine's session, and stands still between calls: what was due when is exact.
//! Where the engine is free to choose (which of several tenants' jobs a claim takes), the model judges the choice and follows it.

mod board;
mod call;
mod engine;
mod look;
mod model;
mod op;
mod script;
mod surface;

pub use board::{Board, Row};
pub use call::{Answer, Call, Held, Quiet, Refusal, Want};
pub use engine::Engine;
pub use model::Model;
pub use op::{Draft, End, Key, Op, RULES};
pub use script::Script;
pub use surface::{Handlers, Surface, serve};

/// Plays ops on engine and model side by side.
///
/// # Errors
/// The first step at which they disagree, with both views of it.
pub async fn compare(engine: &mut Engine, ops: &[Op]) -> Result<(), String> {
    engine.wipe().await;
    let mut script = Script::default();
    let mut model = Model::new(script.now());
    engine.call(&Call::At(script.now())).await;
    for (n, op) in ops.iter().enumerate() {
        let Some(call) = script.call(op) else {
            continue;
        };
        let answer = engine.call(&call).await;
        script.note(&answer);
        let step = |problem: String| format!("step {n}, {op:?}\n  as {call:?}\n  {problem}");
        let expected = model.follow(&call, &answer).map_err(step)?;
        if answer != expected {
            return Err(step(format!(
                "the engine answers {answer:?}\n  the model    {expected:?}"
            )));
        }
        if let Some((id, real, modelled)) = engine.look().await.difference(&model.look()) {
            return Err(step(format!(
                "then job {id} is\n  in the engine {real:?}\n  in the model  {modelled:?}"
            )));
        }
    }
    Ok(())
}

/// Plays ops on the model alone.
#[must_use]
pub fn imagine(ops: &[Op]) -> Board {
    let mut script = Script::default();
    let mut model = Model::new(script.now());
    for op in ops {
        if let Some(call) = script.call(op) {
            script.note(&model.answer(&call));
        }
    }
    model.look()
}
