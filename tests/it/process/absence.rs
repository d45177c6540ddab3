//! Processes that start before their database does.

use fleet_control_api::keys;
use fleet_tests::{database, eventually, invariants};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::*;

/// A port at which nobody listens, most likely for the length of a test.
pub(super) async fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().port()
}

/// Lets connections to `port` through to the server behind `url`, from now on.
async fn open_gate(port: u16, url: &str) -> JoinHandle<()> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let url = reqwest::Url::parse(url).unwrap();
    let server = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
    tokio::spawn(async move {
        while let Ok((mut inner, _)) = listener.accept().await {
            let mut outer = TcpStream::connect(&server).await.unwrap();
            tokio::spawn(async move {
                let _ = copy_bidirectional(&mut inner, &mut outer).await;
            });
        }
    })
}

/// Status and code that a route answers with; nothing while nobody listens.
async fn answer(client: &Client, url: &str) -> Option<(u16, Value)> {
    let answer = client.get(url).send().await.ok()?;
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.ok()?;
    Some((status, body["code"].clone()))
}

#[tokio::test]
async fn i11_every_role_waits_for_a_database_that_is_away_at_its_start() {
    let db = database().await;
    let created = keys::ensure_admin_key(&mut *db.conn().await).await.unwrap();
    let key = created.expect("the first key").key;
    let (gate, port) = (free_port().await, free_port().await);
    let mut away = reqwest::Url::parse(&db.url).unwrap();
    away.set_port(Some(gate)).unwrap();
    let bind = format!("127.0.0.1:{port}");
    let mut processes = [
        &["worker", "--diagnostics"][..],
        &["scheduler"],
        &["api", "--diagnostics", "--bind", &bind],
    ]
    .map(|args| Process::start(FLEET, away.as_str(), args, &[]));

    let client = Client::builder().no_proxy().build().unwrap();
    let route = |path: &str| format!("http://{bind}{path}");
    let readyz = route("/readyz");
    let ready = eventually("the API answers", || answer(&client, &readyz)).await;
    assert_eq!(ready, (503, json!("not_ready")));
    let lives = answer(&client, &route("/healthz")).await;
    assert_eq!(lives, Some((200, Value::Null)), "a restart would not help");
    let refused = answer(&client, &route("/v1/jobs")).await;
    assert_eq!(refused, Some((503, json!("unavailable"))));

    let _gate = open_gate(gate, &db.url).await;
    eventually("the API is ready", || async {
        let (status, _) = answer(&client, &readyz).await?;
        (status == 200).then_some(())
    })
    .await;
    let enqueued = client
        .post(route("/v1/jobs"))
        .bearer_auth(key)
        .json(&json!({ "kind": "diagnostics.noop", "payload": {} }))
        .send();
    assert_eq!(enqueued.await.unwrap().status().as_u16(), 201);
    until(&db, "the job is done", COMPLETED, 1).await;
    for process in &mut processes {
        assert!(process.has_ended().is_none(), "an outage ends no process");
    }
    invariants::assert_hold(&db.pool).await;
}

#[tokio::test]
async fn a_database_that_was_never_migrated_ends_a_role_at_once() {
    let db = fleet_tests::database::empty_database().await;
    for args in [
        &["worker"][..],
        &["scheduler"],
        &["api", "--bind", "127.0.0.1:0"],
    ] {
        let mut process = Process::start(FLEET, &db.url, args, &[]);
        let ended = process.ended(fleet_tests::wait::DEADLINE).await;
        assert_eq!(ended.code(), Some(1), "{args:?}");
    }
}
