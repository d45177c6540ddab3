//! The admin's key of a data folder: kept in it, readable by its owner alone, and made anew where it is lost.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use anyhow::Context;
use fleet_control_api::Scope;
use fleet_control_api::keys::{self, KeyInfo, NewKey};

use crate::database::Database;

const FILE: &str = "admin_key";

/// The key in the folder if it still works, else a new one, written there before it becomes good.
pub(super) async fn keep(database: &Database, data: &Path) -> anyhow::Result<String> {
    let file = data.join(FILE);
    let mut tx = database.begin().await?;
    let known = keys::list(&mut tx).await?;
    if let Some(kept) = read(&file).filter(|kept| works(kept, &known)) {
        return Ok(kept);
    }
    let new = NewKey {
        name: "fleet up".to_owned(),
        tenant: None,
        scopes: vec![Scope::Admin],
        kinds: None,
        expires_at: None,
    };
    let key = keys::create(&mut tx, &new).await?.key;
    write(&file, &key)
        .with_context(|| format!("could not keep the admin key in {}", file.display()))?;
    tx.commit().await?;
    Ok(key)
}

fn read(file: &Path) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    Some(text.trim().to_owned()).filter(|key| !key.is_empty())
}

/// Whether the database knows a good admin's key of this beginning.
fn works(key: &str, known: &[KeyInfo]) -> bool {
    let admin = Scope::Admin.as_str();
    let prefix = key
        .strip_prefix("fleet_")
        .and_then(|rest| rest.split('_').next());
    known.iter().any(|info| {
        let good = info.revoked_at.is_none() && info.expires_at.is_none();
        good && prefix == Some(info.prefix.as_str())
            && info.scopes.iter().any(|scope| scope == admin)
    })
}

/// Never readable by others, not even for a moment, and never half written.
fn write(file: &Path, key: &str) -> std::io::Result<()> {
    let draft = file.with_extension("new");
    let mut options = OpenOptions::new();
    let mut opened = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)?;
    // A draft that a killed start left behind keeps the mode it had.
    opened.set_permissions(Permissions::from_mode(0o600))?;
    writeln!(opened, "{key}")?;
    opened.sync_all()?;
    fs::rename(draft, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_the_owners_alone_and_is_read_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(FILE);
        write(&file, "fleet_0a0b0c0d_ff").expect("it is written");
        let mode = fs::metadata(&file)
            .expect("it is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(read(&file).as_deref(), Some("fleet_0a0b0c0d_ff"));
        assert_eq!(read(&folder.path().join("missing")), None);
    }

    #[test]
    fn a_key_that_the_database_does_not_know_or_revoked_does_not_work() {
        let info = KeyInfo {
            id: uuid::Uuid::nil(),
            prefix: "0a0b0c0d".to_owned(),
            name: String::new(),
            tenant_id: None,
            scopes: vec!["admin".to_owned()],
            kinds: None,
            created_at: chrono::DateTime::UNIX_EPOCH,
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
        };
        assert!(works("fleet_0a0b0c0d_ff", std::slice::from_ref(&info)));
        assert!(!works("fleet_11111111_ff", std::slice::from_ref(&info)));
        let revoked = KeyInfo {
            revoked_at: Some(chrono::DateTime::UNIX_EPOCH),
            ..info
        };
        assert!(!works("fleet_0a0b0c0d_ff", &[revoked]));
    }
}
