//! Migrations run over rows that were there before them; and what was compiled against them still fits.

use std::path::Path;

use fleet_queue::{MIGRATOR, expected_version, schema_version};
use fleet_tests::database::empty_database;
use fleet_tests::{TestDb, database};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Column, Executor, SqlSafeStr, Statement, TypeInfo};

/// Applies every migration in order, and after each the sample rows of the schema as it then is.
#[tokio::test]
async fn each_runs_over_the_rows_of_the_one_before() {
    let db = empty_database().await;
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/migrations");
    let mut replayed = 0;
    for migration in MIGRATOR.iter() {
        sqlx::raw_sql(AssertSqlSafe(migration.sql.as_str().to_owned()))
            .execute(&db.pool)
            .await
            .unwrap_or_else(|error| panic!("migration {}: {error}", migration.version));
        if let Ok(rows) =
            std::fs::read_to_string(samples.join(format!("{:04}.sql", migration.version)))
        {
            sqlx::raw_sql(AssertSqlSafe(rows))
                .execute(&db.pool)
                .await
                .unwrap_or_else(|error| panic!("rows after {}: {error}", migration.version));
            replayed += 1;
        }
    }
    assert!(replayed > 0, "the sample rows are found");
    assert_eq!(
        db.number("SELECT count(*) FROM fleet.job").await,
        3,
        "they are all still there"
    );
}

#[tokio::test]
async fn they_are_numbered_without_twins_and_named_for_what_they_do() {
    let mut versions: Vec<_> = MIGRATOR.iter().map(|migration| migration.version).collect();
    versions.dedup();
    assert_eq!(versions.len(), MIGRATOR.iter().count());
    for migration in MIGRATOR.iter() {
        let name = migration.description.as_ref();
        assert!(name.split(' ').count() >= 2, "{name}: verb and noun");
    }
}

#[tokio::test]
async fn a_binary_refuses_an_older_schema_and_says_what_to_do() {
    let db = empty_database().await;
    let error = db
        .db
        .check_schema()
        .await
        .expect_err("it has no schema at all");
    assert!(
        error.to_string().contains("run `fleet migrate` first"),
        "{error}"
    );
    database().await.db.check_schema().await.unwrap();
}

#[tokio::test]
async fn i12_every_table_with_a_tenant_refuses_other_tenants_by_itself() {
    let db = database().await;
    let open = db
        .text(
            "SELECT COALESCE(string_agg(c.relname, ', ' ORDER BY c.relname), '') FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
             WHERE c.relnamespace = 'fleet'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND NOT c.relrowsecurity
             AND has_table_privilege('fleet_api', c.oid, 'SELECT')",
        )
        .await;
    assert_eq!(
        open, "",
        "tables with a tenant_id and without row-level security"
    );
    let by_partition = db
        .text(
            "SELECT COALESCE(string_agg(c.relname, ', '), '') FROM pg_class c WHERE c.relnamespace = 'fleet'::regnamespace AND c.relispartition AND c.relkind = 'r'
             AND has_table_privilege('fleet_api', c.oid, 'SELECT') AND NOT c.relrowsecurity",
        )
        .await;
    assert_eq!(
        by_partition, "",
        "partitions that the API could read around the policy of their table"
    );
}

/// The user's name is the schema's, so `"$user"` in the default search path is our schema once it is there.
#[tokio::test]
async fn a_user_called_as_the_schema_migrates_twice_and_meets_no_other_table() {
    let db = empty_database().await;
    let mut conn = db.conn().await;
    let act = "DO $$ BEGIN CREATE ROLE fleet SUPERUSER; EXCEPTION WHEN duplicate_object THEN NULL; END $$; SET ROLE fleet";
    conn.execute(act).await.unwrap();
    MIGRATOR.run(&mut *conn).await.unwrap();
    MIGRATOR
        .run(&mut *conn)
        .await
        .expect("nothing is left to do");
    let noted = "SELECT string_agg(relnamespace::regnamespace::text, ', ') FROM pg_class WHERE relname = '_sqlx_migrations'";
    assert_eq!(db.text(noted).await, "public");

    let planted = "CREATE TABLE fleet._sqlx_migrations (version bigint, success boolean); INSERT INTO fleet._sqlx_migrations VALUES (0, true)";
    conn.execute(planted).await.unwrap();
    assert_eq!(
        schema_version(&mut conn).await.unwrap(),
        expected_version(),
        "the planted table is not asked"
    );
    MIGRATOR.run(&mut *conn).await.expect("nor written to");
}

#[tokio::test]
async fn functions_with_their_owners_rights_choose_their_own_search_path() {
    let db = database().await;
    let trusting = "SELECT COALESCE(string_agg(oid::regprocedure::text, ', '), '') FROM pg_proc
        WHERE pronamespace = 'fleet'::regnamespace AND prosecdef AND NOT COALESCE('search_path=pg_catalog, pg_temp' = ANY (proconfig), false)";
    assert_eq!(
        db.text(trusting).await,
        "",
        "functions whose caller could put other tables under their names"
    );
    let pinned =
        "SELECT count(*) FROM pg_proc WHERE pronamespace = 'fleet'::regnamespace AND prosecdef";
    assert!(db.number(pinned).await > 0, "there are such functions");
}

/// Every query that was compiled in offline mode still gives the columns it was compiled for.
#[tokio::test]
async fn sqlx_is_current() {
    let db = database().await;
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.sqlx");
    let mut checked = 0;
    for entry in std::fs::read_dir(&dir).expect(".sqlx is committed; write it with `just prepare`")
    {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let query: Value = serde_json::from_str(&text).unwrap();
        check(&db, &query).await;
        checked += 1;
    }
    assert!(checked > 50, "only {checked} queries are kept");
}

async fn check(db: &TestDb, query: &Value) {
    let sql = query["query"].as_str().unwrap().to_owned();
    let statement = (&db.pool)
        .prepare(AssertSqlSafe(sql.clone()).into_sql_str())
        .await
        .unwrap_or_else(|error| panic!("{sql}\nno longer fits the schema: {error}"));
    let found: Vec<_> = statement
        .columns()
        .iter()
        .map(|column| column.type_info().name().to_owned())
        .collect();
    let kept: Vec<_> = query["describe"]["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|column| type_name(&column["type_info"]))
        .collect();
    assert_eq!(
        found.len(),
        kept.len(),
        "{sql}\ngives other columns; run `just prepare`"
    );
    for (found, kept) in found.iter().zip(kept) {
        // A name is kept for built-in types; others are described by a structure.
        let fits = kept.is_none_or(|kept| normal(&kept) == normal(found));
        assert!(fits, "{sql}\ngives {found}; run `just prepare`");
    }
}

fn type_name(kept: &Value) -> Option<String> {
    kept.as_str().map(str::to_owned)
}

/// `TextArray` and `TEXT[]` are the same type.
fn normal(name: &str) -> String {
    name.to_lowercase().replace("array", "[]").replace('"', "")
}
