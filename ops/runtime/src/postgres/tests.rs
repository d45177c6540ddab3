//! Real servers on real folders: what a start promises after every kind of end.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use sqlx::{Connection, Executor, PgConnection, Row};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::*;

mod adoption;

fn folder() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
    dir
}

async fn start(dir: &Path) -> Result<Embedded, PgError> {
    Embedded::start(dir, Options::default()).await
}

async fn one(url: &str, sql: &'static str) -> String {
    let mut db = PgConnection::connect(url).await.unwrap();
    let row = db.fetch_one(sql).await.unwrap();
    db.close().await.unwrap();
    row.get(0)
}

async fn run(url: &str, sql: &'static str) {
    let mut db = PgConnection::connect(url).await.unwrap();
    db.execute(sql).await.unwrap();
}

/// Waits until `pid` no longer serves the folder.
async fn gone(server: &Path, pid: u32) {
    let data = server.canonicalize().unwrap().join("pg/data");
    let wait = async {
        while postmaster::serves(pid, &data) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait)
        .await
        .expect("the server should end");
}

#[tokio::test]
async fn data_password_and_port_outlive_a_stop() {
    let dir = folder();
    let first = start(dir.path()).await.unwrap();
    let (url, pid) = (first.url(), first.pid());
    run(&url, "CREATE TABLE kept AS SELECT 'kept' AS word").await;
    first.stop().await.unwrap();
    gone(dir.path(), pid).await;

    let second = start(dir.path()).await.unwrap();
    assert_eq!(
        second.url(),
        url,
        "clients that know the address should find it again"
    );
    assert_ne!(second.pid(), pid);
    assert_eq!(one(&url, "SELECT word FROM kept").await, "kept");
    second.stop().await.unwrap();
}

#[tokio::test]
async fn the_server_is_durable_and_private() {
    let dir = folder();
    let server = start(dir.path()).await.unwrap();
    let url = server.url();
    for (setting, wanted) in [
        ("SHOW fsync", "on"),
        ("SHOW synchronous_commit", "on"),
        ("SHOW full_page_writes", "on"),
        ("SHOW data_checksums", "on"),
        ("SHOW listen_addresses", "127.0.0.1"),
        ("SHOW unix_socket_directories", ""),
        ("SHOW server_encoding", "UTF8"),
        ("SHOW max_connections", "200"),
    ] {
        assert_eq!(one(&url, setting).await, wanted, "{setting}");
    }
    let wrong = cluster::login(server.port(), "wrong");
    assert!(
        !cluster::answers(wrong).await,
        "a wrong password should not let anyone in"
    );
    let mode = |name: &str| {
        dir.path()
            .join(name)
            .metadata()
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!((mode("pg"), mode("pg/password")), (0o700, 0o600));
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_second_start_on_the_folder_is_refused_and_the_first_goes_on() {
    let dir = folder();
    let first = start(dir.path()).await.unwrap();
    let refused = start(dir.path()).await.unwrap_err();
    assert!(
        matches!(&refused, PgError::AlreadyRunning { pid, .. } if *pid == std::process::id()),
        "{refused}"
    );
    assert_eq!(
        one(&first.url(), "SELECT current_database()::text").await,
        "fleet"
    );
    assert_eq!(running(dir.path()).await.unwrap(), Some(first.url()));
    first.stop().await.unwrap();
    assert_eq!(running(dir.path()).await.unwrap(), None);
}

#[tokio::test]
async fn a_killed_server_starts_again_with_what_was_committed() {
    let dir = folder();
    let first = start(dir.path()).await.unwrap();
    run(&first.url(), "CREATE TABLE kept AS SELECT 'kept' AS word").await;
    // A busy backend doesn't notice the death of its parent at once.
    let url = first.url();
    let busy = tokio::task::spawn(async move {
        let mut db = PgConnection::connect(&url).await.unwrap();
        db.execute("SELECT sum(a * b) FROM generate_series(1, 3000) a, generate_series(1, 3000) b")
            .await
    });
    tokio::time::timeout(Duration::from_secs(10), async {
        let active = "SELECT count(*)::text FROM pg_stat_activity WHERE query LIKE '%3000) b'";
        while one(&first.url(), active).await == "0" {}
    })
    .await
    .expect("the long query should begin");
    postmaster::signal(first.pid(), &first.cluster.home.data(), Signal::KILL);
    gone(dir.path(), first.pid()).await;
    drop(first);

    let second = start(dir.path()).await.unwrap();
    assert_eq!(one(&second.url(), "SELECT word FROM kept").await, "kept");
    let _ = busy.await.unwrap();
    second.stop().await.unwrap();
}

#[tokio::test]
async fn a_supervised_server_comes_back_on_its_port() {
    let dir = folder();
    let server = start(dir.path()).await.unwrap();
    let (first, done) = (server.pid(), CancellationToken::new());
    let watch = async {
        postmaster::signal(first, &server.cluster.home.data(), Signal::KILL);
        while server.pid() == first || !server.cluster.answers(server.port()).await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        done.cancel();
    };
    let watch = tokio::time::timeout(Duration::from_secs(30), watch);
    let (supervised, watched) = tokio::join!(server.supervise(done.clone()), watch);
    watched.expect("the server should be back within 30 s");
    supervised.unwrap();
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_taken_port_is_left_to_its_owner() {
    let dir = folder();
    let first = start(dir.path()).await.unwrap();
    let port = first.port();
    first.stop().await.unwrap();
    let _owner = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();

    let second = start(dir.path()).await.unwrap();
    assert_ne!(second.port(), port);
    second.stop().await.unwrap();
}

#[tokio::test]
async fn an_interrupted_first_start_leaves_nothing_in_the_way() {
    let dir = folder();
    let half = dir.path().join("pg/data.new");
    std::fs::create_dir_all(&half).unwrap();
    std::fs::write(half.join("PG_VERSION"), "15").unwrap();

    let server = start(dir.path()).await.unwrap();
    assert!(!half.exists());
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_throw_away_server_takes_its_folder_along() {
    let server = Embedded::throw_away().await.unwrap();
    let (dir, pid) = (server.cluster.home.dir().to_path_buf(), server.pid());
    assert_eq!(one(&server.url(), "SHOW fsync").await, "off");
    let data = dir.join("pg/data");
    drop(server);
    assert!(!dir.exists() && !postmaster::serves(pid, &data));
}

#[test]
fn what_a_dead_run_left_is_removed_and_nothing_else() {
    let parent = folder();
    let make = |name: &str, hours: u64| {
        let dir = parent.path().join(name);
        std::fs::create_dir_all(dir.join("pg/data/base")).unwrap();
        let file = std::fs::File::open(&dir).unwrap();
        let made = file.metadata().unwrap().modified().unwrap();
        file.set_modified(made - Duration::from_hours(hours))
            .unwrap();
        dir
    };
    let left = make("fleet-pg-left", 2);
    let starting = make("fleet-pg-starting", 0);
    let foreign = make("postgres-data", 2);
    let lived_in = make("fleet-pg-lived-in", 0);
    let _lock = FolderLock::take(&lived_in).unwrap();
    let _ = make("fleet-pg-lived-in", 2);

    Undertaker::clear_up(parent.path().into()).join().unwrap();
    assert!(!left.exists());
    assert!(starting.exists() && foreign.exists() && lived_in.exists());
}
