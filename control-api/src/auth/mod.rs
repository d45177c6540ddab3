//! Who calls, and what the key allows. Upholds I12: a key names its tenant, and every transaction of a request is bound to it.

mod cache;
pub mod keys;
mod rate;
mod scope;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use fleet_queue::TenantId;
use tokio::time::Instant;
use uuid::Uuid;

pub(crate) use cache::KeyCache;
pub(crate) use rate::Rates;
pub use scope::Scope;
pub(crate) use scope::UnknownScope;

use self::rate::Standing;
use crate::problem::Problem;
use crate::state::ApiState;

/// A key that was checked, and what it allows.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) key_id: Uuid,
    pub(crate) name: String,
    /// `None`: the platform's own key, for every tenant.
    pub(crate) tenant: Option<TenantId>,
    pub(crate) scopes: Vec<Scope>,
    pub(crate) kinds: Option<Vec<String>>,
}

/// The caller of the request at hand. A handler that takes one runs only for a good key.
#[derive(Clone, Debug)]
pub(crate) struct Caller(pub(crate) Arc<Identity>);

impl std::ops::Deref for Caller {
    type Target = Identity;
    fn deref(&self) -> &Identity {
        &self.0
    }
}

impl Identity {
    /// Refuses a key without the scope.
    pub(crate) fn need(&self, scope: Scope) -> Result<(), Problem> {
        if self.scopes.contains(&scope) || self.scopes.contains(&Scope::Admin) {
            return Ok(());
        }
        let detail = format!("this key lacks the scope \"{}\"", scope.as_str());
        Err(Problem::forbidden("missing_scope", detail))
    }

    /// Refuses a key with none of the scopes.
    pub(crate) fn need_any(&self, scopes: &[Scope]) -> Result<(), Problem> {
        if scopes.iter().any(|scope| self.need(*scope).is_ok()) {
            return Ok(());
        }
        self.need(scopes[0])
    }

    /// Refuses a tenant's key: what follows concerns all tenants.
    pub(crate) fn need_platform(&self, scope: Scope) -> Result<(), Problem> {
        self.need(scope)?;
        match self.tenant {
            None => Ok(()),
            Some(_) => Err(Problem::forbidden(
                "platform_only",
                "this concerns all tenants; it takes a key of the platform",
            )),
        }
    }

    /// Refuses a kind that the key may not enqueue.
    pub(crate) fn need_kind(&self, kind: &str) -> Result<(), Problem> {
        let allowed = self
            .kinds
            .as_ref()
            .is_none_or(|kinds| kinds.iter().any(|allowed| allowed == kind));
        if allowed {
            return Ok(());
        }
        let detail = format!("this key may not enqueue \"{kind}\"");
        Err(Problem::forbidden("kind_not_allowed", detail).field("kind"))
    }

    /// Whose jobs it makes: its tenant's, or those of any tenant where the key is the platform's.
    pub(crate) fn tenant_for(&self, asked: Option<TenantId>) -> Result<TenantId, Problem> {
        match (self.tenant, asked) {
            (Some(own), Some(other)) if own != other => Err(Problem::forbidden(
                "other_tenant",
                "this key belongs to another tenant",
            )
            .field("tenant_id")),
            (Some(own), _) => Ok(own),
            (None, asked) => Ok(asked.unwrap_or(TenantId::PLATFORM)),
        }
    }

    /// The tenant to look at: a tenant's key looks at its own, and saying so lets the indexes by tenant serve it.
    pub(crate) fn seen_tenant(&self, asked: Option<TenantId>) -> Result<Option<TenantId>, Problem> {
        match self.tenant {
            None => Ok(asked),
            Some(_) => self.tenant_for(asked).map(Some),
        }
    }

    /// What the database session may see: a tenant's id, or `*`.
    pub(crate) fn sees(&self) -> String {
        self.tenant
            .map_or_else(|| "*".to_owned(), |tenant| tenant.to_string())
    }
}

/// Lets a request pass whose key is good, and hands its caller on. Everything under it is closed by this, not by its handlers.
pub(crate) async fn check_key(
    State(state): State<ApiState>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let key = bearer(&request)?;
    let identity = state.keys.verify(&state.db, key).await?;
    let identity =
        identity.ok_or_else(|| unauthorized("this key is unknown, expired or revoked"))?;
    let standing = rate(&state, &identity);
    if let Some(standing) = standing.filter(|standing| !standing.admitted) {
        let mut refusal = over_rate(&standing).into_response();
        tell_rate(&state, &standing, refusal.headers_mut());
        return Ok(refusal);
    }
    request.extensions_mut().insert(Caller(identity));
    let mut response = next.run(request).await;
    if let Some(standing) = standing {
        tell_rate(&state, &standing, response.headers_mut());
    }
    Ok(response)
}

/// Counts a request of a tenant's key.
fn rate(state: &ApiState, who: &Identity) -> Option<Standing> {
    who.tenant?;
    Some(state.rates.take(who.key_id, Instant::now()))
}

fn over_rate(standing: &Standing) -> Problem {
    let detail = "this key makes more requests than it may; slow down to the rate, or send many jobs in one request: POST /v1/jobs/batch";
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail)
        .field("authorization")
        .retry_after(whole_seconds(standing.wait).max(1))
}

fn tell_rate(state: &ApiState, standing: &Standing, headers: &mut HeaderMap) {
    for (name, value) in [
        ("ratelimit-limit", state.rates.burst()),
        ("ratelimit-remaining", standing.remaining),
        ("ratelimit-reset", whole_seconds(standing.reset)),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from(value));
    }
}

/// Rounded up: who waits so long has waited long enough.
fn whole_seconds(time: Duration) -> u32 {
    u32::try_from(time.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX)
}

fn bearer(request: &Request) -> Result<&str, Problem> {
    let header = request
        .headers()
        .get(header::AUTHORIZATION)
        .ok_or_else(|| unauthorized("a key is needed: Authorization: Bearer KEY"))?;
    let (scheme, key) = header
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .ok_or_else(|| unauthorized("the header must read: Authorization: Bearer KEY"))?;
    if scheme.eq_ignore_ascii_case("bearer") {
        Ok(key.trim())
    } else {
        Err(unauthorized("the scheme must be Bearer"))
    }
}

fn unauthorized(detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail).field("authorization")
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or_else(|| unauthorized("a key is needed: Authorization: Bearer KEY"))
    }
}
