//! Tickets and messages coming in: row and job together, the same twice once, bad ones named.

use fleet_jobs::metrics::Format;
use fleet_jobs::tickets::{
    Author, Filter, NewMessage, TICKETS_MAX, TicketError, create, import, list, say,
};
use fleet_queue::TenantId;
use uuid::Uuid;

use super::desk::{CLIENT, Desk, QUESTION, TENANT, new_ticket};

#[tokio::test]
async fn a_tenants_tickets_are_listed_without_those_of_others() {
    let mut desk = Desk::open().await;
    let ticket = desk.ticket(QUESTION).await;
    desk.db
        .execute("INSERT INTO fleet.tickets (tenant_id, client_id) SELECT md5('t')::uuid, md5('c')::uuid FROM generate_series(1, 3)")
        .await;
    for (tenant, count) in [(Some(TENANT), 1), (None, 4)] {
        let filter = Filter {
            tenant,
            ..Filter::default()
        };
        let found = list(desk.conn(), &filter, 10).await.unwrap();
        assert_eq!(found.len(), count);
        assert!(found.iter().any(|it| it.ticket_id == ticket));
    }
    let planned = sqlx::query_scalar::<_, String>("SHOW plan_cache_mode");
    let planned = planned.fetch_one(desk.conn()).await.unwrap();
    assert_eq!(planned, "auto", "the session is left as it was");
}

#[tokio::test]
async fn a_portal_whose_clock_is_ahead_asks_nothing_after_the_answer() {
    let mut desk = Desk::open().await;
    let ahead = Some("2026-11-23T09:04:00Z".parse().unwrap());
    let ticket = desk.ticket_as(|it| it.opened_at = ahead).await;
    desk.at("2026-11-23T09:01:00Z").await;
    desk.say(ticket, Author::Staff, false).await;
    let shown = desk.show(ticket).await;
    let authors: Vec<_> = shown.messages.iter().map(|it| &it.author).collect();
    assert_eq!(authors, ["customer", "staff"]);
    assert_eq!(shown.clocks.len(), 2, "nothing waits for an answer");
    assert_eq!(shown.clocks[0].state, "met");
}

#[tokio::test]
async fn each_ticket_has_its_message_and_its_job_and_a_bad_one_spoils_none() {
    let mut desk = Desk::open().await;
    let mut stranger = new_ticket("x");
    stranger.client_id = Uuid::from_u128(9);
    let mut long = new_ticket("x");
    long.subject = "x".repeat(501);
    let mut zero = new_ticket("a\0b");
    zero.external_id = Some("z".into());
    let mut late = new_ticket("x");
    late.opened_at = Some("2040-01-01T00:00:00Z".parse().unwrap());
    let mut nameless = new_ticket("x");
    nameless.external_id = Some(String::new());
    let given = [
        new_ticket(QUESTION),
        stranger,
        long,
        zero,
        late,
        nameless,
        new_ticket(""),
    ];
    let made = create(desk.conn(), TENANT, &given).await.unwrap();
    let told: Vec<_> = made
        .iter()
        .map(|it| match it {
            Ok(created) => {
                if created.job_id.is_some() {
                    "made"
                } else {
                    "there"
                }
            }
            Err(TicketError::Refused { field, .. }) => field,
            Err(other) => panic!("{other}"),
        })
        .collect();
    assert_eq!(
        told,
        [
            "made",
            "client_id",
            "subject",
            "body",
            "opened_at",
            "external_id",
            "made"
        ]
    );
    for (what, sql) in [
        ("tickets", "SELECT count(*) FROM fleet.tickets"),
        ("messages", "SELECT count(*) FROM fleet.ticket_messages"),
        (
            "jobs",
            "SELECT count(*) FROM fleet.job WHERE kind = 'triage.ticket' AND state = 'available'",
        ),
        (
            "events",
            "SELECT count(*) FROM fleet.event WHERE kind = 'ticket.opened'",
        ),
    ] {
        assert_eq!(desk.db.number(sql).await, 2, "{what}");
    }
    let many = vec![new_ticket("x"); TICKETS_MAX + 1];
    assert!(create(desk.conn(), TENANT, &many).await.is_err());
}

#[tokio::test]
async fn the_same_external_id_is_the_same_ticket_within_a_batch_after_it_and_at_once() {
    let mut desk = Desk::open().await;
    let mut named = new_ticket(QUESTION);
    named.external_id = Some("T-1".into());
    let made = create(desk.conn(), TENANT, &[named.clone(), named.clone()])
        .await
        .unwrap();
    let made: Vec<_> = made.into_iter().map(Result::unwrap).collect();
    assert_eq!(made[0].ticket_id, made[1].ticket_id);
    let again = create(desk.conn(), TENANT, &[named.clone()])
        .await
        .unwrap()
        .pop()
        .unwrap()
        .unwrap();
    assert_eq!(
        (again.ticket_id, again.duplicate, again.job_id),
        (made[0].ticket_id, true, None)
    );
    let mut racing = named.clone();
    racing.external_id = Some("T-2".into());
    let races = (0..8).map(|_| {
        let (pool, ticket) = (desk.db.pool.clone(), racing.clone());
        tokio::spawn(async move {
            let mut tx = pool.begin().await.unwrap();
            let made = create(&mut tx, TENANT, &[ticket])
                .await
                .unwrap()
                .pop()
                .unwrap()
                .unwrap();
            tx.commit().await.unwrap();
            made
        })
    });
    let mut ids = Vec::new();
    let mut new = 0;
    for race in races.collect::<Vec<_>>() {
        let made = race.await.unwrap();
        new += usize::from(!made.duplicate);
        ids.push(made.ticket_id);
    }
    ids.dedup();
    assert_eq!((ids.len(), new), (1, 1));
    assert_eq!(
        desk.db
            .number("SELECT count(*) FROM fleet.job WHERE kind = 'triage.ticket'")
            .await,
        2
    );
    let other = TenantId(Uuid::from_u128(5));
    let refused = create(desk.conn(), other, &[named])
        .await
        .unwrap()
        .pop()
        .unwrap();
    assert!(refused.is_err(), "another tenant has no such client");
}

#[tokio::test]
async fn a_message_is_said_once_and_a_waiting_customer_makes_no_sense() {
    let mut desk = Desk::open().await;
    let ticket = desk.sorted(QUESTION).await;
    let message = |author, waiting| NewMessage {
        author,
        body: "more".into(),
        message_id: Some("<7@mail>".into()),
        waiting,
    };
    let asked = message(Author::Customer, false);
    let first = say(desk.conn(), TENANT, ticket, &asked)
        .await
        .unwrap()
        .unwrap();
    let second = say(desk.conn(), TENANT, ticket, &asked)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (first.duplicate, second.duplicate, second.message_id),
        (false, true, first.message_id)
    );
    assert_eq!((first.revision, second.revision), (2, 2));
    let refused = say(
        desk.conn(),
        TENANT,
        ticket,
        &message(Author::Customer, true),
    )
    .await;
    assert!(matches!(
        refused,
        Err(TicketError::Refused {
            field: "waiting",
            ..
        })
    ));
    let nobody = say(desk.conn(), TENANT, Uuid::from_u128(9), &asked)
        .await
        .unwrap();
    assert_eq!(nobody, None);
}

#[tokio::test]
async fn a_file_is_taken_in_with_its_bad_rows_named() {
    let mut desk = Desk::open().await;
    let mut rows = vec!["client_id,subject,body,external_id,colour".to_owned()];
    rows.extend(
        (0..1_200).map(|n| {
            format!("{CLIENT},Question {n},\"How do I, please,\\nadd a user?\",F-{n},red")
        }),
    );
    rows.push(format!("{CLIENT},again,x,F-7,red"));
    rows.push("nobody,x,x,,".into());
    rows.push(format!("{},x,x,,", Uuid::from_u128(9)));
    rows.push("short".into());
    let file = rows.join("\n");
    let mut reached = 0;
    let report = import(
        desk.conn(),
        file.as_bytes(),
        Format::Csv,
        Some(TENANT),
        |it| reached = it.rows,
    )
    .await
    .unwrap();
    assert_eq!(
        (
            report.read,
            report.created,
            report.duplicates,
            report.refused
        ),
        (1_204, 1_200, 1, 3)
    );
    let named: Vec<_> = report
        .refusals
        .iter()
        .map(|it| (it.line, it.field))
        .collect();
    assert_eq!(
        named,
        [
            (1_203, Some("client_id")),
            (1_205, Some("line")),
            (1_204, Some("client_id"))
        ]
    );
    assert_eq!(
        (reached, report.ignored_columns),
        (1_204, vec!["colour".to_owned()])
    );
    let body = "SELECT DISTINCT body FROM fleet.ticket_messages";
    assert_eq!(desk.db.text(body).await, "How do I, please,\nadd a user?");
    let again = import(
        desk.conn(),
        file.as_bytes(),
        Format::Csv,
        Some(TENANT),
        |_| (),
    )
    .await
    .unwrap();
    assert_eq!(
        (again.created, again.duplicates),
        (0, 1_201),
        "sending it again is safe"
    );
}
