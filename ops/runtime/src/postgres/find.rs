//! Finds PostgreSQL's binaries on this machine.
//!
//! The order: `$FLEET_PGBIN` alone if it is set (an operator who names a folder wants that one or
//! an error, not a surprise); else `PATH`, `pg_config --bindir`, Debian's folders, Homebrew,
//! Postgres.app, and last what `fleet pg install` put beside the data. The first folder that holds
//! a whole server of a version we support wins; for data that exists already, the first of the
//! major version that made it.

use std::cmp::Reverse;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::error::PgError;

/// The programs without which a folder is of no use to us.
const NEEDED: [&str; 3] = ["initdb", "pg_ctl", "postgres"];

/// A release of PostgreSQL, such as 15.18.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    pub major: u32,
    pub minor: u32,
}

impl Version {
    /// The oldest major version the schema's SQL works on.
    pub const MINIMUM_MAJOR: u32 = 14;

    /// Reads what `postgres --version` prints: `postgres (PostgreSQL) 15.18 (Debian …)`.
    fn parse(printed: &str) -> Option<Self> {
        let number = printed
            .split_once("(PostgreSQL)")?
            .1
            .split_whitespace()
            .next()?;
        let mut parts = number.split(|c: char| !c.is_ascii_digit());
        let major = parts.next()?.parse().ok()?;
        // A beta ("19beta1") has letters where the minor number would be.
        let minor = parts
            .next()
            .and_then(|digits| digits.parse().ok())
            .unwrap_or(0);
        Some(Self { major, minor })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// A folder that holds a whole server.
#[derive(Debug, Clone)]
pub struct Binaries {
    dir: PathBuf,
    version: Version,
}

impl Binaries {
    /// The binaries to use for the data folder `data` (the one that `fleet up --data` names);
    /// `made_by` is the major version of a cluster that exists there.
    pub fn find(data: &Path, made_by: Option<u32>) -> Result<Self, PgError> {
        Self::choose(&candidates(data), made_by, data)
    }

    /// The first whole server among `folders` that may serve.
    fn choose(folders: &[PathBuf], made_by: Option<u32>, data: &Path) -> Result<Self, PgError> {
        let found: Vec<Self> = folders
            .iter()
            .filter_map(|dir| Self::inspect(dir))
            .collect();
        let usable = |b: &&Self| b.version.major >= Version::MINIMUM_MAJOR;
        let Some(first) = found.iter().find(usable) else {
            return Err(PgError::no_binaries(folders));
        };
        let Some(major) = made_by else {
            return Ok(first.clone());
        };
        found
            .iter()
            .find(|b| b.version.major == major)
            .cloned()
            .ok_or_else(|| {
                let versions: Vec<_> = found.iter().map(|b| b.version.to_string()).collect();
                PgError::OtherMajor {
                    dir: data.into(),
                    data: major,
                    found: versions.join(", "),
                }
            })
    }

    fn inspect(dir: &Path) -> Option<Self> {
        // Debian puts links to a wrapper into /usr/bin for some programs; the folder that counts
        // is the one where `postgres` itself lies, because its libraries are found from there.
        let dir = dir
            .join("postgres")
            .canonicalize()
            .ok()?
            .parent()?
            .to_path_buf();
        if !NEEDED.iter().all(|program| dir.join(program).is_file()) {
            return None;
        }
        let version = Version::parse(&printed_by(&dir.join("postgres"), "--version")?)?;
        Some(Self { dir, version })
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn version(&self) -> Version {
        self.version
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

/// Where `fleet pg install` puts its binaries for this data folder.
pub fn install_dir(data: &Path) -> PathBuf {
    data.join("pgbin")
}

fn candidates(data: &Path) -> Vec<PathBuf> {
    if let Some(only) = std::env::var_os("FLEET_PGBIN") {
        return vec![PathBuf::from(only)];
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.retain(|dir| dir.join("postgres").is_file());
    folders.extend(printed_by(Path::new("pg_config"), "--bindir").map(PathBuf::from));
    folders.extend(versioned(Path::new("/usr/lib/postgresql")));
    for opt in [
        "/opt/homebrew/opt",
        "/usr/local/opt",
        "/home/linuxbrew/.linuxbrew/opt",
    ] {
        folders.extend(versioned(Path::new(opt)));
    }
    folders.extend(versioned(Path::new(
        "/Applications/Postgres.app/Contents/Versions",
    )));
    folders.push(install_dir(data).join("bin"));
    folders
}

/// `root/*/bin` for every `root/15` or `root/postgresql@15`, the newest first.
fn versioned(root: &Path) -> Vec<PathBuf> {
    let Ok(entries) = root.read_dir() else {
        return Vec::new();
    };
    let mut found: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let name = entry.file_name().into_string().ok()?;
            let number = name
                .strip_prefix("postgresql@")
                .unwrap_or(&name)
                .parse()
                .ok()?;
            Some((number, entry.path().join("bin")))
        })
        .collect();
    found.sort_by_key(|(number, _)| Reverse(*number));
    found.into_iter().map(|(_, dir)| dir).collect()
}

/// The first line a program prints, if it exists and succeeds.
fn printed_by(program: &Path, argument: &str) -> Option<String> {
    let output = Command::new(program)
        .arg(argument)
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn fake_server(root: &Path, version: &str) -> PathBuf {
        let bin = root.join(version).join("bin");
        std::fs::create_dir_all(&bin).unwrap();
        for program in NEEDED {
            let script = format!("#!/bin/sh\necho '{program} (PostgreSQL) {version}'\n");
            std::fs::write(bin.join(program), script).unwrap();
            let executable = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(bin.join(program), executable).unwrap();
        }
        bin.canonicalize().unwrap()
    }

    #[test]
    fn reads_what_postgres_prints_about_its_version() {
        let read = |text| Version::parse(text).map(|v| (v.major, v.minor));
        assert_eq!(
            read("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"),
            Some((15, 18))
        );
        assert_eq!(read("postgres (PostgreSQL) 18.6"), Some((18, 6)));
        assert_eq!(read("postgres (PostgreSQL) 19beta1"), Some((19, 0)));
        assert_eq!(read("postgres (EnterpriseDB) x"), None);
    }

    #[test]
    fn the_first_supported_server_wins_and_existing_data_picks_its_own_major() {
        let root = tempfile::tempdir().unwrap();
        let folders = ["13.9", "15.2", "17.1"].map(|version| fake_server(root.path(), version));
        let choose = |made_by| Binaries::choose(&folders, made_by, root.path());

        assert_eq!(choose(None).unwrap().dir(), folders[1]);
        assert_eq!(choose(Some(17)).unwrap().dir(), folders[2]);
        let refused = choose(Some(16)).unwrap_err().to_string();
        assert!(
            refused.contains("made by PostgreSQL 16, but only 13.9, 15.2, 17.1"),
            "{refused}"
        );
    }

    #[test]
    fn without_binaries_the_error_says_where_it_looked_and_how_to_get_them() {
        let root = tempfile::tempdir().unwrap();
        let half = root.path().join("half");
        std::fs::create_dir(&half).unwrap();
        std::fs::write(half.join("postgres"), "").unwrap();
        let refused = Binaries::choose(std::slice::from_ref(&half), None, root.path())
            .unwrap_err()
            .to_string();
        assert!(refused.contains(half.to_str().unwrap()), "{refused}");
        assert!(refused.contains("fleet pg install"), "{refused}");
    }

    #[test]
    fn versioned_folders_come_newest_first_and_others_are_skipped() {
        let root = tempfile::tempdir().unwrap();
        for name in ["9", "15", "postgresql@16", "postgresql@14", "latest"] {
            std::fs::create_dir(root.path().join(name)).unwrap();
        }
        let names: Vec<_> = versioned(root.path())
            .iter()
            .map(|dir| {
                dir.strip_prefix(root.path())
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned()
            })
            .collect();
        assert_eq!(
            names,
            ["postgresql@16/bin", "15/bin", "postgresql@14/bin", "9/bin"]
        );
    }
}
