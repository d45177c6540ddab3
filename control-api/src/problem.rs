//! Every refusal and failure, as RFC 9457 problem+json with a stable `code`.
//!
//! What the caller did is told in full, naming the field; what went wrong on our side is logged, and told as its request id.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use fleet_queue::Error;
use schemars::JsonSchema;
use serde::Serialize;

use crate::auth::keys::KeyError;
use crate::request_id;

/// A request that was not carried out. Nothing was changed.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) detail: String,
    pub(crate) field: Option<String>,
    pub(crate) retry_after_s: Option<u32>,
}

/// The body of every answer that is no success (RFC 9457).
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(crate) struct ProblemBody<'a> {
    /// A name for the kind of problem, as a URN of its code.
    r#type: String,
    /// The status in words.
    title: &'a str,
    /// The HTTP status.
    status: u16,
    /// Stable, for programs.
    code: &'a str,
    /// What was wrong, with what, and what would be right.
    detail: &'a str,
    /// The field, parameter or header that was wrong; a JSON pointer inside a payload.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    /// Names this request in the logs and in the audit.
    request_id: String,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            field: None,
            retry_after_s: None,
        }
    }

    /// Understood, but not right: 422.
    pub(crate) fn invalid(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_field", detail).field(field)
    }

    /// Not understood: 400.
    pub(crate) fn malformed(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", detail).field(field)
    }

    /// Not there, or not the caller's: both look the same (I12).
    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            format!("there is no such {what}"),
        )
    }

    pub(crate) fn forbidden(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, detail)
    }

    pub(crate) fn queue_full(queue: &str) -> Self {
        let detail = format!("the queue \"{queue}\" has reached its maximum depth");
        Self::new(StatusCode::TOO_MANY_REQUESTS, "queue_full", detail)
            .field("queue")
            .retry_after(5)
    }

    pub(crate) fn unavailable() -> Self {
        let detail = "the database is out of reach for the moment; try again";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail).retry_after(2)
    }

    fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(request_id = %request_id::current(), error = chain(error), "a request failed");
        let detail =
            "this should not have happened; the request id finds what did in the server's log";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }

    pub(crate) fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    pub(crate) fn code(mut self, code: &'static str) -> Self {
        self.code = code;
        self
    }

    pub(crate) fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// True where nothing will be carried out for the moment, whatever is tried.
    pub(crate) fn is_outage(&self) -> bool {
        self.status.is_server_error() && self.code != "contended"
    }

    /// The answer of a database, where it is the caller's doing.
    fn from_database(error: &sqlx::Error) -> Option<Self> {
        let database = error.as_database_error()?;
        let code = database.code()?;
        match code.as_ref() {
            "FL001" => Some(Self::invalid("kind", database.message()).code("unknown_kind")),
            "FL003" => {
                Some(Self::invalid("depends_on", database.message()).code("invalid_dependency"))
            }
            "57014" => {
                let detail = "this would take too long; narrow it, for instance by kind, state or a range of time";
                Some(Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "too_slow",
                    detail,
                ))
            }
            // Two transactions stood in each other's way, and this one was rolled back whole.
            code if code.starts_with("40") => {
                let detail = "another request was in the way; try again";
                Some(Self::new(StatusCode::SERVICE_UNAVAILABLE, "contended", detail).retry_after(1))
            }
            // A text that PostgreSQL cannot hold, such as one with a zero byte; or a bound that only the table knows.
            code if code.starts_with("22") || code == "23514" => {
                let detail = format!("a value cannot be stored: {}", database.message());
                Some(Self::new(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "invalid_value",
                    detail,
                ))
            }
            _ => None,
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match &error {
            Error::Invalid { field, problem } => {
                Self::invalid(*field, format!("{field} {problem}"))
            }
            Error::WrongState { .. } => {
                Self::new(StatusCode::CONFLICT, "wrong_state", error.to_string()).field("state")
            }
            Error::UniqueKeyUnseen { .. } => Self::new(
                StatusCode::CONFLICT,
                "unique_key_contended",
                error.to_string(),
            )
            .retry_after(1),
            Error::Database { source, .. } if Self::from_database(source).is_some() => {
                Self::from_database(source).unwrap_or_else(|| Self::internal(&error))
            }
            _ if error.is_transient() => {
                tracing::warn!(request_id = %request_id::current(), error = chain(&error), "the database is out of reach");
                Self::unavailable()
            }
            _ => Self::internal(&error),
        }
    }
}

impl From<KeyError> for Problem {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Invalid { field, problem } => {
                Self::invalid(field, format!("{field} {problem}"))
            }
            KeyError::NoRandomness(_) => Self::internal(&error),
            KeyError::Database(verb, source) => Self::from(Error::Database { verb, source }),
        }
    }
}

impl From<sqlx::Error> for Problem {
    fn from(source: sqlx::Error) -> Self {
        Self::from(Error::Database {
            verb: "api",
            source,
        })
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = ProblemBody {
            r#type: format!("urn:fleet:problem:{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            code: self.code,
            detail: &self.detail,
            field: self.field.as_deref(),
            request_id: request_id::current(),
        };
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// An error with every cause under it.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(under) = cause {
        text = format!("{text}: {under}");
        cause = under.source();
    }
    text
}
