//! The campaign as a portal: it speaks HTTP to whichever API answers, and keeps a history of what it was told.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fleet_check::record;
use fleet_queue::history::{EnqueuedJob, Event, History};
use fleet_queue::{JobId, TenantId};
use reqwest::{Client, Method, StatusCode};
use serde_json::Value;

use crate::error::CampaignError;

/// Longer than a commit takes, shorter than a stopped process.
const PATIENCE: Duration = Duration::from_secs(5);

/// A caller of the API.
#[derive(Clone)]
pub(crate) struct Portal {
    client: Client,
    key: String,
    apis: Arc<[u16]>,
    history: History,
}

impl Portal {
    /// Calls these ports with an admin's key.
    pub(crate) fn new(
        key: String,
        apis: Vec<u16>,
        histories: &Path,
    ) -> Result<Self, CampaignError> {
        let history = record(histories, "campaign");
        let history = history.map_err(|error| CampaignError::History(Box::new(error)))?;
        let client = Client::builder().timeout(PATIENCE).build();
        Ok(Self {
            client: client.map_err(|error| CampaignError::History(Box::new(error)))?,
            key,
            apis: apis.into(),
            history,
        })
    }

    /// The campaign's own history.
    pub(crate) fn history(&self) -> &History {
        &self.history
    }

    /// Asks the `n`th API; `None` where no answer came, so that nobody knows what was done.
    pub(crate) async fn ask(
        &self,
        n: usize,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Option<(StatusCode, Value)> {
        let port = self.apis[n % self.apis.len()];
        let url = format!("http://127.0.0.1:{port}{path}");
        let request = self.client.request(method, url).bearer_auth(&self.key);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        let answer = request.send().await.ok()?;
        let status = answer.status();
        let text = answer.text().await.ok()?;
        Some((
            status,
            serde_json::from_str(&text).unwrap_or(Value::String(text)),
        ))
    }

    /// The same of any API, again and again until one does as asked; an answer that it never will is an error.
    pub(crate) async fn insist(
        &self,
        attempt: &str,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, CampaignError> {
        let mut last = "no answer".to_owned();
        for n in 0..100 {
            match self.ask(n, method.clone(), path, body).await {
                Some((status, value)) if status.is_success() => return Ok(value),
                Some((status, value)) => {
                    last = format!("{status} {value}");
                    if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS {
                        break;
                    }
                }
                None => {}
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Err(CampaignError::Refused {
            attempt: attempt.to_owned(),
            answer: last,
        })
    }

    /// Enqueues a job; its id, where the API acknowledged a new one.
    pub(crate) async fn enqueue(&self, n: usize, body: &Value) -> Option<JobId> {
        let (status, answer) = self.ask(n, Method::POST, "/v1/jobs", Some(body)).await?;
        if status != StatusCode::CREATED {
            return None;
        }
        let made = acknowledged(body, &answer)?;
        let id = made.job;
        self.history.note(|| Event::Enqueued { jobs: vec![made] });
        Some(id)
    }
}

/// What a portal knows of a job that was acknowledged to it.
fn acknowledged(asked: &Value, answer: &Value) -> Option<EnqueuedJob> {
    let text = |of: &Value| of.as_str().map(str::to_owned);
    let concurrency = &asked["concurrency"];
    Some(EnqueuedJob {
        job: JobId(answer["id"].as_str()?.parse().ok()?),
        tenant: TenantId(answer["tenant_id"].as_str()?.parse().ok()?),
        kind: text(&answer["kind"])?,
        queue: text(&answer["queue"])?,
        max_attempts: i16::try_from(answer["max_attempts"].as_i64()?).ok()?,
        unique_key: text(&asked["unique"]["key"]),
        concurrency: text(&concurrency["key"]).zip(
            concurrency["limit"]
                .as_i64()
                .and_then(|n| i16::try_from(n).ok()),
        ),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_is_kept_with_what_was_asked_for() {
        let id = "0190f4a8-0000-7000-8000-000000000001";
        let asked = json!({ "kind": "a.b", "unique": { "key": "k" }, "concurrency": { "key": "c", "limit": 2 } });
        let answer =
            json!({ "id": id, "tenant_id": id, "kind": "a.b", "queue": "q", "max_attempts": 3 });
        let kept = acknowledged(&asked, &answer).expect("whole");
        assert_eq!(
            (kept.unique_key.as_deref(), kept.concurrency),
            (Some("k"), Some(("c".to_owned(), 2)))
        );
        assert!(acknowledged(&asked, &json!({})).is_none());
    }
}
