//! The registry: which kinds this binary serves, and how to run each, with types erased.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::BoxFuture;

use super::Job;
use super::context::Cx;
use super::outcome::{JobError, JobResult};
use crate::kinds::KindInfo;

/// What a handler is run with.
pub type RunInput = Cx<()>;

/// Runs a job of one kind.
pub type Handler = Arc<dyn Fn(RunInput) -> BoxFuture<'static, JobResult> + Send + Sync>;

/// The kinds a binary serves. Cheap to clone.
#[derive(Clone, Default)]
pub struct Registry {
    kinds: BTreeMap<&'static str, Registered>,
}

#[derive(Clone)]
struct Registered {
    info: Arc<KindInfo>,
    handler: Handler,
}

impl Registry {
    /// No kinds yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a kind with what it works with.
    ///
    /// # Panics
    /// Where the kind was added before: two types must not share one.
    #[must_use]
    pub fn job<J: Job>(mut self, deps: J::Deps) -> Self {
        let example = serde_json::to_value(J::example()).expect("an example serializes");
        let info = KindInfo {
            kind: J::KIND,
            version: J::VERSION,
            policy: J::policy(),
            schema: schemars::schema_for!(J).to_value(),
            example,
            description: J::DESCRIPTION,
        };
        let handler: Handler = Arc::new(move |cx| Box::pin(run::<J>(cx, deps.clone())));
        let registered = Registered {
            info: Arc::new(info),
            handler,
        };
        assert!(
            self.kinds.insert(J::KIND, registered).is_none(),
            "kind {} was added twice",
            J::KIND
        );
        self
    }

    /// Adds every kind of another registry.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        for (kind, registered) in other.kinds {
            assert!(
                self.kinds.insert(kind, registered).is_none(),
                "kind {kind} was added twice"
            );
        }
        self
    }

    /// How to run a kind.
    #[must_use]
    pub fn handler(&self, kind: &str) -> Option<&Handler> {
        self.kinds.get(kind).map(|registered| &registered.handler)
    }

    /// A kind's version, policy, schema and example.
    #[must_use]
    pub fn info(&self, kind: &str) -> Option<&KindInfo> {
        self.kinds
            .get(kind)
            .map(|registered| registered.info.as_ref())
    }

    /// Every kind, by name.
    pub fn infos(&self) -> impl Iterator<Item = &KindInfo> {
        self.kinds
            .values()
            .map(|registered| registered.info.as_ref())
    }

    /// Kinds and the payload versions up to which they are served, as a claim asks for them.
    #[must_use]
    pub fn served(&self) -> Vec<(String, i16)> {
        self.infos()
            .map(|info| (info.kind.to_owned(), info.version))
            .collect()
    }
}

/// Reads the payload, and runs the job with it. A payload that does not fit will not fit next time either.
async fn run<J: Job>(cx: Cx<()>, deps: J::Deps) -> JobResult {
    let job: J = match J::deserialize(&cx.job().payload) {
        Ok(job) => job,
        Err(error) => {
            return Err(JobError::discard(format!(
                "the payload does not fit {}: {error}",
                J::KIND
            )));
        }
    };
    job.run(cx.with_deps(deps)).await
}
