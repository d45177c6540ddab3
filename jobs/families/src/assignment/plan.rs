//! Who of many clients should go where, and carrying that out: the optimum is found on what was read at once, without locks; the guard
//! decides for each client whether it still holds.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use fleet_queue::{Cx, JobError};
use futures::stream::{self, StreamExt, TryStreamExt};
use sqlx::{PgConnection, PgPool};

use super::assign::{Outcome, settled, take};
use super::auto::{Auto, refused};
use super::batch::{Batched, Picked};
use super::candidates::{Field, Found};
use super::choose::{OpenTo, open_to};
use super::client::{self, Client, ClientError};
use super::decision::Mode;
use super::desk::Desk;
use super::follow_up;
use super::optimum::optimum;
use super::rationale::{Candidate, Rationale, Rules, SHOWN};
use super::roster::Roster;

/// Partners among whom clients are solved.
const PARTNERS_MAX: usize = 2000;
/// Clients that are given their partners at the same time.
const AT_ONCE: usize = 3;

/// Who should go where.
pub(super) struct Plan {
    pub(super) clients: Vec<Client>,
    desks: Vec<Desk>,
    /// By client, where it could go.
    open_to: Vec<OpenTo>,
    /// By client, the partner that the optimum gives it.
    chosen: Vec<Option<usize>>,
}

impl Plan {
    pub(super) async fn make(
        conn: &mut PgConnection,
        roster: &Roster,
        picked: Vec<Picked>,
        rules: &Rules,
    ) -> Result<Self, sqlx::Error> {
        let key = |it: &Picked| (it.tenant_id, it.client_id);
        let (tenants, ids): (Vec<_>, Vec<_>) = picked.iter().map(key).unzip();
        let clients = client::read(conn, &tenants, &ids).await?;
        let excluded: HashMap<_, _> = picked.iter().map(|it| (key(it), &it.exclude)).collect();
        let field = Field::look(conn, roster, &clients).await?;
        let field = field.with_room(&rules.settings, PARTNERS_MAX);
        let open_to = |(place, client): (usize, &Client)| {
            let not = excluded.get(&(client.tenant_id, client.client_id));
            let barred = field.barred(place, not.map_or(&[], |it| it.as_slice()));
            open_to(client, &field.desks, &rules.settings, &barred)
        };
        let open_to: Vec<OpenTo> = clients.iter().enumerate().map(open_to).collect();
        let desks = field.desks;
        let chosen = optimum(&clients, &desks, &open_to, rules);
        Ok(Self {
            clients,
            desks,
            open_to,
            chosen,
        })
    }

    /// A few clients at a time, each in a transaction of its own: while the database works for one, we do for another.
    pub(super) async fn carry_out(
        &self,
        rules: &Rules,
        cx: &Cx<Roster>,
    ) -> Result<Batched, JobError> {
        let (ended, all) = (AtomicU64::new(0), self.clients.len());
        let each = async |row| {
            let one = self.carry_out_one(cx.pool(), row, rules).await?;
            // Here, and not between them: nobody's transaction stands still while this waits for a connection.
            let ended = 1 + ended.fetch_add(1, Ordering::Relaxed);
            cx.progress(ended, all as u64, "assigning").await?;
            Ok::<_, JobError>(one)
        };
        let mut done = Batched {
            clients: all,
            partners: self.desks.len(),
            ..Batched::default()
        };
        // Who is left out is looked at alone, perhaps at once: not before everybody has the slot that is meant for it.
        let (chosen, left_out): (Vec<_>, Vec<_>) =
            (0..all).partition(|&row| self.chosen[row].is_some());
        for rows in [chosen, left_out] {
            let lanes = stream::iter(rows).map(&each).buffer_unordered(AT_ONCE);
            let and = async |sum: Batched, one| Ok(sum.and(&one));
            done = lanes.try_fold(done, and).await?;
        }
        Ok(done)
    }

    async fn carry_out_one(
        &self,
        pool: &PgPool,
        row: usize,
        rules: &Rules,
    ) -> Result<Batched, JobError> {
        let mut done = Batched::default();
        let mut tx = pool.begin().await?;
        self.settle(&mut tx, row, rules, &mut done).await?;
        tx.commit().await?;
        Ok(done)
    }

    async fn settle(
        &self,
        conn: &mut PgConnection,
        row: usize,
        rules: &Rules,
        done: &mut Batched,
    ) -> Result<(), JobError> {
        let planned = &self.clients[row];
        let passed_up = u64::from(self.chosen[row].is_some());
        let client = match client::lock(conn, planned.client_id, planned.tenant()).await {
            Ok(client) => client,
            Err(ClientError::Unknown(_)) => {
                done.passed_up += passed_up;
                return Ok(());
            }
            Err(error) => return Err(refused(error)),
        };
        if settled(conn, &client, rules).await?.is_some() {
            done.settled += 1;
            done.passed_up += passed_up;
            return Ok(());
        }
        if let Some(column) = self.chosen[row] {
            let rationale = self.rationale(&client, row, column, rules);
            match take(conn, &client, rules, Mode::Batch, rationale).await? {
                Some(Outcome::PendingApproval { .. }) => done.pending_approval += 1,
                Some(_) => done.assigned += 1,
                None => {
                    done.passed_up += 1;
                    self.alone(conn, &client, done).await?;
                }
            }
        } else if self.is_waiting(conn, &client).await? {
            // The optimum leaves nobody out who need not be: what room there is goes to others.
            done.waiting += 1;
        } else {
            self.alone(conn, &client, done).await?;
        }
        Ok(())
    }

    /// Has the client looked at alone: with all partners, and with the waitlist at the end.
    async fn alone(
        &self,
        conn: &mut PgConnection,
        client: &Client,
        done: &mut Batched,
    ) -> Result<(), JobError> {
        let auto = Auto::of(client.client_id).new_job(client.tenant());
        follow_up::enqueue(conn, &auto).await?;
        done.alone += 1;
        Ok(())
    }

    /// Whether it waits already: then it goes on waiting, and was tried.
    async fn is_waiting(
        &self,
        conn: &mut PgConnection,
        client: &Client,
    ) -> Result<bool, sqlx::Error> {
        let tried = sqlx::query!(
            r#"-- assignment.tried
            UPDATE fleet.assignment_waitlist SET tried_at = fleet.clock() WHERE tenant_id = $1 AND client_id = $2"#,
            client.tenant_id,
            client.client_id,
        )
        .execute(conn)
        .await?;
        // Partners beyond those that were solved may have room for it still.
        Ok(tried.rows_affected() == 1 && self.desks.len() < PARTNERS_MAX)
    }

    fn rationale(&self, client: &Client, row: usize, column: usize, rules: &Rules) -> Rationale {
        let settings = &rules.settings;
        // As many as a rationale shows, and one more.
        let open = &self.open_to[row];
        let found = Found::among(client, &self.desks, open, settings, SHOWN + 1);
        let mut rationale = Rationale::begin(client, &found, rules);
        let chosen = Candidate::of(client, &self.desks[column], settings);
        let others = Candidate::all(client, &found, settings);
        rationale.choose(&chosen, &others, settings.confidence_slope);
        rationale.flags.push("batch".to_owned());
        rationale
    }
}
