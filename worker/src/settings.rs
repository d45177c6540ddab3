//! What an operator may set on a worker, and the relations between the settings that must hold.

use std::collections::BTreeMap;
use std::time::Duration;

use fleet_queue::Registry;

/// A worker's settings; the defaults are right for most.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkerSettings {
    /// Handlers at most, in all.
    pub concurrency: usize,
    /// Queue to the number of handlers at most. Empty: `default` and every queue of a served kind, each up to `concurrency`.
    pub queues: BTreeMap<String, usize>,
    /// How long the worker is believed to live after a renewal.
    pub lease_ttl: Duration,
    /// How often the lease is renewed.
    pub renew_every: Duration,
    /// A worker that could not renew for so long stops its own handlers.
    pub give_up_after: Duration,
    /// Longest pause between two looks at the queues while woken by LISTEN.
    pub poll_every: Duration,
    /// Pause between two looks where LISTEN does not work.
    pub poll_without_listen: Duration,
    /// Be woken by LISTEN; switch it off behind a pooler in transaction mode.
    pub listen: bool,
    /// Claim ahead what the handlers can start within this time, by their measured pace.
    pub prefetch_for: Duration,
    /// Results are gathered for so long and settled together.
    pub settle_gather: Duration,
    /// Results settled in one call at most.
    pub settle_batch: usize,
    /// Time that running handlers get when the worker stops.
    pub shutdown_grace: Duration,
    /// Time that a handler gets after it was told to stop.
    pub cancel_grace: Duration,
    /// Its name in logs.
    pub name: String,
    /// Its binary's version.
    pub version: String,
    /// Its host's name.
    pub host: String,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self {
            concurrency: 16,
            queues: BTreeMap::new(),
            lease_ttl: Duration::from_secs(8),
            renew_every: Duration::from_secs(2),
            give_up_after: Duration::from_secs(5),
            poll_every: Duration::from_secs(5),
            poll_without_listen: Duration::from_secs(1),
            listen: true,
            prefetch_for: Duration::from_millis(25),
            settle_gather: Duration::from_millis(2),
            settle_batch: 1_000,
            shutdown_grace: Duration::from_secs(20),
            cancel_grace: Duration::from_secs(5),
            name: "worker".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            host: sysinfo::System::host_name().unwrap_or_else(|_| "unknown".to_owned()),
        }
    }
}

/// A setting that contradicts another, or itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("worker setting {key}: {problem}")]
pub struct SettingsError {
    /// The setting, as spelled in the configuration.
    pub key: &'static str,
    /// What is wrong with it, and what would be right.
    pub problem: String,
}

impl WorkerSettings {
    /// Refuses contradictions, naming the setting and what would be right.
    pub fn check(&self) -> Result<(), SettingsError> {
        let rules = [
            (self.concurrency > 0, "concurrency", "must be at least 1"),
            (self.settle_batch > 0, "settle_batch", "must be at least 1"),
            (
                self.renew_every > Duration::ZERO,
                "renew_every",
                "must be longer than nothing",
            ),
            (
                self.poll_every > Duration::ZERO,
                "poll_every",
                "must be longer than nothing",
            ),
            (
                self.poll_without_listen > Duration::ZERO,
                "poll_without_listen",
                "must be longer than nothing",
            ),
            (
                self.renew_every * 2 <= self.give_up_after,
                "renew_every",
                "must fit twice into give_up_after: one lost renewal is no reason to stop",
            ),
            (
                self.give_up_after < self.lease_ttl,
                "give_up_after",
                "must be shorter than lease_ttl: handlers stop before another worker may take their jobs",
            ),
            (
                self.settle_gather < self.give_up_after,
                "settle_gather",
                "must be shorter than give_up_after",
            ),
        ];
        for (holds, key, problem) in rules {
            if !holds {
                let problem = problem.to_owned();
                return Err(SettingsError { key, problem });
            }
        }
        self.check_queues()
    }

    fn check_queues(&self) -> Result<(), SettingsError> {
        let wrong = |problem| {
            Err(SettingsError {
                key: "queues",
                problem,
            })
        };
        for (queue, handlers) in &self.queues {
            if !(1..=100).contains(&queue.len()) {
                return wrong(format!("the name \"{queue}\" must have 1 to 100 bytes"));
            }
            if *handlers == 0 {
                return wrong(format!(
                    "\"{queue}\" must have at least 1 handler; leave it out to serve it not at all"
                ));
            }
        }
        Ok(())
    }

    /// The queues to serve, each with its handlers at most.
    pub(crate) fn served_queues(&self, registry: &Registry) -> BTreeMap<String, usize> {
        if !self.queues.is_empty() {
            let capped = self.queues.iter();
            return capped
                .map(|(queue, handlers)| (queue.clone(), (*handlers).min(self.concurrency)))
                .collect();
        }
        let of_kinds = registry.infos().map(|info| info.policy.queue);
        std::iter::once("default")
            .chain(of_kinds)
            .map(|queue| (queue.to_owned(), self.concurrency))
            .collect()
    }

    /// What is left of a lease when a worker gives up renewing it.
    pub(crate) fn last_of_lease(&self) -> Duration {
        self.lease_ttl.saturating_sub(self.give_up_after)
    }

    /// Time that handlers get when the lease could not be renewed: they are gone before it ends.
    pub(crate) fn isolation_grace(&self) -> Duration {
        self.cancel_grace.min(self.last_of_lease())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_agree_with_each_other() {
        assert_eq!(WorkerSettings::default().check(), Ok(()));
    }

    #[test]
    fn names_the_setting_that_contradicts_another() {
        let key = |settings: WorkerSettings| settings.check().expect_err("contradiction").key;
        let seconds = Duration::from_secs;
        let base = WorkerSettings::default;
        assert_eq!(
            key(WorkerSettings {
                give_up_after: seconds(9),
                ..base()
            }),
            "give_up_after"
        );
        assert_eq!(
            key(WorkerSettings {
                renew_every: seconds(3),
                ..base()
            }),
            "renew_every"
        );
        assert_eq!(
            key(WorkerSettings {
                queues: [("mail".to_owned(), 0)].into(),
                ..base()
            }),
            "queues"
        );
    }

    #[test]
    fn a_queue_never_gets_more_handlers_than_there_are() {
        let settings = WorkerSettings {
            concurrency: 4,
            queues: [("mail".to_owned(), 9)].into(),
            ..WorkerSettings::default()
        };
        assert_eq!(settings.served_queues(&Registry::new())["mail"], 4);
    }
}
