//! What the handlers share.

use std::ops::Deref;
use std::sync::Arc;

use fleet_jobs::acting::act_as;
use fleet_queue::{Db, TenantId};
use sqlx::{Postgres, Transaction};
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
