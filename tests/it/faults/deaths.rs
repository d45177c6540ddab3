//! Sudden death at every probe: the real binary aborts there, is started again, and the work goes on.

use std::collections::BTreeMap;
use std::net::TcpListener;

use fleet_control_api::keys::ensure_admin_key;
use fleet_queue::Probes;
use fleet_tests::process::Process;
use fleet_tests::{TestDb, database, eventually, invariants, wait};

use super::work::{Poster, Work};

const FLEET: &str = env!("CARGO_BIN_EXE_fleet-under-test");

#[tokio::test]
async fn a_death_at_any_probe_loses_nothing_and_doubles_nothing() {
    let db = database().await;
    let mut work = Work::begin(&db).await;
    let key = ensure_admin_key(&mut *db.conn().await).await.unwrap();
    let address = free_address();
    let poster = Poster::new(format!("http://{address}"), key.expect("the first key").key);
    let start = |role, probes: &str| start(&db, role, &address, probes);
    let roles = ["api", "scheduler", "worker"];
    let mut fleet: BTreeMap<&str, Process> = roles.map(|role| (role, start(role, ""))).into();
    for point in Probes::ALL {
        println!("death at {point}"); // shown where it is not survived
        let role = role(point);
        let leaving = fleet.get_mut(role).expect("every role is filled");
        leaving.signal("TERM");
        leaving.ended(wait::DEADLINE).await;
        let mut doomed = start(role, &format!("{point}=abort"));
        let death = async {
            if point == "worker.before_depart" {
                living(&db, &doomed).await;
                doomed.signal("TERM");
            }
            let status = doomed.ended(wait::DEADLINE).await;
            assert!(!status.success(), "{status}");
            end_lease(&db, &doomed).await;
            fleet.insert(role, start(role, ""));
        };
        let round = async {
            work.round(&db).await;
            work.post(&poster).await;
            work.done(&db).await;
        };
        tokio::join!(death, round);
    }
    work.check(&db).await;
    invariants::assert_hold(&db.pool).await;
}

async fn living(db: &TestDb, process: &Process) {
    let sql = "SELECT count(*) FROM fleet.worker WHERE ended_at IS NULL AND pid = $1";
    eventually("the worker is registered", || async {
        let living = sqlx::query_scalar(sql)
            .bind(process.pid() as i32)
            .fetch_one(&db.pool);
        (living.await.ok() == Some(1_i64)).then_some(())
    })
    .await;
}

/// Nobody waits eight seconds for the lease of a process that is known to be dead.
async fn end_lease(db: &TestDb, dead: &Process) {
    let sql = "UPDATE fleet.worker SET lease_until = 'epoch' WHERE pid = $1 AND ended_at IS NULL";
    sqlx::query(sql)
        .bind(dead.pid() as i32)
        .execute(&db.pool)
        .await
        .unwrap();
}

/// The process that meets a probe.
fn role(point: &str) -> &'static str {
    match point.split_once('.').expect("role and place").0 {
        "worker" | "cx" => "worker",
        "scheduler" | "upkeep" => "scheduler",
        "api" => "api",
        role => panic!("no process meets the probes of \"{role}\""),
    }
}

fn start(db: &TestDb, role: &str, address: &str, probes: &str) -> Process {
    let bind: &[&str] = if role == "api" {
        &["--bind", address]
    } else {
        &[]
    };
    let env = [
        ("FLEET_PROBES", probes),
        ("FLEET_WORKER__POLL_EVERY", "100ms"),
    ];
    Process::start(
        FLEET,
        &db.url,
        &[&[role, "--diagnostics"], bind].concat(),
        &env,
    )
}

/// An address that nobody has; somebody may take it before the process does, which the process would say.
fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}
