//! Which models are put to use: their labels are categories, they are no worse than the one in use, and an admin approved them.
//!
//! Each model's macro-F1 is the one it had on texts it had not seen, of its own dataset. It may lie half a point below that of the
//! model it would replace, and is compared twice: when it is proposed, and when it is put to use.

use fleet_queue::TenantId;
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::labels::check_category;
use super::model::Model;
use super::models::{self, ModelVersion, Standing, WORSE_BY};
use super::promote::Promote;
use crate::approval::{Proposal, ask};

/// The decision, as approvals name it.
pub(super) const DECISION: &str = "triage_model";

/// What became of a model that might be put to use.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Proposed {
    /// What an admin is asked.
    pub(super) approval: Option<Uuid>,
    /// Why nobody is asked.
    pub(super) note: Option<String>,
}

/// Asks an admin, unless the model cannot be used or is worse than the one in use.
pub(super) async fn propose(
    conn: &mut PgConnection,
    tenant: TenantId,
    version: ModelVersion,
    model: &Model,
) -> Result<Proposed, sqlx::Error> {
    let candidate = models::standing(conn, tenant, version).await?;
    let candidate = candidate.ok_or(sqlx::Error::RowNotFound)?;
    let current = current(conn, tenant).await?;
    let objection = useless(model).or_else(|| worse(&candidate, current.as_ref()));
    if let Some(why) = objection {
        models::note(conn, version, &why).await?;
        return Ok(Proposed {
            approval: None,
            note: Some(why),
        });
    }
    let proposal = Proposal {
        tenant,
        decision: DECISION,
        subject: version.0,
        proposal: json!({ "model_version": version, "name": candidate.name }),
        rationale: rationale(&candidate, current.as_ref()),
        confidence: None,
        threshold: None,
        apply_kind: <Promote as fleet_queue::Job>::KIND,
        expires_at: None,
    };
    Ok(Proposed {
        approval: Some(ask(conn, &proposal).await?),
        note: None,
    })
}

/// The model in use.
pub(super) async fn current(
    conn: &mut PgConnection,
    tenant: TenantId,
) -> Result<Option<Standing>, sqlx::Error> {
    match models::active_version(conn, tenant).await? {
        Some(version) => models::standing(conn, tenant, version).await,
        None => Ok(None),
    }
}

/// Why tickets cannot be sorted by a model, however good it is: its labels become their categories.
fn useless(model: &Model) -> Option<String> {
    let wrong = model.labels().find_map(|label| check_category(label).err());
    wrong.map(|wrong| format!("it can be measured but sorts no tickets: its label {wrong}"))
}

/// Why a model may not take the place of the one in use.
pub(super) fn worse(candidate: &Standing, current: Option<&Standing>) -> Option<String> {
    let current = current?;
    (candidate.macro_f1 < current.macro_f1 - WORSE_BY).then(|| {
        format!(
            "its macro-F1 is {:.4}, more than {WORSE_BY} below the {:.4} of \"{}\", which is in use",
            candidate.macro_f1, current.macro_f1, current.name
        )
    })
}

fn rationale(candidate: &Standing, current: Option<&Standing>) -> Value {
    let of = |it: &Standing| json!({ "name": it.name, "holdout": it.summary });
    json!({
        "candidate": of(candidate),
        "in_use": current.map(of),
        "rule": format!("its macro-F1 may lie {WORSE_BY} below that of the model in use, on texts that each had not seen"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(macro_f1: f64) -> Standing {
        Standing {
            name: "n".to_owned(),
            status: "candidate".to_owned(),
            macro_f1,
            summary: json!({}),
        }
    }

    #[test]
    fn half_a_point_worse_is_allowed_and_more_is_not() {
        assert_eq!(worse(&standing(0.1), None), None);
        assert_eq!(worse(&standing(0.9), Some(&standing(0.8))), None);
        assert_eq!(worse(&standing(0.8951), Some(&standing(0.9))), None);
        let why = worse(&standing(0.8949), Some(&standing(0.9))).expect("too much worse");
        assert!(why.contains("0.8949") && why.contains("0.9000"), "{why}");
    }
}
