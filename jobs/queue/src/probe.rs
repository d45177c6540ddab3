//! Named points in the code where a test may look, wait, hold, fail, or kill.
//!
//! In production every probe is a no-op behind one `Option`; there are no feature flags, so what is tested is what runs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

/// What happens to whoever reaches a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeAction {
    /// Go on.
    Continue,
    /// Stay here until the action is changed.
    Hold,
    /// Report a failure to the caller.
    Fail,
    /// End the process at once, as a kill -9 would.
    Abort,
}

/// A probe that was set to fail was reached.
#[derive(Debug, thiserror::Error)]
#[error("probe {0} was set to fail")]
pub struct ProbeFailed(pub &'static str);

/// A process's probes. Clones share their state; the default has none and costs nothing.
#[derive(Clone, Debug, Default)]
pub struct Probes(Option<Arc<Inner>>);

#[derive(Debug)]
struct Inner {
    actions: Mutex<HashMap<String, ProbeAction>>,
    hits: watch::Sender<HashMap<&'static str, u64>>,
    changed: watch::Sender<()>,
}

impl Probes {
    /// Every probe there is, named by the role that meets it; fault tests are made from this list.
    pub const ALL: [&'static str; 19] = [
        "worker.before_claim",
        "worker.claimed",
        "worker.before_run",
        "worker.before_settle",
        "worker.settled",
        "worker.before_renew",
        "worker.renewed",
        "worker.before_depart",
        "cx.before_settle_in",
        "cx.settled_in",
        "scheduler.before_tick",
        "scheduler.before_commit",
        "scheduler.committed",
        "upkeep.promoted",
        "upkeep.rescued",
        "upkeep.before_commit",
        "upkeep.committed",
        "api.before_commit",
        "api.before_wake",
    ];

    /// Probes that a test can steer.
    #[must_use]
    pub fn steerable() -> Self {
        Self(Some(Arc::new(Inner {
            actions: Mutex::default(),
            hits: watch::Sender::default(),
            changed: watch::Sender::default(),
        })))
    }

    /// Reads `name=action,…` (actions: hold, fail, abort), as a process under test gets it from its environment.
    pub fn parse(text: &str) -> Result<Self, String> {
        let probes = Self::steerable();
        for pair in text.split(',').filter(|pair| !pair.is_empty()) {
            let (name, action) = pair
                .split_once('=')
                .ok_or_else(|| format!("\"{pair}\" is not name=action"))?;
            let action = match action {
                "hold" => ProbeAction::Hold,
                "fail" => ProbeAction::Fail,
                "abort" => ProbeAction::Abort,
                other => return Err(format!("\"{other}\" is none of hold, fail, abort")),
            };
            if !Self::ALL.contains(&name) {
                return Err(format!("no probe is named \"{name}\""));
            }
            probes.set(name, action);
        }
        Ok(probes)
    }

    /// Sets what happens at a probe from now on, also to those held there.
    pub fn set(&self, name: &str, action: ProbeAction) {
        if let Some(inner) = &self.0 {
            inner
                .actions
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(name.to_owned(), action);
            inner.changed.send_replace(());
        }
    }

    /// Waits until a probe was reached at least `times` times in all.
    pub async fn reached(&self, name: &'static str, times: u64) {
        if let Some(inner) = &self.0 {
            let mut hits = inner.hits.subscribe();
            // The sender lives in `inner`, so the wait cannot end by its being dropped.
            let _ = hits
                .wait_for(|hits| hits.get(name).copied().unwrap_or(0) >= times)
                .await;
        }
    }

    /// Marks that a probe was reached, and does what was set for it.
    pub async fn at(&self, name: &'static str) -> Result<(), ProbeFailed> {
        let Some(inner) = &self.0 else { return Ok(()) };
        inner
            .hits
            .send_modify(|hits| *hits.entry(name).or_default() += 1);
        let mut changed = inner.changed.subscribe();
        loop {
            match inner.action(name) {
                ProbeAction::Continue => return Ok(()),
                ProbeAction::Fail => return Err(ProbeFailed(name)),
                ProbeAction::Abort => std::process::abort(),
                ProbeAction::Hold => {
                    if changed.changed().await.is_err() {
                        return Ok(());
                    }
                }
            }
        }
    }
}

impl Inner {
    fn action(&self, name: &str) -> ProbeAction {
        self.actions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
            .copied()
            .unwrap_or(ProbeAction::Continue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn holds_until_told_otherwise() {
        let probes = Probes::steerable();
        probes.set("worker.claimed", ProbeAction::Hold);
        let held = tokio::spawn({
            let probes = probes.clone();
            async move { probes.at("worker.claimed").await }
        });
        probes.reached("worker.claimed", 1).await;
        assert!(!held.is_finished());
        probes.set("worker.claimed", ProbeAction::Fail);
        assert!(held.await.expect("no panic").is_err());
    }

    #[test]
    fn names_what_it_cannot_read() {
        assert!(Probes::parse("worker.claimed=abort").is_ok());
        assert!(Probes::parse("worker.claimed=explode").is_err_and(|e| e.contains("explode")));
        assert!(Probes::parse("nowhere=hold").is_err_and(|e| e.contains("nowhere")));
    }
}
