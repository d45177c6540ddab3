//! Clients that have just come in, each with its own wishes: the fleet finds them partners while somebody watches. Some are easy, some a
//! person is asked about, one is of high value, one wants no competitor beside it, and one nobody can take.

use fleet_queue::TenantId;
use sqlx::PgConnection;

use super::Options;
use super::catalog::{CHANNELS, INDUSTRIES};
use super::dice::Dice;
use super::population::{LANGUAGES, tenant_id};
use crate::clients::{CreateError, NewClient, Plan, create_client};

/// How many.
const NEWCOMERS: u32 = 12;

/// Takes them in by the front door, with the jobs that find them partners. Those that are there already stay as they are.
pub async fn newcomers(conn: &mut PgConnection, options: &Options) -> Result<u64, CreateError> {
    let mut taken = 0;
    for number in 0..NEWCOMERS {
        let tenant = TenantId(tenant_id(options, number % options.tenants));
        match create_client(conn, tenant, &newcomer(options, number)).await {
            Ok(_) => taken += 1,
            Err(CreateError::Exists(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(taken)
}

fn newcomer(options: &Options, number: u32) -> NewClient {
    let mut dice = Dice::of(options.seed, "newcomer", number.into());
    let client_id = dice.id();
    let industry = dice.pick(&INDUSTRIES).name;
    let mut languages = vec!["en".to_owned()];
    if dice.chance(0.4) {
        languages.push((*dice.pick(&LANGUAGES)).to_owned());
    }
    // Nobody speaks what the last one asks for.
    if number == NEWCOMERS - 1 {
        languages.push("is".to_owned());
    }
    let plan = match number % 4 {
        0 => Plan::Enterprise,
        1 => Plan::Starter,
        _ => Plan::Standard,
    };
    NewClient {
        client_id: Some(client_id),
        name: format!("Newcomer {}", number + 1),
        plan: Some(plan),
        monthly_budget_micros: Some(500_000_000 * (1 + i64::from(number))),
        industry: Some(industry.to_owned()),
        channels: vec![dice.pick(&CHANNELS).name.to_owned()],
        languages,
        exclusive: number == 3,
        zone: Some(
            (*dice.pick(&["Europe/Berlin", "America/New_York", "Asia/Kolkata", "UTC"])).to_owned(),
        ),
        ..NewClient::default()
    }
}
