//! What ties jobs to each other: dependencies and unique keys.

use super::*;

pub(super) fn cases() -> Vec<Case> {
    let chain = || vec![Start(0), Enqueue(vec![one(), after(&[0]), after(&[1])])];
    let live = |on_duplicate| unique(UniqueScope::Live, on_duplicate);
    let window = unique(UniqueScope::Window, OnDuplicate::Return);
    vec![
        (
            "a completed dependency frees what waited",
            [chain(), vec![Op::claim(0, 9), Op::end(End::Complete)]].concat(),
            "completed attempt=1\navailable attempt=0\nblocked attempt=0",
        ),
        (
            "a lost dependency takes along what waited",
            [chain(), vec![Cancel(0)]].concat(),
            "cancelled attempt=0 because asked\ncancelled attempt=0 because a dependency did not complete\ncancelled attempt=0 because a dependency did not complete",
        ),
        (
            "a dependency that has completed blocks nobody",
            [
                vec![
                    Start(0),
                    put(one()),
                    Op::claim(0, 1),
                    Op::end(End::Complete),
                ],
                vec![put(after(&[0]))],
            ]
            .concat(),
            "completed attempt=1\navailable attempt=0",
        ),
        (
            "a dependency that has completed does not hasten what is due later",
            [
                vec![
                    Start(0),
                    put(one()),
                    Op::claim(0, 1),
                    Op::end(End::Complete),
                ],
                vec![put(Draft {
                    due_in_s: Some(9),
                    ..after(&[0])
                })],
            ]
            .concat(),
            "completed attempt=1\nscheduled attempt=0",
        ),
        (
            "a job that waits for itself is refused",
            vec![put(one()), put(after(&[1]))],
            "available attempt=0",
        ),
        (
            "jobs that wait for each other are refused",
            vec![put(one()), Enqueue(vec![after(&[2]), after(&[1])])],
            "available attempt=0",
        ),
        (
            "what was revived waits for nobody any more",
            vec![put(one()), put(after(&[0])), Cancel(1), Retry(1), Cancel(0)],
            "cancelled attempt=0 because asked\navailable attempt=0",
        ),
        (
            "one live job a unique key",
            vec![
                put(live(OnDuplicate::Return)),
                put(live(OnDuplicate::Return)),
            ],
            "available attempt=0",
        ),
        (
            "a duplicate leaves alone what runs",
            vec![
                Start(0),
                put(live(OnDuplicate::Return)),
                Op::claim(0, 1),
                put(live(OnDuplicate::Replace)),
                put(live(OnDuplicate::Push)),
            ],
            "running attempt=1",
        ),
        (
            "a revived job holds its key again",
            vec![
                Start(0),
                put(live(OnDuplicate::Return)),
                Op::claim(0, 1),
                Op::end(End::Discard),
                Retry(0),
                put(live(OnDuplicate::Return)),
            ],
            "available attempt=0",
        ),
        (
            "a duplicate may push the job that is there",
            vec![
                put(live(OnDuplicate::Return)),
                put(Draft {
                    due_in_s: Some(9),
                    ..live(OnDuplicate::Push)
                }),
            ],
            "scheduled attempt=0",
        ),
        (
            "a key that holds until the start lets go then, also of a revived job",
            {
                let started = || put(unique(UniqueScope::Started, OnDuplicate::Return));
                vec![
                    Start(0),
                    started(),
                    Cancel(0),
                    Retry(0),
                    Op::claim(0, 1),
                    started(),
                ]
            },
            "running attempt=1\navailable attempt=0",
        ),
        (
            "a window holds whatever becomes of the job",
            vec![
                put(window.clone()),
                Cancel(0),
                put(window.clone()),
                seconds(10),
                put(window.clone()),
            ],
            "cancelled attempt=0 because asked\navailable attempt=0",
        ),
        (
            "a full queue takes no window",
            vec![
                put(one()),
                Deepen {
                    queue: 0,
                    max: Some(0),
                },
                put(window.clone()),
                Deepen {
                    queue: 0,
                    max: None,
                },
                put(window),
            ],
            "available attempt=0\navailable attempt=0",
        ),
    ]
}
