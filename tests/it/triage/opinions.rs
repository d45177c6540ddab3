//! A second opinion: asked only where ours is not sure, believed only where it agrees, and never waited for in vain.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fleet_jobs::triage::{Endpoint, Settings, set_settings};
use fleet_queue::TenantId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::desk::{Desk, QUESTION, UNCLEAR};
use super::jobs::run_all;

/// A small server that speaks as an OpenAI-compatible one: gives its address, and counts who asked.
async fn server(status: &'static str, content: &'static str) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            count.fetch_add(1, Ordering::SeqCst);
            let mut request = vec![0; 64 << 10];
            let read = stream.read(&mut request).await.unwrap_or(0);
            let text = String::from_utf8_lossy(&request[..read]).into_owned();
            assert!(text.starts_with("POST /v1/chat/completions"), "{text}");
            if content == "silence" {
                std::future::pending::<()>().await;
            }
            let body = format!(r#"{{"choices": [{{"message": {{"content": "{content}"}}}}]}}"#);
            let answer = format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (url, asked)
}

/// A desk that asks there.
async fn desk(url: &str) -> Desk {
    let mut desk = Desk::today().await;
    let endpoint = Endpoint {
        url: url.to_owned(),
        timeout_ms: 500,
        ..Endpoint::example()
    };
    let settings = Settings {
        second_opinion: Some(endpoint),
        ..Settings::default()
    };
    set_settings(desk.conn(), TenantId::PLATFORM, &settings, "test")
        .await
        .unwrap();
    desk
}

#[tokio::test]
async fn agreement_lets_a_ticket_through_and_anything_else_changes_nothing() {
    for (status, content, expected) in [
        ("200 OK", "other", "open low other partner"),
        ("200 OK", "billing", "open medium - tier1 review"),
        (
            "200 OK",
            "I would say other or billing",
            "open medium - tier1 review",
        ),
        (
            "429 Too Many Requests",
            "other",
            "open medium - tier1 review",
        ),
        ("200 OK", "silence", "open medium - tier1 review"),
    ] {
        let (url, asked) = server(status, content).await;
        let mut desk = desk(&url).await;
        let ticket = desk.ticket(UNCLEAR).await;
        run_all(&desk.db).await;
        assert_eq!(desk.line(ticket).await, expected, "{status} {content}");
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn nobody_is_asked_where_ours_is_sure_or_nobody_answers_there() {
    let (url, asked) = server("200 OK", "billing").await;
    let mut sure = desk(&url).await;
    let ticket = sure.ticket(QUESTION).await;
    run_all(&sure.db).await;
    assert_eq!(sure.line(ticket).await, "open low how_to partner");
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    let mut alone = desk("http://127.0.0.1:9/v1").await;
    let ticket = alone.ticket(UNCLEAR).await;
    run_all(&alone.db).await;
    assert_eq!(alone.line(ticket).await, "open medium - tier1 review");
}
