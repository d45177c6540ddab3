//! The kinds that can be enqueued, with their schemas compiled once.
//!
//! `fleet.kind` is the truth: every binary writes its kinds there, so during a deploy an old API takes jobs of a kind
//! that only the new workers know. A copy is kept here; it is read again when it is old, and when a kind is not in it.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use fleet_queue::Db;
use jsonschema::Validator;
use jsonschema::error::ValidationErrorKind;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;

use crate::nearest::nearest;
use crate::problem::Problem;

/// A copy older than this is read again.
const FRESH_FOR: Duration = Duration::from_secs(10);
/// A kind that is missing is looked for again at most this often.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A kind of job.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct KindView {
    /// `family.verb`.
    pub(crate) kind: String,
    /// What it does, in a sentence.
    pub(crate) description: String,
    /// Version of its payload.
    pub(crate) version: i16,
    /// Queue it goes to by default.
    pub(crate) queue: String,
    /// Priority by default.
    pub(crate) priority: i16,
    /// Attempts by default.
    pub(crate) max_attempts: i16,
    /// Longest attempt by default.
    pub(crate) timeout_ms: i32,
    /// JSON Schema that payloads are checked against.
    pub(crate) schema: Value,
    /// A payload that works.
    pub(crate) example: Value,
}

/// A kind ready to check payloads with.
pub(crate) struct Kind {
    pub(crate) view: KindView,
    validator: Option<Validator>,
}

/// The copy.
pub(crate) struct Kinds {
    db: Db,
    copy: RwLock<Copy>,
}

#[derive(Clone)]
struct Copy {
    kinds: Arc<BTreeMap<String, Arc<Kind>>>,
    read_at: Option<Instant>,
}

impl Kinds {
    pub(crate) fn new(db: Db) -> Self {
        let copy = Copy {
            kinds: Arc::default(),
            read_at: None,
        };
        Self {
            db,
            copy: RwLock::new(copy),
        }
    }

    /// A kind; refused with the nearest name where there is none.
    pub(crate) async fn get(&self, kind: &str) -> Result<Arc<Kind>, Problem> {
        match self.find(kind).await? {
            Some(found) => Ok(found),
            None => Err(unknown(kind, &self.snapshot().kinds)),
        }
    }

    /// A kind, if there is one.
    pub(crate) async fn find(&self, kind: &str) -> Result<Option<Arc<Kind>>, Problem> {
        if let Some(found) = self.fresh(FRESH_FOR).await?.get(kind) {
            return Ok(Some(Arc::clone(found)));
        }
        Ok(self.fresh(RETRY_AFTER).await?.get(kind).cloned())
    }

    /// Every kind, by name.
    pub(crate) async fn all(&self) -> Result<Vec<KindView>, Problem> {
        let kinds = self.fresh(RETRY_AFTER).await?;
        Ok(kinds.values().map(|kind| kind.view.clone()).collect())
    }

    async fn fresh(&self, age_max: Duration) -> Result<Arc<BTreeMap<String, Arc<Kind>>>, Problem> {
        let copy = self.snapshot();
        if copy.read_at.is_some_and(|at| at.elapsed() < age_max) {
            return Ok(copy.kinds);
        }
        let kinds = Arc::new(self.read(&copy.kinds).await?);
        let mut held = self
            .copy
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        *held = Copy {
            kinds: Arc::clone(&kinds),
            read_at: Some(Instant::now()),
        };
        Ok(kinds)
    }

    fn snapshot(&self) -> Copy {
        self.copy
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }

    async fn read(
        &self,
        old: &BTreeMap<String, Arc<Kind>>,
    ) -> Result<BTreeMap<String, Arc<Kind>>, Problem> {
        let views = sqlx::query_as!(
            KindView,
            r#"-- api.kinds
            SELECT kind, description, version, queue, priority, max_attempts, timeout_ms, schema, example FROM fleet.kind ORDER BY kind"#
        )
        .fetch_all(self.db.pool())
        .await?;
        let known = |view: KindView| match old.get(&view.kind) {
            // Compiling a schema costs more than comparing it.
            Some(same) if same.view.schema == view.schema && same.view.version == view.version => {
                (view.kind.clone(), Arc::clone(same))
            }
            _ => (view.kind.clone(), Arc::new(Kind::compile(view))),
        };
        Ok(views.into_iter().map(known).collect())
    }
}

impl Kind {
    fn compile(view: KindView) -> Self {
        let compiled = jsonschema::options()
            .should_validate_formats(true)
            .build(&view.schema);
        // A schema that another binary wrote and this one cannot read must not stop its jobs: the handler checks again.
        if let Err(error) = &compiled {
            tracing::warn!(kind = view.kind, %error, "the schema cannot be compiled; payloads pass unchecked");
        }
        Self {
            view,
            validator: compiled.ok(),
        }
    }

    /// Refuses a payload that does not fit, naming the first field that is wrong.
    pub(crate) fn check(&self, payload: &Value) -> Result<(), Problem> {
        let Some(validator) = &self.validator else {
            return Ok(());
        };
        let Some(error) = validator.iter_errors(payload).next() else {
            return Ok(());
        };
        let at = error.instance_path().as_str();
        let name = match error.kind() {
            ValidationErrorKind::Required { property } => property.as_str(),
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                unexpected.first().map(String::as_str)
            }
            _ => None,
        };
        let pointer = name.map_or(at.to_owned(), |name| format!("{at}/{}", escape(name)));
        // Values stay out of the answer: a payload may hold what no log should.
        let detail = format!(
            "the payload does not fit {}: {}",
            self.view.kind,
            error.masked_with("the value")
        );
        Err(Problem::invalid(format!("/payload{pointer}"), detail).code("invalid_payload"))
    }
}

/// A name as a JSON pointer spells it.
fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn unknown(kind: &str, kinds: &BTreeMap<String, Arc<Kind>>) -> Problem {
    let shown: String = kind.chars().take(100).collect();
    let hint = nearest(kind, kinds.keys().map(String::as_str)).map_or_else(
        || "GET /v1/kinds lists them".to_owned(),
        |name| format!("did you mean \"{name}\"?"),
    );
    Problem::invalid("kind", format!("no kind \"{shown}\" is registered; {hint}"))
        .code("unknown_kind")
}
