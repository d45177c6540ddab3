//! Random steps, weighted so that most of them meet a job, a claim or a limit that matters.

use fleet_queue::{OnDuplicate, UniqueScope};
use fleet_tests::conformance::{Draft, End, Key, Op, Quiet, RULES};
use proptest::prelude::*;

/// What a sequence may hold beside the usual: rates and a clock that goes back are each right by themselves, and together a matter of
/// when the engine last looked at a bucket, which nobody promises.
#[derive(Clone, Copy, Debug)]
pub(super) enum Flavour {
    Rates,
    StepsBack,
}

/// A sequence: three workers, then whatever comes.
pub(super) fn sequence() -> impl Strategy<Value = Vec<Op>> {
    prop_oneof![Just(Flavour::Rates), Just(Flavour::StepsBack)].prop_flat_map(|flavour| {
        let steps = prop::collection::vec(step(flavour), 1..60);
        steps.prop_map(|steps| (0..3).map(Op::Start).chain(steps).collect())
    })
}

fn step(flavour: Flavour) -> impl Strategy<Value = Op> {
    prop_oneof![
        14 => prop::collection::vec(draft(), 1..5).prop_map(Op::Enqueue),
        1 => prop::collection::vec(draft(), 20..40).prop_map(Op::Enqueue),
        14 => (0..3_u8, 0..3_u8, 1..8_u8, 0..6_u8).prop_map(|(worker, queue, limit, serves)| Op::Claim {
            worker, queue: queue / 2, limit, serves: serves.saturating_sub(2),
        }),
        12 => prop::collection::vec((0..12_u8, end()), 1..4).prop_map(Op::Settle),
        10 => prop_oneof![3 => 0..40_u16, 1 => 40..400_u16].prop_map(Op::Wait),
        12 => steering(),
        8 => upkeep(),
        8 => worker(),
        10 => restraint(flavour),
    ]
}

/// Any job.
pub(super) fn draft() -> impl Strategy<Value = Draft> {
    let what = (0..3_u8, 0..2_u8, 0..3_u8, 0..4_u8, 0..4_u8, 0..3_u8);
    let when = (rarely(-90..30_i8), rarely(0..40_u8));
    let ties = (
        rarely(key()),
        rarely(concurrency()),
        prop_oneof![6 => Just(vec![]), 1 => prop::collection::vec(0..12_u8, 1..3)],
    );
    (what, when, ties).prop_map(
        |(
            (tenant, kind, version, queue, priority, retries),
            (due_in_s, expires_in_s),
            (unique, concurrency, after),
        )| Draft {
            tenant,
            kind,
            version: version / 2,
            queue: queue / 3,
            priority,
            retries,
            due_in_s,
            expires_in_s,
            unique,
            concurrency,
            after,
        },
    )
}

/// Mostly two keys that many jobs share; else one of many.
fn concurrency() -> impl Strategy<Value = u8> {
    prop_oneof![2 => 0..2_u8, 1 => 0..80_u8]
}

fn rarely<T: Clone + std::fmt::Debug>(
    some: impl Strategy<Value = T>,
) -> impl Strategy<Value = Option<T>> {
    prop_oneof![4 => Just(None), 1 => some.prop_map(Some)]
}

fn key() -> impl Strategy<Value = Key> {
    let scope = prop_oneof![
        Just(UniqueScope::Live),
        Just(UniqueScope::Started),
        Just(UniqueScope::Window)
    ];
    let on_duplicate = prop_oneof![
        Just(OnDuplicate::Return),
        Just(OnDuplicate::Replace),
        Just(OnDuplicate::Push)
    ];
    (0..2_u8, scope, on_duplicate).prop_map(|(key, scope, on_duplicate)| Key {
        key,
        scope,
        on_duplicate,
    })
}

/// An end that a handler can bring about by itself.
pub(super) fn settled() -> impl Strategy<Value = End> {
    end().prop_filter("said by a handler", |end| {
        !matches!(end, End::Cancelled | End::Interrupted)
    })
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![
        4 => Just(End::Complete),
        3 => (0..10_u8).prop_map(|after_s| End::Retry { after_s }),
        1 => (0..10_u8).prop_map(|after_s| End::Snooze { after_s }),
        1 => Just(End::Discard),
        1 => Just(End::Cancelled),
        1 => Just(End::Interrupted),
    ]
}

fn steering() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => any::<u8>().prop_map(Op::Cancel),
        3 => any::<u8>().prop_map(Op::Retry),
        1 => (any::<u8>(), -60..60_i8).prop_map(|(job, in_s)| Op::Reschedule { job, in_s }),
        1 => (any::<u8>(), 0..4_u8).prop_map(|(job, priority)| Op::Reprioritize { job, priority }),
    ]
}

fn upkeep() -> impl Strategy<Value = Op> {
    let quiet = prop_oneof![Just(Quiet::Sweep), Just(Quiet::Retire), Just(Quiet::Fold),];
    prop_oneof![
        4 => Just(Op::Promote),
        2 => Just(Op::Expire),
        2 => Just(Op::Age),
        2 => Just(Op::Rescue),
        1 => Just(Op::Clear),
        1 => Just(Op::Prune),
        3 => quiet.prop_map(Op::Quiet),
    ]
}

fn worker() -> impl Strategy<Value = Op> {
    prop_oneof![
        5 => (0..3_u8).prop_map(Op::Renew),
        2 => (0..3_u8).prop_map(Op::Start),
        1 => (0..3_u8).prop_map(Op::Depart),
        1 => (0..12_u8).prop_map(Op::GiveBack),
        1 => (0..12_u8).prop_map(Op::Progress),
        1 => (0..3_u8).prop_map(Op::Review),
    ]
}

fn restraint(flavour: Flavour) -> impl Strategy<Value = Op> {
    let own = match flavour {
        Flavour::Rates => (RULES - 2..RULES).prop_map(Op::Limit).boxed(),
        Flavour::StepsBack => (1..20_u8).prop_map(Op::StepBack).boxed(),
    };
    prop_oneof![
        2 => (0..7_u8, rarely(1..30_u8)).prop_map(|(what, for_s)| Op::Pause { what, for_s }),
        4 => (0..7_u8).prop_map(Op::Resume),
        6 => (0..RULES - 2).prop_map(Op::Limit),
        3 => (0..RULES).prop_map(Op::Unlimit),
        2 => own,
        1 => (0..3_u8, any::<u8>()).prop_map(|(tenant, weight)| Op::Weigh { tenant, weight }),
        2 => (0..2_u8, rarely(0..8_u8)).prop_map(|(queue, max)| Op::Deepen { queue, max }),
    ]
}
