//! The client that is to be given to somebody: what it needs, what it is worth, and the lock under which it is decided on.

use fleet_queue::TenantId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::settings::Settings;

/// What a client of high value adds to a partner's load.
const HIGH_VALUE: f64 = 2.0;
/// What any other adds.
const STANDARD: f64 = 1.0;
/// What one adds, of whatever value, that needs little any more.
pub(super) const DORMANT: f64 = 0.5;
/// All of them, the heaviest first.
pub(super) const WEIGHTS: [f64; 3] = [HIGH_VALUE, STANDARD, DORMANT];

/// A client, as an assignment sees it.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_field_names, reason = "columns, as they are called")]
pub(super) struct Client {
    pub(super) tenant_id: Uuid,
    pub(super) client_id: Uuid,
    pub(super) name: String,
    pub(super) status: String,
    pub(super) plan: String,
    pub(super) monthly_budget_micros: i64,
    pub(super) industry: Option<String>,
    pub(super) channels: Vec<String>,
    pub(super) languages: Vec<String>,
    pub(super) region: Option<String>,
    pub(super) exclusive: bool,
    /// Minutes by which its zone is ahead of UTC now.
    pub(super) ahead: i32,
    /// Who looks after it now.
    pub(super) partner_id: Option<Uuid>,
    /// Whether a proposal for it waits for a person.
    pub(super) is_proposed: bool,
}

/// Why a client cannot be decided on.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// There is none, as far as the tenant may know.
    #[error("client_id: there is no client {0}")]
    Unknown(Uuid),
    /// Two tenants use the same id.
    #[error(
        "client_id: several tenants have a client {0}; name the tenant, by enqueueing the job for it"
    )]
    Ambiguous(Uuid),
    /// The database did not carry it out.
    #[error("the database did not carry it out")]
    Database(#[from] sqlx::Error),
}

impl Client {
    /// Its tenant.
    pub(super) fn tenant(&self) -> TenantId {
        TenantId(self.tenant_id)
    }

    /// Whether it goes to senior partners first.
    pub(super) fn is_high_value(&self, settings: &Settings) -> bool {
        self.plan == "enterprise" || self.monthly_budget_micros >= settings.high_value_budget_micros
    }

    /// What it adds to a partner's load.
    pub(super) fn weight(&self, settings: &Settings) -> f64 {
        if self.status == "dormant" {
            DORMANT
        } else if self.is_high_value(settings) {
            HIGH_VALUE
        } else {
            STANDARD
        }
    }

    /// Industries, channels and languages it needs, counted together.
    pub(super) fn needs(&self) -> usize {
        usize::from(self.industry.is_some()) + self.channels.len() + self.languages.len()
    }
}

/// The client, locked until the transaction ends: whoever decides on it waits here, and nobody else does. Locks of partners come after.
/// The platform's jobs find a client of any tenant.
pub(super) async fn lock(
    conn: &mut PgConnection,
    client: Uuid,
    tenant: TenantId,
) -> Result<Client, ClientError> {
    let found = sqlx::query_scalar!(
        r#"-- assignment.lock_client
        SELECT tenant_id FROM fleet.clients
        WHERE client_id = $1 AND ($2::uuid = '00000000-0000-0000-0000-000000000000' OR tenant_id = $2)
        LIMIT 2
        FOR NO KEY UPDATE"#,
        client,
        tenant.0,
    )
    .fetch_all(&mut *conn)
    .await?;
    match found[..] {
        [tenant] => read(conn, &[tenant], &[client])
            .await?
            .pop()
            .ok_or(ClientError::Unknown(client)),
        [] => Err(ClientError::Unknown(client)),
        _ => Err(ClientError::Ambiguous(client)),
    }
}

/// Clients as they are, in no order: `tenants[i]` has `clients[i]`.
pub(super) async fn read(
    conn: &mut PgConnection,
    tenants: &[Uuid],
    clients: &[Uuid],
) -> Result<Vec<Client>, sqlx::Error> {
    sqlx::query_as!(
        Client,
        r#"-- assignment.clients
        SELECT c.tenant_id, c.client_id, c.name, c.status, c.plan, c.monthly_budget_micros, c.industry, c.channels, c.languages, c.region,
               c.exclusive, fleet.utc_minutes(c.zone, fleet.clock()) AS "ahead!", a.partner_id AS "partner_id?",
               EXISTS (SELECT FROM fleet.assignment_reservations AS r
                       WHERE r.tenant_id = c.tenant_id AND r.client_id = c.client_id AND r.ended_at IS NULL) AS "is_proposed!"
        FROM unnest($1::uuid[], $2::uuid[]) AS w (tenant_id, client_id)
        JOIN fleet.clients AS c ON c.tenant_id = w.tenant_id AND c.client_id = w.client_id
        LEFT JOIN fleet.client_assignments AS a ON a.tenant_id = c.tenant_id AND a.client_id = c.client_id AND a.ended_at IS NULL"#,
        tenants,
        clients,
    )
    .fetch_all(conn)
    .await
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A client that needs nothing in particular.
    pub(in super::super) fn plain() -> Client {
        Client {
            tenant_id: Uuid::from_u128(1),
            client_id: Uuid::from_u128(2),
            name: "Client".to_owned(),
            status: "active".to_owned(),
            plan: "standard".to_owned(),
            monthly_budget_micros: 0,
            industry: None,
            channels: Vec::new(),
            languages: Vec::new(),
            region: None,
            exclusive: false,
            ahead: 0,
            partner_id: None,
            is_proposed: false,
        }
    }

    #[test]
    fn value_decides_the_weight_unless_the_client_sleeps() {
        let settings = Settings::default();
        let with = |plan: &str, budget, status: &str| {
            let client = Client {
                plan: plan.to_owned(),
                monthly_budget_micros: budget,
                status: status.to_owned(),
                ..plain()
            };
            (client.weight(&settings), client.is_high_value(&settings))
        };
        assert_eq!(with("standard", 9_999_999_999, "active"), (1.0, false));
        assert_eq!(with("starter", 10_000_000_000, "active"), (2.0, true));
        assert_eq!(with("enterprise", 0, "active"), (2.0, true));
        assert_eq!(with("enterprise", 0, "dormant"), (0.5, true));
    }
}
