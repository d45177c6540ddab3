//! What support works by: business hours and holidays, knowledge-base articles, and what sorting is turned by.
//!
//! A tenant's key reads and sets its own; the platform's key sets what holds for everybody, or with `tenant_id` a tenant's.

use axum::Json;
use axum::extract::State;
use fleet_jobs::triage::{
    Article, ArticleError, Holiday, Hours, HoursError, InForce, NewArticle, Settings,
    SettingsError, articles, holidays, hours, put_article, set_holidays, set_hours, set_settings,
    settings,
};
use fleet_queue::TenantId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::{Postgres, Transaction};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::audit::{self, Action};
use crate::auth::{Caller, Scope};
use crate::extract::{Body, Name, Params, cut_page, page_limit};
use crate::openapi::Schemas;
use crate::problem::Problem;
use crate::state::ApiState;

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(business_hours, put_business_hours))
        .routes(routes!(get_holidays, put_holidays))
        .routes(routes!(kb_articles))
        .routes(routes!(write_article))
        .routes(routes!(triage_settings, put_triage_settings))
}

pub(super) fn schemas(schemas: &mut Schemas) {
    schemas.add::<Hours>().add::<HolidayList>();
    schemas.add::<ArticlePage>().add::<NewArticle>();
    schemas.add::<Settings>().add::<InForce>();
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct OfTenant {
    /// Whose; left out: the key's tenant, or the platform's own.
    tenant_id: Option<Uuid>,
}

impl OfTenant {
    fn tenant(&self, caller: &Caller) -> Result<TenantId, Problem> {
        caller.tenant_for(self.tenant_id.map(TenantId))
    }
}

/// Commits a change with its audit.
async fn keep(
    mut tx: Transaction<'static, Postgres>,
    caller: &Caller,
    tenant: TenantId,
    verb: &str,
    subject: &str,
) -> Result<(), Problem> {
    let action = Action {
        tenant,
        ..Action::on_platform(verb, subject)
    };
    audit::record(&mut tx, caller, action).await?;
    tx.commit().await?;
    Ok(())
}

/// Look at business hours.
#[utoipa::path(
    get, path = "/v1/business-hours", tag = "tickets", operation_id = "getBusinessHours", params(OfTenant),
    responses((status = 200, description = "When promises run.", body = ref("#/components/schemas/Hours")))
)]
async fn business_hours(
    State(state): State<ApiState>,
    caller: Caller,
    Params(of): Params<OfTenant>,
) -> Result<Json<Hours>, Problem> {
    caller.need(Scope::JobsRead)?;
    let tenant = of.tenant(&caller)?;
    let mut tx = state.acting(&caller).await?;
    let found = hours(&mut tx, tenant).await?;
    tx.commit().await?;
    Ok(Json(found))
}

/// Set business hours.
#[utoipa::path(
    put, path = "/v1/business-hours", tag = "tickets", operation_id = "putBusinessHours", params(OfTenant),
    request_body(content = ref("#/components/schemas/Hours"), content_type = "application/json"),
    responses((status = 200, description = "They.", body = ref("#/components/schemas/Hours")))
)]
async fn put_business_hours(
    State(state): State<ApiState>,
    caller: Caller,
    Params(of): Params<OfTenant>,
    body: Body<Hours>,
) -> Result<Json<Hours>, Problem> {
    caller.need(Scope::JobsManage)?;
    let tenant = of.tenant(&caller)?;
    let mut tx = state.acting(&caller).await?;
    set_hours(&mut tx, tenant, &body.value)
        .await
        .map_err(hours_refused)?;
    keep(tx, &caller, tenant, "tickets.hours", "business hours").await?;
    Ok(Json(body.value))
}

/// Holidays.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct HolidayList {
    /// At most 1,000, each day once.
    holidays: Vec<Holiday>,
}

/// List holidays.
#[utoipa::path(
    get, path = "/v1/holidays", tag = "tickets", operation_id = "listHolidays", params(OfTenant),
    responses((status = 200, description = "Days on which no promise runs.", body = ref("#/components/schemas/HolidayList")))
)]
async fn get_holidays(
    State(state): State<ApiState>,
    caller: Caller,
    Params(of): Params<OfTenant>,
) -> Result<Json<HolidayList>, Problem> {
    caller.need(Scope::JobsRead)?;
    let tenant = of.tenant(&caller)?;
    let mut tx = state.acting(&caller).await?;
    let holidays = holidays(&mut tx, tenant).await?;
    tx.commit().await?;
    Ok(Json(HolidayList { holidays }))
}

/// Set holidays.
///
/// These take the place of those there were.
#[utoipa::path(
    put, path = "/v1/holidays", tag = "tickets", operation_id = "putHolidays", params(OfTenant),
    request_body(content = ref("#/components/schemas/HolidayList"), content_type = "application/json"),
    responses((status = 200, description = "They.", body = ref("#/components/schemas/HolidayList")))
)]
async fn put_holidays(
    State(state): State<ApiState>,
    caller: Caller,
    Params(of): Params<OfTenant>,
    body: Body<HolidayList>,
) -> Result<Json<HolidayList>, Problem> {
    caller.need(Scope::JobsManage)?;
    let tenant = of.tenant(&caller)?;
    let mut tx = state.acting(&caller).await?;
    let set = set_holidays(&mut tx, tenant, &body.value.holidays).await;
    set.map_err(hours_refused)?;
    keep(tx, &caller, tenant, "tickets.holidays", "holidays").await?;
    Ok(Json(body.value))
}

fn hours_refused(error: HoursError) -> Problem {
    match error {
        HoursError::Refused { field, problem } => Problem::invalid(field, problem),
        HoursError::Database(error) => error.into(),
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ArticlesQuery {
    /// Whose, beside everybody's; left out: the key's tenant.
    tenant_id: Option<Uuid>,
    /// Articles a page, 1 to 200; 50 where left out.
    limit: Option<u8>,
    /// `next_cursor` of the page before.
    cursor: Option<Uuid>,
}

/// A page of articles.
#[derive(Debug, Serialize, JsonSchema)]
struct ArticlePage {
    /// By id.
    articles: Vec<Article>,
    /// Give it back as `cursor` for the next page; none: this was the last.
    next_cursor: Option<Uuid>,
}

/// List articles.
#[utoipa::path(
    get, path = "/v1/kb/articles", tag = "tickets", operation_id = "listArticles", params(ArticlesQuery),
    responses((status = 200, description = "A page.", body = ref("#/components/schemas/ArticlePage")))
)]
async fn kb_articles(
    State(state): State<ApiState>,
    caller: Caller,
    Params(query): Params<ArticlesQuery>,
) -> Result<Json<ArticlePage>, Problem> {
    caller.need(Scope::JobsRead)?;
    let limit = page_limit(query.limit)?;
    let tenant = caller.tenant_for(query.tenant_id.map(TenantId))?;
    let mut tx = state.acting(&caller).await?;
    let mut articles = articles(&mut tx, tenant, query.cursor, limit as i64 + 1).await?;
    tx.commit().await?;
    let next_cursor = cut_page(&mut articles, limit, |last| last.article_id);
    Ok(Json(ArticlePage {
        articles,
        next_cursor,
    }))
}

/// Write an article.
#[utoipa::path(
    put, path = "/v1/kb/articles/{id}", tag = "tickets", operation_id = "putArticle", params(("id" = Uuid, Path), OfTenant),
    request_body(content = ref("#/components/schemas/NewArticle"), content_type = "application/json"),
    responses((status = 200, description = "It.", body = ref("#/components/schemas/Article")))
)]
async fn write_article(
    State(state): State<ApiState>,
    caller: Caller,
    Name(id): Name<Uuid>,
    Params(of): Params<OfTenant>,
    body: Body<NewArticle>,
) -> Result<Json<Article>, Problem> {
    caller.need(Scope::JobsManage)?;
    let tenant = of.tenant(&caller)?;
    let mut tx = state.acting(&caller).await?;
    let written = put_article(&mut tx, tenant, id, &body.value).await;
    let article = written.map_err(|error| match error {
        ArticleError::Refused { field, problem } => Problem::invalid(field, problem),
        ArticleError::Database(error) => error.into(),
    })?;
    keep(tx, &caller, tenant, "kb.put", &id.to_string()).await?;
    Ok(Json(article))
}

/// Look at the settings of triage.
#[utoipa::path(
    get, path = "/v1/triage/settings", tag = "tickets", operation_id = "getTriageSettings", params(OfTenant),
    responses((status = 200, description = "What is in force.", body = ref("#/components/schemas/InForce")))
)]
async fn triage_settings(
    State(state): State<ApiState>,
    caller: Caller,
    Params(of): Params<OfTenant>,
) -> Result<Json<InForce>, Problem> {
    caller.need(Scope::JobsRead)?;
    let tenant = of.tenant(&caller)?;
    let mut tx = state.acting(&caller).await?;
    let mut found = settings(&mut tx, tenant).await?;
    tx.commit().await?;
    if caller.tenant.is_some() {
        // Where the platform's workers ask is the platform's business.
        found.settings.second_opinion = None;
    }
    Ok(Json(found))
}

/// Set the settings of triage.
///
/// What is left out has the program's default. The version before stays in the history.
#[utoipa::path(
    put, path = "/v1/triage/settings", tag = "tickets", operation_id = "putTriageSettings", params(OfTenant),
    request_body(content = ref("#/components/schemas/Settings"), content_type = "application/json"),
    responses((status = 200, description = "What is in force now.", body = ref("#/components/schemas/InForce")))
)]
async fn put_triage_settings(
    State(state): State<ApiState>,
    caller: Caller,
    Params(of): Params<OfTenant>,
    body: Body<Settings>,
) -> Result<Json<InForce>, Problem> {
    caller.need(Scope::JobsManage)?;
    let tenant = of.tenant(&caller)?;
    let mut tx = state.acting(&caller).await?;
    let set = set_settings(&mut tx, tenant, &body.value, &caller.name).await;
    let set = set.map_err(|error| match error {
        SettingsError::Refused { field, problem } => Problem::invalid(field, problem),
        SettingsError::Database(error) => error.into(),
    })?;
    keep(tx, &caller, tenant, "triage.settings", "triage settings").await?;
    Ok(Json(set))
}
