//! What engine and model have in common, and a worker played by hand over either.

use std::future::Future;

use fleet_queue::{JobState, Outcome};

use super::board::Board;
use super::call::{Answer, Call, Held};
use super::engine::Engine;
use super::model::Model;
use super::op::{End, Op};
use super::script::{Script, outcome};

/// Something that answers calls and can be looked at.
pub trait Surface {
    /// Carries out one call.
    fn call(&mut self, call: &Call) -> impl Future<Output = Answer> + Send;
    /// Looks at every job.
    fn board(&mut self) -> impl Future<Output = Board> + Send;
}

impl Surface for Engine {
    async fn call(&mut self, call: &Call) -> Answer {
        self.carry_out(call).await
    }

    async fn board(&mut self) -> Board {
        self.look().await
    }
}

impl Surface for Model {
    async fn call(&mut self, call: &Call) -> Answer {
        self.answer(call)
    }

    async fn board(&mut self) -> Board {
        self.look()
    }
}

/// What handlers do, by the number in a job's payload: how its first run ends, its second, and so on; then it completes.
#[derive(Clone, Debug, Default)]
pub struct Handlers(pub Vec<Vec<End>>);

impl Handlers {
    /// How a run of a job ends; runs are counted from 1.
    #[must_use]
    pub fn end(&self, payload: usize, run: i32) -> End {
        let ends = self.0.get(payload);
        let run = usize::try_from(run - 1).unwrap_or(usize::MAX);
        let end = ends.and_then(|ends| ends.get(run));
        end.copied().unwrap_or(End::Complete)
    }
}

/// Takes the steps, then works off all jobs of both queues as a worker would, until none is left that could run.
pub async fn serve(surface: &mut impl Surface, ops: &[Op], handlers: &Handlers) -> Board {
    let mut script = Script::default();
    surface.call(&Call::At(script.now())).await;
    for op in [&[Op::Start(0)], ops].concat() {
        play(surface, &mut script, &op).await;
    }
    loop {
        let mut claims = Vec::new();
        for op in [Op::Wait(4), Op::Renew(0), Op::Promote] {
            play(surface, &mut script, &op).await;
        }
        for queue in 0..2 {
            let claim = Op::Claim {
                worker: 0,
                queue,
                limit: 3,
                serves: 0,
            };
            if let Some(Answer::Claimed(claimed)) = play(surface, &mut script, &claim).await {
                claims.extend(claimed);
            }
        }
        let board = surface.board().await;
        let settlements = claims
            .into_iter()
            .map(|held| settlement(&board, handlers, held));
        let settlements: Vec<(Held, Outcome)> = settlements.collect();
        let waits = |state| state == JobState::Scheduled;
        if settlements.is_empty() && !board.0.values().any(|row| waits(row.state)) {
            return board;
        }
        surface.call(&Call::Settle(settlements)).await;
    }
}

async fn play(surface: &mut impl Surface, script: &mut Script, op: &Op) -> Option<Answer> {
    let call = script.call(op)?;
    let answer = surface.call(&call).await;
    script.note(&answer);
    Some(answer)
}

fn settlement(board: &Board, handlers: &Handlers, held: Held) -> (Held, Outcome) {
    let row = &board.0[&held.job];
    let payload = row.payload.parse().expect("a payload is a number");
    (held, outcome(handlers.end(payload, row.claim_no)))
}
