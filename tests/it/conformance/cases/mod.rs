//! What each verb promises, as named cases: the same steps, on the engine and on the model, come to the same board.

mod dying;
mod ending;
mod limits;
mod steering;
mod ties;

use fleet_queue::{OnDuplicate, UniqueScope};
use fleet_tests::conformance::{Draft, End, Engine, Key, Op, Surface, compare, imagine};
use fleet_tests::{database, invariants};

use Op::*;

/// A name, what is done, and how every job then stands, oldest first.
type Case = (&'static str, Vec<Op>, &'static str);

fn one() -> Draft {
    Draft::default()
}

fn put(draft: Draft) -> Op {
    Enqueue(vec![draft])
}

fn unique(scope: UniqueScope, on_duplicate: OnDuplicate) -> Draft {
    let key = 0;
    Draft {
        unique: Some(Key {
            key,
            scope,
            on_duplicate,
        }),
        ..one()
    }
}

fn after(jobs: &[u8]) -> Draft {
    Draft {
        after: jobs.to_vec(),
        ..one()
    }
}

fn seconds(n: u16) -> Op {
    Wait(4 * n)
}

/// Past the lease of every worker.
fn dies() -> Vec<Op> {
    vec![seconds(9), Rescue]
}

const RETRY: End = End::Retry { after_s: 5 };
const SNOOZE: End = End::Snooze { after_s: 5 };

#[tokio::test]
async fn each_verb_keeps_its_promise_on_engine_and_model() {
    let db = database().await;
    let mut engine = Engine::of(&db).await;
    let mut broken = Vec::new();
    for (name, ops, expected) in [
        ending::cases(),
        steering::cases(),
        dying::cases(),
        limits::cases(),
        ties::cases(),
    ]
    .concat()
    {
        if let Err(why) = compare(&mut engine, &ops).await {
            broken.push(format!("{name}: {why}"));
        }
        for (who, board) in [("engine", engine.board().await), ("model", imagine(&ops))] {
            if board.to_text() != expected {
                broken.push(format!(
                    "{name}: on the {who} it ends as\n{}\nand should as\n{expected}",
                    board.to_text()
                ));
            }
        }
        broken.extend(
            invariants::broken(&db.pool)
                .await
                .into_iter()
                .map(|invariant| format!("{name}: {invariant}")),
        );
    }
    assert!(broken.is_empty(), "{}", broken.join("\n\n"));
}
