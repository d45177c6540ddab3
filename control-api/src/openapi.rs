//! The OpenAPI 3.1 document: paths from the handlers, schemas from the types that are sent and read.
//!
//! Handlers name schemas by reference; the schemas themselves come from the same `schemars` derives that describe payloads,
//! so there is one source for what a type looks like. A test checks that every reference leads somewhere.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;

use crate::examples;
use crate::problem::ProblemBody;

/// What there is, in the order in which people need it.
const TAGS: &[(&str, &str)] = &[
    (
        "jobs",
        "Enqueue jobs, look at them, move them, call them off.",
    ),
    (
        "kinds",
        "What can be enqueued, with the schema of each payload.",
    ),
    ("schedules", "Jobs by the clock."),
    ("queues", "Where jobs wait: depth, pace, pauses."),
    ("limits", "Caps and rates that hold exactly."),
    ("tenants", "Their share, and their pauses."),
    ("workers", "The processes that run jobs."),
    ("leaderboards", "Who does best, and what follows from it."),
    (
        "clients",
        "Who is served; each comes with a job that finds it a partner.",
    ),
    (
        "assignments",
        "Which partner looks after which client, and why.",
    ),
    ("partners", "How much more work each can take."),
    ("approvals", "What software would do and a person decides."),
    (
        "tickets",
        "What clients ask for, who answers, and what was promised.",
    ),
    ("triage", "What tickets are about: texts, models, figures."),
    ("ingest", "Data that comes in by the file."),
    ("platform", "Health, figures, keys, the audit."),
];

/// Collects the schemas that handlers refer to.
pub(crate) struct Schemas(SchemaGenerator);

impl Schemas {
    pub(crate) fn new() -> Self {
        let settings = SchemaSettings::draft2020_12()
            .with(|settings| settings.definitions_path = "/components/schemas".into());
        Self(SchemaGenerator::new(settings))
    }

    /// Adds a type, and every type it is made of.
    pub(crate) fn add<T: JsonSchema>(&mut self) -> &mut Self {
        self.0.subschema_for::<T>();
        self
    }

    fn take(mut self) -> Map<String, Value> {
        self.0.take_definitions(true)
    }
}

/// The whole document.
pub(crate) fn document(parts: impl IntoIterator<Item = OpenApi>, mut schemas: Schemas) -> Value {
    schemas.add::<ProblemBody<'static>>();
    let mut whole = OpenApi::default();
    for part in parts {
        whole.merge(part);
    }
    let mut document = serde_json::to_value(whole).expect("the document is plain data");
    document["info"] = json!({
        "title": "BizOSaaS Fleet",
        "version": env!("CARGO_PKG_VERSION"),
        "description": "Durable jobs: enqueue them, see them, steer them. Every refusal is a problem (RFC 9457) with a stable code.",
        "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
    });
    document["components"]["schemas"] = Value::Object(schemas.take());
    document["components"]["securitySchemes"] =
        json!({ "key": { "type": "http", "scheme": "bearer", "description": "An API key." } });
    document["security"] = json!([{ "key": [] }]);
    document["tags"] = TAGS
        .iter()
        .map(|(name, about)| json!({ "name": name, "description": about }))
        .collect();
    for operation in operations(&mut document) {
        describe_problems(operation);
        give_example(operation);
    }
    document
}

fn operations(document: &mut Value) -> impl Iterator<Item = &mut Map<String, Value>> {
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    let items = paths.filter_map(|(_, item)| item.as_object_mut());
    items
        .flatten()
        .filter_map(|(_, operation)| operation.as_object_mut())
        .filter(|operation| operation.contains_key("responses"))
}

/// What the page fills in where a body is to be sent.
fn give_example(operation: &mut Map<String, Value>) {
    let example = operation["operationId"].as_str().and_then(examples::of);
    let content = operation.get_mut("requestBody");
    let content = content.and_then(|body| body["content"].get_mut("application/json"));
    if let (Some(example), Some(content)) = (example, content) {
        content["example"] = example;
    }
}

/// Every operation may answer with a problem.
fn describe_problems(operation: &mut Map<String, Value>) {
    let problem = json!({
        "description": "A problem: what was wrong, with what, and what would be right.",
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
    });
    operation["responses"]["default"] = problem;
}
