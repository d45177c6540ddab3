//! Ends a transaction either way, at once.

use sqlx::{Postgres, Transaction};

use crate::Error;

/// Commits what went well and rolls back the rest.
///
/// Left to its drop a transaction would keep its row locks until somebody uses the connection again, and a schedule that is locked is passed over.
pub(super) async fn finish<T>(
    tx: Transaction<'_, Postgres>,
    done: Result<T, Error>,
    verb: &'static str,
) -> Result<T, Error> {
    let ended = if done.is_ok() {
        tx.commit().await
    } else {
        tx.rollback().await
    };
    let done = done?; // the first error is the one to hear of
    ended.map_err(Error::database(verb)).map(|()| done)
}
