//! Who could take a client: all partners ([`Roster`]) beside what bears on them at this moment, and for a batch those with room.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use sqlx::PgConnection;
use uuid::Uuid;

use super::choose::{Barred, OpenTo, best, open_to};
use super::client::Client;
use super::desk::{Desk, Filter};
use super::roster::Roster;
use super::settings::Settings;

/// As many candidates as are tried, one after the other, before everything is looked at anew.
const TRIED_MAX: usize = 10;

/// What a look at all partners found.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// The best first.
    pub(super) desks: Vec<Desk>,
    /// How many each filter removed.
    pub(super) removed: Vec<(Filter, i64)>,
    /// How many partners there are.
    pub(super) looked_at: i64,
}

impl Found {
    /// The best `most` of those that a client could go to.
    pub(super) fn among(
        client: &Client,
        desks: &[Desk],
        open: &OpenTo,
        settings: &Settings,
        most: usize,
    ) -> Self {
        let best = best(client, desks, open, settings, most);
        Self {
            desks: best.into_iter().map(|at| desks[at].clone()).collect(),
            removed: open.removed.clone(),
            looked_at: desks.len() as i64,
        }
    }
}

/// All partners at a moment, and to whom some clients cannot go.
pub(super) struct Field {
    pub(super) desks: Vec<Desk>,
    /// By client, partners where a competitor of its is.
    rivals: Vec<HashSet<Uuid>>,
}

/// The best partners for a client, and why the others are out of the question.
pub(super) async fn candidates(
    conn: &mut PgConnection,
    roster: &Roster,
    client: &Client,
    settings: &Settings,
    exclude: &[Uuid],
) -> Result<Found, sqlx::Error> {
    let field = Field::look(conn, roster, std::slice::from_ref(client)).await?;
    Ok(field.candidates(0, client, settings, exclude))
}

impl Field {
    /// Looks at all partners for these clients.
    pub(super) async fn look(
        conn: &mut PgConnection,
        roster: &Roster,
        clients: &[Client],
    ) -> Result<Self, sqlx::Error> {
        let around = around(conn, clients).await?;
        let partners = roster.look(conn).await?;
        let desk = |partner: &Arc<_>| Desk::at(partner, &around.recent, &around.away);
        Ok(Self {
            desks: partners.iter().map(desk).collect(),
            rivals: around.rivals,
        })
    }

    /// Only those that are open to somebody, those with the highest score and standing first, at most `limit`.
    pub(super) fn with_room(mut self, settings: &Settings, limit: usize) -> Self {
        self.desks.retain(Desk::is_open);
        let before = |a: &Desk, b: &Desk| {
            let ids = || a.partner_id.cmp(&b.partner_id);
            b.promise(settings)
                .total_cmp(&a.promise(settings))
                .then_with(ids)
        };
        self.desks.sort_by(before);
        self.desks.truncate(limit);
        self
    }

    /// The best partners for the client at this place, and why the others are out of the question.
    pub(super) fn candidates(
        &self,
        place: usize,
        client: &Client,
        settings: &Settings,
        exclude: &[Uuid],
    ) -> Found {
        let open = open_to(client, &self.desks, settings, &self.barred(place, exclude));
        Found::among(client, &self.desks, &open, settings, TRIED_MAX)
    }

    /// Whom the client at this place cannot go to.
    pub(super) fn barred(&self, place: usize, exclude: &[Uuid]) -> Barred<'_> {
        Barred {
            excluded: exclude.iter().copied().collect(),
            rivals: &self.rivals[place],
        }
    }
}

/// What bears on partners beside what they are.
struct Around {
    /// On leave now.
    away: HashSet<Uuid>,
    /// Clients that each was given in the last day.
    recent: HashMap<Uuid, i64>,
    /// By client, partners where a competitor of its is.
    rivals: Vec<HashSet<Uuid>>,
}

async fn around(conn: &mut PgConnection, clients: &[Client]) -> Result<Around, sqlx::Error> {
    let key = |it: &Client| (it.tenant_id, it.client_id);
    let (tenants, ids): (Vec<_>, Vec<_>) = clients.iter().map(key).unzip();
    let row = sqlx::query!(
        r#"-- assignment.around
        SELECT ARRAY(SELECT l.partner_id FROM fleet.partner_leaves AS l
                     JOIN fleet.partners AS p ON p.partner_id = l.partner_id
                     WHERE l.ends_at > fleet.clock() AND l.starts_at <= fleet.clock()
                       AND (p.tenant_id = '00000000-0000-0000-0000-000000000000' OR l.tenant_id = p.tenant_id)) AS "away!",
               n.partners AS "recent!", n.counts AS "counts!", r.places AS "places!", r.partners AS "rivals!"
        FROM (SELECT COALESCE(array_agg(n.partner_id), '{}') AS partners, COALESCE(array_agg(n.count), '{}') AS counts
              FROM (SELECT a.partner_id, count(*) AS count FROM fleet.client_assignments AS a
                    WHERE a.started_at > fleet.clock() - interval '24 hours'
                    GROUP BY a.partner_id) AS n) AS n
        CROSS JOIN (SELECT COALESCE(array_agg(w.place), '{}') AS places, COALESCE(array_agg(r.partner_id), '{}') AS partners
                    FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS w (tenant_id, client_id, place)
                    CROSS JOIN LATERAL fleet.rivals_of(w.tenant_id, w.client_id) AS r) AS r"#,
        &tenants,
        &ids,
    )
    .fetch_one(conn)
    .await?;
    let mut rivals = vec![HashSet::new(); clients.len()];
    for (place, partner) in row.places.into_iter().zip(row.rivals) {
        rivals[place as usize - 1].insert(partner);
    }
    Ok(Around {
        away: row.away.into_iter().collect(),
        recent: row.recent.into_iter().zip(row.counts).collect(),
        rivals,
    })
}
