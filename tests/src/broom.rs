//! Databases go when their tests are over: hundreds of them are gigabytes, and a full disk fails every test that follows.

use std::thread;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};
use tokio::sync::mpsc;

/// A thread that drops databases, one after another. Tests end without waiting for it.
pub(crate) struct Broom {
    names: mpsc::UnboundedSender<String>,
}

impl Broom {
    /// # Panics
    /// Where no thread can be had.
    pub(crate) fn new(admin: PgConnectOptions) -> Self {
        let (names, given) = mpsc::unbounded_channel();
        thread::Builder::new()
            .name("broom".into())
            .spawn(move || sweep(&admin, given))
            .expect("a thread can be had");
        Self { names }
    }

    /// The database will be dropped with the answer.
    pub(crate) fn lend(&self, name: &str) -> Lent {
        Lent {
            name: name.to_owned(),
            back: self.names.clone(),
        }
    }
}

/// A database that goes with this value.
pub(crate) struct Lent {
    name: String,
    back: mpsc::UnboundedSender<String>,
}

impl Drop for Lent {
    fn drop(&mut self) {
        // Refused only where the broom is gone, and with it the run.
        let _ = self.back.send(std::mem::take(&mut self.name));
    }
}

/// Ends with the process: the other end of the channel lives in a static.
fn sweep(admin: &PgConnectOptions, mut given: mpsc::UnboundedReceiver<String>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime of one thread");
    runtime.block_on(async {
        while let Some(name) = given.recv().await {
            // One that stays costs space and nothing else; `harness` sees to it that they do go.
            let _ = remove(admin, &name).await;
        }
    });
}

/// `FORCE` ends what the test left connected.
async fn remove(admin: &PgConnectOptions, name: &str) -> sqlx::Result<()> {
    let options = admin.clone().disable_statement_logging();
    let mut conn = PgConnection::connect_with(&options).await?;
    let sql = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
        .execute(&mut conn)
        .await?;
    conn.close().await
}
