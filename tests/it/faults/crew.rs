//! A worker, a scheduler and an API in this process, over connections of their own that can be cut.

use std::time::Duration;

use fleet_control_api::keys::ensure_admin_key;
use fleet_control_api::{ApiSettings, serve};
use fleet_jobs::diagnostics;
use fleet_queue::{Db, Probes};
use fleet_scheduler::SchedulerSettings;
use fleet_tests::{TestDb, eventually};
use fleet_worker::{WorkerError, WorkerSettings};
use sqlx::postgres::PgPoolOptions;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::work::Poster;

/// What the crew's connections are called in the database.
const NAME: &str = "crew";

/// Roles at work.
pub(super) struct Crew {
    db: Db,
    poster: Poster,
    worker: Role,
    scheduler: Role,
    api: Role,
}

impl Crew {
    pub(super) async fn start(test: &TestDb) -> Self {
        let options = (*test.pool.connect_options())
            .clone()
            .application_name(NAME);
        let pool = PgPoolOptions::new()
            .max_connections(16)
            .connect_with(options)
            .await
            .unwrap();
        let db = Db::with_probes(pool, Probes::steerable());
        let key = ensure_admin_key(&mut *test.conn().await)
            .await
            .unwrap()
            .expect("the first key")
            .key;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let served = db.clone();
        Self {
            poster: Poster::new(base, key),
            worker: Role::begin(|stop| work_on(db.clone(), stop)),
            scheduler: Role::begin(|stop| keep_on(db.clone(), stop)),
            api: Role::begin(|stop| async {
                serve(
                    ApiSettings::default(),
                    served,
                    diagnostics::registry(),
                    listener,
                    stop,
                )
                .await
                .unwrap();
            }),
            db,
        }
    }

    pub(super) fn probes(&self) -> Probes {
        self.db.probes().clone()
    }

    pub(super) fn poster(&self) -> &Poster {
        &self.poster
    }

    /// One worker leaves in good order, another comes.
    pub(super) async fn replace_worker(&mut self) {
        let next = Role::begin(|stop| work_on(self.db.clone(), stop));
        std::mem::replace(&mut self.worker, next).end().await;
    }

    /// Everybody leaves in good order.
    pub(super) async fn stop(self) {
        for role in [self.worker, self.scheduler, self.api] {
            role.end().await;
        }
    }
}

/// A role as a task, and the means to stop it.
struct Role {
    stop: CancellationToken,
    task: AbortOnDropHandle<()>,
}

impl Role {
    fn begin<F: Future<Output = ()> + Send + 'static>(
        role: impl FnOnce(CancellationToken) -> F,
    ) -> Self {
        let stop = CancellationToken::new();
        let task = AbortOnDropHandle::new(tokio::spawn(role(stop.clone())));
        Self { stop, task }
    }

    async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

/// A worker that polls often: a wake-up that is lost must not cost the test seconds.
async fn work_on(db: Db, stop: CancellationToken) {
    let settings = WorkerSettings {
        concurrency: 4,
        poll_every: Duration::from_millis(100),
        renew_every: Duration::from_millis(500),
        ..WorkerSettings::default()
    };
    let hard = CancellationToken::new();
    loop {
        let (settings, stop, hard) = (settings.clone(), stop.clone(), hard.clone());
        let lived = fleet_worker::run(settings, db.clone(), diagnostics::registry(), stop, hard);
        match lived.await {
            // The binary starts it again, too.
            Err(WorkerError::Start(_)) => {}
            ended => return ended.unwrap(),
        }
    }
}

async fn keep_on(db: Db, stop: CancellationToken) {
    let settings = SchedulerSettings {
        default_schedules: false,
        ..SchedulerSettings::default()
    };
    fleet_scheduler::run(settings, db, stop).await.unwrap();
}

/// Cuts every connection of the crew, as a network or a failover would, and waits until they are gone.
pub(super) async fn cut(db: &Db) {
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1 AND pid = ANY ($2)";
    let them = "SELECT array_agg(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1";
    let pids: Vec<i32> = sqlx::query_scalar(them)
        .bind(NAME)
        .fetch_one(db.pool())
        .await
        .unwrap();
    eventually("the connections are cut", || async {
        let left = sqlx::query(sql)
            .bind(NAME)
            .bind(&pids)
            .fetch_all(db.pool())
            .await
            .unwrap();
        left.is_empty().then_some(())
    })
    .await;
}
