//! Connections to the fleet's database.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgConnection, PgPool};

/// How long a task waits for a connection before it is told that there is none. Short: every loop
/// of ours retries with backoff, and a request is better refused than kept.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the first connection may take, through a slow network and TLS.
const FIRST_TIMEOUT: Duration = Duration::from_secs(10);
/// Idle connections cost the server memory; a burst an hour ago is no reason to keep them.
const IDLE_TIMEOUT: Duration = Duration::from_mins(10);
/// A connection that idled longer than this is asked whether it still lives. Asking always would
/// cost a round trip each time; never asking would, after a restart of the server, fail one request
/// for each idle connection.
const TRUST_FOR: Duration = Duration::from_secs(1);

/// How a process connects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolSettings {
    pub max: u32,
    /// Shown in `pg_stat_activity`, such as "fleet worker".
    pub application_name: String,
    pub statement_timeout: Duration,
    /// Whether a pooler such as PgBouncer stands between. In transaction mode a statement may meet
    /// another server connection than the one before: nothing is kept on a connection, but for
    /// prepared statements, which the pooler itself must carry from one to the next.
    pub transaction_pooler: bool,
}

/// Why there is no pool.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    #[error("the database's address can't be read; it should look like postgres://user@host/name")]
    Address(#[source] sqlx::Error),
    #[error(
        "{host}:{port} is a pooler that takes no start-up options, such as PgBouncer; set database.transaction_pooler = true"
    )]
    Pooler {
        host: String,
        port: u16,
        source: sqlx::Error,
    },
    #[error(
        "the pooler at {host}:{port} loses prepared statements between transactions; PgBouncer carries them from 1.21 on, \
         with max_prepared_statements over 0, and in pool_mode = session in any version"
    )]
    Forgetful {
        host: String,
        port: u16,
        source: sqlx::Error,
    },
    #[error("could not connect to database `{database}` at {host}:{port} as `{user}`")]
    Connect {
        host: String,
        port: u16,
        database: String,
        user: String,
        source: Box<sqlx::Error>,
    },
}

impl PoolError {
    /// True where the same address may answer later: nobody listens there yet, or the server is
    /// starting, stopping or full.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Connect { source, .. } => match source.as_ref() {
                sqlx::Error::Io(_) => true,
                sqlx::Error::Database(said) => said
                    .code()
                    .is_some_and(|code| code.starts_with("53") || code.starts_with("57")),
                _ => false,
            },
            Self::Address(_) | Self::Pooler { .. } | Self::Forgetful { .. } => false,
        }
    }
}

/// Opens a pool, after one connection of its own: a wrong address or password is known now, and by
/// its true name (the pool would try again for a while and then say that it timed out).
pub async fn connect(url: &str, settings: &PoolSettings) -> Result<PgPool, PoolError> {
    let options = connect_options(url, settings)?;
    try_once(&options)
        .await
        .map_err(|source| refused(&options, source))?;
    if settings.transaction_pooler {
        prove_memory(&options)
            .await
            .map_err(|source| refused(&options, source))?;
    }
    Ok(lazy(options, settings))
}

/// Opens a pool and asks nobody yet: whoever uses it meets an outage, or a wrong password, at the
/// first statement.
pub fn open(url: &str, settings: &PoolSettings) -> Result<PgPool, PoolError> {
    Ok(lazy(connect_options(url, settings)?, settings))
}

fn lazy(options: PgConnectOptions, settings: &PoolSettings) -> PgPool {
    PgPoolOptions::new()
        .max_connections(settings.max)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(IDLE_TIMEOUT)
        .test_before_acquire(false)
        .before_acquire(|connection, since| {
            Box::pin(async move {
                if since.idle_for > TRUST_FOR {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_lazy_with(options)
}

async fn try_once(options: &PgConnectOptions) -> Result<(), sqlx::Error> {
    let connecting = tokio::time::timeout(FIRST_TIMEOUT, PgConnection::connect_with(options));
    let late = |_| sqlx::Error::Io(std::io::ErrorKind::TimedOut.into());
    connecting.await.map_err(late)??.close().await
}

/// Two clients after each other name a statement alike: a pooler that carries none hands both the
/// same server connection, where the second name is taken.
#[expect(clippy::disallowed_methods, reason = "the statement knows no schema")]
async fn prove_memory(options: &PgConnectOptions) -> Result<(), sqlx::Error> {
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut client = PgConnection::connect_with(options).await?;
        let asked = sqlx::query("SELECT $1::integer").bind(1);
        asked.execute(&mut client).await?;
        clients.push(client);
    }
    Ok(())
}

fn connect_options(url: &str, settings: &PoolSettings) -> Result<PgConnectOptions, PoolError> {
    let options = PgConnectOptions::from_str(url).map_err(PoolError::Address)?;
    let options = options.application_name(&settings.application_name);
    if settings.transaction_pooler {
        // Poolers refuse start-up options, so timeout and search path are the server's to set.
        return Ok(options);
    }
    let timeout = format!("{}ms", settings.statement_timeout.as_millis());
    // Every name of ours says its schema; whatever a role or a database sets is not to be met by mistake.
    Ok(options.options([
        ("statement_timeout", timeout.as_str()),
        ("search_path", "public"),
        // No statement of ours runs long enough to be worth compiling.
        ("jit", "off"),
    ]))
}

/// Says where we failed to connect; the password stays out.
fn refused(options: &PgConnectOptions, source: sqlx::Error) -> PoolError {
    let (host, port) = (options.get_host().to_owned(), options.get_port());
    if takes_no_options(&source) {
        return PoolError::Pooler { host, port, source };
    }
    if forgets_statements(&source) {
        return PoolError::Forgetful { host, port, source };
    }
    let user = options.get_username().to_owned();
    PoolError::Connect {
        host,
        port,
        // PostgreSQL's own default.
        database: options.get_database().unwrap_or(&user).to_owned(),
        user,
        source: Box::new(source),
    }
}

/// The name is taken (42P05), or nobody knows it (26000): which is only news through a pooler.
fn forgets_statements(error: &sqlx::Error) -> bool {
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| code == "42P05" || code == "26000")
}

/// As PgBouncer says it; PostgreSQL takes any option, or names the one that it does not know.
fn takes_no_options(error: &sqlx::Error) -> bool {
    let refused = error.as_database_error();
    refused.is_some_and(|refused| refused.message().contains("unsupported startup parameter"))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "these statements know no schema")]
mod tests {
    use sqlx::{Executor, Row};

    use super::*;
    use crate::postgres::Embedded;
    use crate::telemetry::chain;

    fn settings() -> PoolSettings {
        PoolSettings {
            max: 2,
            application_name: "fleet test".into(),
            statement_timeout: Duration::from_millis(1500),
            transaction_pooler: false,
        }
    }

    async fn show(pool: &PgPool, sql: &'static str) -> String {
        pool.fetch_one(sql).await.unwrap().get(0)
    }

    #[tokio::test]
    async fn a_connection_carries_its_name_its_timeout_and_its_search_path() {
        let server = Embedded::throw_away().await.unwrap();
        let pool = connect(&server.url(), &settings()).await.unwrap();
        assert_eq!(show(&pool, "SHOW application_name").await, "fleet test");
        assert_eq!(show(&pool, "SHOW statement_timeout").await, "1500ms");
        assert_eq!(show(&pool, "SHOW search_path").await, "public");

        let through = PoolSettings {
            transaction_pooler: true,
            ..settings()
        };
        let pool = connect(&server.url(), &through).await.unwrap();
        assert_eq!(show(&pool, "SHOW statement_timeout").await, "0");
    }

    #[tokio::test]
    async fn a_connection_cut_while_idle_is_replaced_unseen() {
        let server = Embedded::throw_away().await.unwrap();
        let pool = connect(&server.url(), &settings()).await.unwrap();
        let pid = show(&pool, "SELECT pg_backend_pid()::text").await;
        let other = connect(&server.url(), &settings()).await.unwrap();
        sqlx::query("SELECT pg_terminate_backend($1)")
            .bind(pid.parse::<i32>().unwrap())
            .execute(&other)
            .await
            .unwrap();
        // What is tested is the passing of this very time.
        tokio::time::sleep(TRUST_FOR + Duration::from_millis(50)).await;
        assert_ne!(show(&pool, "SELECT pg_backend_pid()::text").await, pid);
    }

    #[tokio::test]
    async fn a_wrong_name_is_no_outage() {
        let server = Embedded::throw_away().await.unwrap();
        let url = server.url();
        let (address, _) = url.rsplit_once('/').unwrap();
        let error = connect(&format!("{address}/no_such_database"), &settings()).await;
        assert!(!error.unwrap_err().is_outage());
        assert!(!open("no address", &settings()).unwrap_err().is_outage());
    }

    #[tokio::test]
    async fn a_failure_names_the_place_and_never_the_password() {
        let url = "postgres://ann:s3cret@127.0.0.1:1/books";
        let error = connect(url, &settings()).await.unwrap_err();
        let said = chain(&error);
        assert!(error.is_outage(), "somebody may listen there later");
        let place = "could not connect to database `books` at 127.0.0.1:1 as `ann`: ";
        assert!(
            said.starts_with(place) && said.contains("refused"),
            "{said}"
        );
        assert!(
            !said.contains("s3cret") && !format!("{error:?}").contains("s3cret"),
            "{said}"
        );
    }
}
