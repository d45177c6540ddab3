//! Steps of a test, by number: the n-th job, the claim before last. Small values, so that a failing sequence shrinks to something readable.

use fleet_queue::limits::LimitRule;
use fleet_queue::{OnDuplicate, TenantId, UniqueScope};
use uuid::Uuid;

use super::call::Quiet;

/// A job to be enqueued, by small numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Draft {
    /// Its tenant, of three.
    pub tenant: u8,
    /// Its kind, of two.
    pub kind: u8,
    /// The version of its payload, of two.
    pub version: u8,
    /// Its queue, of two.
    pub queue: u8,
    /// 0 most urgent to 3 least.
    pub priority: u8,
    /// Attempts beyond the first.
    pub retries: u8,
    /// Due so many seconds from now, or ago.
    pub due_in_s: Option<i8>,
    /// Expires so many seconds from now.
    pub expires_in_s: Option<u8>,
    /// Its unique key.
    pub unique: Option<Key>,
    /// Its concurrency key: an even one lets one job through at a time, an odd one two.
    pub concurrency: Option<u8>,
    /// Jobs it waits for, by number; those of its own batch count.
    pub after: Vec<u8>,
}

/// A unique key of a draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Which key, of two.
    pub key: u8,
    /// How long it holds; a window is 10 s.
    pub scope: UniqueScope,
    /// What a duplicate does.
    pub on_duplicate: OnDuplicate,
}

/// How a test lets an attempt end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "each is an outcome of the engine, documented there"
)]
pub enum End {
    Complete,
    Retry { after_s: u8 },
    Snooze { after_s: u8 },
    Discard,
    Cancelled,
    Interrupted,
}

/// A step. Jobs are counted from the first, claims from the newest; numbers past the end wrap around.
#[derive(Clone, Debug, PartialEq)]
#[allow(
    missing_docs,
    reason = "each is a verb of the engine, documented there"
)]
pub enum Op {
    /// Time passes, in quarters of a second.
    Wait(u16),
    /// Days pass.
    Days(u8),
    /// The clock is set back, in seconds.
    StepBack(u8),
    /// The slot's process is a new one from now on, whatever became of the old.
    Start(u8),
    Renew(u8),
    Depart(u8),
    Enqueue(Vec<Draft>),
    Claim {
        worker: u8,
        queue: u8,
        limit: u8,
        serves: u8,
    },
    GiveBack(u8),
    Settle(Vec<(u8, End)>),
    Progress(u8),
    Review(u8),
    Cancel(u8),
    Retry(u8),
    Reschedule {
        job: u8,
        in_s: i8,
    },
    Reprioritize {
        job: u8,
        priority: u8,
    },
    Promote,
    Expire,
    Age,
    Rescue,
    Quiet(Quiet),
    Clear,
    Prune,
    /// One of both queues, the three tenants, both kinds.
    Pause {
        what: u8,
        for_s: Option<u8>,
    },
    Resume(u8),
    /// One of [`RULES`].
    Limit(u8),
    Unlimit(u8),
    Weigh {
        tenant: u8,
        weight: u8,
    },
    Deepen {
        queue: u8,
        max: Option<u8>,
    },
}

impl Op {
    /// Every kind served, from the first queue.
    #[must_use]
    pub fn claim(worker: u8, limit: u8) -> Self {
        Self::Claim {
            worker,
            queue: 0,
            limit,
            serves: 0,
        }
    }

    /// Ends the newest claim.
    #[must_use]
    pub fn end(end: End) -> Self {
        Self::Settle(vec![(0, end)])
    }
}

/// Tenants by number.
#[must_use]
pub(super) fn tenant(n: u8) -> TenantId {
    TenantId(Uuid::from_u128(0x7e << 64 | u128::from(n % 3)))
}

/// Number of rules that [`Op::Limit`] knows; the last two are rates.
pub const RULES: u8 = 8;

/// A rule by number.
#[must_use]
pub(super) fn rule(n: u8) -> LimitRule {
    let cap = |cap| LimitRule {
        name: format!("rule {}", n % RULES),
        cap: Some(cap),
        ..LimitRule::default()
    };
    let rate = |rate, burst| LimitRule {
        cap: None,
        rate: Some(rate),
        burst: Some(burst),
        ..cap(0)
    };
    match n % RULES {
        0 => cap(2),
        1 => LimitRule {
            per_tenant: true,
            ..cap(1)
        },
        2 => LimitRule {
            kind: Some("k0".into()),
            ..cap(1)
        },
        3 => LimitRule {
            queue: Some("q0".into()),
            ..cap(3)
        },
        4 => LimitRule {
            tenant_id: Some(tenant(1).0),
            ..cap(1)
        },
        5 => cap(0),
        6 => rate(1.0, 2),
        _ => LimitRule {
            kind: Some("k1".into()),
            per_tenant: true,
            ..rate(0.5, 1)
        },
    }
}
