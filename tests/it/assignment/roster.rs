//! What a worker keeps of all partners is what the table says, whatever transactions do: those that end otherwise than they began, those
//! that are under way for long, and the reader's own.

use std::time::Duration;

use fleet_jobs::assignment::Roster;
use fleet_tests::random::{cases, play_cases};
use proptest::prelude::*;
use sqlx::PgConnection;
use tokio::runtime::Runtime;

use super::house::{House, id};
use crate::plans::touched::{Reads, touched_by};

const CASES: u64 = 40;
/// Sessions with transactions of their own, and partners that each alone writes to.
const SESSIONS: usize = 3;
const PARTNERS: usize = 3;

#[derive(Clone, Copy, Debug)]
enum Step {
    Write(usize, usize),
    Remove(usize, usize),
    Add(usize, usize),
    Mark(usize),
    Undo(usize),
    Commit(usize),
    Rollback(usize),
    /// Looks within the session's transaction.
    Look(usize),
    /// Looks from outside of all.
    Pass,
    /// Brings what is kept up to date.
    Prepare,
}

fn step() -> impl Strategy<Value = Step> {
    (0..10_u8, 0..SESSIONS, 0..PARTNERS).prop_map(|(what, session, partner)| match what {
        0 | 1 => Step::Write(session, partner),
        2 => Step::Remove(session, partner),
        3 => Step::Add(session, partner),
        4 => Step::Mark(session),
        5 => Step::Undo(session),
        6 => Step::Commit(session),
        7 => Step::Rollback(session),
        8 => Step::Prepare,
        _ if partner == 0 => Step::Pass,
        _ => Step::Look(session),
    })
}

struct Session {
    conn: sqlx::pool::PoolConnection<sqlx::Postgres>,
    is_open: bool,
    is_marked: bool,
}

impl Session {
    async fn of(house: &House) -> Self {
        Self {
            conn: house.db.conn().await,
            is_open: false,
            is_marked: false,
        }
    }

    async fn say(&mut self, sql: String) {
        let sql = sqlx::raw_sql(sqlx::AssertSqlSafe(sql));
        sql.execute(&mut *self.conn).await.unwrap();
    }

    /// In its transaction, which it begins where it is in none.
    async fn write(&mut self, sql: String) {
        if !self.is_open {
            self.say("BEGIN".to_owned()).await;
            self.is_open = true;
        }
        self.say(sql).await;
    }

    async fn mark(&mut self) {
        self.write("SAVEPOINT mark".to_owned()).await;
        self.is_marked = true;
    }

    async fn undo(&mut self) {
        if self.is_marked {
            self.say("ROLLBACK TO mark".to_owned()).await;
        }
    }

    async fn end(&mut self, how: &str) {
        if self.is_open {
            self.say(how.to_owned()).await;
        }
        (self.is_open, self.is_marked) = (false, false);
    }
}

/// A partner that no other session writes to: one that waited for another would wait for ever here.
fn name(session: usize, partner: usize) -> String {
    format!("p{session}{partner}")
}

const WRITE: &str = "UPDATE fleet.partner_capacity SET load = load + 0.01 WHERE partner_id = ";
const REMOVE: &str = "DELETE FROM fleet.partner_capacity WHERE partner_id = ";
const ADD: &str = "INSERT INTO fleet.partner_capacity (tenant_id, partner_id, load, cap, score, confidence, level, components, inputs_version, computed_at, settings_version)
    SELECT tenant_id, partner_id, 0, 10, 50, 0.5, 'open', '{}', 1, fleet.clock(), 1 FROM fleet.partners
    WHERE partner_id NOT IN (SELECT partner_id FROM fleet.partner_capacity) AND partner_id = ";

async fn play(house: &House, roster: &Roster, steps: &[Step]) -> Result<(), String> {
    let mut sessions = Vec::new();
    for _ in 0..SESSIONS {
        sessions.push(Session::of(house).await);
    }
    let played = take(house, roster, &mut sessions, steps).await;
    // Also where it went wrong: the next case would wait for a transaction that was left open.
    for session in &mut sessions {
        session.end("ROLLBACK").await;
    }
    played?;
    agree(roster, &mut *house.db.conn().await).await
}

async fn take(
    house: &House,
    roster: &Roster,
    sessions: &mut [Session],
    steps: &[Step],
) -> Result<(), String> {
    let about = |session, partner, sql| format!("{sql}'{}'", id(&name(session, partner)));
    for step in steps {
        match *step {
            Step::Write(at, partner) => sessions[at].write(about(at, partner, WRITE)).await,
            Step::Remove(at, partner) => sessions[at].write(about(at, partner, REMOVE)).await,
            Step::Add(at, partner) => sessions[at].write(about(at, partner, ADD)).await,
            Step::Mark(at) => sessions[at].mark().await,
            Step::Undo(at) => sessions[at].undo().await,
            Step::Commit(at) => sessions[at].end("COMMIT").await,
            Step::Rollback(at) => sessions[at].end("ROLLBACK").await,
            Step::Look(at) => agree(roster, &mut sessions[at].conn).await?,
            Step::Pass => agree(roster, &mut *house.db.conn().await).await?,
            Step::Prepare => roster.prepare(&house.db.pool).await.unwrap(),
        }
    }
    for session in sessions {
        agree(roster, &mut session.conn).await?;
    }
    Ok(())
}

async fn agree(roster: &Roster, conn: &mut PgConnection) -> Result<(), String> {
    let strays = roster.strays(conn).await.unwrap();
    let none = strays.is_empty();
    none.then_some(())
        .ok_or_else(|| format!("not as the table says: {strays:?}"))
}

#[test]
fn what_is_kept_is_what_the_table_says() {
    let runtime = Runtime::new().unwrap();
    let house = runtime.block_on(async {
        let house = House::open().await;
        for session in 0..SESSIONS {
            for partner in 0..PARTNERS {
                house.partner(&name(session, partner), 10.0, "").await;
            }
        }
        house.score().await;
        house
    });
    let roster = Roster::fresh_for(Duration::ZERO);
    let steps = prop::collection::vec(step(), 1..60);
    play_cases(cases(CASES), &steps, |steps| {
        runtime.block_on(play(&house, &roster, &steps))
    });
}

const MANY: &str = "
    INSERT INTO fleet.partners (tenant_id, partner_id, name, active_since)
    SELECT '00000000-0000-0000-0000-000000000000', md5(i::text)::uuid, 'partner ' || i, '2024-01-01' FROM generate_series(1, 500) AS i";
const THREE: &str = "
    UPDATE fleet.partner_capacity SET load = load + 1 WHERE partner_id IN (md5('1')::uuid, md5('2')::uuid, md5('3')::uuid)";

#[tokio::test]
async fn a_look_goes_over_the_table_twice_at_most() {
    let house = House::open().await;
    house.db.execute(MANY).await;
    house.score().await;
    // Of entries that no row stands behind any more there may be any number.
    house.db.execute("VACUUM fleet.partner_capacity").await;
    house.roster.prepare(&house.db.pool).await.unwrap();
    house.db.execute(THREE).await;
    let touched = touched_by(&mut *house.db.conn().await, async |conn| {
        agree(&house.roster, conn).await.unwrap();
    })
    .await;
    let Reads { walked, fetched } = touched["partner_capacity"];
    // To count and to find what has changed; and the same once more for all of it, to compare. An index may have both entries of the three.
    assert!(walked + fetched <= 2 * (2 * 500 + 3), "{walked} {fetched}");
}
