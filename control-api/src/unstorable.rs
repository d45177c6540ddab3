//! Text with a zero byte: good JSON, and nothing that PostgreSQL can hold. It is refused at the door, by the name of its field.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use serde_json::Value;

use crate::problem::Problem;

/// Refuses a path or a query with a zero byte in it.
pub(crate) async fn refuse_in_uri(request: Request, next: Next) -> Result<Response, Problem> {
    let uri = request.uri();
    if uri.path().contains("%00") {
        return Err(unstorable("path"));
    }
    let pairs = uri.query().unwrap_or_default().split('&');
    if let Some(pair) = pairs.into_iter().find(|pair| pair.contains("%00")) {
        return Err(unstorable(pair.split('=').next().unwrap_or_default()));
    }
    Ok(next.run(request).await)
}

/// Refuses a body of JSON with a zero byte in one of its texts. What is no JSON is told elsewhere.
pub(crate) fn refuse_in_json(bytes: &[u8]) -> Result<(), Problem> {
    // Nearly every body passes here: JSON can write a zero byte in one way only.
    if !bytes.windows(ESCAPED.len()).any(|part| part == ESCAPED) {
        return Ok(());
    }
    let value = serde_json::from_slice(bytes).unwrap_or_default();
    match zero_in(&value) {
        Some(path) => Err(unstorable(&spelled(&path))),
        None => Ok(()),
    }
}

const ESCAPED: &[u8] = br"\u0000";

fn unstorable(field: &str) -> Problem {
    let detail = "a text with a zero byte cannot be stored; leave it out";
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    Problem::new(status, "invalid_value", detail).field(field)
}

/// Where the first text with a zero byte is; a name with one is reported as its object.
fn zero_in(value: &Value) -> Option<Vec<String>> {
    let within = |name: String, inner: &Value| {
        let mut path = zero_in(inner)?;
        path.insert(0, name);
        Some(path)
    };
    match value {
        Value::String(text) => text.contains('\0').then(Vec::new),
        Value::Array(items) => {
            let mut items = items.iter().enumerate();
            items.find_map(|(place, item)| within(place.to_string(), item))
        }
        Value::Object(fields) if fields.keys().any(|name| name.contains('\0')) => Some(Vec::new()),
        Value::Object(fields) => {
            let mut fields = fields.iter();
            fields.find_map(|(name, field)| within(name.clone(), field))
        }
        _ => None,
    }
}

/// As other refusals spell it: a JSON pointer inside a payload, else names with dots.
fn spelled(path: &[String]) -> String {
    match path {
        [] => "body".to_owned(),
        [first, ..] if first == "payload" => format!("/{}", path.join("/")),
        _ => path.join("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zero_byte_is_found_by_its_field_however_deep() {
        for (text, field) in [
            (r#"{"kind": "a\u0000"}"#, Some("kind")),
            (r#"{"tags": ["a", "b\u0000c"]}"#, Some("tags.1")),
            (
                r#"{"payload": {"a": [{"b": "\u0000"}]}}"#,
                Some("/payload/a/0/b"),
            ),
            (r#"{"payload": {"a\u0000": 1}}"#, Some("/payload")),
            (r#"{"a\u0000": 1}"#, Some("body")),
            (r#"{"kind": "the text \\u0000 itself"}"#, None),
            (r#"{"kind": "no JSON\u0000"#, None),
            (r#"{"kind": "\u0001"}"#, None),
        ] {
            let found = refuse_in_json(text.as_bytes()).err();
            let found = found.and_then(|problem| problem.field);
            assert_eq!(found.as_deref(), field, "{text}");
        }
    }
}
