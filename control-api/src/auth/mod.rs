//! Who calls, and what the key allows. Upholds I12: a key names its tenant, and every transaction of a request is bound to it.

mod cache;
pub mod keys;
mod scope;

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use fleet_queue::TenantId;
use uuid::Uuid;

pub(crate) use cache::KeyCache;
pub use scope::Scope;

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
    request.extensions_mut().insert(Caller(identity));
    Ok(next.run(request).await)
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
