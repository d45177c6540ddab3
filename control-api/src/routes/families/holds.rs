//! Anomalies that hold a campaign's subjects where they are, until a person clears them.

use axum::Json;
use axum::extract::State;
use fleet_jobs::leaderboard::{Hold, clear, list_holds};
use fleet_queue::TenantId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::audit::{self, Action};
use crate::auth::{Caller, Scope};
use crate::extract::{Name, OptionalBody, Params, cut_page, page_limit};
use crate::openapi::Schemas;
use crate::problem::Problem;
use crate::state::ApiState;

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(holds))
        .routes(routes!(clear_hold))
}

pub(super) fn schemas(schemas: &mut Schemas) {
    schemas.add::<HoldPage>().add::<NoteBody>();
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct HoldsQuery {
    /// Only those that wait; all where false or left out.
    #[serde(default)]
    open: bool,
    /// Holds a page, 1 to 200; 50 where left out.
    limit: Option<u8>,
    /// `next_cursor` of the page before.
    cursor: Option<Uuid>,
}

/// A page of holds.
#[derive(Debug, Serialize, JsonSchema)]
struct HoldPage {
    /// Newest first.
    holds: Vec<Hold>,
    /// Give it back as `cursor` for the next page; none: this was the last.
    next_cursor: Option<Uuid>,
}

/// A person's note on a decision.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NoteBody {
    /// Why; at most 1,000 characters.
    note: Option<String>,
}

impl NoteBody {
    pub(super) fn checked(self) -> Result<Option<String>, Problem> {
        match self.note {
            Some(note) if note.chars().count() > 1000 => {
                Err(Problem::invalid("note", "note is over 1,000 characters"))
            }
            note => Ok(note),
        }
    }
}

/// List holds.
#[utoipa::path(
    get, path = "/v1/holds", tag = "leaderboards", operation_id = "listHolds", params(HoldsQuery),
    responses((status = 200, description = "A page.", body = ref("#/components/schemas/HoldPage")))
)]
async fn holds(
    State(state): State<ApiState>,
    caller: Caller,
    Params(query): Params<HoldsQuery>,
) -> Result<Json<HoldPage>, Problem> {
    caller.need(Scope::JobsRead)?;
    let limit = page_limit(query.limit)?;
    let mut tx = state.acting(&caller).await?;
    let mut holds = list_holds(&mut tx, query.open, query.cursor, limit as i64 + 1).await?;
    tx.commit().await?;
    let next_cursor = cut_page(&mut holds, limit, |last| last.hold_id);
    Ok(Json(HoldPage { holds, next_cursor }))
}

/// Clear a hold.
///
/// The next run lets its subjects move again. For keys of the platform: nobody clears what holds themselves.
#[utoipa::path(
    post, path = "/v1/holds/{id}/clear", tag = "leaderboards", operation_id = "clearHold", params(("id" = Uuid, Path)),
    request_body(content = ref("#/components/schemas/NoteBody"), content_type = "application/json"),
    responses((status = 200, description = "The hold.", body = ref("#/components/schemas/Hold")))
)]
async fn clear_hold(
    State(state): State<ApiState>,
    caller: Caller,
    Name(id): Name<Uuid>,
    OptionalBody(body): OptionalBody<NoteBody>,
) -> Result<Json<Hold>, Problem> {
    caller.need_platform(Scope::JobsManage)?;
    let note = body.checked()?;
    let mut tx = state.acting(&caller).await?;
    let cleared = clear(&mut tx, id, &caller.name, note.as_deref()).await?;
    let hold = cleared.ok_or_else(|| Problem::not_found("open hold"))?;
    let subject = id.to_string();
    let action = Action {
        tenant: TenantId(hold.tenant_id),
        reason: note.as_deref(),
        ..Action::on_platform("holds.clear", &subject)
    };
    audit::record(&mut tx, &caller, action).await?;
    tx.commit().await?;
    Ok(Json(hold))
}
