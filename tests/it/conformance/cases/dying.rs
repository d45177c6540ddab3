//! Workers that die or leave: renew, rescue, depart, a claim given back.

use super::*;

pub(super) fn cases() -> Vec<Case> {
    let taken = || vec![Start(0), put(one()), Op::claim(0, 1)];
    let again = || [vec![Start(0), Op::claim(0, 1)], dies()].concat();
    vec![
        (
            "a dead worker's job goes back, its attempt with it",
            [taken(), dies()].concat(),
            "available attempt=0 crashes=1",
        ),
        (
            "a lease that is renewed is not rescued",
            [taken(), vec![seconds(5), Renew(0), seconds(5), Rescue]].concat(),
            "running attempt=1",
        ),
        (
            "the third death discards",
            [taken(), dies(), again(), again()].concat(),
            "discarded attempt=0 crashes=3 because crash loop",
        ),
        (
            "a rescued claim settles nothing",
            [taken(), dies(), vec![Op::end(End::Complete)]].concat(),
            "available attempt=0 crashes=1",
        ),
        (
            "a dead worker claims nothing",
            [taken(), dies(), vec![Op::claim(0, 1)]].concat(),
            "available attempt=0 crashes=1",
        ),
        (
            "a worker that leaves gives back at no cost",
            [taken(), vec![Depart(0)]].concat(),
            "available attempt=0",
        ),
        (
            "a claim whose answer was lost is given back",
            [taken(), vec![GiveBack(0)]].concat(),
            "available attempt=0",
        ),
        (
            "a worker takes one suspect at a time",
            {
                let two = vec![Start(0), Enqueue(vec![one(), one()]), Op::claim(0, 2)];
                let both = [vec![Start(0), Op::claim(0, 2)], dies()].concat();
                [two, dies(), both, vec![Start(0), Start(1), Op::claim(0, 2)]].concat()
            },
            "running attempt=1 crashes=2\navailable attempt=0 crashes=2",
        ),
    ]
}
