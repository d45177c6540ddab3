//! Enqueue over HTTP, as a portal does it: the API as in production, and clients that each send one job a request and wait for the answer.
//!
//! The clients are in the same process and as plain as can be, a connection each with requests written by hand: what is measured is the API.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use fleet_control_api::keys::{NewKey, create};
use fleet_control_api::{ApiSettings, Scope, serve};
use fleet_queue::{Db, Job};
use futures::future::try_join_all;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::left;
use crate::kinds::{Noop, Tally, registry};
use crate::stage::{Stage, Summary};

const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Half a minute's worth.
const READY_LOOKS: u32 = 3_000;

pub(super) async fn play(db: &Db, clients: u64, jobs: u64) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let registry = registry(&Tally::of(u64::MAX));
    let soft = CancellationToken::new();
    let serving = serve(
        ApiSettings::default(),
        db.clone(),
        registry,
        listener,
        soft.clone(),
    );
    let serving = AbortOnDropHandle::new(tokio::spawn(serving));
    let request = request(&key(db).await?, &address);
    until_ready(&address).await?;
    let clients: Vec<_> = try_join_all((0..clients).map(|_| Client::connect(&address))).await?;
    let each = jobs.div_ceil(clients.len() as u64);
    let mut stage = Stage::enter().await?;
    let sending = clients
        .into_iter()
        .map(|client| tokio::spawn(client.send(request.clone(), each)));
    for sent in try_join_all(sending).await? {
        sent?;
    }
    stage.done().await?;
    soft.cancel();
    serving
        .await?
        .context("the API did not stop in good order")?;
    let stored = left(db).await?;
    ensure!(
        stored >= jobs,
        "{stored} jobs are stored of {jobs} that were answered"
    );
    stage.leave(&Summary {
        ran: jobs,
        ..Summary::default()
    })
}

/// It serves before its database is looked at, and says so.
async fn until_ready(address: &str) -> anyhow::Result<()> {
    let ask = format!("GET /readyz HTTP/1.1\r\nhost: {address}\r\n\r\n");
    let mut client = Client::connect(address).await?;
    for _ in 0..READY_LOOKS {
        client.0.write_all(ask.as_bytes()).await?;
        if client.answer().await?.contains(" 200 ") {
            return Ok(());
        }
        sleep(LOOK_EVERY).await;
    }
    bail!("the API is not ready after {READY_LOOKS} looks")
}

async fn key(db: &Db) -> anyhow::Result<String> {
    let new = NewKey {
        name: "bench".to_owned(),
        tenant: None,
        scopes: vec![Scope::Admin],
        kinds: None,
        expires_at: None,
    };
    let mut conn = db.acquire("bench.key").await?;
    Ok(create(&mut conn, &new).await?.key)
}

fn request(key: &str, address: &str) -> String {
    let body = serde_json::json!({ "kind": Noop::KIND, "payload": {} }).to_string();
    format!(
        "POST /v1/jobs HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A connection that is kept.
struct Client(BufReader<TcpStream>);

impl Client {
    async fn connect(address: &str) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    async fn send(mut self, request: String, times: u64) -> anyhow::Result<()> {
        for _ in 0..times {
            self.0.write_all(request.as_bytes()).await?;
            let status = self.answer().await?;
            ensure!(status.contains(" 201 "), "the API answered: {status}");
        }
        Ok(())
    }

    /// Reads one answer to its end, and gives its first line.
    async fn answer(&mut self) -> anyhow::Result<String> {
        let mut status = String::new();
        self.0.read_line(&mut status).await?;
        let mut line = String::new();
        let mut length = 0;
        loop {
            line.clear();
            self.0.read_line(&mut line).await?;
            if line.trim().is_empty() {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse()?;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await?;
        Ok(status)
    }
}
