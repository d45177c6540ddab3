//! Room on the disk of the database: how much the database has taken, and how much is left.
//!
//! The disk can be seen where the server runs on this very machine and tells where its data is; elsewhere only the size is told.

use std::path::{Path, PathBuf};

use anyhow::Context;
use sqlx::PgConnection;
use sysinfo::Disks;

use super::Finding;
use crate::output::bytes;

/// Under this share of the disk, or this much, somebody should look.
const SCARCE_PERCENT: u64 = 10;
const SCARCE: u64 = 5 << 30;
/// A checkpoint and a day's partitions may need more than this: the server is about to stop.
const FULL: u64 = 512 << 20;

/// A disk's room, in bytes.
#[derive(Clone, Copy, Debug)]
struct Room {
    free: u64,
    total: u64,
}

pub(super) async fn size(conn: &mut PgConnection) -> anyhow::Result<Finding> {
    let size = sqlx::query_scalar!(
        r#"-- doctor.size
        SELECT pg_database_size(current_database()) AS "bytes!""#
    )
    .fetch_one(conn)
    .await
    .context("pg_database_size")?;
    Ok(Finding::pass(
        "size",
        format!("the database has {}", bytes(size.unsigned_abs())),
    ))
}

pub(super) async fn room(conn: &mut PgConnection) -> anyhow::Result<Finding> {
    let Some(data) = data_folder(conn).await? else {
        let found =
            "the server is on another machine, or does not say where its data is; look there";
        return Ok(Finding::pass("disk", found));
    };
    let Some(room) = room_of(&data) else {
        let found = format!("the disk of {} cannot be seen from here", data.display());
        return Ok(Finding::pass("disk", found));
    };
    Ok(judge(room, &data))
}

/// Where the server keeps its data, if that is on this machine.
async fn data_folder(conn: &mut PgConnection) -> anyhow::Result<Option<PathBuf>> {
    let folder = sqlx::query_scalar!(
        r#"-- doctor.data_folder
        SELECT setting FROM pg_settings -- who may not see it gets no row
        WHERE name = 'data_directory' AND COALESCE(inet_server_addr() << inet '127.0.0.0/8' OR inet_server_addr() = inet '::1', true)"#
    )
    .fetch_optional(conn)
    .await?;
    Ok(folder.flatten().map(PathBuf::from))
}

/// The room of the disk that is mounted nearest above a folder.
fn room_of(folder: &Path) -> Option<Room> {
    let disks = Disks::new_with_refreshed_list().ok()?;
    let above = disks
        .iter()
        .filter(|disk| folder.starts_with(disk.mount_point()));
    let nearest = above.max_by_key(|disk| disk.mount_point().components().count())?;
    Some(Room {
        free: nearest.available_space(),
        total: nearest.total_space(),
    })
}

fn judge(room: Room, data: &Path) -> Finding {
    let found = format!(
        "{} of {} are free where the data is, {}",
        bytes(room.free),
        bytes(room.total),
        data.display()
    );
    if room.free < FULL {
        let fix =
            "make room now: the server stops when the disk is full (nothing acknowledged is lost)";
        Finding::fail("disk", found, fix)
    } else if room.free < SCARCE.min(room.total / 4)
        || room.free < room.total / 100 * SCARCE_PERCENT
    {
        let fix = "make room, or keep ended jobs for fewer days: scheduler.history_retention_days";
        Finding::warn("disk", found, fix)
    } else {
        Finding::pass("disk", found)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn a_disk_is_judged_by_what_is_left() {
        for (free, total, verdict) in [
            (90 * GIB, 100 * GIB, Verdict::Pass),
            (9 * GIB, 100 * GIB, Verdict::Warn),
            (4 * GIB, 30 * GIB, Verdict::Warn),
            (3 * GIB, 8 * GIB, Verdict::Pass),
            (GIB / 4, 100 * GIB, Verdict::Fail),
        ] {
            let finding = judge(Room { free, total }, Path::new("/data"));
            assert_eq!(finding.verdict, verdict, "{}", finding.found);
            assert_eq!(finding.fix.is_some(), verdict != Verdict::Pass);
        }
    }
}
