//! What can go wrong in the engine: each variant says what was attempted, with what.

use crate::{JobId, NewJob, WorkerId};

/// An engine call that did not do what was asked. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database refused or was out of reach.
    #[error("{verb}: the database did not carry it out")]
    Database {
        /// The verb, as in `queue.<verb>`.
        verb: &'static str,
        /// What the database or the connection said.
        source: sqlx::Error,
    },
    /// A new job breaks a bound (I9) or contradicts itself.
    #[error("{field}: {problem}")]
    Invalid {
        /// The field of the job, as callers spell it.
        field: &'static str,
        /// What is wrong with it, and what would be right.
        problem: String,
    },
    /// Another job holds the unique key but is not visible to the caller's transaction.
    #[error(
        "the job that holds the unique key \"{key}\" is not visible to this transaction; try again in a new one"
    )]
    UniqueKeyUnseen {
        /// The key.
        key: String,
    },
    /// The worker's lease ran out, or it was never registered: it may not claim, settle or renew.
    #[error("worker {0} has no living lease")]
    LeaseLost(WorkerId),
    /// The verb does not apply to the job as it stands.
    #[error("job {id} is {state}: {problem}")]
    WrongState {
        /// The job.
        id: JobId,
        /// Its state.
        state: crate::JobState,
        /// Why that stands in the way.
        problem: &'static str,
    },
    /// The database's schema is not the one this binary was built for.
    #[error("the database is at migration {found}, this binary needs {needed}: {advice}")]
    Schema {
        /// The newest migration in the database; 0 where there is none.
        found: i64,
        /// The newest migration compiled in.
        needed: i64,
        /// What to do.
        advice: &'static str,
    },
}

impl Error {
    /// Wraps what the database said, unless it is one of the engine's own refusals.
    pub(crate) fn database(verb: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Database { verb, source }
    }

    /// The job that holds this one's unique key could not be seen.
    #[must_use]
    pub fn unseen(job: &NewJob) -> Self {
        let unique = job.rare.unique.as_ref();
        let key = unique.map(|unique| unique.key.clone());
        Self::UniqueKeyUnseen {
            key: key.unwrap_or_default(),
        }
    }

    /// True where the same call may succeed later without anything else being changed: outage, lost connection, deadlock, serialization.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Database { source, .. } => is_transient(source),
            Self::UniqueKeyUnseen { .. } => true,
            _ => false,
        }
    }

    /// The five-character SQLSTATE, where the database gave one.
    #[must_use]
    pub fn sqlstate(&self) -> Option<String> {
        match self {
            Self::Database {
                source: sqlx::Error::Database(error),
                ..
            } => error.code().map(std::borrow::Cow::into_owned),
            _ => None,
        }
    }
}

fn is_transient(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::Protocol(_)
        | sqlx::Error::Tls(_) => true,
        // Class 08 connection, 40 rollback, 53 resources, 57 operator intervention, 55P03 lock timeout.
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            ["08", "40", "53", "57"]
                .iter()
                .any(|class| code.starts_with(class))
                || code == "55P03"
        }),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_by_itself_is_transient_and_nothing_else() {
        let of = |source| Error::database("queue.claim")(source).is_transient();
        assert!(of(sqlx::Error::PoolTimedOut));
        assert!(of(sqlx::Error::WorkerCrashed));
        assert!(!of(sqlx::Error::RowNotFound));
        let unseen = Error::UniqueKeyUnseen {
            key: "k".to_owned(),
        };
        assert!(unseen.is_transient());
        assert!(!Error::LeaseLost(WorkerId::generate()).is_transient());
    }
}
