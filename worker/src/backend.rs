//! The adapter to apalis: our line of claimed jobs as an apalis backend, our handlers as its service. The only file that knows both.
//!
//! apalis has the handlers' loop, its layers (spawning, panics) and its monitor, which starts the loop anew should it ever fail.
//! Claiming, renewing and settling run beside it, because the loop must wait for none of them; nothing of the queue's promises
//! rests on apalis.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use apalis::layers::catch_panic::CatchPanicLayer;
use apalis_core::backend::finalize::Ephemeral;
use apalis_core::backend::{Backend, BackendConfig};
use apalis_core::monitor::Monitor;
use apalis_core::monitor::context::MonitorContext;
use apalis_core::task::Task;
use apalis_core::worker::builder::WorkerBuilder;
use apalis_core::worker::context::WorkerContext;
use apalis_core::worker::ext::parallelize::ParallelizeExt;
use futures::FutureExt;
use tokio_util::task::AbortOnDropHandle;

use crate::assignment::Assignment;
use crate::execute::{AttemptError, Handlers, panicked};
use crate::layer::SettleLayer;
use crate::shared::Shared;

/// The running handlers' loop; dropped, it is gone, and its handlers with it.
pub(crate) struct HandlersLoop {
    monitor: MonitorContext,
    run: AbortOnDropHandle<()>,
}

/// Starts the loop over what is lined up.
pub(crate) fn handlers_loop(shared: &Arc<Shared>) -> HandlersLoop {
    let name = shared.settings.name.clone();
    let shared = Arc::clone(shared);
    let monitor = Monitor::new()
        .register(move |_| {
            WorkerBuilder::new(name.as_str())
                .backend(LineupBackend(Arc::clone(&shared)))
                .parallelize(spawn)
                .layer(CatchPanicLayer::<_, AttemptError>::with_panic_handler(
                    panicked,
                ))
                .build(Handlers(Arc::clone(&shared)))
        })
        .should_restart(|_, error| {
            tracing::error!(%error, "the handlers' loop failed; starting it anew");
            true
        });
    let context = monitor.context();
    let run = monitor.run().map(|ended| {
        if let Err(error) = ended {
            tracing::error!(%error, "the handlers' loop failed");
        }
    });
    HandlersLoop {
        monitor: context,
        run: spawn(run),
    }
}

impl HandlersLoop {
    /// Has the loop end once no handler runs.
    pub(crate) fn stop(&self) {
        // It only sets a flag and wakes the loop; its signature says otherwise.
        let _ = self.monitor.shutdown();
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self) {
        let _ = (&mut self.run).await;
    }
}

/// A task of the handler's own: it runs on any core, and is dropped with the loop.
fn spawn<F>(handler: F) -> AbortOnDropHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    AbortOnDropHandle::new(tokio::spawn(handler))
}

/// The line as a source of tasks.
pub(crate) struct LineupBackend(Arc<Shared>);

impl Backend for LineupBackend {
    type Task = Task<Assignment>;
    type Error = Infallible;

    fn poll_ready(
        &mut self,
        _: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Option<Result<Task<Assignment>, Infallible>>> {
        let next = self.0.lineup.poll_next(cx);
        next.map(|assignment| Some(Ok(Task::new(assignment))))
    }

    fn poll_close(
        &mut self,
        _: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }
}

impl BackendConfig for LineupBackend {
    type Args = Assignment;
    type Id = ();
    type Kind = Ephemeral;
    type Config = ();
    type Layer = SettleLayer;

    fn config(&self) -> &() {
        &()
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> SettleLayer {
        SettleLayer(Arc::clone(&self.0))
    }
}
