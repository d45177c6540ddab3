//! Query parameters that a route does not have: refused, because whoever sends one believes that it does something.
//!
//! What a route has is read from the OpenAPI document, so the document cannot be wrong about it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use serde_json::Value;

use crate::nearest::nearest;
use crate::problem::Problem;

/// The parameters of every route, by its method and path.
#[derive(Clone, Debug)]
pub(crate) struct Queries(Arc<BTreeMap<(String, String), BTreeSet<String>>>);

impl Queries {
    /// Those that the document tells of.
    pub(crate) fn of(document: &Value) -> Self {
        let paths = document["paths"].as_object().into_iter().flatten();
        let operations = paths.flat_map(|(path, item)| {
            let item = item.as_object().into_iter().flatten();
            item.map(move |(method, operation)| {
                let route = (method.to_ascii_uppercase(), path.clone());
                (route, names(operation))
            })
        });
        Self(Arc::new(operations.collect()))
    }

    fn refuse_unknown(&self, request: &Request) -> Result<(), Problem> {
        let Some(query) = request.uri().query() else {
            return Ok(());
        };
        let Some(path) = request.extensions().get::<MatchedPath>() else {
            return Ok(());
        };
        let route = (request.method().to_string(), path.as_str().to_owned());
        // What is not in the document (the pages about it) takes what it likes.
        let Some(known) = self.0.get(&route) else {
            return Ok(());
        };
        let names = query.split('&').filter(|pair| !pair.is_empty());
        let mut names = names.map(|pair| pair.split('=').next().unwrap_or_default());
        match names.find(|name| !known.contains(*name)) {
            Some(name) => Err(unknown(name, known)),
            None => Ok(()),
        }
    }
}

fn names(operation: &Value) -> BTreeSet<String> {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let in_query = parameters.filter(|parameter| parameter["in"] == "query");
    let names = in_query.filter_map(|parameter| parameter["name"].as_str());
    names.map(str::to_owned).collect()
}

fn unknown(name: &str, known: &BTreeSet<String>) -> Problem {
    let near = nearest(name, known.iter().map(String::as_str));
    let advice = match near {
        Some(near) => format!("did you mean {near}?"),
        None if known.is_empty() => "this route has none".to_owned(),
        None => {
            let known: Vec<_> = known.iter().map(String::as_str).collect();
            format!("there are {}", known.join(", "))
        }
    };
    let shown: String = name.chars().take(100).collect();
    let detail = format!("\"{shown}\" is no parameter of this route; {advice}");
    Problem::malformed(shown, detail)
}

/// Lets a request pass whose query has only parameters of its route.
pub(crate) async fn refuse_unknown(
    State(queries): State<Queries>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    queries.refuse_unknown(&request)?;
    Ok(next.run(request).await)
}
