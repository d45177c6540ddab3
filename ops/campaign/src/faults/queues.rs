//! Queues, paused and resumed through the API, which notes it in its history.

use reqwest::Method;
use serde_json::json;
use tokio::time::Instant;

use super::{Doing, Harm, Stage, Undo};
use crate::portal::Portal;

/// Every queue of the load.
const QUEUES: [&str; 4] = ["default", "capped", "shared", "rated"];

impl Harm {
    pub(super) async fn pause_queue(&mut self, stage: &Stage<'_>) {
        let queue = QUEUES[self.picks.below(QUEUES.len())];
        let (api, lasts) = (self.picks.below(64), self.picks.between(1_000, 5_000));
        if self.is_doing(&Undo::Resume(queue)) {
            return;
        }
        let path = format!("/v1/queues/{queue}/pause");
        let body = json!({ "reason": "the campaign pauses it" });
        let asked = stage
            .portal
            .ask(api, Method::POST, &path, Some(&body))
            .await;
        let mut doing = Doing {
            name: "queue paused".to_owned(),
            target: queue.to_owned(),
            until: Instant::now() + lasts,
            undo: Undo::Resume(queue),
        };
        match asked {
            Some((status, _)) if status.is_success() => self.begin(stage.portal, doing),
            // Nobody knows whether it is paused: it must be resumed all the same.
            unsure => {
                doing.target = format!("{queue}: {unsure:?}");
                doing.name = "pause unanswered".into();
                self.begin(stage.portal, doing);
            }
        }
    }
}

/// Resumes a queue; false where nobody knows whether it was.
pub(super) async fn resumed(portal: &Portal, api: usize, queue: &str) -> bool {
    let path = format!("/v1/queues/{queue}/resume");
    let answered = portal.ask(api, Method::POST, &path, None).await;
    // Not found: the pause never came to be, or an earlier answer was lost.
    answered.is_some_and(|(status, _)| status.is_success() || status.as_u16() == 404)
}
