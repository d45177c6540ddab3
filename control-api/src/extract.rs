//! Bodies, queries and paths, read so that a mistake is told with the name of what was wrong, and never as a 500.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::problem::Problem;
use crate::unstorable;

/// A body of JSON, with the hash of its bytes.
pub(crate) struct Body<T> {
    pub(crate) value: T,
    pub(crate) sha256: [u8; 32],
}

/// The same, of parts that are read and judged one by one: what one of them holds spoils no other.
pub(crate) struct BodyOfParts<T>(pub(crate) Body<T>);

/// A body of one thing, or of an array of them: each as it came, to be read and judged for itself.
pub(crate) struct OneOrMany {
    pub(crate) items: Items,
    pub(crate) sha256: [u8; 32],
}

/// What a body holds.
pub(crate) enum Items {
    One(Box<RawValue>),
    Many(Vec<Box<RawValue>>),
}

impl<S: Send + Sync> FromRequest<S> for OneOrMany {
    type Rejection = Problem;
    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes = json_bytes(request, state).await?;
        let sha256 = Sha256::digest(&bytes).into();
        let items = match bytes.trim_ascii_start().first() {
            Some(b'[') => serde_json::from_slice(&bytes).map(Items::Many),
            _ => serde_json::from_slice(&bytes).map(Items::One),
        };
        let items = items.map_err(|error| misfit(".", &error))?;
        Ok(Self { items, sha256 })
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;
    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes = json_bytes(request, state).await?;
        Ok(Self {
            value: parse(&bytes)?,
            sha256: Sha256::digest(&bytes).into(),
        })
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for BodyOfParts<T> {
    type Rejection = Problem;
    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes = json_bytes(request, state).await?;
        Ok(Self(Body {
            value: read(&bytes)?,
            sha256: Sha256::digest(&bytes).into(),
        }))
    }
}

/// A body of JSON that may be left out; then it is `T`'s default.
pub(crate) struct OptionalBody<T>(pub(crate) T);

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for OptionalBody<T> {
    type Rejection = Problem;
    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes = json_bytes(request, state).await?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        parse(&bytes).map(Self)
    }
}

async fn json_bytes<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    check_content_type(request.headers())?;
    let bytes = Bytes::from_request(request, state).await;
    bytes.map_err(|rejection| unread(&rejection))
}

fn check_content_type(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(given) = headers.get(header::CONTENT_TYPE) else {
        return Ok(());
    };
    let essence = given
        .to_str()
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    if essence == "application/json" || essence.ends_with("+json") {
        return Ok(());
    }
    let detail = "the body must be JSON: Content-Type: application/json";
    Err(Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_media_type",
        detail,
    )
    .field("content-type"))
}

pub(crate) fn unread(rejection: &BytesRejection) -> Problem {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        let detail = "the body is larger than this route takes";
        return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail);
    }
    Problem::new(
        StatusCode::BAD_REQUEST,
        "body_unread",
        "the body did not arrive whole",
    )
}

/// Reads JSON; says where it stops being JSON, which field does not fit, or which cannot be stored.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let value = read(bytes)?;
    unstorable::refuse_in_json(bytes)?;
    Ok(value)
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // Serde would take an array for a struct's fields in their order; nobody means that.
    if bytes.trim_ascii_start().first() != Some(&b'{')
        && serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
    {
        return Err(Problem::invalid("body", "the body must be a JSON object"));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        misfit(&path, error.inner())
    })?;
    reader.end().map_err(|error| misfit(".", &error))?;
    Ok(value)
}

/// Reads what is JSON already; says which field does not fit.
pub(crate) fn fit<T: DeserializeOwned>(value: serde_json::Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        misfit(&path, error.inner())
    })
}

fn misfit(path: &str, error: &serde_json::Error) -> Problem {
    if !error.is_data() {
        let detail = format!("the body is not JSON: {error}");
        return Problem::new(StatusCode::BAD_REQUEST, "malformed_json", detail);
    }
    let text = error.to_string();
    let problem = text.split(" at line ").next().unwrap_or(&text);
    Problem::invalid(field_of(path, problem), problem)
}

/// The field that an error of serde is about: its path, and the name it quotes where the field itself is the problem.
fn field_of(path: &str, problem: &str) -> String {
    let quoted = ["unknown field `", "missing field `", "duplicate field `"]
        .iter()
        .find_map(|start| problem.strip_prefix(start)?.split('`').next());
    match (path, quoted) {
        (".", Some(name)) => name.to_owned(),
        (".", None) => "body".to_owned(),
        (path, Some(name)) if path == name || path.ends_with(&format!(".{name}")) => {
            path.to_owned()
        }
        (path, Some(name)) => format!("{path}.{name}"),
        (path, None) => path.to_owned(),
    }
}

/// The query string.
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Query(value) = Query::<T>::try_from_uri(&parts.uri).map_err(|rejection| {
            let text = rejection.body_text();
            let problem = text
                .strip_prefix("Failed to deserialize query string: ")
                .unwrap_or(&text);
            let path = problem.split_once(": ").map_or(".", |(path, _)| path);
            let path = if path.contains(' ') { "." } else { path };
            let problem_only = problem
                .strip_prefix(&format!("{path}: "))
                .unwrap_or(problem);
            let field = match field_of(path, problem_only) {
                field if field == "body" => "query".to_owned(),
                field => field,
            };
            Problem::malformed(field, problem)
        })?;
        Ok(Self(value))
    }
}

/// The one variable part of a path.
pub(crate) struct Name<T>(pub(crate) T);

impl<T, S> FromRequestParts<S> for Name<T>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
    S: Send + Sync,
{
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|rejection| Problem::malformed("path", rejection.body_text()))?;
        let value = text
            .parse()
            .map_err(|error| Problem::malformed("path", format!("{error}")))?;
        Ok(Self(value))
    }
}

/// The two variable parts of a path.
pub(crate) struct Pair<A, B>(pub(crate) A, pub(crate) B);

impl<A, B, S> FromRequestParts<S> for Pair<A, B>
where
    A: DeserializeOwned + Send,
    B: DeserializeOwned + Send,
    S: Send + Sync,
{
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path((first, second)) = Path::<(A, B)>::from_request_parts(parts, state)
            .await
            .map_err(|rejection| Problem::malformed("path", rejection.body_text()))?;
        Ok(Self(first, second))
    }
}

/// Rows of a page: what was asked for, 1 to 200, or 50.
pub(crate) fn page_limit(asked: Option<u8>) -> Result<usize, Problem> {
    let limit = asked.unwrap_or(50);
    if (1..=200).contains(&limit) {
        return Ok(limit.into());
    }
    let detail = format!("limit is {limit}, 1 to 200 are allowed");
    Err(Problem::malformed("limit", detail))
}

/// Cuts to a page the rows that were asked for, one more than a page holds: that one says whether there are more.
/// Gives the key of the last row as the cursor of the next page; none: this was the last.
pub(crate) fn cut_page<T, K>(
    rows: &mut Vec<T>,
    limit: usize,
    key: impl FnOnce(&T) -> K,
) -> Option<K> {
    let more = rows.len() > limit;
    rows.truncate(limit);
    rows.last().filter(|_| more).map(key)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[serde(rename = "inner")]
        _inner: Inner,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[serde(rename = "n")]
        _n: u8,
    }

    #[test]
    fn every_mistake_names_its_field() {
        let cases = [
            (r#"{"inner": {"n": 300}}"#, "inner.n"),
            (r#"{"inner": {"n": 1, "m": 2}}"#, "inner.m"),
            (r#"{"inner": {}}"#, "inner.n"),
            (r#"{"inner": {"n": 1}, "x": 1}"#, "x"),
            (r"{}", "inner"),
            (r"[]", "body"),
        ];
        for (text, field) in cases {
            let problem = parse::<Outer>(text.as_bytes()).expect_err(text);
            assert_eq!(
                problem.field.as_deref(),
                Some(field),
                "{text}: {}",
                problem.detail
            );
        }
    }

    #[test]
    fn what_is_no_json_says_where() {
        for text in [r#"{"inner""#, "", r#"{"inner": {"n": 1}} x"#] {
            let problem = parse::<Outer>(text.as_bytes()).expect_err(text);
            assert_eq!(problem.code, "malformed_json");
        }
    }
}
