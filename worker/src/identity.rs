//! Who this process is to the database, and until when it may believe so. Upholds I1, I11.
//!
//! A worker that was ended (its lease ran out while it was stopped or cut off) never comes back: the process goes on as a new
//! worker. Everything that belongs to the old one, jobs claimed or results not yet settled, is dropped, because others have its jobs.

use std::time::Duration;

use fleet_queue::WorkerId;
use tokio::sync::watch;
use tokio::time::Instant;

/// What is believed of the worker now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// The worker.
    pub(crate) worker: WorkerId,
    /// The lease runs at least until then: counted from before the renewal was sent.
    pub(crate) lease_until: Instant,
    /// Somebody asked it to take no more jobs.
    pub(crate) draining: bool,
}

/// The process's present worker; written by renewal alone.
#[derive(Debug)]
pub(crate) struct Identity {
    standing: watch::Sender<Standing>,
    /// Whom the database said to be ended, last.
    doubted: watch::Sender<Option<WorkerId>>,
}

impl Identity {
    /// A worker that was registered at `since`.
    pub(crate) fn new(worker: WorkerId, since: Instant, ttl: Duration) -> Self {
        let standing = Standing {
            worker,
            lease_until: since + ttl,
            draining: false,
        };
        Self {
            standing: watch::Sender::new(standing),
            doubted: watch::Sender::new(None),
        }
    }

    /// The worker that the process is now.
    pub(crate) fn worker(&self) -> WorkerId {
        self.standing.borrow().worker
    }

    /// What is believed now.
    pub(crate) fn standing(&self) -> Standing {
        *self.standing.borrow()
    }

    /// Hears of every change.
    pub(crate) fn watch(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// The lease was renewed by a call that began at `asked`.
    pub(crate) fn renewed(&self, asked: Instant, ttl: Duration, draining: bool) {
        self.standing.send_modify(|standing| {
            standing.lease_until = asked + ttl;
            standing.draining = draining;
        });
    }

    /// The process is another worker from now on.
    pub(crate) fn replace(&self, worker: WorkerId, asked: Instant, ttl: Duration) {
        self.standing.send_replace(Standing {
            worker,
            lease_until: asked + ttl,
            draining: false,
        });
    }

    /// The database answered that `worker` is ended: renewal must make the process a new one.
    pub(crate) fn doubt(&self, worker: WorkerId) {
        self.doubted.send_replace(Some(worker));
    }

    /// Waits until the present worker is doubted. What was said of one before it counts no more: its calls may still be under way
    /// while it is replaced, and each replacement would otherwise call for the next.
    pub(crate) async fn doubted(&self) {
        let mut doubted = self.doubted.subscribe();
        let present = |doubted: &Option<WorkerId>| *doubted == Some(self.worker());
        // The sender lives as long as we do, so the wait ends with a doubt.
        let _ = doubted.wait_for(present).await;
    }
}

impl Standing {
    /// True while results may be sent: past it, renewal must first hear that the worker still lives.
    pub(crate) fn is_fresh(&self) -> bool {
        self.outlasts(Duration::ZERO)
    }

    /// True while the lease runs for longer than that.
    pub(crate) fn outlasts(&self, time: Duration) -> bool {
        Instant::now() + time < self.lease_until
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn a_doubt_of_a_worker_that_is_replaced_is_none_of_its_successor() {
        let (old, new) = (WorkerId::generate(), WorkerId::generate());
        let ttl = Duration::from_secs(8);
        let identity = Identity::new(old, Instant::now(), ttl);
        identity.doubt(old);
        assert!(identity.doubted().now_or_never().is_some());
        identity.replace(new, Instant::now(), ttl);
        // A call of the old one's that was still under way.
        identity.doubt(old);
        assert!(identity.doubted().now_or_never().is_none());
        identity.doubt(new);
        assert!(identity.doubted().now_or_never().is_some());
    }
}
