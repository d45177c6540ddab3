//! Whose rights work on the database is done with: the owner's, or those of somebody who asked for it (I12).
//!
//! They are taken in each transaction and never for a session: behind a pool that hands a server's connections on between transactions,
//! what is set for a session stays behind for whoever comes next.

use sqlx::{Connection, PgConnection, Postgres, Transaction};

/// A connection whose every transaction begins with the rights of whom it works for.
#[derive(Debug)]
pub struct Acting<'c> {
    conn: &'c mut PgConnection,
    sees: Option<String>,
}

impl<'c> Acting<'c> {
    /// For somebody who asked: `sees` is a tenant's id, or `*`.
    pub fn narrowed(conn: &'c mut PgConnection, sees: String) -> Self {
        Self {
            conn,
            sees: Some(sees),
        }
    }

    /// The next transaction.
    pub async fn begin(&mut self) -> Result<Transaction<'_, Postgres>, sqlx::Error> {
        let mut tx = self.conn.begin().await?;
        if let Some(sees) = &self.sees {
            act_as(&mut tx, sees).await?;
        }
        Ok(tx)
    }
}

impl<'c> From<&'c mut PgConnection> for Acting<'c> {
    /// The owner's rights, who is refused nothing.
    fn from(conn: &'c mut PgConnection) -> Self {
        Self { conn, sees: None }
    }
}

impl<'c, 'a: 'c> From<&'c mut Acting<'a>> for Acting<'c> {
    fn from(of: &'c mut Acting<'a>) -> Self {
        Self {
            conn: of.conn,
            sees: of.sees.clone(),
        }
    }
}

/// Takes the role that owns nothing until the transaction ends, and says whose rows it may see: a tenant's id, or `*`.
pub async fn act_as(conn: &mut PgConnection, sees: &str) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"-- api.act_as
        SELECT set_config('role', 'fleet_api', true) AS role, set_config('fleet.tenant', $1, true) AS tenant"#,
        sees,
    )
    .fetch_one(conn)
    .await
    .map(|_| ())
}
