//! Who looks at a board, and how subjects wish to be seen.
//!
//! The rules themselves stand in the database function `fleet.leaderboard_shown`, so that no route can forget them.

use fleet_queue::TenantId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use super::board::SubjectKind;

/// On whose behalf a board is read.
///
/// Besides, the session's `fleet.tenant` says whose rows it may see at all: `*` for an admin of the platform, else a tenant's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Viewer {
    /// Sees every entry of the boards the session may see.
    Admin,
    /// Sees its own entries and those of its campaigns in full.
    Partner(Uuid),
    /// Sees the entries of the session's tenant in full.
    Tenant,
}

impl Viewer {
    pub(super) fn is_admin(self) -> bool {
        self == Self::Admin
    }

    pub(super) fn partner(self) -> Option<Uuid> {
        match self {
            Self::Partner(partner) => Some(partner),
            Self::Admin | Self::Tenant => None,
        }
    }
}

/// How others see a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// By name and with figures: opt-in.
    Named,
    /// By an alias that differs from board to board, without figures: the default.
    Anonymous,
    /// Not at all; it counts in the number of the ranked all the same.
    Hidden,
}

impl Visibility {
    /// The name in the database and in payloads.
    pub fn name(self) -> &'static str {
        match self {
            Self::Named => "named",
            Self::Anonymous => "anonymous",
            Self::Hidden => "hidden",
        }
    }
}

/// Sets how a subject is seen; readers notice at once, without a new run.
pub async fn set_visibility(
    conn: &mut PgConnection,
    tenant: TenantId,
    kind: SubjectKind,
    subject: Uuid,
    visibility: Visibility,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"-- leaderboard.set_visibility
        INSERT INTO fleet.privacy_settings (tenant_id, subject_kind, subject_id, visibility)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (tenant_id, subject_kind, subject_id) DO UPDATE SET visibility = EXCLUDED.visibility"#,
        tenant.0,
        kind.name(),
        subject,
        visibility.name(),
    )
    .execute(conn)
    .await?;
    Ok(())
}
