//! What holds a claim back: pauses, caps, rates, concurrency keys, kinds, depth; and its order.

use super::*;

pub(super) fn cases() -> Vec<Case> {
    let three = |draft: &Draft| {
        vec![
            Start(0),
            Start(1),
            Enqueue(vec![draft.clone(), draft.clone(), draft.clone()]),
        ]
    };
    let keyed = |key| Draft {
        concurrency: Some(key),
        ..one()
    };
    vec![
        (
            "a paused queue starts nothing",
            [
                three(&one()),
                vec![
                    Pause {
                        what: 0,
                        for_s: None,
                    },
                    Op::claim(0, 3),
                ],
            ]
            .concat(),
            "available attempt=0\navailable attempt=0\navailable attempt=0",
        ),
        (
            "a pause ends by itself",
            [
                three(&one()),
                vec![
                    Pause {
                        what: 2,
                        for_s: Some(5),
                    },
                    Op::claim(0, 1),
                    seconds(5),
                    Op::claim(0, 1),
                ],
            ]
            .concat(),
            "running attempt=1\navailable attempt=0\navailable attempt=0",
        ),
        (
            "a resumed kind starts again",
            [
                three(&one()),
                vec![
                    Pause {
                        what: 5,
                        for_s: None,
                    },
                    Op::claim(0, 1),
                    Resume(5),
                    Op::claim(0, 1),
                ],
            ]
            .concat(),
            "running attempt=1\navailable attempt=0\navailable attempt=0",
        ),
        (
            "a cap holds over workers",
            [
                three(&one()),
                vec![Limit(0), Op::claim(0, 1), Op::claim(1, 3)],
            ]
            .concat(),
            "running attempt=1\nrunning attempt=1\navailable attempt=0",
        ),
        (
            "a cap holds over the lines of a claim together",
            vec![
                Start(0),
                Enqueue((0..2).map(|kind| Draft { kind, ..one() }).collect()),
                Enqueue((0..2).map(|kind| Draft { kind, ..one() }).collect()),
                Limit(0),
                Op::claim(0, 9),
            ],
            "running attempt=1\nrunning attempt=1\navailable attempt=0\navailable attempt=0",
        ),
        (
            "what ends makes room under a cap",
            [
                three(&one()),
                vec![
                    Limit(0),
                    Op::claim(0, 3),
                    Op::end(End::Complete),
                    Op::claim(1, 3),
                ],
            ]
            .concat(),
            "running attempt=1\ncompleted attempt=1\nrunning attempt=1",
        ),
        (
            "a cap counts what runs already",
            [
                three(&one()),
                vec![Op::claim(0, 2), Limit(0), Op::claim(1, 3)],
            ]
            .concat(),
            "running attempt=1\nrunning attempt=1\navailable attempt=0",
        ),
        (
            "a removed cap holds nothing",
            [three(&one()), vec![Limit(0), Unlimit(0), Op::claim(0, 3)]].concat(),
            "running attempt=1\nrunning attempt=1\nrunning attempt=1",
        ),
        (
            "a rate lets its burst through, then its rate",
            [
                three(&one()),
                vec![Limit(6), Op::claim(0, 3), Op::claim(0, 3)],
            ]
            .concat(),
            "running attempt=1\nrunning attempt=1\navailable attempt=0",
        ),
        (
            "a rate refills",
            [
                three(&one()),
                vec![Limit(6), Op::claim(0, 3), seconds(1), Op::claim(0, 3)],
            ]
            .concat(),
            "running attempt=1\nrunning attempt=1\nrunning attempt=1",
        ),
        (
            "a concurrency key of one runs in order",
            [
                three(&keyed(0)),
                vec![Op::claim(0, 3), Op::end(End::Complete), Op::claim(1, 3)],
            ]
            .concat(),
            "completed attempt=1\nrunning attempt=1\navailable attempt=0",
        ),
        (
            "a concurrency key of two lets two through",
            [three(&keyed(1)), vec![Op::claim(0, 3)]].concat(),
            "running attempt=1\nrunning attempt=1\navailable attempt=0",
        ),
        (
            "the most urgent goes first",
            vec![
                Start(0),
                Enqueue(vec![
                    Draft {
                        priority: 2,
                        ..one()
                    },
                    Draft {
                        priority: 1,
                        ..one()
                    },
                ]),
                Op::claim(0, 1),
            ],
            "available attempt=0\nrunning attempt=1",
        ),
        (
            "only what a worker serves is claimed",
            vec![
                Start(0),
                Enqueue(vec![
                    Draft {
                        version: 1,
                        ..one()
                    },
                    one(),
                ]),
                Claim {
                    worker: 0,
                    queue: 0,
                    limit: 9,
                    serves: 1,
                },
            ],
            "available attempt=0\nrunning attempt=1",
        ),
        (
            "a full queue takes no more",
            vec![
                Deepen {
                    queue: 0,
                    max: Some(0),
                },
                put(one()),
                put(one()),
            ],
            "available attempt=0",
        ),
    ]
}
