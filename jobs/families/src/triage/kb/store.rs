//! Articles in the database, and the index over them that each process keeps while they stand.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use fleet_queue::TenantId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use super::bm25::{self, Found, Index};
use crate::triage::kept::Kept;

/// Articles that a tenant can have, characters of one, and bytes of all: together they bound an index.
const ARTICLES_MAX: i64 = 2_000;
const BODY_MAX: usize = 20_000;
const TEXT_MAX: i64 = 4_000_000;
/// Bytes of text that a process keeps indexes of; each counts for at least so much, for it has a size of its own.
const INDEXES_BYTES: usize = 64_000_000;
const INDEX_BYTES: usize = 64_000;
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
    let bytes = (article.title.len() + article.body.len()) as i64;
    let written = sqlx::query_as!(
        Article,
        r#"-- kb.put_article
        INSERT INTO fleet.kb_articles AS a (tenant_id, article_id, title, body, published)
        SELECT $1, $2, $3, $4, $5
        FROM (SELECT count(*) AS articles, COALESCE(sum(octet_length(o.title) + octet_length(o.body)), 0)::bigint AS bytes
              FROM fleet.kb_articles AS o WHERE o.tenant_id = $1 AND o.article_id <> $2) AS o
        WHERE o.articles < $6 AND o.bytes + $8::bigint <= $7
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
        TEXT_MAX,
        bytes,
    )
    .fetch_optional(conn)
    .await?;
    written.ok_or_else(|| ArticleError::Refused {
        field: "article",
        problem: format!(
            "with it there would be more than {ARTICLES_MAX} articles or {TEXT_MAX} bytes of text; edit or shorten others first"
        ),
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
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// One index a tenant and database, with the state of the articles that it was made of.
type Indexes = Kept<(TenantId, String), (Stamp, Arc<Index>)>;

static INDEXES: Mutex<Indexes> = Mutex::new(Kept::new(INDEXES_BYTES));

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
    let key = (tenant, stamp.database.clone());
    let kept = INDEXES
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get(&key)
        .filter(|(of, _)| of == stamp);
    let index = match kept {
        Some((_, index)) => index,
        None => make(conn, key, stamp).await?,
    };
    Ok(index.search(text, SUGGESTED))
}

async fn make(
    conn: &mut PgConnection,
    key: (TenantId, String),
    stamp: &Stamp,
) -> Result<Arc<Index>, sqlx::Error> {
    let all = articles(conn, key.0, None, 2 * ARTICLES_MAX).await?;
    let published: Vec<_> = all.iter().filter(|article| article.published).collect();
    let bytes: usize = published
        .iter()
        .map(|it| it.title.len() + it.body.len())
        .sum();
    let index = Arc::new(Index::of(published.iter().map(|article| bm25::Article {
        id: article.article_id,
        title: &article.title,
        body: &article.body,
    })));
    let value = (stamp.clone(), Arc::clone(&index));
    INDEXES
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .put(key, value, bytes.max(INDEX_BYTES));
    Ok(index)
}
