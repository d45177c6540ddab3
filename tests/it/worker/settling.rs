//! Results that the database will not take, and databases that take none for a while: I3.

use fleet_queue::ProbeAction;

use super::stage::{ATTEMPTS, COMPLETED, ENDED, Stage};
use super::toys::Toy;

#[tokio::test]
async fn a_result_that_cannot_be_stored_gives_its_job_up_and_no_other() {
    let stage = Stage::new().await;
    stage.put(&Toy::SayZero).await;
    stage.put(&Toy::SayMuch(1 << 20)).await;
    stage.put_many(20, &Toy::Say("fine".into())).await;
    stage.until("all end", ENDED, 22).await;
    let reasons = stage.db.text("SELECT string_agg(reason, E'\\n' ORDER BY id) FROM fleet.job_history WHERE state = 'discarded'").await;
    assert_eq!(
        reasons,
        "its result contains the character U+0000, which jsonb cannot hold\n\
         its result has 1048578 bytes of JSON, at most 1048576 are kept"
    );
    stage.end().await;
}

#[tokio::test]
async fn a_result_that_the_database_alone_refuses_is_found_in_its_batch() {
    let stage = Stage::new().await;
    stage
        .db
        .execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN
                IF NEW.output = '\"poison\"' THEN RAISE 'not this' USING ERRCODE = '22023'; END IF;
                RETURN NEW;
             END $$;
             CREATE TRIGGER refuse BEFORE INSERT ON fleet.job_output FOR EACH ROW EXECUTE FUNCTION refuse()",
        )
        .await;
    // Held back until all have run, so that they come in one batch.
    stage
        .db
        .probes()
        .set("worker.before_settle", ProbeAction::Hold);
    stage.put_many(20, &Toy::Say("fine".into())).await;
    stage.put(&Toy::Say("poison".into())).await;
    stage.put_many(20, &Toy::Say("fine".into())).await;
    fleet_tests::eventually("all have run", || async {
        (stage.counts.begun() == 41).then_some(())
    })
    .await;
    stage
        .db
        .probes()
        .set("worker.before_settle", ProbeAction::Continue);
    stage.until("all end", ENDED, 41).await;
    assert_eq!(stage.db.number(COMPLETED).await, 40);
    let attempts = stage.db.text(ATTEMPTS).await;
    assert!(
        attempts.starts_with("discarded: the database refuses its result")
            && attempts.contains("not this"),
        "{attempts}"
    );
    assert_eq!(stage.counts.begun(), 41, "nothing ran twice for it");
    stage.end().await;
}

/// Whatever becomes of a job would have to be written where the database takes nothing about it.
#[tokio::test]
async fn i3_a_job_whose_end_the_database_refuses_holds_up_no_other() {
    let stage = Stage::new().await;
    stage
        .db
        .execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN
                IF NEW.payload::text LIKE '%poison%' THEN RAISE 'not this' USING ERRCODE = '22023'; END IF;
                RETURN NEW;
             END $$;
             CREATE TRIGGER refuse BEFORE INSERT ON fleet.job_history FOR EACH ROW EXECUTE FUNCTION refuse()",
        )
        .await;
    stage.put(&Toy::Say("poison".into())).await;
    stage.put_many(20, &Toy::Say("fine".into())).await;
    stage.until("the others complete", COMPLETED, 20).await;
    stage.put_many(20, &Toy::Say("fine".into())).await;
    stage.until("and more do", COMPLETED, 40).await;
    stage
        .db
        .execute("DROP TRIGGER refuse ON fleet.job_history")
        .await;
    stage.until("it ends, too", ENDED, 41).await;
    assert_eq!(stage.counts.begun(), 41, "nothing ran twice for it");
    stage.end().await;
}

#[tokio::test]
async fn i11_results_are_kept_until_the_database_takes_them() {
    let stage = Stage::new().await;
    stage
        .db
        .probes()
        .set("worker.before_settle", ProbeAction::Fail);
    stage.put_many(50, &Toy::Say("kept".into())).await;
    stage.db.probes().reached("worker.before_settle", 4).await;
    assert_eq!(stage.db.number(ENDED).await, 0);
    stage
        .db
        .probes()
        .set("worker.before_settle", ProbeAction::Continue);
    stage.until("all complete", COMPLETED, 50).await;
    assert_eq!(stage.counts.begun(), 50);
    stage.end().await;
}

#[tokio::test]
async fn i11_an_answer_that_is_lost_settles_nothing_twice() {
    let stage = Stage::new().await;
    stage.db.probes().set("worker.settled", ProbeAction::Fail);
    stage
        .put(&Toy::FailUntil {
            attempt: 2,
            wait_ms: Some(3_600_000),
        })
        .await;
    stage.db.probes().reached("worker.settled", 2).await;
    stage
        .db
        .probes()
        .set("worker.settled", ProbeAction::Continue);
    stage.put(&Toy::Say("after".into())).await;
    stage.until("the next completes", COMPLETED, 1).await;
    assert_eq!(stage.db.text(ATTEMPTS).await, "failed: not yet");
    stage.end().await;
}
