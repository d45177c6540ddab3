//! A support desk on a database of its own, whose clock a test pins: a client with a partner, and a senior partner beside.

use chrono::{DateTime, Utc};
use fleet_jobs::capacity::score_all;
use fleet_jobs::tickets::{
    Author, Detail, Edit, NewMessage, NewTicket, Said, TicketError, create, edit, say, show,
};
use fleet_jobs::triage::{Kept, NewArticle, Sorted, look, put_article, sort};
use fleet_queue::TenantId;
use fleet_queue::kinds::register_kinds;
use fleet_tests::{TestDb, database};
use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, Postgres};
use uuid::Uuid;

pub(super) const TENANT: TenantId = TenantId(Uuid::from_u128(0x7e7a));
pub(super) const CLIENT: Uuid = Uuid::from_u128(0xc1);
/// The client's partner.
pub(super) const ANN: Uuid = Uuid::from_u128(0xa1);
/// A senior one.
pub(super) const SUE: Uuid = Uuid::from_u128(0x5e);

/// Rules alone are sure of these.
pub(super) const QUESTION: &str = "How do I add a second user? Where can I find the team page?";
pub(super) const LOCKED_OUT: &str = "I forgot my password and am locked out since this morning.";
/// And not of this.
pub(super) const UNCLEAR: &str =
    "Could you please have a look at the thing we spoke about on Tuesday?";

const OPEN: &str = "
    INSERT INTO fleet.partners (tenant_id, partner_id, name, tier, active_since) VALUES
        ('00000000-0000-0000-0000-000000000000', '00000000-0000-0000-0000-0000000000a1', 'Ann', 'standard', '2024-01-01'),
        ('00000000-0000-0000-0000-000000000000', '00000000-0000-0000-0000-00000000005e', 'Sue', 'senior', '2024-01-01');
    INSERT INTO fleet.clients (tenant_id, client_id, name, active_since)
    VALUES ('00000000-0000-0000-0000-000000007e7a', '00000000-0000-0000-0000-0000000000c1', 'Acme', '2024-01-01');
    INSERT INTO fleet.client_assignments (tenant_id, client_id, partner_id)
    VALUES ('00000000-0000-0000-0000-000000007e7a', '00000000-0000-0000-0000-0000000000c1', '00000000-0000-0000-0000-0000000000a1')";

pub(super) struct Desk {
    pub(super) db: TestDb,
    conn: PoolConnection<Postgres>,
}

impl Desk {
    /// A desk whose clock stands at nine on a Monday.
    pub(super) async fn open() -> Self {
        let mut desk = Self::today().await;
        desk.at("2026-11-23T09:00:00Z").await;
        desk
    }

    /// A desk whose clock goes on, as that of a worker does.
    pub(super) async fn today() -> Self {
        let db = database().await;
        let kinds: Vec<_> = fleet_jobs::registry().infos().cloned().collect();
        register_kinds(&mut *db.conn().await, &kinds).await.unwrap();
        db.execute(OPEN).await;
        let now = sqlx::query_scalar("SELECT fleet.clock()")
            .fetch_one(&db.pool)
            .await
            .unwrap();
        score_all(&db.pool, now).await.unwrap();
        let conn = db.conn().await;
        Self { db, conn }
    }

    /// The connection on which the clock is pinned.
    pub(super) fn conn(&mut self) -> &mut PgConnection {
        &mut self.conn
    }

    /// Sets the desk's clock.
    pub(super) async fn at(&mut self, time: &str) {
        pin(&mut self.conn, time).await;
    }

    /// Takes a ticket in.
    pub(super) async fn ticket(&mut self, body: &str) -> Uuid {
        self.ticket_as(|ticket| ticket.body = body.to_owned()).await
    }

    pub(super) async fn ticket_as(&mut self, change: impl FnOnce(&mut NewTicket)) -> Uuid {
        let mut ticket = new_ticket("");
        change(&mut ticket);
        let mut made = create(&mut self.conn, TENANT, &[ticket]).await.unwrap();
        made.pop().unwrap().unwrap().ticket_id
    }

    /// Sorts a ticket as its job does.
    pub(super) async fn sort(&mut self, ticket: Uuid) -> Sorted {
        let revision = self.show(ticket).await.revision;
        sort(&mut self.conn, TENANT, ticket, revision, None)
            .await
            .unwrap()
    }

    /// Takes a ticket in and sorts it.
    pub(super) async fn sorted(&mut self, body: &str) -> Uuid {
        let ticket = self.ticket(body).await;
        self.sort(ticket).await;
        ticket
    }

    /// Looks at the clocks as the deadline's job does.
    pub(super) async fn look(&mut self, ticket: Uuid) -> Kept {
        look(&mut self.conn, TENANT, ticket, None)
            .await
            .unwrap()
            .expect("it is there")
    }

    pub(super) async fn say(&mut self, ticket: Uuid, author: Author, waiting: bool) -> Said {
        let message = NewMessage {
            author,
            body: "…".into(),
            message_id: None,
            waiting,
        };
        say(&mut self.conn, TENANT, ticket, &message)
            .await
            .unwrap()
            .expect("it is there")
    }

    pub(super) async fn edit(
        &mut self,
        ticket: Uuid,
        change: Edit,
    ) -> Result<Option<i32>, TicketError> {
        edit(&mut self.conn, TENANT, ticket, &change, "Eve").await
    }

    pub(super) async fn resolve(&mut self, ticket: Uuid) {
        let done = Edit {
            resolved: Some(true),
            ..Edit::default()
        };
        self.edit(ticket, done).await.unwrap();
    }

    pub(super) async fn show(&mut self, ticket: Uuid) -> Detail {
        show(&mut self.conn, ticket)
            .await
            .unwrap()
            .expect("it is there")
    }

    /// `status priority category whose`, for one look.
    pub(super) async fn line(&mut self, ticket: Uuid) -> String {
        let it = self.show(ticket).await.ticket;
        let category = it.category.as_deref().unwrap_or("-");
        let review = if it.needs_review { " review" } else { "" };
        format!(
            "{} {} {category} {}{review}",
            it.status, it.priority, it.assigned_to
        )
    }

    /// `clock state due` of each clock.
    pub(super) async fn clocks(&mut self, ticket: Uuid) -> Vec<String> {
        let clocks = self.show(ticket).await.clocks;
        let line = |clock: &fleet_jobs::tickets::ClockView| {
            let due = clock.due_at.map(|at| at.format("%a %H:%M").to_string());
            format!(
                "{} {} {}",
                clock.clock,
                clock.state,
                due.unwrap_or_default()
            )
        };
        clocks.iter().map(line).collect()
    }

    /// How many events of a kind there are.
    pub(super) async fn events(&self, kind: &str) -> i64 {
        let sql = sqlx::query_scalar("SELECT count(*) FROM fleet.event WHERE kind = $1");
        sql.bind(kind).fetch_one(&self.db.pool).await.unwrap()
    }

    pub(super) async fn article(&mut self, title: &str, body: &str) {
        let article = NewArticle {
            title: title.into(),
            body: body.into(),
            published: true,
        };
        put_article(&mut self.conn, TENANT, Uuid::now_v7(), &article)
            .await
            .unwrap();
    }
}

/// Pins a session's clock.
pub(super) async fn pin(conn: &mut PgConnection, time: &str) {
    let parsed: DateTime<Utc> = time.parse().expect("an instant");
    let sql = sqlx::query("SELECT set_config('fleet.now', $1, false)");
    sql.bind(parsed.to_rfc3339()).execute(conn).await.unwrap();
}

pub(super) fn new_ticket(body: &str) -> NewTicket {
    NewTicket {
        client_id: CLIENT,
        subject: String::new(),
        body: body.to_owned(),
        external_id: None,
        message_id: None,
        opened_at: None,
    }
}
