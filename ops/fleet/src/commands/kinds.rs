//! `fleet kinds`: what this installation can do, as the binaries that serve it wrote down.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::PgConnection;

use crate::database::Target;
use crate::output::{Out, Page, Table, span};

/// What this installation can do
#[derive(Args, Debug)]
pub(crate) struct Kinds {
    #[command(flatten)]
    target: Target,
    /// Show all of one kind: its defaults, an example, its payload's schema
    kind: Option<String>,
}

/// A kind as registered.
#[derive(Clone, Debug, Serialize)]
pub(super) struct KindRow {
    pub(super) kind: String,
    pub(super) version: i16,
    pub(super) queue: String,
    pub(super) priority: i16,
    pub(super) max_attempts: i16,
    pub(super) timeout_ms: i32,
    pub(super) schema: Value,
    pub(super) example: Value,
    pub(super) description: String,
}

impl Kinds {
    pub(crate) async fn run(self, out: Out) -> anyhow::Result<ExitCode> {
        let database = self.target.connect().await?;
        let mut tx = database.begin().await?;
        match self.kind {
            None => {
                let kinds = list_kinds(&mut tx).await?;
                out.answer(&json!({ "kinds": kinds }), |page| draw(page, &kinds))?;
            }
            Some(name) => {
                let kind = find_kind(&mut tx, &name).await?;
                let kind = kind.with_context(|| {
                    format!("no kind \"{name}\" is registered; `fleet kinds` lists those that are")
                })?;
                out.answer(&kind, |page| draw_one(page, &kind))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn draw(page: &mut Page, kinds: &[KindRow]) {
    let mut table = Table::new(&[
        "KIND",
        "QUEUE",
        ">PRIORITY",
        ">ATTEMPTS",
        ">TIMEOUT",
        "WHAT IT DOES",
    ]);
    for kind in kinds {
        table.row([
            kind.kind.as_str().into(),
            kind.queue.as_str().into(),
            kind.priority.to_string().into(),
            kind.max_attempts.to_string().into(),
            kind.timeout().into(),
            kind.description.as_str().into(),
        ]);
    }
    page.table(
        &table,
        "no kind is registered; a worker registers its own when it starts",
    );
}

fn draw_one(page: &mut Page, kind: &KindRow) {
    page.heading(&format!("{}: {}", kind.kind, kind.description));
    page.field("version", kind.version);
    page.field(
        "queue",
        format_args!("{}, priority {}", kind.queue, kind.priority),
    );
    page.field("attempts", kind.max_attempts);
    page.field("timeout", kind.timeout());
    page.field(
        "try",
        format_args!("fleet enqueue {} '{}'", kind.kind, kind.example),
    );
    page.heading("Schema of its payload");
    page.line(format_args!("{:#}", kind.schema));
}

impl KindRow {
    /// Refuses a payload that does not fit, naming the field; as the API does. The handler checks again.
    pub(super) fn check(&self, payload: &Value) -> anyhow::Result<()> {
        // A schema that another binary wrote and this one cannot read must not stop its jobs.
        let Ok(validator) = jsonschema::options()
            .should_validate_formats(true)
            .build(&self.schema)
        else {
            return Ok(());
        };
        validator.validate(payload).map_err(|error| {
            let at = error.instance_path().to_string();
            anyhow!(
                "payload{at}: {error}; `fleet kinds {}` shows its schema and an example",
                self.kind
            )
        })
    }

    fn timeout(&self) -> String {
        span(Duration::from_millis(self.timeout_ms.unsigned_abs().into()))
    }
}

/// Every kind, by name.
async fn list_kinds(conn: &mut PgConnection) -> anyhow::Result<Vec<KindRow>> {
    sqlx::query_as!(
        KindRow,
        r#"-- fleet.list_kinds
        SELECT kind, version, queue, priority, max_attempts, timeout_ms, schema, example, description FROM fleet.kind ORDER BY kind"#
    )
    .fetch_all(conn)
    .await
    .context("could not read the kinds")
}

/// One kind.
pub(super) async fn find_kind(
    conn: &mut PgConnection,
    kind: &str,
) -> anyhow::Result<Option<KindRow>> {
    sqlx::query_as!(
        KindRow,
        r#"-- fleet.find_kind
        SELECT kind, version, queue, priority, max_attempts, timeout_ms, schema, example, description FROM fleet.kind WHERE kind = $1"#,
        kind,
    )
    .fetch_optional(conn)
    .await
    .context("could not read the kind")
}
