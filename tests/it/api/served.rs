//! An API of a test's own, a client for it, and a worker of its one kind.

use std::time::Duration;

use fleet_control_api::keys::{self, NewKey};
use fleet_control_api::{ApiSettings, Scope, serve};
use fleet_queue::{Cx, Done, Job, JobResult, Registry, TenantId};
use fleet_tests::{Hand, TestDb, database, eventually};
use reqwest::{Method, StatusCode, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

/// A kind with a payload that can be wrong in many ways.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Paint {
    colour: String,
    #[serde(default)]
    coats: u8,
    #[serde(default)]
    parts: Vec<Part>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Part {
    name: String,
}

impl Job for Paint {
    const KIND: &'static str = "toys.paint";
    const DESCRIPTION: &'static str = "Paints a toy.";
    type Deps = ();

    fn example() -> Self {
        Self {
            colour: "red".into(),
            coats: 2,
            parts: Vec::new(),
        }
    }

    async fn run(self, _: Cx<()>) -> JobResult {
        Ok(Done::ok())
    }
}

/// A served API over a database of its own; it stops when this is dropped.
pub(super) struct Served {
    pub(super) db: TestDb,
    pub(super) base: String,
    /// A key that may do everything.
    pub(super) admin: String,
    client: reqwest::Client,
    _stop: DropGuard,
}

/// What the API answered.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: header::HeaderMap,
    /// JSON, or null where the body was none.
    pub(super) body: Value,
}

impl Reply {
    /// The body of a success.
    #[track_caller]
    pub(super) fn ok(self) -> Value {
        assert!(self.status.is_success(), "{} {:#}", self.status, self.body);
        self.body
    }

    /// Checks a refusal: its status, code and field.
    #[track_caller]
    pub(super) fn refused(&self, status: u16, code: &str, field: Option<&str>) {
        let told = (
            self.status.as_u16(),
            self.body["code"].as_str(),
            self.body["field"].as_str(),
        );
        assert_eq!(told, (status, Some(code), field), "{:#}", self.body);
        assert_eq!(
            self.headers[header::CONTENT_TYPE],
            "application/problem+json"
        );
        assert_eq!(
            self.headers["x-request-id"],
            self.body["request_id"].as_str().unwrap()
        );
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

impl Served {
    pub(super) async fn start() -> Self {
        Self::start_with(ApiSettings::default()).await
    }

    pub(super) async fn start_with(settings: ApiSettings) -> Self {
        Self::open(settings, Registry::new().job::<Paint>(())).await
    }

    /// With the real kinds.
    pub(super) async fn start_serving(registry: Registry) -> Self {
        Self::open(ApiSettings::default(), registry).await
    }

    async fn open(settings: ApiSettings, registry: Registry) -> Self {
        let db = database().await;
        let created = keys::ensure_admin_key(&mut *db.conn().await).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        tokio::spawn(serve(
            settings,
            db.db.clone(),
            registry,
            listener,
            stop.clone(),
        ));
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(60))
            .build()
            .unwrap();
        let served = Self {
            db,
            base,
            admin: created.expect("the first key").key,
            client,
            _stop: stop.drop_guard(),
        };
        eventually("the API is ready", || async {
            let ready = served.get("/readyz").await.status.is_success();
            ready.then_some(())
        })
        .await;
        served
    }

    /// A key of a tenant, or of the platform.
    pub(super) async fn key(&self, tenant: Option<Uuid>, scopes: &[Scope]) -> String {
        let new = NewKey {
            name: "test".into(),
            tenant: tenant.map(TenantId),
            scopes: scopes.to_vec(),
            kinds: None,
            expires_at: None,
        };
        keys::create(&mut *self.db.conn().await, &new)
            .await
            .unwrap()
            .key
    }

    /// A key of a tenant that may do all a tenant's key can.
    pub(super) async fn tenant_key(&self, tenant: Uuid) -> String {
        let scopes = [
            Scope::JobsEnqueue,
            Scope::JobsRead,
            Scope::JobsManage,
            Scope::SchedulesManage,
            Scope::ApprovalsDecide,
        ];
        self.key(Some(tenant), &scopes).await
    }

    pub(super) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    pub(super) async fn send(&self, request: reqwest::RequestBuilder) -> Reply {
        let response = request.send().await.expect("the API answers");
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.bytes().await.expect("the answer arrives whole");
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Reply {
            status,
            headers,
            body,
        }
    }

    /// With the admin's key.
    pub(super) async fn get(&self, path: &str) -> Reply {
        self.get_as(&self.admin, path).await
    }

    pub(super) async fn get_as(&self, key: &str, path: &str) -> Reply {
        self.send(self.request(Method::GET, path).bearer_auth(key))
            .await
    }

    /// With the admin's key.
    pub(super) async fn post(&self, path: &str, body: Value) -> Reply {
        self.post_as(&self.admin, path, body).await
    }

    pub(super) async fn post_as(&self, key: &str, path: &str, body: Value) -> Reply {
        self.send(
            self.request(Method::POST, path)
                .bearer_auth(key)
                .json(&body),
        )
        .await
    }

    pub(super) async fn put(&self, path: &str, body: Value) -> Reply {
        self.send(
            self.request(Method::PUT, path)
                .bearer_auth(&self.admin)
                .json(&body),
        )
        .await
    }

    /// Enqueues a job with the given options besides kind and payload; gives its id.
    pub(super) async fn enqueue(&self, options: Value) -> String {
        self.enqueue_as(&self.admin, options).await
    }

    pub(super) async fn enqueue_as(&self, key: &str, options: Value) -> String {
        let reply = self.post_as(key, "/v1/jobs", job(options)).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{:#}", reply.body);
        reply.body["id"].as_str().unwrap().to_owned()
    }
}

/// A body that enqueues a job, with further options.
pub(super) fn job(options: Value) -> Value {
    let mut body = json!({ "kind": "toys.paint", "payload": { "colour": "red" } });
    body.as_object_mut()
        .unwrap()
        .extend(options.as_object().unwrap().clone());
    body
}

/// Parts of a body by their paths, to be compared at once.
pub(super) fn pick<const N: usize>(body: &Value, paths: [&str; N]) -> Value {
    let part = |path: &str| body.pointer(&format!("/{path}")).cloned();
    paths
        .map(|path| part(path).unwrap_or_default())
        .into_iter()
        .collect()
}

/// A worker that serves [`Paint`].
pub(super) async fn painter(db: &TestDb) -> Hand {
    Hand::serving(db, &[Paint::KIND]).await
}
