//! API keys: 256 random bits, shown once, stored as their SHA-256, found by their visible prefix.
//!
//! A key reads `fleet_<8 hex>_<64 hex>`. These functions take the owner's connection: the API's role cannot read the table.

mod list;

use chrono::{DateTime, Utc};
use fleet_queue::TenantId;
use rand::TryRngCore;
use rand::rngs::OsRng;
use schemars::JsonSchema;
use serde::Serialize;
use sha2::{Digest, Sha256};
use sqlx::{Acquire, PgConnection};
use subtle::ConstantTimeEq;
use uuid::Uuid;

pub use self::list::{KeyInfo, list, page};
use super::{Identity, Scope};

/// Most kinds that a key may name.
const KINDS_MAX: usize = 1_000;

/// A key to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKey {
    /// For people.
    pub name: String,
    /// Whose rows it reaches; `None`: every tenant's.
    pub tenant: Option<TenantId>,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// Kinds it may enqueue; `None`: any.
    pub kinds: Option<Vec<String>>,
    /// Good until then; `None`: until revoked.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A key that was made. The only time its text is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CreatedKey {
    /// Its id.
    pub id: Uuid,
    /// The key itself: whoever has it, has what it allows.
    pub key: String,
}

/// What can go wrong with keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The key as asked for cannot be.
    #[error("{field}: {problem}")]
    Invalid {
        /// Which part.
        field: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The operating system gave no random bits.
    #[error("the operating system gave no random bits")]
    NoRandomness(#[source] rand::rand_core::OsError),
    /// The database refused or was out of reach.
    #[error("{0}: the database did not carry it out")]
    Database(&'static str, #[source] sqlx::Error),
}

/// Makes a key. Its text is in the answer and nowhere else.
pub async fn create(conn: &mut PgConnection, new: &NewKey) -> Result<CreatedKey, KeyError> {
    check(new)?;
    let (prefix, key) = generate()?;
    let (id, hash) = (Uuid::now_v7(), hash(&key));
    let scopes: Vec<&str> = new.scopes.iter().map(|scope| scope.as_str()).collect();
    sqlx::query!(
        r#"-- keys.create
        INSERT INTO fleet.api_key (id, prefix, hash, name, tenant_id, scopes, kinds, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, fleet.clock(), $8)"#,
        id,
        prefix,
        hash.as_slice(),
        new.name,
        new.tenant.map(|tenant| tenant.0),
        &scopes as &[&str],
        new.kinds.as_deref(),
        new.expires_at,
    )
    .execute(conn)
    .await
    .map_err(|source| KeyError::Database("keys.create", source))?;
    Ok(CreatedKey { id, key })
}

/// Makes an admin's key where no living one exists, however many processes start at once; `None` where one does.
pub async fn ensure_admin_key(conn: &mut PgConnection) -> Result<Option<CreatedKey>, KeyError> {
    let failed = |source| KeyError::Database("keys.ensure_admin", source);
    let mut tx = conn.begin().await.map_err(failed)?;
    sqlx::query!(
        r#"-- keys.ensure_admin
        SELECT pg_advisory_xact_lock(hashtext('fleet.admin_key'), 0) IS NULL AS locked"#
    )
    .fetch_one(&mut *tx)
    .await
    .map_err(failed)?;
    let exists = has_admin(&mut tx).await?;
    if exists {
        return Ok(None);
    }
    let admin = NewKey {
        name: "first admin".to_owned(),
        tenant: None,
        scopes: vec![Scope::Admin],
        kinds: None,
        expires_at: None,
    };
    let created = create(&mut tx, &admin).await?;
    tx.commit().await.map_err(failed)?;
    Ok(Some(created))
}

/// A statement of its own, so that it sees what was committed while the lock was waited for.
async fn has_admin(conn: &mut PgConnection) -> Result<bool, KeyError> {
    sqlx::query_scalar!(
        r#"-- keys.has_admin
        SELECT EXISTS (SELECT FROM fleet.api_key WHERE tenant_id IS NULL AND 'admin' = ANY (scopes) AND revoked_at IS NULL
            AND (expires_at IS NULL OR expires_at > fleet.clock())) AS "exists!""#
    )
    .fetch_one(conn)
    .await
    .map_err(|source| KeyError::Database("keys.has_admin", source))
}

/// Revokes a key; false where there is none of that id that still works.
pub async fn revoke(conn: &mut PgConnection, id: Uuid) -> Result<bool, KeyError> {
    sqlx::query!(
        r#"-- keys.revoke
        UPDATE fleet.api_key SET revoked_at = fleet.clock() WHERE id = $1 AND revoked_at IS NULL"#,
        id,
    )
    .execute(conn)
    .await
    .map(|done| done.rows_affected() == 1)
    .map_err(|source| KeyError::Database("keys.revoke", source))
}

/// The identity behind a key; `None` where it is unknown, expired or revoked.
pub(super) async fn find(
    conn: &mut PgConnection,
    key: &str,
) -> Result<Option<Identity>, sqlx::Error> {
    let Some(prefix) = prefix_of(key) else {
        return Ok(None);
    };
    let row = sqlx::query!(
        r#"-- keys.find
        SELECT id, hash, name, tenant_id, scopes, kinds,
            (last_used_at IS NULL OR last_used_at < fleet.clock() - interval '1 minute') AS "stale!"
        FROM fleet.api_key
        WHERE prefix = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > fleet.clock())"#,
        prefix,
    )
    .fetch_optional(&mut *conn)
    .await?;
    // The whole key is compared, in a time that tells nothing of where it differs.
    let same = |row: &[u8]| bool::from(row.ct_eq(hash(key).as_slice()));
    let Some(row) = row.filter(|row| same(&row.hash)) else {
        return Ok(None);
    };
    if row.stale {
        note_use(conn, row.id).await?;
    }
    // A scope that this binary does not know yet allows nothing here.
    let scopes = row.scopes.iter().filter_map(|word| word.parse().ok());
    Ok(Some(Identity {
        key_id: row.id,
        name: row.name,
        tenant: row.tenant_id.map(TenantId),
        scopes: scopes.collect(),
        kinds: row.kinds,
    }))
}

async fn note_use(conn: &mut PgConnection, id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"-- keys.note_use
        UPDATE fleet.api_key SET last_used_at = fleet.clock()
        WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < fleet.clock() - interval '1 minute')"#,
        id,
    )
    .execute(conn)
    .await
    .map(|_| ())
}

pub(super) fn hash(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

fn prefix_of(key: &str) -> Option<&str> {
    let (prefix, secret) = key.strip_prefix("fleet_")?.split_once('_')?;
    (prefix.len() == 8 && secret.len() == 64).then_some(prefix)
}

fn generate() -> Result<(String, String), KeyError> {
    let random = || OsRng.try_next_u64().map_err(KeyError::NoRandomness);
    let prefix = format!("{:08x}", random()? >> 32);
    let [a, b, c, d] = [random()?, random()?, random()?, random()?];
    let secret = format!("{a:016x}{b:016x}{c:016x}{d:016x}");
    let key = format!("fleet_{prefix}_{secret}");
    Ok((prefix, key))
}

fn check(new: &NewKey) -> Result<(), KeyError> {
    let wrong = |field, problem| Err(KeyError::Invalid { field, problem });
    if !(1..=100).contains(&new.name.chars().count()) || new.name.contains('\0') {
        return wrong("name", "must have 1 to 100 characters");
    }
    if new.scopes.is_empty() {
        return wrong("scopes", "a key needs at least one");
    }
    if new.tenant.is_some() && new.scopes.contains(&Scope::Admin) {
        return wrong("scopes", "a tenant's key cannot be an admin's");
    }
    if new.kinds.as_ref().is_some_and(Vec::is_empty) {
        return wrong("kinds", "name at least one, or leave it out for all");
    }
    if new
        .kinds
        .as_ref()
        .is_some_and(|kinds| kinds.len() > KINDS_MAX)
    {
        return wrong("kinds", "at most 1,000 can be named");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_its_prefix_and_256_bits() {
        let (prefix, key) = generate().expect("random bits");
        assert_eq!(prefix_of(&key), Some(prefix.as_str()));
        assert_ne!(generate().expect("random bits").1, key);
    }

    #[test]
    fn what_is_no_key_has_no_prefix() {
        for text in [
            "",
            "fleet_",
            "fleet_abc_def",
            "other_12345678_",
            "fleet_12345678_short",
        ] {
            assert_eq!(prefix_of(text), None, "{text}");
        }
    }
}
