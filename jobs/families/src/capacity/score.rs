//! `capacity.score`: scores one partner anew.
//!
//! Trigger: a change to what its score rests on (`fleet.ask_capacity` enqueues in the change's own transaction, thirty seconds
//! ahead, so that a burst is one job), or on demand ([`Score::new_job`]).
//! Effect: its row of `partner_capacity`, the history where it differs, events where it is news.
//! Safe to repeat because: it computes from what is there, and commits together with the job's completion.
//! Gives up when: there is no such partner, or not of the job's tenant.

use std::time::Duration;

use fleet_queue::{
    Cx, Job, JobError, JobResult, NewJob, OnDuplicate, Policy, TenantId, Unique, UniqueScope, clock,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::priors;
use super::rescore::rescore;
use crate::partners::is_known;
use crate::settings::SettingsError;
use crate::telemetry;

/// Scores a partner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Score {
    /// The partner.
    pub partner_id: Uuid,
}

impl Score {
    /// The job, at once. One that waits already is the same one; one that runs may have read before this, and is not.
    pub fn new_job(&self, tenant: TenantId) -> NewJob {
        NewJob::of(self).tenant(tenant).unique(Unique {
            key: format!("capacity.score now {}", self.partner_id),
            scope: UniqueScope::Started,
            window_s: None,
            on_duplicate: OnDuplicate::Return,
        })
    }
}

impl Job for Score {
    const KIND: &'static str = "capacity.score";
    const DESCRIPTION: &'static str = "Computes how much more work a partner can take.";

    type Deps = ();

    fn policy() -> Policy {
        Policy {
            timeout: Duration::from_mins(1),
            max_attempts: 8,
            ..Policy::DEFAULT
        }
    }

    fn example() -> Self {
        Self {
            partner_id: Uuid::nil(),
        }
    }

    async fn run(self, cx: Cx<()>) -> JobResult {
        let mut tx = cx.pool().begin().await?;
        if !is_known(&mut tx, self.partner_id, cx.tenant()).await? {
            let unknown = format!("partner_id: there is no partner {}", self.partner_id);
            return Err(JobError::discard(unknown));
        }
        let now = clock(&mut tx).await?;
        priors::learn_once(&mut tx, now).await?;
        let rescored = rescore(&mut tx, &[self.partner_id], now)
            .await
            .map_err(SettingsError::into_job_error)?;
        let done = cx.settle_in(&mut tx, Some(&rescored)).await?;
        tx.commit().await?;
        telemetry::scored(rescored.scored);
        Ok(done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_waiting_requests_for_a_partner_are_one_job_and_partners_do_not_share_it() {
        let key = |n| {
            let score = Score {
                partner_id: Uuid::from_u128(n),
            };
            let unique = score.new_job(TenantId::PLATFORM).rare.unique;
            unique.map(|unique| (unique.key, unique.scope))
        };
        assert_eq!(key(1), key(1));
        assert_ne!(key(1), key(2));
        assert_eq!(key(1).map(|key| key.1), Some(UniqueScope::Started));
    }
}
