//! What a caller says of a job to be enqueued, and the bounds it must keep (I9).

use std::time::Duration;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Error, Job, JobId, Policy, TenantId};

/// Largest payload, in bytes of JSON.
pub const PAYLOAD_BYTES_MAX: usize = 1 << 20;
/// Largest output, in bytes of JSON.
pub const OUTPUT_BYTES_MAX: usize = 1 << 20;
/// Largest batch of an enqueue.
pub const BATCH_MAX: usize = 10_000;
/// Most tags of a job.
pub const TAGS_MAX: usize = 20;
const METADATA_BYTES_MAX: usize = 32 << 10;
const KEY_LENGTH_MAX: usize = 300;
const DEPENDENCIES_MAX: usize = 1_000;

/// A job to be enqueued. What is `None` comes from the kind's policy.
#[derive(Clone, Debug, PartialEq)]
pub struct NewJob {
    /// Its id, made beforehand so that a retried enqueue can be told from a second one.
    pub id: JobId,
    /// Whose it is.
    pub tenant: TenantId,
    /// `family.verb`.
    pub kind: String,
    /// Version of the payload's shape.
    pub version: i16,
    /// Its queue.
    pub queue: String,
    /// 0 most urgent to 3 least.
    pub priority: i16,
    /// Attempts before it is discarded.
    pub max_attempts: i16,
    /// Longest an attempt may run.
    pub timeout: Duration,
    /// Not before; `None`: at once.
    pub run_at: Option<DateTime<Utc>>,
    /// The payload, as JSON.
    pub payload: Value,
    /// What few jobs have.
    pub rare: Rare,
}

/// Options that few jobs have; stored and sent only where present.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rare {
    /// Not started by then: discarded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
    /// At most one live job with the same key (I5).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unique: Option<Unique>,
    /// At most so many running with the same key (I10).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<Concurrency>,
    /// Words to find it by.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// What the caller wants to keep with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Value>,
    /// W3C trace context of the cause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// The job that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<JobId>,
    /// Its step in a workflow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Jobs that must complete first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<JobId>,
}

/// A unique key, how long it holds, and what a duplicate does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unique {
    /// The key, unique within the tenant.
    pub key: String,
    /// How long it holds.
    #[serde(default)]
    pub scope: UniqueScope,
    /// Seconds, where the scope is `window`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_s: Option<u32>,
    /// What a second enqueue with the key does.
    #[serde(default)]
    pub on_duplicate: OnDuplicate,
}

/// How long a unique key holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum UniqueScope {
    /// Until the job ends.
    #[default]
    Live,
    /// Until the job is started.
    Started,
    /// For `window_s` seconds from the enqueue, whatever becomes of the job.
    Window,
}

/// What an enqueue does that meets a job with its unique key. A job that runs already is left alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnDuplicate {
    /// Answers with the existing job.
    #[default]
    Return,
    /// Puts its payload in the place of the existing job's.
    Replace,
    /// Moves the existing job to its own `run_at`.
    Push,
}

/// At most `limit` jobs of the tenant with the same key run at a time; in order where it is 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Concurrency {
    /// The key, within the tenant.
    pub key: String,
    /// At most so many.
    #[serde(default = "one")]
    pub limit: i16,
}

fn one() -> i16 {
    1
}

impl NewJob {
    /// A job of a kind with a policy's defaults, for the platform itself.
    #[must_use]
    pub fn new(kind: &str, version: i16, policy: &Policy, payload: Value) -> Self {
        Self {
            id: JobId::generate(),
            tenant: TenantId::PLATFORM,
            kind: kind.to_owned(),
            version,
            queue: policy.queue.to_owned(),
            priority: policy.priority,
            max_attempts: policy.max_attempts,
            timeout: policy.timeout,
            run_at: None,
            payload,
            rare: Rare::default(),
        }
    }

    /// A job from its payload, with its kind's defaults.
    ///
    /// # Panics
    /// Where the payload's `Serialize` fails, which is a defect of that type.
    #[must_use]
    pub fn of<J: Job>(payload: &J) -> Self {
        let payload = serde_json::to_value(payload).expect("a payload serializes to JSON");
        Self::new(J::KIND, J::VERSION, &J::policy(), payload)
    }

    /// Whose it is.
    #[must_use]
    pub fn tenant(mut self, tenant: TenantId) -> Self {
        self.tenant = tenant;
        self
    }

    /// Not before.
    #[must_use]
    pub fn run_at(mut self, at: DateTime<Utc>) -> Self {
        self.run_at = Some(at);
        self
    }

    /// With a unique key.
    #[must_use]
    pub fn unique(mut self, unique: Unique) -> Self {
        self.rare.unique = Some(unique);
        self
    }

    /// With a concurrency key.
    #[must_use]
    pub fn concurrency(mut self, key: impl Into<String>, limit: i16) -> Self {
        self.rare.concurrency = Some(Concurrency {
            key: key.into(),
            limit,
        });
        self
    }

    /// Refuses what breaks a bound, naming the field.
    pub fn check(&self) -> Result<(), Error> {
        let length = |field, text: &str, max: usize| {
            bound(field, (1..=max).contains(&text.len()), || {
                format!("is {} bytes long, 1 to {max} are allowed", text.len())
            })
        };
        length("kind", &self.kind, 100)?;
        length("queue", &self.queue, 100)?;
        bound("priority", (0..=3).contains(&self.priority), || {
            format!("is {}, 0 (most urgent) to 3 are allowed", self.priority)
        })?;
        bound(
            "max_attempts",
            (1..=1000).contains(&self.max_attempts),
            || format!("is {}, 1 to 1000 are allowed", self.max_attempts),
        )?;
        let longest = Duration::from_secs(7 * 86_400);
        bound(
            "timeout_ms",
            self.timeout >= Duration::from_millis(1) && self.timeout <= longest,
            || {
                format!(
                    "is {} ms, 1 ms to 7 days are allowed",
                    self.timeout.as_millis()
                )
            },
        )?;
        let bytes = json_bytes(&self.payload);
        bound("payload", bytes <= PAYLOAD_BYTES_MAX, || {
            format!(
                "is {bytes} bytes of JSON, at most {PAYLOAD_BYTES_MAX} are allowed; store it elsewhere and enqueue its name"
            )
        })?;
        self.rare.check()
    }
}

impl Rare {
    fn check(&self) -> Result<(), Error> {
        if let Some(unique) = &self.unique {
            check_key("unique.key", &unique.key)?;
            let wants_window = unique.scope == UniqueScope::Window;
            let window_ok = if wants_window {
                unique.window_s.is_some_and(|s| s > 0)
            } else {
                unique.window_s.is_none()
            };
            bound("unique.window_s", window_ok, || {
                "goes with scope \"window\", and must be at least 1 there".to_owned()
            })?;
        }
        if let Some(concurrency) = &self.concurrency {
            check_key("concurrency.key", &concurrency.key)?;
            bound("concurrency.limit", concurrency.limit >= 1, || {
                format!("is {}, at least 1 is needed", concurrency.limit)
            })?;
        }
        bound("tags", self.tags.len() <= TAGS_MAX, || {
            format!(
                "has {} tags, at most {TAGS_MAX} are allowed",
                self.tags.len()
            )
        })?;
        bound(
            "tags",
            self.tags.iter().all(|tag| (1..=100).contains(&tag.len())),
            || "has a tag that is empty or over 100 bytes".to_owned(),
        )?;
        let metadata = self.metadata.as_ref().map_or(0, json_bytes);
        bound("metadata", metadata <= METADATA_BYTES_MAX, || {
            format!("is {metadata} bytes of JSON, at most {METADATA_BYTES_MAX} are allowed")
        })?;
        bound(
            "traceparent",
            self.traceparent.as_ref().is_none_or(|t| t.len() <= 200),
            || "is over 200 bytes".to_owned(),
        )?;
        bound(
            "step",
            self.step
                .as_ref()
                .is_none_or(|s| (1..=200).contains(&s.len())),
            || "is empty or over 200 bytes".to_owned(),
        )?;
        bound(
            "depends_on",
            self.depends_on.len() <= DEPENDENCIES_MAX,
            || {
                format!(
                    "names {} jobs, at most {DEPENDENCIES_MAX} are allowed",
                    self.depends_on.len()
                )
            },
        )
    }

    /// As the database takes it: nothing where nothing is set.
    pub(crate) fn to_json(&self) -> Option<Value> {
        let value = serde_json::to_value(self).expect("plain data serializes");
        value
            .as_object()
            .is_some_and(|fields| !fields.is_empty())
            .then_some(value)
    }
}

fn check_key(field: &'static str, key: &str) -> Result<(), Error> {
    bound(field, (1..=KEY_LENGTH_MAX).contains(&key.len()), || {
        format!(
            "is {} bytes long, 1 to {KEY_LENGTH_MAX} are allowed",
            key.len()
        )
    })
}

fn bound(field: &'static str, kept: bool, problem: impl FnOnce() -> String) -> Result<(), Error> {
    if kept {
        Ok(())
    } else {
        Err(Error::Invalid {
            field,
            problem: problem(),
        })
    }
}

fn json_bytes(value: &Value) -> usize {
    struct Counter(usize);
    impl std::io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    serde_json::to_writer(&mut counter, value).expect("counting does not fail");
    counter.0
}

#[cfg(test)]
mod tests;
