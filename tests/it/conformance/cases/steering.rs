//! What people and time do to a job: cancel, retry, reschedule, promote, expire, prune.

use super::*;

pub(super) fn cases() -> Vec<Case> {
    let waiting = || {
        vec![
            Start(0),
            put(Draft {
                due_in_s: Some(30),
                ..one()
            }),
        ]
    };
    let running = || vec![Start(0), put(one()), Op::claim(0, 1)];
    vec![
        (
            "a waiting job is cancelled at once",
            [waiting(), vec![Cancel(0)]].concat(),
            "cancelled attempt=0 because asked",
        ),
        (
            "a running job's worker hears of its cancellation",
            [
                running(),
                vec![Cancel(0), Renew(0), Op::end(End::Cancelled)],
            ]
            .concat(),
            "cancelled attempt=1 because stopped as asked",
        ),
        (
            "what was cancelled while it ran is not given back",
            [running(), vec![Cancel(0), Op::end(SNOOZE)]].concat(),
            "cancelled attempt=1 because asked",
        ),
        (
            "a completion outruns a cancellation",
            [running(), vec![Cancel(0), Op::end(End::Complete)]].concat(),
            "completed attempt=1",
        ),
        (
            "a retry hastens a waiting job",
            [waiting(), vec![Retry(0), Op::claim(0, 1)]].concat(),
            "running attempt=1",
        ),
        (
            "a retry revives an ended job with fresh attempts",
            [
                running(),
                vec![Op::end(End::Discard), Retry(0), Op::claim(0, 1)],
            ]
            .concat(),
            "running attempt=1",
        ),
        (
            "a retry keeps a job's place in its line",
            vec![
                Start(0),
                put(one()),
                seconds(1),
                put(one()),
                seconds(1),
                Retry(0),
                Op::claim(0, 1),
            ],
            "running attempt=1\navailable attempt=0",
        ),
        (
            "a completed job is not run again",
            [running(), vec![Op::end(End::Complete), Retry(0)]].concat(),
            "completed attempt=1",
        ),
        (
            "a waiting job is moved to another time",
            vec![
                Start(0),
                put(one()),
                Reschedule { job: 0, in_s: 9 },
                Op::claim(0, 1),
                seconds(8),
                Promote,
            ],
            "scheduled attempt=0",
        ),
        (
            "a waiting job is moved ahead",
            vec![
                Start(0),
                put(one()),
                put(Draft {
                    priority: 3,
                    ..one()
                }),
                Reprioritize {
                    job: 0,
                    priority: 3,
                },
                Reprioritize {
                    job: 1,
                    priority: 0,
                },
                Op::claim(0, 1),
            ],
            "available attempt=0\nrunning attempt=1",
        ),
        (
            "what is due is promoted",
            [waiting(), vec![seconds(30), Promote]].concat(),
            "available attempt=0",
        ),
        (
            "what was not started in time expires",
            vec![
                Start(0),
                put(Draft {
                    expires_in_s: Some(5),
                    ..one()
                }),
                seconds(5),
                Op::claim(0, 1),
                Expire,
            ],
            "discarded attempt=0 because expired: not started by its expires_at",
        ),
        (
            "what was started in time goes on past it",
            vec![
                Start(0),
                put(Draft {
                    expires_in_s: Some(5),
                    ..one()
                }),
                Op::claim(0, 1),
                Op::end(End::Interrupted),
                seconds(5),
                Expire,
                Op::claim(0, 1),
            ],
            "running attempt=1",
        ),
        (
            "an expired job hides no other of its line",
            vec![
                Start(0),
                put(Draft {
                    expires_in_s: Some(5),
                    ..one()
                }),
                put(one()),
                seconds(5),
                Op::claim(0, 1),
            ],
            "available attempt=0\nrunning attempt=1",
        ),
        (
            "what ended long ago is pruned",
            [
                running(),
                vec![Op::end(End::Complete), put(one()), Days(40), Prune],
            ]
            .concat(),
            "available attempt=0",
        ),
        (
            "an ended job stays for its days",
            [running(), vec![Op::end(End::Complete), Days(20), Prune]].concat(),
            "completed attempt=1",
        ),
    ]
}
