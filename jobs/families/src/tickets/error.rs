//! Why something was not done to a ticket.

/// Why not.
#[derive(Debug, thiserror::Error)]
pub enum TicketError {
    /// A value that makes no sense.
    #[error("{problem}")]
    Refused {
        /// Which.
        field: &'static str,
        /// What is wrong with it, and what would be right.
        problem: String,
    },
    /// Somebody changed the ticket since it was looked at.
    #[error("the ticket is at version {now}, and the edit is of version {given}; look at it again")]
    Changed {
        /// The version that the edit names.
        given: i32,
        /// The version that it has.
        now: i32,
    },
    /// The queue of the jobs is full.
    #[error("the queue \"{0}\" is full; nothing was taken in")]
    QueueFull(String),
    /// The queue did not carry it out.
    #[error("the queue did not carry it out")]
    Queue(#[from] fleet_queue::Error),
    /// The database did not carry it out.
    #[error("the database did not carry it out")]
    Database(#[from] sqlx::Error),
}

impl TicketError {
    pub(crate) fn refused(field: &'static str, problem: impl Into<String>) -> Self {
        Self::Refused {
            field,
            problem: problem.into(),
        }
    }
}
