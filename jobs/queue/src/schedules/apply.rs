//! Applies the schedules that ship with a binary: adds what is missing, and leaves alone what people have changed.

use sqlx::PgConnection;

use super::put::put_from;
use super::{Definition, Expect, find, get};
use crate::{Error, TenantId};

/// What applying did, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// New here.
    pub added: Vec<String>,
    /// Brought up to this binary's version; nobody had edited them.
    pub updated: Vec<String>,
    /// Left alone: as they should be, edited by somebody, or deleted by somebody.
    pub kept: Vec<String>,
    /// Could not be applied, and why: mostly because no binary has registered their kind yet.
    pub skipped: Vec<(String, String)>,
}

/// Who changes a schedule when nobody does.
const BY: &str = "fleet";

/// Applies schedules of the platform. One that cannot be applied is reported and keeps no other from it.
pub async fn apply(conn: &mut PgConnection, defaults: &[Definition]) -> Result<Applied, Error> {
    let mut applied = Applied::default();
    for definition in defaults {
        let name = definition.name.clone();
        match apply_one(conn, definition).await {
            Ok(list) => list(&mut applied).push(name),
            Err(Error::Invalid { field, problem }) => {
                applied.skipped.push((name, format!("{field}: {problem}")));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(applied)
}

/// Applies one, and says to which list its name goes.
async fn apply_one(
    conn: &mut PgConnection,
    definition: &Definition,
) -> Result<fn(&mut Applied) -> &mut Vec<String>, Error> {
    let tenant = TenantId::PLATFORM;
    let Some(id) = find(conn, tenant, &definition.name).await? else {
        if was_deleted(conn, &definition.name).await? {
            return Ok(|applied| &mut applied.kept);
        }
        put_from(conn, tenant, definition, Expect::New, BY, "default").await?;
        return Ok(|applied| &mut applied.added);
    };
    let untouched = get(conn, id)
        .await?
        .filter(|schedule| schedule.origin == "default");
    let Some(schedule) = untouched else {
        return Ok(|applied| &mut applied.kept);
    };
    let expect = Expect::Revision(schedule.revision);
    let put = put_from(conn, tenant, definition, expect, BY, "default").await?;
    if put.changed {
        Ok(|applied| &mut applied.updated)
    } else {
        Ok(|applied| &mut applied.kept)
    }
}

/// True where somebody deleted the schedule of that name: it shall not come back by itself.
async fn was_deleted(conn: &mut PgConnection, name: &str) -> Result<bool, Error> {
    sqlx::query_scalar!(
        r#"-- schedules.was_deleted
        SELECT EXISTS (SELECT FROM fleet.schedule_history WHERE tenant_id = $1 AND name = $2 AND action = 'deleted') AS "deleted!""#,
        TenantId::PLATFORM.0,
        name,
    )
    .fetch_one(conn)
    .await
    .map_err(Error::database("schedules.apply"))
}
