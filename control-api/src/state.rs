//! What the handlers share.

use std::ops::Deref;
use std::sync::Arc;

use fleet_queue::{Db, TenantId};
use sqlx::{PgConnection, Postgres, Transaction};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::auth::{Identity, KeyCache, Rates};
use crate::checks::Checks;
use crate::gather::Gatherer;
use crate::kinds::Kinds;
use crate::problem::Problem;
use crate::settings::ApiSettings;
use crate::system::Sampler;
use crate::waiting::Waiting;

/// The API's state. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ApiState(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) settings: ApiSettings,
    pub(crate) db: Db,
    pub(crate) keys: KeyCache,
    pub(crate) rates: Rates,
    pub(crate) kinds: Kinds,
    pub(crate) gatherer: Gatherer,
    pub(crate) waiting: Waiting,
    pub(crate) sampler: Sampler,
    pub(crate) checks: Checks,
    /// One permit a request being worked on.
    pub(crate) in_flight: Semaphore,
    /// One permit a large body.
    pub(crate) bulk: Semaphore,
    /// One permit a request that waits for a job's end.
    pub(crate) waits: Semaphore,
    /// Cancelled once the database has been found ready for requests; until then they are refused.
    pub(crate) prepared: CancellationToken,
    /// Cancelled when the process stops: who waits is answered.
    pub(crate) stopping: CancellationToken,
}

impl Deref for ApiState {
    type Target = Shared;
    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl ApiState {
    pub(crate) fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }

    /// A transaction in which the database lets through what the caller may see, and nothing else (I12).
    pub(crate) async fn acting(
        &self,
        caller: &Identity,
    ) -> Result<Transaction<'static, Postgres>, Problem> {
        let mut tx = self.db.pool().begin().await?;
        act_as(&mut tx, &caller.sees()).await?;
        Ok(tx)
    }

    /// As [`Self::acting`], narrowed to one tenant.
    pub(crate) async fn acting_for(
        &self,
        tenant: TenantId,
    ) -> Result<Transaction<'static, Postgres>, Problem> {
        let mut tx = self.db.pool().begin().await?;
        act_as(&mut tx, &tenant.to_string()).await?;
        Ok(tx)
    }
}

/// Takes the role that owns nothing until the transaction ends, and says whose rows it may see: a tenant's id, or `*`.
pub(crate) async fn act_as(conn: &mut PgConnection, sees: &str) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"-- api.act_as
        SELECT set_config('role', 'fleet_api', true) AS role, set_config('fleet.tenant', $1, true) AS tenant"#,
        sees,
    )
    .fetch_one(conn)
    .await
    .map(|_| ())
}

/// As [`act_as`], until the connection is closed: for work of several transactions. Such a connection must not go back to the pool.
pub(crate) async fn act_as_session(conn: &mut PgConnection, sees: &str) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"-- api.act_as_session
        SELECT set_config('role', 'fleet_api', false) AS role, set_config('fleet.tenant', $1, false) AS tenant"#,
        sees,
    )
    .fetch_one(conn)
    .await
    .map(|_| ())
}
