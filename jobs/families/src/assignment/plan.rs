//! Who of many clients should go where, and carrying that out: the optimum is found on what was read at once, without locks; the guard
//! decides for each client whether it still holds.
//!
//! Clients are solved by weight, the heaviest first, because a slot is as wide as a client: within one weight nothing better exists.

use std::collections::{HashMap, HashSet};

use fleet_queue::{Cx, JobError};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::assign::{Outcome, settled, take};
use super::auto::{Auto, refused};
use super::batch::{Batched, Picked};
use super::candidates::{Found, open_desks, rivals};
use super::client::{self, Client, ClientError};
use super::decision::Mode;
use super::fit::{Desk, Filter, Parts};
use super::follow_up;
use super::rationale::{Candidate, Rationale, Rules};
use super::solve::{Costs, solve};

/// Partners among whom clients are solved.
const PARTNERS_MAX: i64 = 2000;

/// Who should go where.
pub(super) struct Plan {
    pub(super) clients: Vec<Client>,
    desks: Vec<Desk>,
    /// By client, the partners that it could go to.
    open_to: Vec<Vec<usize>>,
    /// By client, the partner that the optimum gives it.
    chosen: Vec<Option<usize>>,
}

impl Plan {
    pub(super) async fn make(
        conn: &mut PgConnection,
        picked: Vec<Picked>,
        rules: &Rules,
    ) -> Result<Self, sqlx::Error> {
        let desks = open_desks(conn, &rules.settings, PARTNERS_MAX).await?;
        let key = |it: &Picked| (it.tenant_id, it.client_id);
        let (tenants, ids): (Vec<_>, Vec<_>) = picked.iter().map(key).unzip();
        let clients = client::read(conn, &tenants, &ids).await?;
        let excluded: HashMap<_, _> = picked.iter().map(|it| (key(it), &it.exclude)).collect();
        let key = |it: &Client| (it.tenant_id, it.client_id);
        let (tenants, ids): (Vec<_>, Vec<_>) = clients.iter().map(key).unzip();
        let rivals: HashSet<(usize, Uuid)> =
            rivals(conn, &tenants, &ids).await?.into_iter().collect();
        let open_to: Vec<Vec<usize>> = clients
            .iter()
            .enumerate()
            .map(|(row, client)| {
                let not = excluded
                    .get(&key(client))
                    .map_or(&[][..], |it| it.as_slice());
                let may = |desk: &Desk| {
                    !not.contains(&desk.partner_id) && !rivals.contains(&(row, desk.partner_id))
                };
                open_to(client, &desks, rules, may)
            })
            .collect();
        let chosen = optimum(&clients, &desks, &open_to, rules);
        Ok(Self {
            clients,
            desks,
            open_to,
            chosen,
        })
    }

    pub(super) async fn carry_out(
        &self,
        conn: &mut PgConnection,
        rules: &Rules,
        cx: &Cx<()>,
    ) -> Result<Batched, JobError> {
        let mut done = Batched {
            clients: self.clients.len(),
            partners: self.desks.len(),
            ..Batched::default()
        };
        for row in 0..self.clients.len() {
            let mut tx = conn.begin().await?;
            self.settle(&mut tx, row, rules, &mut done).await?;
            tx.commit().await?;
            cx.progress(row as u64 + 1, self.clients.len() as u64, "assigning")
                .await?;
        }
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
        Ok(tried.rows_affected() == 1 && (self.desks.len() as i64) < PARTNERS_MAX)
    }

    fn rationale(&self, client: &Client, row: usize, column: usize, rules: &Rules) -> Rationale {
        let mut open: Vec<&Desk> = self.open_to[row]
            .iter()
            .map(|&at| &self.desks[at])
            .collect();
        let score =
            |desk: &Desk| Parts::of(client, desk, &rules.settings).total(&rules.settings.weights);
        open.sort_by(|a, b| score(b).total_cmp(&score(a)));
        let all: Vec<Candidate> = open
            .iter()
            .map(|desk| Candidate::of(client, desk, &rules.settings))
            .collect();
        let found = Found {
            desks: open.into_iter().take(5).cloned().collect(),
            removed: self.removed(client, rules),
            looked_at: self.desks.len() as i64,
        };
        let mut rationale = Rationale::begin(client, &found, rules);
        let chosen = Candidate::of(client, &self.desks[column], &rules.settings);
        rationale.choose(&chosen, &all, rules.settings.confidence_slope);
        rationale.flags.push("batch".to_owned());
        rationale
    }

    fn removed(&self, client: &Client, rules: &Rules) -> Vec<(Filter, i64)> {
        let weight = client.weight(&rules.settings);
        let mut counts: HashMap<Filter, i64> = HashMap::new();
        for filter in self
            .desks
            .iter()
            .filter_map(|desk| desk.ruled_out(client, weight))
        {
            *counts.entry(filter).or_default() += 1;
        }
        counts.into_iter().collect()
    }
}

/// The partners that a client could go to: for one of high value the senior ones, or else those that stand high.
fn open_to(
    client: &Client,
    desks: &[Desk],
    rules: &Rules,
    may: impl Fn(&Desk) -> bool,
) -> Vec<usize> {
    let weight = client.weight(&rules.settings);
    let fits = |desk: &Desk| desk.ruled_out(client, weight).is_none() && may(desk);
    let open: Vec<usize> = (0..desks.len()).filter(|&at| fits(&desks[at])).collect();
    if !client.is_high_value(&rules.settings) {
        return open;
    }
    let senior: Vec<usize> = open
        .iter()
        .copied()
        .filter(|&at| desks[at].is_senior())
        .collect();
    if !senior.is_empty() {
        return senior;
    }
    let share = rules.settings.top_share;
    open.into_iter()
        .filter(|&at| desks[at].is_among_top(share))
        .collect()
}

/// The best partner for each, weight by weight: what the heavier take the lighter find gone.
fn optimum(
    clients: &[Client],
    desks: &[Desk],
    open_to: &[Vec<usize>],
    rules: &Rules,
) -> Vec<Option<usize>> {
    let settings = &rules.settings;
    let mut chosen = vec![None; clients.len()];
    let mut room: Vec<f64> = desks.iter().map(|desk| desk.cap - desk.load).collect();
    for weight in [2.0, 1.0, 0.5] {
        let of_weight =
            |row: &usize| (clients[*row].weight(settings) - weight).abs() < f64::EPSILON;
        let rows: Vec<usize> = (0..clients.len()).filter(of_weight).collect();
        if rows.is_empty() {
            continue;
        }
        let slots: Vec<usize> = room
            .iter()
            .map(|room| ((room + 0.001) / weight).max(0.0) as usize)
            .collect();
        let costs = costs(clients, desks, open_to, rules, &rows);
        for (row, column) in rows.iter().zip(solve(&costs, &slots)) {
            chosen[*row] = column;
            if let Some(column) = column {
                room[column] -= weight;
            }
        }
    }
    chosen
}

/// Minus the scores, for the rows that are asked for.
fn costs(
    clients: &[Client],
    desks: &[Desk],
    open_to: &[Vec<usize>],
    rules: &Rules,
    rows: &[usize],
) -> Costs {
    let mut cells = vec![f64::INFINITY; rows.len() * desks.len()];
    for (at, row) in rows.iter().enumerate() {
        for &column in &open_to[*row] {
            let parts = Parts::of(&clients[*row], &desks[column], &rules.settings);
            cells[at * desks.len() + column] = -parts.total(&rules.settings.weights);
        }
    }
    Costs::of(rows.len(), desks.len(), |row, column| {
        cells[row * desks.len() + column]
    })
}
