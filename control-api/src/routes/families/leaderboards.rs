//! Leaderboards to read, and to have computed anew.
//!
//! A key of the platform sees every entry, or a board as one partner sees it; a tenant's key sees its own entries in full and
//! the others as these wish to be seen. The rules are the database's (`fleet.leaderboard_shown`), so no route can forget them.

use axum::Json;
use axum::extract::State;
use chrono::NaiveDate;
use fleet_jobs::leaderboard::{
    Board, BoardPage, Cursor, Rank, Refresh, RunInfo, Viewer, board_page, history, list, load,
    rank_of,
};
use fleet_queue::TenantId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::auth::{Caller, Identity, Scope};
use crate::extract::{Name, OptionalBody, Pair, Params, cut_page, page_limit};
use crate::idempotency::Answer;
use crate::openapi::Schemas;
use crate::problem::Problem;
use crate::routes::jobs_create;
use crate::state::ApiState;

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(boards))
        .routes(routes!(board))
        .routes(routes!(runs))
        .routes(routes!(subject))
        .routes(routes!(refresh_board))
}

pub(super) fn schemas(schemas: &mut Schemas) {
    schemas.add::<BoardList>().add::<ShownBoard>().add::<Runs>();
    schemas.add::<Rank>().add::<RefreshBody>();
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct BoardsQuery {
    /// Boards a page, 1 to 200; 50 where left out.
    limit: Option<u8>,
    /// `next_cursor` of the page before.
    cursor: Option<Uuid>,
}

/// Boards.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Leaderboards")]
struct BoardList {
    /// By id.
    leaderboards: Vec<Board>,
    /// Give it back as `cursor` for the next page; none: this was the last.
    next_cursor: Option<Uuid>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct BoardQuery {
    /// Entries a page, 1 to 200; 50 where left out.
    limit: Option<u8>,
    /// `next_cursor` of the page before: it stays within the run that page was of.
    cursor: Option<String>,
    /// As this partner sees it; for keys of the platform.
    partner_id: Option<Uuid>,
}

/// A page of a board.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Leaderboard")]
struct ShownBoard {
    #[serde(flatten)]
    page: BoardPage,
    /// Give it back as `cursor` for the next page; none: this was the last.
    next_cursor: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct RunsQuery {
    /// Runs a page, 1 to 200; 50 where left out.
    limit: Option<u8>,
    /// Only windows that end before this day.
    before: Option<NaiveDate>,
}

/// Runs of a board.
#[derive(Debug, Serialize, JsonSchema)]
struct Runs {
    /// Latest window first.
    runs: Vec<RunInfo>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AsPartner {
    /// As this partner sees it; for keys of the platform.
    partner_id: Option<Uuid>,
}

/// Which refresh.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct RefreshBody {
    /// The first day not counted; the latest that makes sense where left out.
    window_end: Option<NaiveDate>,
    /// Computes and reports without publishing.
    dry_run: bool,
}

fn viewer(who: &Identity, partner: Option<Uuid>) -> Result<Viewer, Problem> {
    match (who.tenant, partner) {
        (None, None) => Ok(Viewer::Admin),
        (None, Some(partner)) => Ok(Viewer::Partner(partner)),
        (Some(_), None) => Ok(Viewer::Tenant),
        (Some(_), Some(_)) => {
            let detail = "only a key of the platform looks through a partner's eyes";
            Err(Problem::forbidden("platform_only", detail).field("partner_id"))
        }
    }
}

/// List leaderboards.
#[utoipa::path(
    get, path = "/v1/leaderboards", tag = "leaderboards", operation_id = "listLeaderboards", params(BoardsQuery),
    responses((status = 200, description = "The caller's boards, and the platform's.", body = ref("#/components/schemas/Leaderboards")))
)]
async fn boards(
    State(state): State<ApiState>,
    caller: Caller,
    Params(query): Params<BoardsQuery>,
) -> Result<Json<BoardList>, Problem> {
    caller.need(Scope::JobsRead)?;
    let limit = page_limit(query.limit)?;
    let mut tx = state.acting(&caller).await?;
    let mut leaderboards = list(&mut tx, query.cursor, limit as i64 + 1).await?;
    tx.commit().await?;
    let next_cursor = cut_page(&mut leaderboards, limit, |last| last.id);
    Ok(Json(BoardList {
        leaderboards,
        next_cursor,
    }))
}

/// Look at a leaderboard.
///
/// Its current run; pages after the first stay within the run of the first.
#[utoipa::path(
    get, path = "/v1/leaderboards/{board}", tag = "leaderboards", operation_id = "getLeaderboard",
    params(("board" = Uuid, Path), BoardQuery),
    responses((status = 200, description = "A page.", body = ref("#/components/schemas/Leaderboard")))
)]
async fn board(
    State(state): State<ApiState>,
    caller: Caller,
    Name(board): Name<Uuid>,
    Params(query): Params<BoardQuery>,
) -> Result<Json<ShownBoard>, Problem> {
    caller.need(Scope::JobsRead)?;
    let viewer = viewer(&caller, query.partner_id)?;
    let limit = page_limit(query.limit)? as i32;
    let cursor = query.cursor.as_deref().map(read_cursor).transpose()?;
    let mut tx = state.acting(&caller).await?;
    let page = board_page(&mut tx, board, viewer, cursor, limit).await?;
    tx.commit().await?;
    let page = page.ok_or_else(|| Problem::not_found("leaderboard"))?;
    let next_cursor = page
        .next(limit)
        .map(|next| format!("{}/{}", next.run, next.after));
    Ok(Json(ShownBoard { page, next_cursor }))
}

fn read_cursor(cursor: &str) -> Result<Cursor, Problem> {
    let parts = cursor.split_once('/');
    let read = parts.and_then(|(run, after)| {
        let (run, after) = (run.parse().ok()?, after.parse().ok()?);
        Some(Cursor { run, after })
    });
    read.ok_or_else(|| Problem::malformed("cursor", "cursor is none that a page gave"))
}

/// A leaderboard's runs.
#[utoipa::path(
    get, path = "/v1/leaderboards/{board}/runs", tag = "leaderboards", operation_id = "listLeaderboardRuns",
    params(("board" = Uuid, Path), RunsQuery),
    responses((status = 200, description = "Latest window first.", body = ref("#/components/schemas/Runs")))
)]
async fn runs(
    State(state): State<ApiState>,
    caller: Caller,
    Name(board): Name<Uuid>,
    Params(query): Params<RunsQuery>,
) -> Result<Json<Runs>, Problem> {
    caller.need(Scope::JobsRead)?;
    let limit = page_limit(query.limit)?;
    let mut tx = state.acting(&caller).await?;
    seen(&mut tx, board).await?;
    let runs = history(&mut tx, board, query.before, limit as i64).await?;
    tx.commit().await?;
    Ok(Json(Runs { runs }))
}

/// The board, where the session may know of it.
async fn seen(conn: &mut PgConnection, board: Uuid) -> Result<Board, Problem> {
    let found = load(conn, TenantId::PLATFORM, board).await?;
    found.ok_or_else(|| Problem::not_found("leaderboard"))
}

/// One subject's place.
#[utoipa::path(
    get, path = "/v1/leaderboards/{board}/subjects/{id}", tag = "leaderboards", operation_id = "getLeaderboardSubject",
    params(("board" = Uuid, Path), ("id" = Uuid, Path), AsPartner),
    responses((status = 200, description = "Its entry in the current run, with what it lacks if it is not ranked.", body = ref("#/components/schemas/Rank")))
)]
async fn subject(
    State(state): State<ApiState>,
    caller: Caller,
    Pair(board, subject): Pair<Uuid, Uuid>,
    Params(query): Params<AsPartner>,
) -> Result<Json<Rank>, Problem> {
    caller.need(Scope::JobsRead)?;
    let viewer = viewer(&caller, query.partner_id)?;
    let mut tx = state.acting(&caller).await?;
    let rank = rank_of(&mut tx, board, viewer, subject).await?;
    tx.commit().await?;
    rank.map(Json)
        .ok_or_else(|| Problem::not_found("leaderboard with a published run"))
}

/// Compute a leaderboard anew.
///
/// Enqueues the job; a second within a minute is the same one.
#[utoipa::path(
    post, path = "/v1/leaderboards/{board}/refresh", tag = "leaderboards", operation_id = "refreshLeaderboard", params(("board" = Uuid, Path)),
    request_body(content = ref("#/components/schemas/RefreshBody"), content_type = "application/json"),
    responses(
        (status = 201, description = "The job.", body = ref("#/components/schemas/JobCreated")),
        (status = 200, description = "The job that is under way already.", body = ref("#/components/schemas/JobExisting")),
    )
)]
async fn refresh_board(
    State(state): State<ApiState>,
    caller: Caller,
    Name(board): Name<Uuid>,
    OptionalBody(body): OptionalBody<RefreshBody>,
) -> Result<Answer, Problem> {
    caller.need(Scope::JobsEnqueue)?;
    let mut tx = state.acting(&caller).await?;
    let found = seen(&mut tx, board).await?;
    tx.commit().await?;
    let refresh = Refresh {
        window_end: body.window_end,
        dry_run: body.dry_run,
        ..Refresh::of(board)
    };
    let job = refresh.new_job(caller.tenant_for(Some(found.tenant))?);
    caller.need_kind(&job.kind)?;
    jobs_create::create(&state, caller, job).await
}
