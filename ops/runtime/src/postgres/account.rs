//! The account under which PostgreSQL runs.
//!
//! For an ordinary user that is the user. PostgreSQL refuses root, so root runs it as the owner of
//! the existing data, else as `postgres`, else as `nobody`; its files belong to that account, and
//! every folder above them must let it through.

use std::ffi::OsStr;
use std::fs::Metadata;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;

use tokio::process::Command;

use super::error::PgError;

/// Accounts to try when we are root, in this order; 65534 is `nobody` nearly everywhere.
const UNPRIVILEGED: [&str; 2] = ["postgres", "nobody"];
const NOBODY: Ids = Ids {
    uid: 65_534,
    gid: 65_534,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ids {
    uid: u32,
    gid: u32,
}

/// Who runs the server; `switch` is `None` when that is simply us.
#[derive(Debug, Clone)]
pub(super) struct Account {
    name: String,
    switch: Option<Ids>,
}

impl Account {
    /// The account for the server whose files are, or will be, in `home`.
    pub(super) fn for_server(home: &Path) -> Self {
        if !rustix::process::geteuid().is_root() {
            return Self {
                name: "the current user".into(),
                switch: None,
            };
        }
        let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let owner = home.metadata().ok().filter(|found| found.uid() != 0);
        let (name, ids) = owner.map_or_else(|| unprivileged(&users), |found| owner_of(&found));
        Self {
            name,
            switch: Some(ids),
        }
    }

    /// A command that runs as this account, free of our `PG…` variables and of our Ctrl-C.
    pub(super) fn command(&self, program: &Path, home: &Path) -> Command {
        let mut command = Command::new(program);
        // Our own folder may be closed to that account, and programs that can't read their
        // working folder fail in odd ways.
        command
            .current_dir(home)
            .process_group(0)
            .stdin(std::process::Stdio::null());
        // Messages in English, because `launch` reads a few of them.
        command.env("LC_ALL", "C").env("HOME", home);
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_libpq(name)) {
            command.env_remove(name);
        }
        if let Some(Ids { uid, gid }) = self.switch {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Hands `path` to the account.
    pub(super) fn own(&self, path: &Path) -> Result<(), PgError> {
        let Some(Ids { uid, gid }) = self.switch else {
            return Ok(());
        };
        chown(path, Some(uid), Some(gid)).map_err(PgError::folder("change the owner of", path))
    }

    /// Refuses a path that the account can't reach, naming the folder that stands in the way.
    pub(super) fn check_reach(&self, path: &Path) -> Result<(), PgError> {
        let Some(ids) = self.switch else {
            return Ok(());
        };
        for folder in path.ancestors().filter(|folder| folder.is_dir()) {
            let found = folder
                .metadata()
                .map_err(PgError::folder("look at", folder))?;
            if !may_enter(ids, &found) {
                return Err(PgError::OutOfReach {
                    folder: folder.into(),
                    user: self.name.clone(),
                });
            }
        }
        Ok(())
    }
}

fn is_libpq(variable: &OsStr) -> bool {
    variable.to_str().is_some_and(|name| name.starts_with("PG"))
}

fn owner_of(found: &Metadata) -> (String, Ids) {
    let ids = Ids {
        uid: found.uid(),
        gid: found.gid(),
    };
    (format!("uid {}", ids.uid), ids)
}

fn unprivileged(users: &str) -> (String, Ids) {
    UNPRIVILEGED
        .iter()
        .find_map(|name| Some(((*name).to_owned(), ids_of(users, name)?)))
        .unwrap_or_else(|| ("nobody".to_owned(), NOBODY))
}

/// The ids of `name` in the text of /etc/passwd (`name:x:uid:gid:…`).
fn ids_of(users: &str, name: &str) -> Option<Ids> {
    let line = users
        .lines()
        .find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    let uid = fields.next()?.parse().ok()?;
    let gid = fields.next()?.parse().ok()?;
    Some(Ids { uid, gid })
}

/// The kernel's rule for entering a folder: the first class that fits decides.
fn may_enter(ids: Ids, folder: &Metadata) -> bool {
    let bit = if folder.uid() == ids.uid {
        0o100
    } else if folder.gid() == ids.gid {
        0o010
    } else {
        0o001
    };
    folder.mode() & bit != 0
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\n\
                          nobody:x:65534:65533::/:/bin/false\n\
                          postgres:x:101:104:PostgreSQL:/var/lib/postgresql:/bin/bash\n";

    #[test]
    fn postgres_is_preferred_to_nobody_and_nobody_always_exists() {
        assert_eq!(
            unprivileged(PASSWD),
            ("postgres".into(), Ids { uid: 101, gid: 104 })
        );
        let without = PASSWD.replace("postgres:", "postgrest:");
        assert_eq!(
            unprivileged(&without),
            (
                "nobody".into(),
                Ids {
                    uid: 65_534,
                    gid: 65_533
                }
            )
        );
        assert_eq!(unprivileged(""), ("nobody".into(), NOBODY));
    }

    #[test]
    fn a_closed_folder_above_the_data_is_named() {
        let root = tempfile::tempdir().unwrap();
        let closed = root.path().join("closed");
        let inner = closed.join("inner");
        std::fs::create_dir_all(&inner).unwrap();
        let mode = |dir: &Path, mode| {
            std::fs::set_permissions(dir, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        mode(root.path(), 0o755);
        mode(&inner, 0o755);
        mode(&closed, 0o700);
        // Nobody's real account can own the test's folder, so the "other" bits decide.
        let stranger = Account {
            name: "stranger".into(),
            switch: Some(Ids { uid: 1, gid: 1 }),
        };

        let refused = stranger.check_reach(&inner).unwrap_err();
        assert!(
            matches!(&refused, PgError::OutOfReach { folder, .. } if *folder == closed),
            "{refused}"
        );
        mode(&closed, 0o711);
        stranger.check_reach(&inner).unwrap();
    }
}
