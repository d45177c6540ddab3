//! Idempotency-Key: the same request again gets the stored answer and does nothing again.
//!
//! The key's row, the work and the answer commit together. A twin that arrives meanwhile waits for the row, by the unique key,
//! and then finds the answer. Work that is refused rolls the row back: the key is free for the corrected request.

use std::time::Duration;

use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use fleet_queue::TenantId;
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, PgPool};

use crate::problem::Problem;

const HEADER: &str = "idempotency-key";
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const KEY_BYTES_MAX: usize = 200;
/// Old answers removed at a time.
const SWEEP_BATCH: i64 = 1_000;

/// The request's Idempotency-Key, if it has one.
pub(crate) struct IdempotencyKey(pub(crate) Option<String>);

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(HEADER) else {
            return Ok(Self(None));
        };
        let key = value.to_str().unwrap_or_default();
        if (1..=KEY_BYTES_MAX).contains(&key.len()) {
            return Ok(Self(Some(key.to_owned())));
        }
        let detail = format!("must be 1 to {KEY_BYTES_MAX} visible ASCII characters");
        Err(Problem::malformed(HEADER, detail))
    }
}

/// An answer as it is kept.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
    pub(crate) replayed: bool,
}

impl Answer {
    pub(crate) fn new(status: StatusCode, body: Value) -> Self {
        Self {
            status,
            body,
            replayed: false,
        }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        if self.replayed {
            let headers = response.headers_mut();
            headers.insert(REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}

/// A key, and what it was used for.
pub(crate) struct Use<'a> {
    pub(crate) tenant: TenantId,
    pub(crate) key: &'a str,
    pub(crate) route: &'static str,
    pub(crate) body_sha256: &'a [u8; 32],
}

impl Use<'_> {
    fn request(&self) -> [u8; 32] {
        let mut hash = Sha256::new_with_prefix(self.route);
        hash.update(self.body_sha256);
        hash.finalize().into()
    }
}

/// Takes the key for this transaction, or gives the answer that an earlier request left.
pub(crate) async fn take(
    conn: &mut PgConnection,
    used: &Use<'_>,
    kept: Duration,
) -> Result<Option<Answer>, Problem> {
    let request = used.request();
    let taken = sqlx::query!(
        r#"-- idempotency.take
        INSERT INTO fleet.idempotency AS i (tenant_id, key, request, expires_at) VALUES ($1, $2, $3, fleet.clock() + make_interval(secs => $4))
        ON CONFLICT (tenant_id, key) DO UPDATE SET request = excluded.request, expires_at = excluded.expires_at, status = NULL, answer = NULL
        WHERE i.expires_at <= fleet.clock()"#,
        used.tenant.0,
        used.key,
        request.as_slice(),
        kept.as_secs_f64(),
    )
    .execute(&mut *conn)
    .await?;
    if taken.rows_affected() == 1 {
        return Ok(None);
    }
    stored(conn, used, request).await.map(Some)
}

async fn stored(
    conn: &mut PgConnection,
    used: &Use<'_>,
    request: [u8; 32],
) -> Result<Answer, Problem> {
    let row = sqlx::query!(
        r#"-- idempotency.stored
        SELECT request, status, answer FROM fleet.idempotency WHERE tenant_id = $1 AND key = $2"#,
        used.tenant.0,
        used.key,
    )
    .fetch_one(conn)
    .await?;
    if row.request != request {
        let detail = "this key was used for another request; use a new one for each request";
        return Err(Problem::invalid(HEADER, detail).code("idempotency_key_reused"));
    }
    let status = row.status.and_then(|code| u16::try_from(code).ok());
    let status = status.and_then(|code| StatusCode::from_u16(code).ok());
    let (Some(status), Some(body)) = (status, row.answer) else {
        return Err(Problem::unavailable());
    };
    Ok(Answer {
        status,
        body,
        replayed: true,
    })
}

/// Keeps the answer under the key.
pub(crate) async fn keep(
    conn: &mut PgConnection,
    used: &Use<'_>,
    answer: &Answer,
) -> Result<(), Problem> {
    sqlx::query!(
        r#"-- idempotency.keep
        UPDATE fleet.idempotency SET status = $3, answer = $4 WHERE tenant_id = $1 AND key = $2"#,
        used.tenant.0,
        used.key,
        answer.status.as_u16() as i16,
        answer.body,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes answers past their time, a batch at a time; says how many went. Any number of processes may do it at once (I8).
pub(crate) async fn sweep(pool: &PgPool) -> Result<u64, sqlx::Error> {
    let swept = sqlx::query!(
        r#"-- idempotency.sweep
        DELETE FROM fleet.idempotency WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM fleet.idempotency WHERE expires_at <= (SELECT fleet.clock()) ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED))"#,
        SWEEP_BATCH,
    )
    .execute(pool)
    .await?;
    Ok(swept.rows_affected())
}
