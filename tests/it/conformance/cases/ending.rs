//! How attempts end: settle and all its outcomes.

use super::*;

pub(super) fn cases() -> Vec<Case> {
    let tried_twice = Draft {
        retries: 1,
        ..one()
    };
    let run =
        |draft: &Draft, end| vec![Start(0), put(draft.clone()), Op::claim(0, 1), Op::end(end)];
    let again = |end| vec![seconds(5), Renew(0), Promote, Op::claim(0, 1), Op::end(end)];
    vec![
        (
            "a job that completes is completed",
            run(&one(), End::Complete),
            "completed attempt=1",
        ),
        (
            "a failure waits for its retry",
            run(&tried_twice, RETRY),
            "scheduled attempt=1",
        ),
        (
            "the last attempt's failure discards",
            [run(&tried_twice, RETRY), again(RETRY)].concat(),
            "discarded attempt=2 because attempts exhausted",
        ),
        (
            "a snooze costs no attempt",
            [run(&one(), SNOOZE), again(SNOOZE), again(End::Complete)].concat(),
            "completed attempt=1",
        ),
        (
            "a discard is for good",
            run(&tried_twice, End::Discard),
            "discarded attempt=1 because of no use",
        ),
        (
            "an interruption costs no attempt",
            [run(&one(), End::Interrupted), vec![Op::claim(0, 1)]].concat(),
            "running attempt=1",
        ),
        (
            "a stale claim settles nothing",
            [
                run(&one(), End::Interrupted),
                vec![Op::claim(0, 1), Settle(vec![(1, End::Complete)])],
            ]
            .concat(),
            "running attempt=1",
        ),
        (
            "a stale claim beside a fresh one of the same job leaves no trace",
            [
                run(&one(), End::Interrupted),
                vec![
                    Op::claim(0, 1),
                    Settle(vec![(1, End::Snooze { after_s: 0 }), (0, End::Complete)]),
                ],
            ]
            .concat(),
            "completed attempt=1",
        ),
    ]
}
