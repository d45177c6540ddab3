//! Puts schedules: makes them, changes them, and refuses what could not be fired. Upholds I7, I9.

use chrono::{DateTime, Utc};
use sqlx::{Acquire, PgConnection};
use uuid::Uuid;

use super::Definition;
use super::catch_up::Clockwork;
use super::definition::invalid;
use super::history::write_history;
use super::start::kind_defaults;
use super::transaction::finish;
use crate::{Error, TenantId, clock};

/// What a put expects to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// A schedule of that name or none.
    Any,
    /// None.
    New,
    /// This revision of it: whoever read another has missed somebody's change.
    Revision(i32),
}

/// What a put did.
#[derive(Clone, Debug, PartialEq)]
pub struct Put {
    /// The schedule.
    pub id: Uuid,
    /// Its revision now.
    pub revision: i32,
    /// False where it says what it said before: nothing was written.
    pub changed: bool,
}

/// Makes a schedule, or changes the one of that name; its pause stays as it is. Refuses what could not be fired, naming the field.
///
/// A change of its times forgets ticks that are due but not fired yet; any other change loses none.
pub async fn put(
    conn: &mut PgConnection,
    tenant: TenantId,
    definition: &Definition,
    expect: Expect,
    by: &str,
) -> Result<Put, Error> {
    put_from(conn, tenant, definition, expect, by, "person").await
}

pub(super) async fn put_from(
    conn: &mut PgConnection,
    tenant: TenantId,
    definition: &Definition,
    expect: Expect,
    by: &str,
    origin: &str,
) -> Result<Put, Error> {
    let mut tx = conn
        .begin()
        .await
        .map_err(Error::database("schedules.put"))?;
    let put = put_locked(&mut tx, tenant, definition, expect, (by, origin)).await;
    finish(tx, put, "schedules.put").await
}

async fn put_locked(
    conn: &mut PgConnection,
    tenant: TenantId,
    definition: &Definition,
    expect: Expect,
    (by, origin): (&str, &str),
) -> Result<Put, Error> {
    let kind = kind_defaults(conn, &definition.kind).await?;
    let now = now(conn).await?;
    definition.check(&kind, now)?;
    let draft = Draft {
        tenant,
        definition,
        by,
        origin,
        now,
    };
    let existing = lock_by_name(conn, tenant, &definition.name).await?;
    match (existing, expect) {
        (None, Expect::Revision(_)) => {
            let problem = "there is no schedule of that name".to_owned();
            Err(invalid("name", problem))
        }
        (None, _) => insert(conn, &draft).await,
        (Some(_), Expect::New) => Err(taken(&definition.name)),
        (Some(existing), Expect::Revision(revision)) if existing.revision != revision => {
            let problem = format!(
                "is {} by now: read it again, somebody has changed it",
                existing.revision
            );
            Err(invalid("revision", problem))
        }
        (Some(existing), _) => update(conn, &draft, &existing).await,
    }
}

fn taken(name: &str) -> Error {
    invalid(
        "name",
        format!("\"{name}\" is taken; change that schedule, or choose another name"),
    )
}

/// The database's time.
pub(super) async fn now(conn: &mut PgConnection) -> Result<DateTime<Utc>, Error> {
    clock(conn).await.map_err(Error::database("schedules.now"))
}

struct Draft<'a> {
    tenant: TenantId,
    definition: &'a Definition,
    by: &'a str,
    origin: &'a str,
    now: DateTime<Utc>,
}

impl Draft<'_> {
    fn stored(&self) -> serde_json::Value {
        serde_json::to_value(self.definition).expect("plain data serializes")
    }

    /// The first tick after the watermark, and when it is due.
    fn next(&self, id: Uuid, watermark: DateTime<Utc>) -> Result<Next, Error> {
        let clockwork = Clockwork::of(id, self.definition)?;
        let next_at = clockwork.table.after(watermark);
        let due_at = next_at.map(|next| clockwork.due(next));
        Ok(Next { next_at, due_at })
    }
}

struct Next {
    next_at: Option<DateTime<Utc>>,
    due_at: Option<DateTime<Utc>>,
}

struct Existing {
    id: Uuid,
    revision: i32,
    definition: serde_json::Value,
    watermark: DateTime<Utc>,
    next_at: Option<DateTime<Utc>>,
    due_at: Option<DateTime<Utc>>,
    paused: bool,
}

async fn lock_by_name(
    conn: &mut PgConnection,
    tenant: TenantId,
    name: &str,
) -> Result<Option<Existing>, Error> {
    sqlx::query_as!(
        Existing,
        r#"-- schedules.lock_by_name
        SELECT id, revision, definition, watermark, next_at, due_at, paused_at IS NOT NULL AS "paused!"
        FROM fleet.schedule WHERE tenant_id = $1 AND name = $2 FOR UPDATE"#,
        tenant.0,
        name,
    )
    .fetch_optional(conn)
    .await
    .map_err(Error::database("schedules.put"))
}

async fn insert(conn: &mut PgConnection, draft: &Draft<'_>) -> Result<Put, Error> {
    let id = Uuid::now_v7();
    let next = draft.next(id, draft.now)?;
    let inserted = sqlx::query!(
        r#"-- schedules.insert
        INSERT INTO fleet.schedule (id, tenant_id, definition, origin, watermark, next_at, due_at, created_at, updated_at, updated_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $5, $5, $8)
        ON CONFLICT (tenant_id, name) DO NOTHING"#,
        id,
        draft.tenant.0,
        draft.stored(),
        draft.origin,
        draft.now,
        next.next_at,
        next.due_at,
        draft.by,
    )
    .execute(&mut *conn)
    .await
    .map_err(Error::database("schedules.put"))?;
    if inserted.rows_affected() == 0 {
        return Err(taken(&draft.definition.name)); // by somebody who committed since we looked
    }
    let put = Put {
        id,
        revision: 1,
        changed: true,
    };
    write_history(conn, (id, put.revision), "created", None, draft.by).await?;
    Ok(put)
}

async fn update(
    conn: &mut PgConnection,
    draft: &Draft<'_>,
    existing: &Existing,
) -> Result<Put, Error> {
    let before = Definition::read(existing.definition.clone()).ok();
    let mut put = Put {
        id: existing.id,
        revision: existing.revision,
        changed: before.as_ref() != Some(draft.definition),
    };
    if !put.changed {
        return Ok(put);
    }
    put.revision += 1;
    let same_times = before.is_some_and(|before| before.same_times(draft.definition));
    let (watermark, next) = if same_times {
        let (next_at, due_at) = (existing.next_at, existing.due_at);
        (existing.watermark, Next { next_at, due_at })
    } else {
        let watermark = existing.watermark.max(draft.now);
        (watermark, draft.next(existing.id, watermark)?)
    };
    sqlx::query!(
        r#"-- schedules.update
        UPDATE fleet.schedule SET definition = $3, origin = $4, revision = $5, watermark = $6, next_at = $7, due_at = $8,
            error = NULL, failures = 0, updated_at = $9, updated_by = $10
        WHERE id = $1 AND tenant_id = $2"#,
        existing.id,
        draft.tenant.0,
        draft.stored(),
        draft.origin,
        put.revision,
        watermark,
        next.next_at,
        next.due_at.filter(|_| !existing.paused),
        draft.now,
        draft.by,
    )
    .execute(&mut *conn)
    .await
    .map_err(Error::database("schedules.put"))?;
    write_history(conn, (put.id, put.revision), "edited", None, draft.by).await?;
    Ok(put)
}
