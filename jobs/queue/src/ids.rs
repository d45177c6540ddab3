//! Ids as types of their own, so that none is mistaken for another.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, sqlx::Type)]
        #[serde(transparent)]
        #[sqlx(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map($name)
            }
        }
    };
}

id! {
    /// A job, for its whole life; UUIDv7, so that ids sort by their making.
    JobId
}
id! {
    /// Whose the job is. Every row has one.
    TenantId
}
id! {
    /// One worker process from its start to its end; a restarted process is a new worker.
    WorkerId
}

impl JobId {
    /// A new id, in the order of the making.
    #[must_use]
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }
}

impl TenantId {
    /// The platform itself: work that belongs to no tenant.
    pub const PLATFORM: Self = Self(Uuid::nil());
}

impl WorkerId {
    /// Random, because half of the fence (I1) rests on no two processes ever sharing one.
    #[must_use]
    pub fn generate() -> Self {
        Self(Uuid::new_v4())
    }
}
