//! Articles in the database, and the index over them that each process keeps while they stand.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use fleet_queue::TenantId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use super::bm25::{self, Found, Index};

/// Articles that a tenant can have, and characters of one: together they bound an index.
const ARTICLES_MAX: i64 = 2_000;
const BODY_MAX: usize = 20_000;
/// Indexes that a process keeps.
const INDEXES_MAX: usize = 64;
/// Articles that are suggested.
const SUGGESTED: usize = 3;

/// An article.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Article {
    /// Whose it is; the nil id: everybody's.
    pub tenant_id: Uuid,
    /// It.
    pub article_id: Uuid,
    /// What it is about.
    pub title: String,
    /// What it says.
    pub body: String,
    /// Whether it is suggested.
    pub published: bool,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// An article to be written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewArticle {
    /// What it is about, 1 to 200 characters.
    pub title: String,
    /// What it says, at most 20,000 characters.
    pub body: String,
    /// Whether it is suggested.
    #[serde(default = "yes")]
    pub published: bool,
}

fn yes() -> bool {
    true
}

/// Why an article was not written.
#[derive(Debug, thiserror::Error)]
pub enum ArticleError {
    /// A value that makes no sense.
    #[error("{problem}")]
    Refused {
        /// Which.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The database did not carry it out.
    #[error("the database did not carry it out")]
    Database(#[from] sqlx::Error),
}

impl NewArticle {
    fn check(&self) -> Result<(), ArticleError> {
        let refused = |field, problem| Err(ArticleError::Refused { field, problem });
        let (title, body) = (self.title.trim().chars().count(), self.body.chars().count());
        if !(1..=200).contains(&title) || self.title.chars().count() > 200 {
            return refused(
                "title",
                format!("has {title} characters, 1 to 200 are allowed"),
            );
        }
        if body > BODY_MAX {
            return refused(
                "body",
                format!("has {body} characters, at most {BODY_MAX} are allowed"),
            );
        }
        if self.title.contains('\0') || self.body.contains('\0') {
            return refused(
                "body",
                "holds a zero byte, which cannot be stored".to_owned(),
            );
        }
        Ok(())
    }
}

/// Writes an article, over the one with its id if there is one. `None` where that one is another tenant's.
pub async fn put_article(
    conn: &mut PgConnection,
    tenant: TenantId,
    id: Uuid,
    article: &NewArticle,
) -> Result<Article, ArticleError> {
    article.check()?;
    let written = sqlx::query_as!(
        Article,
        r#"-- kb.put_article
        INSERT INTO fleet.kb_articles AS a (tenant_id, article_id, title, body, published)
        SELECT $1, $2, $3, $4, $5
        WHERE (SELECT count(*) FROM fleet.kb_articles WHERE tenant_id = $1 AND article_id <> $2) < $6
        ON CONFLICT (tenant_id, article_id) DO UPDATE
        -- Later than it was, whatever the clock says: the index is told by this.
        SET title = EXCLUDED.title, body = EXCLUDED.body, published = EXCLUDED.published,
            updated_at = GREATEST(fleet.clock(), a.updated_at + interval '1 microsecond')
        RETURNING tenant_id, article_id, title AS "title!: String", body AS "body!: String", published, updated_at"#,
        tenant.0,
        id,
        article.title,
        article.body,
        article.published,
        ARTICLES_MAX,
    )
    .fetch_optional(conn)
    .await?;
    written.ok_or_else(|| ArticleError::Refused {
        field: "article",
        problem: format!("there are {ARTICLES_MAX} articles already; edit one of them"),
    })
}

/// Articles that the session may see, by id, from after `after` on.
pub async fn articles(
    conn: &mut PgConnection,
    tenant: TenantId,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Article>, sqlx::Error> {
    sqlx::query_as!(
        Article,
        r#"-- kb.articles
        SELECT tenant_id, article_id, title AS "title!: String", body AS "body!: String", published, updated_at
        FROM fleet.kb_articles
        WHERE tenant_id IN ($1, '00000000-0000-0000-0000-000000000000') AND ($2::uuid IS NULL OR article_id > $2)
        ORDER BY article_id
        LIMIT $3"#,
        tenant.0,
        after,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// What a tenant's articles are like: the same stamp, the same articles.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Stamp {
    /// A process of tests sees several.
    database: String,
    articles: i64,
    changed: Option<DateTime<Utc>>,
}

impl Stamp {
    /// Of so many that are published, last changed then.
    pub(crate) fn new(database: String, articles: i64, changed: Option<DateTime<Utc>>) -> Self {
        Self {
            database,
            articles,
            changed,
        }
    }
}

type Indexes = HashMap<(TenantId, Stamp), Arc<Index>>;

static INDEXES: LazyLock<Mutex<Indexes>> = LazyLock::new(Mutex::default);

/// The articles that may answer a text, best first; `stamp` says which there are.
pub(crate) async fn suggest(
    conn: &mut PgConnection,
    tenant: TenantId,
    stamp: &Stamp,
    text: &str,
) -> Result<Vec<Found>, sqlx::Error> {
    if stamp.articles == 0 {
        return Ok(Vec::new());
    }
    let key = (tenant, stamp.clone());
    let kept = INDEXES
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get(&key)
        .cloned();
    let index = match kept {
        Some(index) => index,
        None => make(conn, key).await?,
    };
    Ok(index.search(text, SUGGESTED))
}

async fn make(conn: &mut PgConnection, key: (TenantId, Stamp)) -> Result<Arc<Index>, sqlx::Error> {
    let all = articles(conn, key.0, None, 2 * ARTICLES_MAX).await?;
    let published = all.iter().filter(|article| article.published);
    let index = Arc::new(Index::of(published.map(|article| bm25::Article {
        id: article.article_id,
        title: &article.title,
        body: &article.body,
    })));
    let mut kept = INDEXES.lock().unwrap_or_else(PoisonError::into_inner);
    // What is out of date is dropped together with the rest, rarely; each is made again in milliseconds.
    if kept.len() >= INDEXES_MAX {
        kept.clear();
    }
    kept.insert(key, Arc::clone(&index));
    Ok(index)
}
