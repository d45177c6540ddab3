//! What a statement touched, by the server's own counters: its plans are not read as text but judged by what they did, the statements
//! inside functions included.

use std::collections::BTreeMap;

use sqlx::{Connection, PgConnection, Row};

/// Rows that one transaction read from a table so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reads {
    /// By walking the table, or a partition of it.
    pub(crate) walked: i64,
    /// By an index: its entries, whether or not the rows behind them were looked at.
    pub(crate) fetched: i64,
}

/// By table; partitions count as their parent.
pub(crate) type Touched = BTreeMap<String, Reads>;

/// What the transaction under way has touched in schema `fleet`, and whatever of this session's earlier ones is not reported yet.
async fn so_far(conn: &mut PgConnection) -> Touched {
    let rows = sqlx::query(
        "SELECT regexp_replace(relname, '_(\\d{8}|default)$', '') AS name, sum(seq_tup_read)::bigint AS walked,
            sum((SELECT COALESCE(sum(pg_stat_get_xact_tuples_returned(i.indexrelid)), 0) FROM pg_index i WHERE i.indrelid = t.relid))::bigint AS fetched
         FROM pg_stat_xact_user_tables t WHERE schemaname = 'fleet' GROUP BY 1",
    )
    .fetch_all(conn)
    .await
    .unwrap();
    let reads = |row: &sqlx::postgres::PgRow| Reads {
        walked: row.get("walked"),
        fetched: row.get("fetched"),
    };
    rows.iter()
        .map(|row| (row.get("name"), reads(row)))
        .collect()
}

/// What `verb` touches, in a transaction that is rolled back, so that the next one meets the same tables.
pub(crate) async fn touched_by(
    conn: &mut PgConnection,
    verb: impl AsyncFnOnce(&mut PgConnection),
) -> Touched {
    // The driver's own transaction: one that a verb begins inside it is then a savepoint.
    let mut tx = conn.begin().await.unwrap();
    let before = so_far(&mut tx).await;
    verb(&mut tx).await;
    let mut after = so_far(&mut tx).await;
    tx.rollback().await.unwrap();
    for (table, reads) in &mut after {
        let earlier = before.get(table).copied().unwrap_or_default();
        reads.walked -= earlier.walked;
        reads.fetched -= earlier.fetched;
    }
    after.retain(|_, reads| *reads != Reads::default());
    after
}
